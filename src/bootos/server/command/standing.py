"""Which machines are the ones that they say to be: `bootos machine new|confirm|release|acknowledge`."""

from typing import Annotated

import typer

from bootos.errors import BootosError
from bootos.server.command.client import Client
from bootos.server.command.option import MachineArgument, Output

NEW_COLUMNS = {
    "id": "ID",
    "sn": "KNOWN AS",
    "state": "STATE",
    "vendor": "VENDOR",
    "product": "PRODUCT",
    "address": "ADDRESS",
    "words": "WORDS ON ITS CONSOLE",
    "last_heard_at": "LAST HEARD",
}


def list_new(client: Client, out: Output) -> None:
    """List the machines that wait until you confirm them, with the words that their consoles must show.

    Example: bootos machine new
    """
    rows = client.list_all("confirm", key="id", after=0)
    if not out.as_json:
        rows = [{**row, "id": f"id:{row['id']}", "words": row["words"] or "none"} for row in rows]
    out.table(rows, NEW_COLUMNS, "no machine waits to be confirmed")


def confirm_machines(
    client: Client,
    out: Output,
    machines: Annotated[
        list[str], typer.Argument(metavar="MACHINE...", help="Serial numbers or other names, or ids as id:5.")
    ],
    is_sure: Annotated[
        bool, typer.Option("--yes", help="You have compared the words already: do not ask.")
    ] = False,
) -> None:
    """Say that machines are the ones that they say to be: they get their jobs then, and secrets as the server's policy
    has it. Compare the words below with those on their consoles first: on a console with other words somebody stands
    between.

    Example: bootos machine confirm SN001 id:7
    """
    rows = [client.call("GET", "machines", machine) for machine in machines]
    if not out.as_json:
        shown = [{**row, "id": f"id:{row['id']}", "words": row["words"] or "none"} for row in rows]
        out.table(shown, NEW_COLUMNS, "")
        for row in rows:
            if row["doubt"]:
                out.line(f"id:{row['id']}: {row['doubt']}", "red")
    if not is_sure:
        asked = "Do the consoles show these words?"
        if not all(row["words"] for row in rows):
            asked = "Are these the machines, and do the consoles that show words show these?"
        try:
            typer.confirm(asked, abort=True, err=True)
        except typer.Abort:
            raise BootosError(
                "nothing was confirmed", hint="in a script, who has compared the words: --yes"
            ) from None
    body = [{"machine": f"id:{row['id']}", "boot": row["boot"], "words": row["words"]} for row in rows]
    answer = client.call("POST", "confirm", body=body)
    names = ", ".join(answer["machines"].values())
    out.say(f"confirmed: {names}", answer)


def release_machine(
    client: Client,
    out: Output,
    machine: MachineArgument,
    unconfirm: Annotated[
        bool, typer.Option("--unconfirm", help="It is new again: what it was known by is forgotten.")
    ] = False,
) -> None:
    """Take a machine's identity from the client that holds it. Its session ends, and for two minutes only another
    client may have the identity; whoever has it then is confirmed as ever. A job of a Cloudboot v1 agent is no
    address's any more.

    Example: bootos machine release SN001
    """
    answer = client.call("POST", "machines", machine, "release", body={"unconfirm": unconfirm})
    said = "nobody holds its identity now" + ("; it is new again" if unconfirm else "")
    out.say(f"machine {answer['sn']}: {said}", answer)


def acknowledge(client: Client, out: Output, machine: MachineArgument) -> None:
    """Say that you have seen the refused claims of a machine's identity, and what of it has changed; another one is
    shown again.

    Example: bootos machine acknowledge SN001
    """
    answer = client.call("POST", "machines", machine, "acknowledge")
    out.say(f"machine {answer['sn']}: its refused claims, and what of it has changed, were seen", answer)
