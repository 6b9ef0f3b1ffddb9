"""The .deb files on the build host: kept between builds, each checked against its lock entry before it is used.

Used by the build before the stages that need packages. A file that is there and right is not downloaded again, so an
interrupted download goes on where it stopped.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bootos.errors import BootosError
from bootos.image.archive import Archive
from bootos.image.lock import Package, sum_sizes
from bootos.process import ToolError, run

Show = Callable[[str, int, int], None]
"""Progress of a download: what, bytes done, bytes in all."""

BATCH = 16
"""Packages asked for in one go: what a batch brought stays when the next one is interrupted."""


class PackageStore:
    """A directory of .deb files."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def find_missing(self, packages: Iterable[Package]) -> list[Package]:
        """Those that are not here, or are not what the lock says they are."""
        return [package for package in packages if not self._is_right(package)]

    def fetch(self, packages: Sequence[Package], open_archive: Callable[[], Archive], show: Show) -> None:
        """Download what is missing. Raises BootosError that names what the archive no longer has."""
        missing = self.find_missing(packages)
        if not missing:
            return
        total, done = sum_sizes(missing), 0
        show("reading the archive's package lists", 0, total)
        archive = open_archive()
        gone: list[str] = []
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            show(batch[0].name, done, total)
            gone += self._fetch_batch(batch, archive)
            done += sum_sizes(batch)
            show(batch[-1].name, done, total)
        if gone:
            raise BootosError(
                f"the archive does not offer what the lock names: {', '.join(gone)}",
                hint="set debian.mirror to an archive that keeps old packages, copy the files into the cache's "
                "debs directory, or remove the lock to take today's packages",
            )

    def _fetch_batch(self, batch: Sequence[Package], archive: Archive) -> list[str]:
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=self.directory) as work:
            try:
                archive.download([f"{item.name}={item.version}" for item in batch], Path(work))
            except ToolError:  # a package that the archive no longer has: get the others
                for item in batch:
                    try:
                        archive.download([f"{item.name}={item.version}"], Path(work))
                    except ToolError:
                        continue
            for item in batch:
                if (Path(work) / item.file).is_file():
                    (Path(work) / item.file).replace(self.directory / item.file)
        return [f"{item.name} {item.version}" for item in self.find_missing(batch)]

    def build_repository(self, packages: Sequence[Package], suite: str, directory: Path) -> str:
        """Make a local archive of exactly these packages; returns its line for sources.list. Its packages were
        checked by sha256, so apt may trust it without a signature."""
        directory.mkdir(parents=True)
        index = []
        for package in packages:
            try:
                os.link(self.directory / package.file, directory / package.file)
            except OSError:  # a hard link to another file system is not possible
                (directory / package.file).symlink_to((self.directory / package.file).resolve())
            control = run(["dpkg-deb", "--field", directory / package.file]).stdout.strip()
            index.append(
                f"{control}\nFilename: ./{package.file}\nSize: {package.size_bytes}\nSHA256: {package.sha256}\n"
            )
        text = "\n".join(index)
        (directory / "Packages").write_text(text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        (directory / "Release").write_text(
            f"Suite: {suite}\nCodename: {suite}\nArchitectures: amd64 all\n"
            f"SHA256:\n {digest} {len(text.encode())} Packages\n"
        )
        return f"deb [trusted=yes] copy:{directory.resolve()} ./"

    def _is_right(self, package: Package) -> bool:
        path = self.directory / package.file
        if not path.is_file() or path.stat().st_size != package.size_bytes:
            return False
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest() == package.sha256
