"""Takes an image in: `.upload/VERSION` below `<data>/images` until every file is whole and is the one that the manifest
names, then renamed to its place. What is in `.upload` is never served.

Files come in pieces, each at its offset. A piece at another offset than the file's end is not written, and the answer
says where the end is: a client that lost its connection goes on there, and two clients that publish the same image
share the work.
"""

import hashlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from bootos.files import flush, write_atomically
from bootos.loader import DIRECTORY as LOADERS
from bootos.server.fault import ConflictError, NoRoomError, NotFoundError, UnusableError
from bootos.server.image.manifest import list_files, parse_manifest
from bootos.server.image.signature import SIGNATURE
from bootos.wire.manifest import FileEntry, Manifest

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
KEPT_S = 24 * 3600.0  # an upload without activity for so long is removed at the next start
SPARE_BYTES = 64 * 2**20  # room that is left free for the database and the logs


class FileState(msgspec.Struct, kw_only=True):
    """How much of a file is here."""

    name: str
    size_bytes: int
    have_bytes: int

    @property
    def is_whole(self) -> bool:
        """Whether all of it is here."""
        return self.have_bytes == self.size_bytes


class Uploads:
    """The uploads of one server. Every call takes the lock: a file that is complete is not written to any more."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._waiting = root / ".upload"
        self._lock = threading.Lock()

    def begin(self, raw: bytes, signature: bytes, *, published: Iterable[Manifest] = ()) -> list[FileState]:
        """Take the manifest; returns what is here of its files. What an interrupted upload of the same image left is
        kept, and files that a published image has are taken from there. Raises UnusableError, NoRoomError."""
        manifest = parse_manifest(raw)
        with self._lock:
            directory = self._waiting / manifest.version
            if directory.is_dir() and _read(directory / MANIFEST) != raw:
                shutil.rmtree(directory)
            for name in ("layers", LOADERS):
                (directory / name).mkdir(parents=True, exist_ok=True)
            # The manifest is written last: a directory without one is not an upload.
            write_atomically(directory / SIGNATURE, signature, mode=0o644)
            write_atomically(directory / MANIFEST, raw, mode=0o644)
            for other in (manifest, *published):
                _link_known(manifest, directory, other, self.root / other.version)
            states = [_read_state(directory, entry) for entry in list_files(manifest)]
            missing = sum(state.size_bytes - state.have_bytes for state in states)
            free = shutil.disk_usage(directory).free
            if missing + SPARE_BYTES > free:
                raise NoRoomError(
                    f"the image needs {missing} more bytes, and {self.root} has {free} free",
                    hint="remove old ones: bootos image list, bootos image withdraw VERSION",
                )
            return states

    def write_piece(self, version: str, name: str, offset: int, content: bytes) -> FileState:
        """Add to the end of a file; returns where the end is now. Raises NotFoundError, UnusableError."""
        with self._lock:
            directory, manifest = self._find(version)
            entry = next((entry for entry in list_files(manifest) if entry.name == name), None)
            if entry is None:
                raise NotFoundError(f"the manifest of {version} names no file {name!r}")
            state = _read_state(directory, entry)
            if offset != state.have_bytes:
                return state
            if offset + len(content) > entry.size_bytes:
                raise UnusableError(f"{name} is longer than the {entry.size_bytes} bytes of the manifest")
            with (directory / name).open("ab") as file:
                file.write(content)
            os.utime(directory)
            state.have_bytes += len(content)
            return state

    def finish(self, version: str, published: Callable[[Manifest], None]) -> Manifest:
        """Check every file and put the image in its place; `published` is told before anybody else may begin. Raises
        NotFoundError, ConflictError (not complete), UnusableError (not the file that the manifest names)."""
        with self._lock:
            directory, manifest = self._find(version)
            for entry in list_files(manifest):
                state = _read_state(directory, entry)
                if not state.is_whole:
                    raise ConflictError(
                        f"{entry.name} of {version} is not complete: {state.have_bytes} of {entry.size_bytes} bytes",
                        hint="go on with bootos image publish",
                    )
                if _hash(directory / entry.name) != entry.sha256:
                    (directory / entry.name).unlink()
                    raise UnusableError(
                        f"{entry.name} is not the file that the manifest names: its sha256 differs",
                        hint="it was dropped; was the image built anew meanwhile? publish it again",
                    )
            self._place(directory, manifest)
            published(manifest)
            return manifest

    def find_damage(self, manifest: Manifest) -> list[str]:
        """The files of a published image that are not (any more) what its manifest names."""
        return [
            entry.name
            for entry in list_files(manifest)
            if not _is_good(self.root / manifest.version / entry.name, entry)
        ]

    def _place(self, directory: Path, manifest: Manifest) -> None:
        target = self.root / manifest.version
        for path in directory.rglob("*"):
            if path.is_file():
                flush(path)
        if not target.exists():
            directory.rename(target)
            flush(self.root)
            return
        # The version exists: the new files have other layers, or replace damaged ones. A file that a machine loads now
        # is loaded to its end. The manifest is replaced last.
        for name in ("layers", LOADERS):
            (target / name).mkdir(exist_ok=True)
        for entry in list_files(manifest):
            (directory / entry.name).replace(target / entry.name)
        for name in (SIGNATURE, MANIFEST):
            (directory / name).replace(target / name)
        shutil.rmtree(directory)

    def remove(self, version: str) -> None:
        """Take a published image away: out of reach first, then deleted. Whoever reads it reads to the end."""
        with self._lock:
            gone = self._waiting / f"{version}.removed"
            self._waiting.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(gone, ignore_errors=True)
            if (self.root / version).is_dir():
                (self.root / version).rename(gone)
                shutil.rmtree(gone)

    def clean(self, known: Iterable[str]) -> list[str]:
        """At start: remove what nobody went on with; an image in its place that the store does not know (the server
        was killed in between) waits for its publication again. Says what was done."""
        done = []
        with self._lock:
            self._waiting.mkdir(parents=True, exist_ok=True)
            for path in self.root.iterdir():
                if path.is_dir() and not path.name.startswith(".") and path.name not in set(known):
                    shutil.rmtree(self._waiting / path.name, ignore_errors=True)
                    path.rename(self._waiting / path.name)
                    done.append(f"the image {path.name} was not published to the end: publish it again")
            for path in self._waiting.iterdir():
                is_old = abs(time.time() - path.stat().st_mtime) > KEPT_S
                if is_old or not (path / MANIFEST).is_file() or path.name.endswith(".removed"):
                    shutil.rmtree(path, ignore_errors=True)
                    done.append(f"removed what was left of the upload of {path.name}")
        return done

    def _find(self, version: str) -> tuple[Path, Manifest]:
        directory = self._waiting / version
        raw = _read(directory / MANIFEST) if "/" not in version and not version.startswith(".") else None
        if raw is None:
            raise NotFoundError(
                f"there is no upload of {version!r}", hint="it begins with its manifest: bootos image publish"
            )
        return directory, parse_manifest(raw)


def _link_known(manifest: Manifest, directory: Path, other: Manifest, source: Path) -> None:
    """Link the files that another image here has too: they need not come over the network. A damaged file is not
    linked, since the whole upload would then be refused in the end, each time."""
    known = {(entry.sha256, entry.size_bytes): source / entry.name for entry in list_files(other)}
    for entry in list_files(manifest):
        path, target = known.get((entry.sha256, entry.size_bytes)), directory / entry.name
        if path is not None and not _read_state(directory, entry).is_whole and _is_good(path, entry):
            target.unlink(missing_ok=True)
            os.link(path, target)


def _read_state(directory: Path, entry: FileEntry) -> FileState:
    path = directory / entry.name
    have_bytes = path.stat().st_size if path.is_file() else 0
    if have_bytes > entry.size_bytes:
        path.unlink()
        have_bytes = 0
    return FileState(name=entry.name, size_bytes=entry.size_bytes, have_bytes=have_bytes)


def _is_good(path: Path, entry: FileEntry) -> bool:
    return path.is_file() and path.stat().st_size == entry.size_bytes and _hash(path) == entry.sha256


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
