"""The per-MAC PXE files on the disk: `pxelinux.cfg/01-aa-bb-cc-dd-ee-ff`, and what GRUB and iPXE read in its place, by
the same name in `grub` and `ipxe`. Belongs to the `Context`; the operations write and remove with it.

Written atomically, so that a machine that boots meanwhile reads the old or the new one.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from bootos.errors import BootosError
from bootos.files import write_atomically
from bootos.server.netboot.grub import render_grub
from bootos.server.netboot.ipxe import render_ipxe
from bootos.server.netboot.pxe_file import FILE
from bootos.server.netboot.pxelinux import parse_pxelinux

PINNED = ".pinned"
"""The directory that keeps the files of machines whose image is pinned. They are put back when the file of a job is
removed."""
CHECK = "check the server's data directory"


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
                hint=CHECK,
            ) from cause

    def remove(self, names: Iterable[str]) -> None:
        """Remove these files if they are there, for every loader; anything but a per-MAC name is left alone. A pinned
        machine gets its kept file back. Raises BootosError when that cannot be written, or a file not be removed; all
        others are removed then."""
        left: list[BootosError] = []
        for name in names:
            if FILE.fullmatch(name):
                left += self._take_away(name)
        if len(left) == 1:
            raise left[0]
        if left:
            raise BootosError("; ".join(map(str, left)), hint=left[0].hint) from left[0]

    def _take_away(self, name: str) -> Iterator[BootosError]:
        """Remove a file, or put the kept one in its place; yields what could not be done."""
        try:
            kept = self._read_kept(name)
            if kept is not None:
                self.write(name, kept)
                return
        except BootosError as cause:
            yield cause
            return
        for place in (self.path, self.path.parent / "grub", self.path.parent / "ipxe"):
            try:
                (place / name).unlink(missing_ok=True)
            except OSError as cause:
                yield BootosError(
                    f"the PXE file {place / name} cannot be removed: {cause.strerror}",
                    hint="remove it by hand: until then its machine boots what it says; everything else was done",
                )

    def _read_kept(self, name: str) -> str | None:
        """The file of a machine whose image is pinned; None: it is not. Raises BootosError."""
        return _read_present(self.path / PINNED / name)

    def write_pinned(self, name: str, content: str) -> bool:
        """Keep the file of a machine whose image is pinned: it is there whenever no job has its own. False when the
        operator has a file of that name, which is left alone. Raises BootosError."""
        place, path = self.path / PINNED / name, self.path / name
        before = self._read_kept(name) or ""
        if before != content:
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(place, content.encode(), mode=0o644)
            except OSError as cause:
                raise BootosError(f"{place} cannot be written: {cause.strerror}", hint=CHECK) from cause
        present = _read_present(path)
        if present is None or (present == before != content):
            self.write(name, content)
            return True
        return present == content

    def remove_pinned(self, name: str) -> None:
        """The machine is not pinned any more: remove its file, unless somebody else wrote that file since. Raises
        BootosError."""
        place, path = self.path / PINNED / name, self.path / name
        before = self._read_kept(name)
        try:
            place.unlink(missing_ok=True)
        except OSError as cause:
            raise BootosError(f"{place} cannot be removed: {cause.strerror}", hint=CHECK) from cause
        if before and _read_present(path) == before:
            self.remove([name])

    def list_pinned(self) -> set[str]:
        """The names of the files of pinned machines."""
        return {path.name for path in (self.path / PINNED).glob("01-*")}


def _read_present(path: Path) -> str | None:
    """The text of a file that may be in any encoding; None: there is no such file. Raises BootosError."""
    try:
        return path.read_text(errors="replace") if path.is_file() else None
    except OSError as cause:
        raise BootosError(f"{path} cannot be read: {cause.strerror}", hint=CHECK) from cause
