"""`bootos <noun> <verb>`: the operator's command. Each noun imports its part only when it is used.

Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

import importlib
import sys
from collections.abc import Sequence

import typer

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


def build_app(words: Sequence[str]) -> typer.Typer:
    """The command line, with only the noun in `words` really loaded; the others are there by name and help."""
    app = typer.Typer(
        no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False
    )
    app.callback(invoke_without_command=True)(show_version)
    wanted = next((word for word in words if not word.startswith("-")), None)
    for noun, (module, attribute, summary) in NOUNS.items():
        if noun == wanted:
            app.add_typer(getattr(importlib.import_module(module), attribute), name=noun, help=summary)
        else:
            app.command(noun, help=summary)(_name_only)
    return app


def _name_only() -> None:
    """Never run: a noun that is used is loaded from its own module."""


def show_version(
    version: bool = typer.Option(False, "--version", help="Print the version and end."),
) -> None:
    """BootOS: an operating system in memory that configures bare servers."""
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """The command's entry; prints an error's chain once."""
    try:
        build_app(sys.argv[1:])()
    except BootosError as error:
        for sentence in read_chain(error):
            typer.echo(f"bootos: {sentence}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
