"""The per-MAC PXE files on the disk: `pxelinux.cfg/01-aa-bb-cc-dd-ee-ff`, and what GRUB and iPXE read in its place, by
the same name in `grub` and `ipxe`. Belongs to the `Context`; the operations write and remove with it.

Written atomically, so that a machine that boots meanwhile reads the old or the new one.
"""

from collections.abc import Iterable
from pathlib import Path

from bootos.errors import BootosError
from bootos.server.files import write_atomically
from bootos.server.netboot.grub import render_grub
from bootos.server.netboot.ipxe import render_ipxe
from bootos.server.netboot.pxe_file import FILE
from bootos.server.netboot.pxelinux import parse_pxelinux

PINNED = ".pinned"
"""The directory that keeps the files of machines whose image is pinned. They are put back when the file of a job is
removed."""


class PxeDirectory:
    """`pxelinux.cfg` at `path`; the directories of the other loaders lie beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def list_files(self) -> list[str]:
        """The names of the per-MAC files, sorted."""
        return sorted(path.name for path in self.path.glob("01-*") if FILE.fullmatch(path.name))

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return (self.path / name).exists()

    def read_default(self) -> str:
        """The default file as it is now: the operator may have edited it. Raises OSError."""
        return (self.path / "default").read_text(errors="replace")

    def write(self, name: str, content: str) -> None:
        """Write the file with mode 0644 for every loader. The one of pxelinux is written last: when it exists, all
        exist. Raises BootosError."""
        menu = parse_pxelinux(content)
        files = (
            (self.path.parent / "grub", render_grub(menu, per_machine=True)),
            (self.path.parent / "ipxe", render_ipxe(menu, per_machine=True)),
            (self.path, content),
        )
        try:
            for place, text in files:
                place.mkdir(parents=True, exist_ok=True)
                write_atomically(place / name, text.encode(), mode=0o644)
        except OSError as cause:
            raise BootosError(
                f"the PXE file {self.path / name} cannot be written: {cause.strerror}",
                hint="check the server's data directory",
            ) from cause

    def remove(self, names: Iterable[str]) -> None:
        """Remove these files if they are there, for every loader; anything but a per-MAC name is left alone. A pinned
        machine gets its kept file back. Raises BootosError when that cannot be written, or a file not be removed; all
        others are removed then."""
        left: list[OSError] = []
        for name in names:
            if not FILE.fullmatch(name):
                continue
            pinned = self.path / PINNED / name
            if pinned.is_file():
                self.write(name, pinned.read_text(errors="replace"))
                continue
            for place in (self.path, self.path.parent / "grub", self.path.parent / "ipxe"):
                try:
                    (place / name).unlink(missing_ok=True)
                except OSError as cause:
                    left.append(cause)
        if left:
            raise BootosError(
                f"the PXE file {left[0].filename} cannot be removed: {left[0].strerror}",
                hint="remove it by hand: until then its machine boots what it says; everything else was done",
            ) from left[0]

    def write_pinned(self, name: str, content: str) -> bool:
        """Keep the file of a machine whose image is pinned: it is there whenever no job has its own. False when the
        operator has a file of that name, which is left alone. Raises BootosError."""
        place, path = self.path / PINNED / name, self.path / name
        before = place.read_text(errors="replace") if place.is_file() else ""
        if before != content:
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(place, content.encode(), mode=0o644)
            except OSError as cause:
                raise BootosError(f"{place} cannot be written: {cause.strerror}") from cause
        present = path.read_text(errors="replace") if path.is_file() else None
        if present is None or (present == before != content):
            self.write(name, content)
            return True
        return present == content

    def remove_pinned(self, name: str) -> None:
        """The machine is not pinned any more: remove its file, unless somebody else wrote that file since."""
        place, path = self.path / PINNED / name, self.path / name
        before = place.read_text(errors="replace") if place.is_file() else ""
        place.unlink(missing_ok=True)
        if before and path.is_file() and path.read_text(errors="replace") == before:
            self.remove([name])

    def list_pinned(self) -> set[str]:
        """The names of the files of pinned machines."""
        return {path.name for path in (self.path / PINNED).glob("01-*")}
