"""`bootos capture`: what BootOS understands of a machine, from a capture or from what its tools printed. It asks no
server."""

import logging
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bootos.engine.capture.replayed import read_captured, read_file, understand_capture
from bootos.engine.capture.source import read_files
from bootos.engine.capture.text import format_understood
from bootos.engine.capture.understand import TOOLS, Understood, understand_tool
from bootos.errors import BootosError
from bootos.screen import print_json, write_out
from bootos.server.command.offline import show_offline_plan
from bootos.wire.saved import SavedState

capture_app = typer.Typer(no_args_is_help=True, epilog="Example: bootos capture show machine.json.gz")


@capture_app.callback()
def group() -> None:
    """What was read of a machine, shown anywhere."""


@capture_app.command("show")
def show_capture(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="A capture; with --tool outputs, for redfish a directory too."
        ),
    ],
    tool: Annotated[
        str | None,
        typer.Option(
            "--tool", metavar="TOOL", help=f"The FILEs are raw outputs of this tool: {', '.join(TOOLS)}."
        ),
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="TEMPLATE", help="Plan a template on the machine instead."),
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="With --plan: a value for a placeholder; may be repeated."
        ),
    ] = None,
    secrets: Annotated[
        Path | None,
        typer.Option(
            metavar="SECRETS", help='With --plan: JSON, {"name": "value"}: the values of the secrets.'
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print what BootOS understands of a machine: the inventory, what the drivers read, and notes. FILE is a capture,
    as `bootos-agent capture` and `bootos machine capture` write it; with --tool each FILE is the raw output of one
    command, told apart by what it holds.

    Example: bootos capture show --tool storcli c0.json vall.json
    """
    logging.getLogger("bootos").addHandler(logging.NullHandler())  # what is logged is among the notes
    if tool is not None:
        found, notes = read_files(files)
        if not found and notes:
            raise BootosError(" ".join(notes).rstrip("."))
        understood = understand_tool(tool, found)
        understood.notes += notes
        if plan is not None:
            show_offline_plan(plan, _save(understood), given or [], secrets, as_json=as_json)
            return
    elif len(files) != 1:
        raise BootosError("one capture is shown at a time", hint="raw outputs of a tool want --tool TOOL")
    elif plan is not None:
        show_offline_plan(plan, read_captured(read_file(files[0])), given or [], secrets, as_json=as_json)
        return
    else:
        understood = understand_capture(read_file(files[0]))
    if as_json:
        print_json(msgspec.to_builtins(understood))
        return
    write_out("".join(f"{line}\n" for line in format_understood(understood)))


def _save(found: Understood) -> SavedState:
    return SavedState(
        saved_at="", inventory=found.inventory, states=found.states, unread=found.unread, notes=found.notes
    )
