"""`bootos <noun> <verb>`: the operator's command. Each noun imports its part only when it is used.

Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

import importlib
import sys
from typing import Any

import click
import typer
from typer.core import TyperGroup

from bootos import __version__
from bootos.errors import BootosError, read_chain

# noun -> (module, attribute, one line of help)
NOUNS: dict[str, tuple[str, str, str]] = {
    "image": ("bootos.image.command", "app", "build the in-memory operating system"),
    "serve": ("bootos.server.command", "serve_app", "run the server"),
    "machine": ("bootos.server.command", "machine_app", "the machines that registered"),
    "template": ("bootos.server.command", "template_app", "configuration templates"),
    "job": ("bootos.server.command", "job_app", "runs of a template on a machine"),
    "pxe": ("bootos.server.command", "pxe_app", "PXE templates for the boot after the job"),
    "secret": ("bootos.server.command", "secret_app", "values that templates refer to"),
    "support": ("bootos.server.command", "support_app", "the list of supported hardware models"),
    "lab": ("bootos.lab.command", "app", "virtual bare-metal machines"),
}


class LazyGroup(TyperGroup):
    """Loads a noun's module when the noun is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in NOUNS:
            return None
        module, attribute, _ = NOUNS[cmd_name]
        if _wants_only_names(ctx):
            return click.Command(cmd_name, help=NOUNS[cmd_name][2], short_help=NOUNS[cmd_name][2])
        loaded: Any = getattr(importlib.import_module(module), attribute)
        command = typer.main.get_command(loaded)
        command.name = cmd_name
        return command


def _wants_only_names(ctx: click.Context) -> bool:
    """Whether the group itself prints its help, for which no noun has to be loaded."""
    return not any(word in NOUNS for word in sys.argv[1:2])


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, add_completion=False, help=__doc__)


@app.callback()
def bootos(
    version: bool = typer.Option(False, "--version", help="Print the version and end.", is_eager=True),
) -> None:
    """BootOS: an operating system in memory that configures bare servers."""
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """The command's entry; prints an error's chain once."""
    try:
        app()
    except BootosError as error:
        for sentence in read_chain(error):
            typer.echo(f"bootos: {sentence}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
