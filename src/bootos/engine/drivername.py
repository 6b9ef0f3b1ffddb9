"""The drivers that a template names (`raid.driver`), as far as that can be judged without the machine and its image: a
driver of another package is known only there.
"""

from collections.abc import Collection, Iterator
from typing import Any

from bootos.drivers.builtin import BUILTIN
from bootos.errors import Problem

SECTIONS = ("bios", "oob", "raid")  # those with a key `driver`


def find_driver_problems(document: dict[str, Any]) -> list[Problem]:
    """Drivers of BootOS that are named in a section that is not theirs."""
    known = {entry.name for entry in BUILTIN}
    return [
        Problem(
            path=f"{at}.driver",
            message=f"{name!r} is no driver for {section}",
            hint=_tell_known(section),
        )
        for at, section, name in _list_named(document)
        if name in known and name not in _list_known(section)
    ]


def find_driver_notes(document: dict[str, Any], told: Collection[str] = ()) -> list[Problem]:
    """Names that no driver of BootOS has. They are no mistakes, as a package in the image may bring the driver. `told`:
    the drivers that the machine's agent named."""
    known = {entry.name for entry in BUILTIN}
    return [
        Problem(
            path=f"{at}.driver",
            message=f"no driver of BootOS is called {name!r}: the job is refused unless the image has one",
            hint=_tell_known(section),
        )
        for at, section, name in _list_named(document)
        if name not in known and name not in told
    ]


def _list_named(document: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The sections that name a driver, as (place, section, its name); one that is yet to be filled in is none."""
    for section in SECTIONS:
        part = document.get(section)
        parts = (
            {f"{section}[{number}]": item for number, item in enumerate(part)}
            if isinstance(part, list)
            else {}
        )
        for at, item in (parts or {section: part}).items():
            name = item.get("driver") if isinstance(item, dict) else None
            if isinstance(name, str) and "<{" not in name:
                yield at, section, name


def _list_known(section: str) -> list[str]:
    return [entry.name for entry in BUILTIN if entry.name.startswith(f"{section}.")]


def _tell_known(section: str) -> str:
    return f"known: {', '.join(_list_known(section))}"
