"""`bootos support`."""

from typing import Annotated, Any

import typer

from bootos.server.command.client import Client
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
    vendor: Annotated[str, typer.Option(help="The vendor; * and ? are wildcards.")] = "",
    product: Annotated[str, typer.Option(help="The product; * and ? are wildcards.")] = "",
    from_job: Annotated[
        int | None,
        typer.Option(
            metavar="JOB",
            help="Read vendor, product, versions (from these on) and what was configured from the "
            "evidence of this developer mode job.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="With --from-job: though the job failed.")] = False,
    alias: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Another name of the vendor; common ones are known. May be repeated."
        ),
    ] = None,
    bios: Annotated[str | None, typer.Option(metavar="RANGE", help=f"BIOS versions, {VERSIONS}")] = None,
    bmc: Annotated[
        str | None, typer.Option(metavar="RANGE", help=f"BMC firmware versions, {VERSIONS}")
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT,...",
            help="What may be configured: firmware, bios, erase, raid, oob, disks, extra, scripts. Default: all.",
        ),
    ] = None,
) -> None:
    """Add a model: by name, or from the evidence of a job that ran in developer mode.

    Examples: bootos support add --vendor Dell --product 'PowerEdge R7*' --bios '>=2.10 <3' --allow raid,disks,oob;
    bootos support add --from-job 12
    """
    allowed = [name.strip() for words in allow or [] for name in words.split(",") if name.strip()]
    if from_job is not None:
        if vendor or product:
            raise typer.BadParameter("the job tells vendor and product", param_hint="--from-job")
        body: dict[str, Any] = {
            "job": from_job,
            "force": force,
            "aliases": alias or [],
            "bios": bios,
            "bmc": bmc,
        }
        answer = client.call("POST", "support", "from-job", body={**body, "allow": allowed or None})
    else:
        if force:
            raise typer.BadParameter("goes with --from-job", param_hint="--force")
        body = {
            "vendor": vendor,
            "product": product,
            "aliases": alias or [],
            "bios": bios or "",
            "bmc": bmc or "",
        }
        answer = client.call("POST", "support", body={**body, "allow": allowed})
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
