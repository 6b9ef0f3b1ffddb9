"""What the server checks of an image's `manifest.json` before it takes anything in. The model is
`bootos.wire.manifest`, as the image build writes it.
"""

import re

import msgspec

from bootos.errors import Problem, Problems
from bootos.loader import DIRECTORY as LOADERS
from bootos.server.fault import UnusableError
from bootos.wire import manifest as wire
from bootos.wire.manifest import REQUIRED, SCHEMA, FileEntry, Manifest

VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,99}")
TAKEN = ("manifest.json", "manifest.json.sig", "layers", LOADERS)
FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,199}")
SHA256 = re.compile(r"[0-9a-f]{64}")
LOCAL = "local"
"""What the image in `--boot-files` is called; it is not published, and not checked."""


def list_files(manifest: Manifest) -> tuple[FileEntry, ...]:
    """Everything that belongs to the image, by its place in the image's directory: also its loaders, and the layers
    that are files of their own."""
    loaders = (msgspec.structs.replace(entry, name=f"{LOADERS}/{entry.name}") for entry in manifest.loaders)
    layers = (
        FileEntry(name=f"layers/{layer.name}.squashfs", size_bytes=layer.size_bytes, sha256=layer.sha256)
        for layer in manifest.layers
        if layer.pci_ids
    )
    return (*manifest.files, *layers, *loaders)


def parse_manifest(raw: bytes) -> Manifest:
    """Read a manifest. Raises UnusableError with every problem."""
    try:
        manifest = wire.parse_manifest(raw)
    except msgspec.DecodeError as cause:
        raise UnusableError(
            f"the manifest cannot be read: {cause}", hint="give the directory that bootos image build wrote"
        ) from cause
    problems = find_problems(manifest)
    if problems:
        raise UnusableError(f"the manifest has {len(problems)} problem(s)", problems=problems)
    return manifest


def find_problems(manifest: Manifest) -> list[Problem]:
    """Everything that keeps this image from being published."""
    problems = Problems()
    complain = problems.complain
    if manifest.schema != SCHEMA:
        complain(
            "schema", f"is {manifest.schema}, and this server knows {SCHEMA}", "use the server's release"
        )
    if not manifest.name:
        complain("name", "is missing")
    if not manifest.version:
        complain("version", "is missing", "the image was built by an older release: bootos image build")
    elif not VERSION.fullmatch(manifest.version) or manifest.version == LOCAL:
        complain("version", f"{manifest.version!r} cannot be the version of an image")
    names = [entry.name for entry in manifest.files]
    for name in REQUIRED:
        if name not in names:
            complain("files", f"there is no {name}")
    for place, entry in enumerate(manifest.files):
        if not FILE.fullmatch(entry.name) or entry.name in TAKEN or names.count(entry.name) > 1:
            complain(f"files[{place}].name", f"{entry.name!r} is no plain file name, or taken")
    for place, layer in enumerate(manifest.layers):
        if not FILE.fullmatch(layer.name):
            complain(f"layers[{place}].name", f"{layer.name!r} is no plain file name")
    for place, loader in enumerate(manifest.loaders):
        if not FILE.fullmatch(loader.name):
            complain(f"loaders[{place}].name", f"{loader.name!r} is no plain file name")
    for entry in list_files(manifest):
        if not SHA256.fullmatch(entry.sha256) or entry.size_bytes <= 0:
            complain(entry.name, "has no size and sha256")
    return problems
