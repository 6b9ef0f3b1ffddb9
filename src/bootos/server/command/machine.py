"""`bootos machine`."""

import base64
import csv
import io
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from bootos.errors import BootosError
from bootos.printable import show_line
from bootos.screen import write_out
from bootos.server.command.client import Client
from bootos.server.command.machinetext import print_machine
from bootos.server.command.option import MachineArgument, Output, cell, operator_command, read_file
from bootos.server.command.standing import acknowledge, confirm_machines, list_new, release_machine
from bootos.server.command.template import format_yaml
from bootos.waiting import find_within
from bootos.wire import v2

machine_app = typer.Typer(no_args_is_help=True, epilog="Example: bootos machine list")

# the agent's deadline, the end of a tool that is killed, a poll, and the way of 2 MB
CAPTURE_WAIT_S = v2.CAPTURE_DEADLINE_S + 60.0


@operator_command(machine_app, "list")
def list_machines(
    client: Client,
    out: Output,
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0: all.")] = 0,
    after: Annotated[str, typer.Option(metavar="NAME", help="Those that come after this one.")] = "",
) -> None:
    """List the machines, by what they are known as.

    Example: bootos machine list --limit 50 --after SN050
    """
    columns = {
        "id": "ID",
        "sn": "KNOWN AS",
        "known_by": "BY",
        "state": "STATE",
        "vendor": "VENDOR",
        "product": "PRODUCT",
        "supported": "SUPPORTED",
        "address": "ADDRESS",
        "image_version": "IMAGE",
        "active_job": "JOB",
        "last_heard_at": "LAST HEARD",
    }
    rows = client.list_all("machines", key="sn", limit=limit, after=after)
    if not out.as_json:
        rows = [{**row, "id": f"id:{row['id']}"} for row in rows]  # the form that commands take
    out.table(rows, columns, "no machine has registered yet")


@operator_command(machine_app, "show")
def show_machine(client: Client, out: Output, machine: MachineArgument) -> None:
    """Show a machine; with --json its whole inventory.

    Example: bootos machine show SN001
    """
    value = client.call("GET", "machines", machine)
    if out.as_json:
        out.json(value)
        return
    print_machine(out, value)


@operator_command(machine_app, "set")
def set_machine(
    client: Client,
    out: Output,
    machine: MachineArgument,
    values: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE...",
            help="hostname, address, netmask, gateway, vlan, trunk, bonding, manage_ip, manage_netmask, "
            "manage_gateway; any other key is a variable for templates. An empty value removes the key.",
        ),
    ],
) -> None:
    """Say what the machine shall be called, for PXE templates and answer files, and give it variables for templates. An
    unknown machine is enrolled. Values may hold placeholders: <{pool:NAME}>, <{number:03}>, <{sn}>.

    Example: bootos machine set SN001 hostname='db-<{number:03}>' address=10.0.0.5/24 gateway=10.0.0.1 rack=r12
    """
    given = dict(value.partition("=")[::2] for value in values)
    if any("=" not in value for value in values):
        raise typer.BadParameter("must be KEY=VALUE", param_hint="KEY=VALUE")
    answer = client.call("PATCH", "machines", machine, "settings", body=given)
    said = {**answer["settings"], **answer["variables"]}
    out.say(f"machine {answer['sn']}: {cell('settings', said)}", answer)


@operator_command(machine_app, "import")
def import_machines(
    client: Client,
    out: Output,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .csv file with a column `sn`; - is stdin.")],
) -> None:
    """Set many machines at once from a CSV file: a column `sn`, and one for each setting or variable. All is taken in,
    or nothing. Empty cells change nothing; unknown machines are enrolled. A column `mac`: a machine that registers with
    that serial number and one of these MACs is confirmed by that.

    Example: bootos machine import racks.csv
    """
    rows = read_rows(file)
    answer = client.call("POST", "import", body=rows)
    out.say(f"{answer['count']} machine(s) were set, {answer['new']} of them new", answer)


def read_rows(file: Path) -> list[dict[str, Any]]:
    """The rows of a CSV file, each with its line. Raises BootosError."""
    reader = csv.reader(io.StringIO(read_file(file).removeprefix("\ufeff")))
    header = [name.strip() for name in next(reader, [])]
    keys = ["sn" if name.casefold() in ("sn", "serial", "serial number") else name for name in header]
    if keys.count("sn") != 1 or len(set(keys)) != len(keys) or "" in keys:
        raise BootosError(
            f"the first line of {file} must name the columns, each once, and one of them must be sn",
            hint="as sn,hostname,rack",
        )
    rows = []
    keys = ["mac" if name.casefold() in ("mac", "macs") else name for name in keys]
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(keys):
            raise BootosError(f"{file}: line {reader.line_num} has {len(cells)} columns, not {len(keys)}")
        values = {key: cell.strip() for key, cell in zip(keys, cells, strict=True)}
        mac = {"mac": values.pop("mac")} if "mac" in values else {}  # an earlier server does not know it
        rows.append({"sn": values.pop("sn"), "line": reader.line_num, **mac, "values": values})
    return rows


operator_command(machine_app, "new")(list_new)
operator_command(machine_app, "confirm")(confirm_machines)
operator_command(machine_app, "release")(release_machine)
operator_command(machine_app, "acknowledge")(acknowledge)


@operator_command(machine_app, "rename")
def rename_machine(
    client: Client,
    out: Output,
    machine: MachineArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The serial number, UUID or other name.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="The machine that has this name is the same: its record goes.")
    ] = False,
) -> None:
    """Say what a machine is known as, with its jobs, pins and settings: for one of which the server was not certain
    that it is the same. Its former name stays another word for it.

    Example: bootos machine rename id:3 4c4c4544-0039-3010-8048-b7c04f384432 --replace
    """
    answer = client.call("POST", "machines", machine, "rename", body={"sn": name, "replace": replace})
    out.say(f"machine id:{answer['id']} is known as {answer['sn']}", answer)


@operator_command(machine_app, "state")
def show_state(client: Client, out: Output, machine: MachineArgument) -> None:
    """Print the machine's inventory and what its drivers read last, as JSON, for `bootos template check --inventory`.

    Example: bootos machine state SN001 > saved.json
    """
    out.json(client.call("GET", "machines", machine, "state"))


@operator_command(machine_app, "capture")
def capture_machine(
    client: Client,
    out: Output,
    machine: MachineArgument,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="Where to write it; without one capture-MACHINE.json.gz."),
    ] = None,
    is_anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Replace serial numbers, MACs, addresses, names and the like.")
    ] = False,
    is_last: Annotated[
        bool, typer.Option("--last", help="Take the one that the server has, and ask for none.")
    ] = False,
    timeout_s: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="How long to wait.")
    ] = CAPTURE_WAIT_S,
) -> None:
    """Have the machine's agent write all that is read of the machine into one file, for `bootos capture show`. Nothing
    is changed on the machine. An agent takes it between jobs.

    Example: bootos machine capture SN001 machine.json.gz
    """
    if not is_last:
        client.call("POST", "machines", machine, "capture")

        def find_end() -> dict[str, Any] | None:
            view: dict[str, Any] = client.call("GET", "machines", machine, "capture")
            return view if view["asked_at"] is None else None

        view = find_within(find_end, timeout_s, pause_s=1.0)
        if view is None:
            raise BootosError(
                f"machine {machine} has not sent its capture for {timeout_s:g} s",
                hint="it is waited for for an hour; bootos machine capture --last fetches it",
            )
        if view["error"]:
            raise BootosError(f"machine {machine} took no capture: {show_line(view['error'])}")
    else:
        view = client.call("GET", "machines", machine, "capture")
        if view["error"] and view["taken_at"] is None:
            raise BootosError(f"there is no capture of machine {view['sn']}: {show_line(view['error'])}")
    answer = client.call("GET", "machines", machine, "capture", "file")
    data = base64.b64decode(answer["data"])
    if is_anonymous:
        from bootos.engine.capture.replayed import make_anonymous  # imported here, as few ask for it

        data = make_anonymous(data)
    file = file or Path(f"capture-{re.sub(r'[^A-Za-z0-9._-]', '-', answer['sn'])}.json.gz")
    file.write_bytes(data)
    told = {"sn": answer["sn"], "taken_at": answer["taken_at"], "file": str(file), "size_bytes": len(data)}
    out.say(
        f"{file}: {len(data)} bytes, taken at {answer['taken_at']}; bootos capture show {file}",
        {**told, "error": view["error"]},
    )
    if view["error"] and not out.as_json:
        out.line(f"a newer one was asked for, and was not taken: {view['error']}")


@operator_command(machine_app, "export-template")
def export_template(client: Client, out: Output, machine: MachineArgument) -> None:
    """Print the template that describes the machine as it is configured: applying it there plans nothing.

    Example: bootos machine export-template SN001 > golden.yaml
    """
    value = client.call("GET", "machines", machine, "template")
    if out.as_json:
        out.json(value)
        return
    for line in (f"{value['sn']}, as it was at {value['saved_at']}", *value["notes"]):
        write_out(f"# {show_line(line)}\n")
    write_out(format_yaml(value["template"]))


@operator_command(machine_app, "delete")
def delete_machine(client: Client, out: Output, machine: MachineArgument) -> None:
    """Delete a machine, its jobs, logs, MAC addresses and PXE files.

    Example: bootos machine delete SN001
    """
    client.call("DELETE", "machines", machine)
    out.say(f"machine {machine} was deleted")
