"""`bootos capture`: what BootOS understands of a machine, from what its tools printed. It asks no server."""

import logging
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bootos.engine.capture.source import read_files
from bootos.engine.capture.text import format_understood
from bootos.engine.capture.understand import TOOLS, understand_tool
from bootos.screen import print_json, write_out

capture_app = typer.Typer(
    no_args_is_help=True, epilog="Example: bootos capture show --tool storcli c0.json vall.json"
)


@capture_app.callback()
def group() -> None:
    """What was read of a machine, shown anywhere."""


@capture_app.command("show")
def show_capture(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Outputs; for redfish also a directory.")
    ],
    tool: Annotated[
        str, typer.Option("--tool", metavar="TOOL", help=f"Whose raw outputs they are: {', '.join(TOOLS)}.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print what BootOS understands of the raw outputs of a tool: the inventory, what the drivers read, and notes. Each
    FILE is the output of one command, told apart by what it holds.

    Example: bootos capture show --tool storcli c0.json vall.json
    """
    logging.getLogger("bootos").addHandler(logging.NullHandler())  # what is logged is among the notes
    found, notes = read_files(files)
    understood = understand_tool(tool, found)
    understood.notes += notes
    if as_json:
        print_json(msgspec.to_builtins(understood))
        return
    write_out("".join(f"{line}\n" for line in format_understood(understood)))
