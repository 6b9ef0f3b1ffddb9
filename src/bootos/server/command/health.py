"""`bootos health`."""

import typer

from bootos.server.command.client import Client
from bootos.server.command.option import Output, operator_command

health_app = typer.Typer(subcommand_metavar="", epilog="Example: bootos health")


@operator_command(health_app, "")
def show_health(client: Client, out: Output) -> None:
    """Show what the server refused or cut since it began, and of whom: the limits are in docs/limits.md.

    Example: bootos health
    """
    value = client.call("GET", "health")
    if out.as_json:
        out.json(value)
        return
    columns = {"count": "TIMES", "what": "WHAT", "detail": "OF WHOM", "first_at": "FIRST", "last_at": "LAST"}
    out.table(value["sentences"], columns, "nothing was refused for a limit since the server began")
