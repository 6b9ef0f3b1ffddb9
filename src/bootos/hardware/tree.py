"""The machine's file tree as the kernel shows it (sysfs, procfs, udev's database), below an injected root.

Every module of `hardware` reads files through a `Tree`, so that a captured machine in a directory is read by
the same code as the real one. It never writes, and a file that cannot be read is None: sysfs answers EINVAL or
EIO where a device does not tell.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

_DIGITS = re.compile(r"(\d+)")


def build_natural_key(text: str) -> tuple[tuple[int, str | int], ...]:
    """A sort key in which numbers count as numbers: `eth2` comes before `eth10`."""
    return tuple(
        (0, int(part)) if part.isdigit() else (1, part) for part in _DIGITS.split(text) if part != ""
    )


def natural_sort(names: Iterable[str]) -> list[str]:
    """Names in natural order."""
    return sorted(names, key=build_natural_key)


class Tree:
    """Reads below `root`. Paths are given without a leading slash: `sys/class/net`."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def read_bytes(self, path: str) -> bytes | None:
        """The file's content, or None when it cannot be read."""
        try:
            return (self.root / path).read_bytes()
        except OSError:
            return None

    def read(self, path: str) -> str | None:
        """The file's text without surrounding white space; None when it cannot be read or is empty."""
        raw = self.read_bytes(path)
        if raw is None:
            return None
        return raw.decode(errors="replace").strip("\0 \t\r\n") or None

    def read_int(self, path: str) -> int | None:
        """The file's number (decimal, or hexadecimal with 0x); None when there is none."""
        text = self.read(path)
        try:
            return int(text, 0) if text is not None else None
        except ValueError:
            return None

    def names(self, path: str) -> list[str]:
        """What a directory holds, in natural order; empty when it is not there."""
        try:
            with os.scandir(self.root / path) as entries:
                return natural_sort([entry.name for entry in entries])
        except OSError:
            return []

    def exists(self, path: str) -> bool:
        """Whether the path is there."""
        return (self.root / path).exists()

    def target_name(self, path: str) -> str | None:
        """The last part of a symbolic link's target (`driver` -> `e1000e`); None when there is no link."""
        try:
            return (self.root / path).readlink().name
        except OSError:
            return None

    def resolve(self, path: str) -> str:
        """The path with its links followed, relative to the root. A link's target is taken to hold no further
        links, as in sysfs: asking for each part of the way again would cost a system call each."""
        parent, _, name = path.rpartition("/")
        if not parent:
            return path
        place = f"{self.resolve(parent)}/{name}"
        try:
            target = (self.root / place).readlink()
        except OSError:
            return place
        parts = place.split("/")[:-1]
        for part in target.parts:
            if part == "..":
                parts.pop()
            else:
                parts.append(part)
        return "/".join(parts)
