"""`manifest.json` beside a built image: read before the image is looked at or changed, and its entries made.

The model is `bootos.wire.manifest`, as the server reads it too.
"""

import hashlib
from pathlib import Path

import msgspec

from bootos.wire.manifest import FileEntry, Manifest, parse_manifest

NAME = "manifest.json"
KINDS = ("modules", "packages", "files")
"""What this release knows to do with a layer."""
NEEDED = (
    *(
        "name",
        "bootos_version",
        "recipe_sha256",
        "kernel_release",
        "kernel_modules",
        "firmware_files",
        "files",
    ),
    *("segments", "root_uncompressed_bytes", "packages"),
)
"""What every build since the first has written, and what changing an image needs."""


def hash_file(path: Path, name: str = "") -> FileEntry:
    """Describe a file, as `name`, else as its own: its size in bytes and its sha256."""
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return FileEntry(name=name or path.name, size_bytes=path.stat().st_size, sha256=digest)


def read_manifest(directory: Path) -> Manifest:
    """Read the manifest of the image in `directory`. Raises OSError; msgspec.DecodeError: it is no manifest, or lacks
    what changing an image needs."""
    text = (directory / NAME).read_bytes()
    manifest = parse_manifest(text)
    missing = [name for name in NEEDED if name not in msgspec.json.decode(text)]
    if missing:
        raise msgspec.ValidationError(f"it lacks {', '.join(missing)}")
    for layer in manifest.layers:
        if layer.kind not in KINDS:
            raise msgspec.ValidationError(f"layer {layer.name} is of an unknown kind: {layer.kind!r}")
    return manifest
