"""The files of `names/`: for each neutral name of a template's `bios` section what a vendor calls it. Read, not judged.

For each name a file has the attributes it may be, the best first, with the values that the neutral values mean.
"""

import functools
import tomllib
from fnmatch import fnmatchcase
from importlib.resources import files

import msgspec

GENERIC = "generic"  # tried for every machine, after the vendor's own


class Candidate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An attribute that a neutral name may be, or the title under which the BIOS shows it, for those whose attributes
    are codes. `values`: neutral value to the words it may be written in. `also`: attributes that are set with it where
    the machine has them. `words_only`: attributes that say off by their name and on by their words. Where the
    machine has such a one as true or false nobody can tell which is on, and it is neither read nor written."""

    attribute: str = ""
    title: str = ""
    values: dict[str, list[str]]
    also: tuple["Candidate", ...] = ()
    words_only: tuple[str, ...] = ()


class Dependence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Attributes that can be set only while `attribute` is `value`; `implied`: what they are with its other values."""

    attribute: str
    value: str
    locks: tuple[str, ...]
    implied: dict[str, dict[str, str]] = {}


class Names(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of `names/`. `match`: patterns of SMBIOS vendor names, lower case."""

    title: str
    match: tuple[str, ...] = ()
    source: str
    names: dict[str, tuple[Candidate, ...]] = {}
    depends: tuple[Dependence, ...] = ()


@functools.cache
def read_names(vendor: str) -> Names:
    """The file of a vendor, by its name without suffix."""
    text = (files("bootos.drivers.bios") / "names" / f"{vendor}.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), Names)


@functools.cache
def find_vendors() -> tuple[str, ...]:
    """The vendors there are files for, without the generic one."""
    folder = files("bootos.drivers.bios") / "names"
    found = (item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))
    return tuple(sorted(set(found) - {GENERIC}))


def find_vendor(system_vendor: str | None) -> str:
    """The vendor's file for an SMBIOS system vendor; the generic one for those that have none."""
    text = (system_vendor or "").strip().lower()
    for vendor in find_vendors():
        if any(fnmatchcase(text, pattern) for pattern in read_names(vendor).match):
            return vendor
    return GENERIC


def find_candidates(vendor: str, name: str) -> tuple[Candidate, ...]:
    """What a neutral name may be on this vendor's machines, the vendor's own knowledge first. Machines of makers that
    have no file are sold by others too: there the names of all files are tried last."""
    files = (GENERIC, *find_vendors()) if vendor == GENERIC else (vendor, GENERIC)
    return tuple(candidate for file in files for candidate in read_names(file).names.get(name, ()))
