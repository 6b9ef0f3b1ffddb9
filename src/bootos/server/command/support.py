"""`bootos support`."""

from typing import Annotated, Any

import typer

from bootos.server.client import Client
from bootos.server.command.option import Output, operator_command

support_app = typer.Typer(no_args_is_help=True, epilog="Example: bootos support list")

VERSIONS = "as '>=2.10 <3' or 'U30*'. Default: any."


@operator_command(support_app, "list")
def list_support(client: Client, out: Output) -> None:
    """List the hardware models on which jobs run in user mode.

    Example: bootos support list
    """
    columns = {
        "id": "LINE",
        "vendor": "VENDOR",
        "aliases": "ALSO",
        "product": "PRODUCT",
        "bios": "BIOS",
        "bmc": "BMC",
        "allow": "ALLOWS",
        "note": "NOTE",
    }
    rows = client.call("GET", "support")
    if not out.as_json:
        rows = [{**row, "allow": row["allow"] or ["everything"]} for row in rows]
    out.table(rows, columns, "no model is supported yet")


@operator_command(support_app, "add")
def add_support(
    client: Client,
    out: Output,
    vendor: Annotated[str, typer.Option(help="The vendor; * and ? are wildcards.")],
    product: Annotated[str, typer.Option(help="The product; * and ? are wildcards.")],
    alias: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Another name of the vendor; common ones are known. May be repeated."
        ),
    ] = None,
    bios: Annotated[str, typer.Option(metavar="RANGE", help=f"BIOS versions, {VERSIONS}")] = "",
    bmc: Annotated[str, typer.Option(metavar="RANGE", help=f"BMC firmware versions, {VERSIONS}")] = "",
    allow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT,...",
            help="What may be configured: firmware, bios, oob, raid, disks, scripts. Default: everything.",
        ),
    ] = None,
) -> None:
    """Add a model.

    Example: bootos support add --vendor Dell --product 'PowerEdge R7*' --bios '>=2.10 <3' --allow raid,disks,oob
    """
    body = {
        "vendor": vendor,
        "product": product,
        "aliases": alias or [],
        "bios": bios,
        "bmc": bmc,
        "allow": [name.strip() for words in allow or [] for name in words.split(",") if name.strip()],
    }
    answer = client.call("POST", "support", body=body)
    out.say(describe(answer), answer)


def describe(line: dict[str, Any]) -> str:
    """A line in one sentence."""
    also = f" (also {', '.join(line['aliases'])})" if line["aliases"] else ""
    versions = "".join(
        f", {name} {line[key]}" for key, name in (("bios", "BIOS"), ("bmc", "BMC")) if line[key]
    )
    allowed = ", ".join(line["allow"]) or "everything"
    return f"line {line['id']}: {line['vendor']}{also} / {line['product']}{versions}; allows {allowed}"


@operator_command(support_app, "remove")
def remove_support(
    client: Client, out: Output, line: Annotated[int, typer.Argument(help="See bootos support list.")]
) -> None:
    """Remove a line of the list.

    Example: bootos support remove 3
    """
    client.call("DELETE", "support", line)
    out.say(f"line {line} was removed")
