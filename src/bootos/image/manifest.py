"""`manifest.json`: what an image is made of, so that two images can be compared and a server can check its files.

`SCHEMA` grows when a field changes its meaning; added fields do not change it.
"""

import hashlib
from pathlib import Path
from typing import Any, Literal

import msgspec

SCHEMA = 1


class FileEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the image, or one segment of its initrd."""

    name: str
    size_bytes: int
    sha256: str


class LayerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One layer that was added to a built image. `core.add_layer` sets size and sha256, which are of its squashfs."""

    name: str
    kind: Literal["modules", "packages", "files"]
    size_bytes: int = 0
    sha256: str = ""
    kernel_release: str = ""
    """The kernel it is for; empty: any."""
    packages: dict[str, str] = {}
    """Name -> version."""
    modules: dict[str, str] = {}
    """Name of a kernel module -> its version, or srcversion."""
    replaces: tuple[str, ...] = ()
    """The module files of the image that it overrides."""
    pci_ids: tuple[str, ...] = ()
    """The devices it is for, as 8086:10d3; empty: it is for every machine."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One built image."""

    schema: int = SCHEMA
    name: str
    version: str = ""  # what the running machine says of itself, made of what is in the image
    bootos_version: str
    recipe_sha256: str
    kernel_release: str
    kernel_modules: int
    firmware_files: int
    files: tuple[FileEntry, ...]
    segments: tuple[FileEntry, ...]
    root_uncompressed_bytes: int
    packages: dict[str, str]
    budget_bytes: int = 0  # what its recipe allows vmlinuz and initrd together
    layers: tuple[LayerEntry, ...] = ()
    loaders: tuple[FileEntry, ...] = ()
    """Boot loaders in `loaders/`; no part of what a machine keeps in memory, and not of the version."""

    @property
    def size_bytes(self) -> int:
        """What a machine has to load: kernel and initrd."""
        return sum(entry.size_bytes for entry in self.files)

    @property
    def all_packages(self) -> dict[str, str]:
        """The packages with those of the added layers; of one that a layer renews, its version there."""
        packages = dict(self.packages)
        for layer in self.layers:
            packages |= layer.packages
        return packages


def hash_file(path: Path, name: str = "") -> FileEntry:
    """Describe a file: its size and its sha256."""
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return FileEntry(name=name or path.name, size_bytes=path.stat().st_size, sha256=digest)


def parse_manifest(value: Any) -> Manifest:
    """Read a manifest from plain values; fields this version does not know are ignored."""
    return msgspec.convert(value, Manifest)
