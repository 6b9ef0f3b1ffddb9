"""`bootos retention`."""

from typing import Annotated

import typer

from bootos.server.command.client import Client
from bootos.server.command.option import Output, operator_command

retention_app = typer.Typer(subcommand_metavar="", epilog="Example: bootos retention --dry-run")


@operator_command(retention_app, "")
def remove_old(
    client: Client,
    out: Output,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say how much there is; remove nothing.")
    ] = False,
) -> None:
    """Remove logs, jobs, inventories and lines of the audit log that are older than the limits of docs/limits.md, which
    the server does by itself every six hours. The newest inventory of a machine and certificates of what was erased
    stay.

    Example: bootos retention --dry-run
    """
    value = client.call("POST", "retention", body={"dry_run": dry_run})
    names = {
        "log_lines": "log lines",
        "jobs": "jobs",
        "inventories": "inventories",
        "boots": "boots",
        "audit": "lines of the audit log",
    }
    rows = ", ".join(f"{value[name]} {word}" for name, word in names.items() if name in value)
    verb = "are old enough to go" if dry_run else "were removed"
    out.say(f"{rows} {verb}; nothing goes before {value['begins_at'][:19]}Z", value)
