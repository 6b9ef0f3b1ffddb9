"""What vendors document of their packages and tools, as data (`vendor.toml`). Pure but for reading that file once."""

import functools
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from importlib import resources
from urllib.parse import unquote, urlsplit

import msgspec

from bootos.template.firmware import Component


class Format(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of package. `command`: `{package}` is its path, `{program}` the first of `programs` that is here,
    `{stem}` its name without the suffix, `{directory}` where it was unpacked (`unpack`: it is a zip file).

    Exit codes: `done`; `reboot`: done with the next reboot; `current`: nothing was done, the version is there already;
    `rebooting`: the package reboots by itself. `takes_reboot`: components for which it takes effect with a reboot.
    `resumable`: those for which the vendor documents that a package that was cut off is run again."""

    title: str
    vendors: tuple[str, ...]
    files: tuple[str, ...]
    command: tuple[str, ...]
    components: tuple[Component, ...] = ()  # empty: all
    programs: tuple[str, ...] = ()
    unpack: bool = False
    downgrade: tuple[str, ...] = ()
    done: tuple[int, ...] = (0,)
    reboot: tuple[int, ...] = ()
    current: tuple[int, ...] = ()
    rebooting: tuple[int, ...] = ()
    takes_reboot: tuple[Component, ...] = ()
    resumable: tuple[Component, ...] = ()
    meaning: dict[str, str] = {}


class Query(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A vendor's tool that tells versions: regular expressions by component, the first group of the first match."""

    vendors: tuple[str, ...]
    programs: tuple[str, ...]
    arguments: tuple[str, ...]
    versions: dict[Component, str]


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: dict[str, Format]
    query: list[Query]


@functools.cache
def _read() -> _Document:
    text = (resources.files(__package__) / "vendor.toml").read_text()
    return msgspec.convert(tomllib.loads(text), _Document)


def list_formats() -> Mapping[str, Format]:
    """The formats of firmware packages by name, from `vendor.toml`."""
    return _read().format


def find_queries(vendor: str | None) -> list[Query]:
    """The tools that tell versions of this vendor's machines."""
    return [query for query in _read().query if is_of(vendor, query.vendors)]


def find_format(vendor: str | None, component: Component, url: str) -> str | None:
    """The format of a package by the machine's vendor and the file's name."""
    name = unquote(urlsplit(url).path).rpartition("/")[2].lower()
    for key, format in list_formats().items():
        if format.components and component not in format.components:
            continue
        if is_of(vendor, format.vendors) and any(fnmatchcase(name, pattern) for pattern in format.files):
            return key
    return None


def is_of(vendor: str | None, patterns: tuple[str, ...]) -> bool:
    """Whether the vendor of a machine matches one of the patterns, in any case."""
    return any(fnmatchcase((vendor or "").strip().lower(), pattern) for pattern in patterns)
