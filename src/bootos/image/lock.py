"""A package snapshot: exactly which .deb files an image is made from, by version and sha256, and its apt sources.

`steps.snapshot` makes it from what the archive offers today; `bootos image build --lock FILE` writes it to a file, or
obeys the one that is there. The same recipe, project and lock give the same image.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

import msgspec

from bootos.document import convert_all, read_document
from bootos.errors import BootosError, ProblemsError
from bootos.files import write_json

SCHEMA = 1
_LINE = re.compile(r"'[^']*' (?P<file>\S+\.deb) (?P<size>\d+) SHA256:(?P<sha256>[0-9a-f]{64})")


class Package(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One .deb file. `file` is its name in the archive and in the package cache."""

    file: str
    size_bytes: int
    sha256: str

    @property
    def name(self) -> str:
        """The package, as the archive names its files: NAME_VERSION_ARCHITECTURE.deb."""
        return self.file.split("_")[0]

    @property
    def version(self) -> str:
        """Its version, with the epoch, which file names have as `%3a`."""
        return unquote(self.file.split("_")[1])


class Lock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`base` is installed, `kernel` (kernel, busybox, firmware) and `loaders` only unpacked. `asked` is the hash of the
    part of the recipe it answers; `sources` is the apt sources.list of the image."""

    schema: int = SCHEMA
    asked: str
    sources: str
    base: tuple[Package, ...]
    kernel: tuple[Package, ...]
    loaders: tuple[Package, ...] = ()


def parse_uris(printed: str) -> tuple[Package, ...]:
    """The packages in what `apt-get --print-uris` printed, sorted by name."""
    found = (_LINE.match(line) for line in printed.splitlines())
    packages = [
        Package(file=match["file"], size_bytes=int(match["size"]), sha256=match["sha256"])
        for match in found
        if match
    ]
    return tuple(sorted(packages, key=lambda package: package.file))


def read_lock(path: Path) -> Lock:
    """Read a lock file. Raises ProblemsError with everything that is wrong in it."""
    if path.suffix != ".json":
        raise BootosError(f"{path}: a lock is a JSON file", hint="name it like image.lock.json")
    lock, problems = convert_all(read_document(path), Lock)
    if problems or lock is None:
        raise ProblemsError(f"lock {path}", problems)
    if lock.schema != SCHEMA:
        raise BootosError(f"{path} is a lock of schema {lock.schema}; this version knows {SCHEMA}")
    return lock


def write_lock(path: Path, lock: Lock) -> None:
    """Write a lock file, replacing it in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, lock)


def check_answers(lock: Lock, asked: str, path: Path) -> None:
    """Raises BootosError: the lock was made for other packages, and would leave out what the recipe names now."""
    if lock.asked != asked:
        raise BootosError(
            f"{path} was made for another list of packages, suite or kernel than the recipe names now",
            hint=f"remove {path} to take the archive's newest packages and write it anew",
        )


def sum_sizes(packages: Iterable[Package]) -> int:
    """Bytes of all the packages together."""
    return sum(package.size_bytes for package in packages)
