"""Choose which kernel modules an image carries. Pure: text and names in, names out; `steps.kernel` does the work.

A module is named by its path below `/lib/modules/<release>/`, as `kernel/drivers/net/tun.ko.xz`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

COMPRESSED_SUFFIX = re.compile(r"\.ko(\.(xz|zst|gz))?$")


def read_name(path: str) -> str:
    """The name the kernel knows a module by: no directory, no suffix, `-` as `_`."""
    return COMPRESSED_SUFFIX.sub("", PurePosixPath(path).name).replace("-", "_")


def is_below(path: str, pattern: str) -> bool:
    """Whether a path is the pattern itself, or lies below a directory that is. `*` matches within one part."""
    parts, wanted = path.strip("/").split("/"), pattern.strip("/").split("/")
    if len(wanted) > len(parts):
        return False
    return all(fnmatchcase(part, want) for part, want in zip(parts, wanted, strict=False))


def select_modules(paths: Iterable[str], keep: Sequence[str], drop: Sequence[str]) -> set[str]:
    """The modules a recipe asks for: below one of `keep`, not below one of `drop`; both start below kernel/ and
    leave the suffix away (`drivers/net/tun`)."""
    chosen = set()
    for path in paths:
        inside = COMPRESSED_SUFFIX.sub("", path).removeprefix("kernel/")
        if any(is_below(inside, item) for item in keep) and not any(is_below(inside, item) for item in drop):
            chosen.add(path)
    return chosen


def find_unmatched(paths: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """Patterns no module matches: a spelling mistake, or a module the kernel no longer has."""
    insides = [COMPRESSED_SUFFIX.sub("", path).removeprefix("kernel/") for path in paths]
    return [pattern for pattern in patterns if not any(is_below(inside, pattern) for inside in insides)]


def parse_dependencies(modules_dep: str) -> dict[str, list[str]]:
    """Parse modules.dep (modules.dep(5)): module path -> paths it needs, nearest first (depmod lists them all, not only
    direct)."""
    table = {}
    for line in modules_dep.splitlines():
        path, separator, needed = line.partition(":")
        if separator:
            table[path.strip()] = needed.split()
    return table


def parse_soft_dependencies(modules_softdep: str) -> dict[str, list[str]]:
    """Parse modules.softdep (modprobe.d(5)): module name -> names of modules it would like to have (pre and post
    alike)."""
    table: dict[str, list[str]] = {}
    for line in modules_softdep.splitlines():
        words = line.split()
        if len(words) > 2 and words[0] == "softdep":
            names = [word.replace("-", "_") for word in words[2:] if word not in ("pre:", "post:")]
            table.setdefault(words[1].replace("-", "_"), []).extend(names)
    return table


def close_dependencies(
    chosen: Iterable[str], dependencies: Mapping[str, Sequence[str]], soft: Mapping[str, Sequence[str]]
) -> set[str]:
    """Add everything the chosen modules need, and what they softly need where the kernel has it as a module."""
    by_name = {read_name(path): path for path in dependencies}
    closed: set[str] = set()
    waiting = list(chosen)
    while waiting:
        path = waiting.pop()
        if path in closed:
            continue
        closed.add(path)
        waiting += dependencies.get(path, ())
        waiting += [by_name[name] for name in soft.get(read_name(path), ()) if name in by_name]
    return closed


def order_modules(names: Sequence[str], dependencies: Mapping[str, Sequence[str]]) -> list[str]:
    """The paths to load, in order, to have the named modules; raises KeyError for one the kernel does not have."""
    by_name = {read_name(path): path for path in dependencies}
    ordered: list[str] = []
    for name in names:
        path = by_name[name.replace("-", "_")]
        for needed in (*reversed(dependencies[path]), path):
            if needed not in ordered:
                ordered.append(needed)
    return ordered


def select_firmware(available: Iterable[str], wanted: Iterable[str], drop: Sequence[str]) -> set[str]:
    """The firmware files (paths below /lib/firmware) that modules name; a name may hold `*`."""
    names = set(wanted)
    patterns = [name for name in names if "*" in name]
    return {
        path
        for path in available
        if (path in names or any(fnmatchcase(path, pattern) for pattern in patterns))
        and not any(is_below(path, item) for item in drop)
    }
