"""RAID controllers as their vendors' programs list them, with arrays and drives, where such a program is installed.

Called by `inventory.collect_inventory`, which puts them beside what PCI shows (`raidplace`). A machine whose program
lists a controller has one, whatever is known of its PCI ids. A program that is not installed is no failure.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from bootos.errors import read_chain
from bootos.hardware import adaptec as arc
from bootos.hardware import mvcli, raidentry, sasircu, storcli
from bootos.hardware import smartarray as ssa
from bootos.hardware.cardlist import CardList
from bootos.hardware.program import find_tool
from bootos.hardware.remark import Remark, tell_remarks
from bootos.process import Runner
from bootos.wire.inventory import RaidController


class Listed(Protocol):
    """A controller as a program lists it."""

    @property
    def title(self) -> str:
        """How sentences name it."""
        ...

    @property
    def remarks(self) -> Sequence[Remark]:
        """What the program does not show of it."""
        ...


F = TypeVar("F", bound=Listed)
C = TypeVar("C", sasircu.IrController, mvcli.MvController)


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a program tells. `notes` are sentences about what it could not show."""

    controllers: list[RaidController] = []
    notes: list[str] = []


class RaidTool(msgspec.Struct, frozen=True, kw_only=True):
    """`ask` are the words of a call that shows whether one of `programs` is there. `read` tells what they list on a
    machine with this root, None where none is installed; it raises ToolError, ValueError."""

    driver: str
    title: str
    programs: tuple[str, ...]
    ask: tuple[str, ...]
    read: Callable[[Runner, Path], Told | None]


def _tell(found: Sequence[F], build: Callable[[F], RaidController]) -> Told:
    return Told(
        controllers=[build(entry) for entry in found],
        notes=[line for entry in found for line in tell_remarks(f"RAID {entry.title}", entry.remarks)],
    )


def _tell_cards(found: CardList[C] | None, build: Callable[[C], RaidController]) -> Told | None:
    """Of programs that share out cards. Raises what the first that failed raised, when none of them lists any."""
    if found is None:
        return None
    if found.failures and not found.cards:
        raise found.failures[0].cause
    told = _tell(found.cards, build)
    for failure in found.failures:
        why = "; ".join(read_chain(failure.cause))
        told.notes.append(f"The RAID controllers that {failure.program} knows are not read: {why}.")
    return told


def read_megaraid(run: Runner, program: str) -> Told:
    """By storcli or perccli. Raises ToolError, ValueError."""
    return _tell(storcli.read_controllers(run, program), raidentry.build_megaraid)


def read_smartarray(run: Runner, program: str) -> Told:
    """By ssacli. Raises ToolError, ValueError."""
    return _tell(ssa.read_config(run, program), raidentry.build_smartarray)


def read_adaptec(run: Runner, program: str) -> Told:
    """By arcconf, which numbers controllers from 1. Raises ToolError, ValueError."""
    return _tell(arc.read_configs(run, program), raidentry.build_adaptec)


def read_sasircu(run: Runner, root: Path) -> Told | None:
    """By sas3ircu and sas2ircu. Raises ToolError, ValueError."""
    return _tell_cards(sasircu.read_cards(run, root), raidentry.build_sasircu)


def read_mvcli(run: Runner, root: Path) -> Told | None:
    """By mvcli and mnv_cli. Raises ToolError, ValueError."""
    return _tell_cards(mvcli.read_cards(run, root), raidentry.build_mvcli)


def _build_tool(
    driver: str,
    title: str,
    programs: tuple[str, ...],
    ask: tuple[str, ...],
    read: Callable[[Runner, str], Told],
) -> RaidTool:
    """One that is read by the first of its programs that is installed: they all know the same controllers."""

    def find_and_read(run: Runner, root: Path) -> Told | None:
        program = find_tool(run, root, programs, ask)
        return read(run, program) if program is not None else None

    return RaidTool(driver=driver, title=title, programs=programs, ask=ask, read=find_and_read)


TOOLS = (
    _build_tool(storcli.DRIVER, "storcli (perccli)", storcli.PROGRAMS, ("show", "J"), read_megaraid),
    _build_tool("raid.smartarray", "ssacli", ssa.PROGRAMS, ("version",), read_smartarray),
    _build_tool("raid.adaptec", "arcconf", arc.PROGRAMS, ("GETVERSION",), read_adaptec),
    RaidTool(
        driver=sasircu.DRIVER,
        title="sas3ircu (sas2ircu)",
        programs=sasircu.PROGRAMS,
        ask=sasircu.ASK,
        read=read_sasircu,
    ),
    RaidTool(
        driver=mvcli.DRIVER, title="mvcli (mnv_cli)", programs=mvcli.PROGRAMS, ask=mvcli.ASK, read=read_mvcli
    ),
)
