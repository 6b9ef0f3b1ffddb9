"""What the server reads of an image's `manifest.json`, and checks before it takes anything in.

The manifest is written by `bootos.image`, which is another program: fields that are not known here are ignored.
"""

import re

import msgspec

from bootos.errors import Problem
from bootos.loader import DIRECTORY as LOADERS
from bootos.server.fault import UnusableError

SCHEMA = 1
REQUIRED = ("vmlinuz", "initrd.img")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,99}")
TAKEN = ("manifest.json", "manifest.json.sig", "layers", LOADERS)
FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,199}")
SHA256 = re.compile(r"[0-9a-f]{64}")
LOCAL = "local"
"""What the image in `--boot-files` is called; it is not published, and not checked."""


class FileEntry(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    size_bytes: int
    sha256: str


class LayerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A layer with `pci_ids` is a file of its own, `layers/NAME.squashfs`; any other is in the initrd."""

    name: str
    size_bytes: int = 0
    sha256: str = ""
    pci_ids: tuple[str, ...] = ()


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    schema: int
    name: str
    version: str = ""
    bootos_version: str = ""
    kernel_release: str = ""
    files: tuple[FileEntry, ...]
    layers: tuple[LayerEntry, ...] = ()
    loaders: tuple[FileEntry, ...] = ()

    @property
    def all_files(self) -> tuple[FileEntry, ...]:
        """Everything that belongs to the image, by its place in the image's directory."""
        loaders = (msgspec.structs.replace(entry, name=f"{LOADERS}/{entry.name}") for entry in self.loaders)
        layers = (
            FileEntry(name=f"layers/{layer.name}.squashfs", size_bytes=layer.size_bytes, sha256=layer.sha256)
            for layer in self.layers
            if layer.pci_ids
        )
        return (*self.files, *layers, *loaders)

    @property
    def size_bytes(self) -> int:
        """What a machine has to load."""
        return sum(entry.size_bytes for entry in self.files if entry.name in REQUIRED)


def parse_manifest(raw: bytes) -> Manifest:
    """Read a manifest. Raises UnusableError with every problem."""
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
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

    def say(path: str, message: str, hint: str = "") -> None:
        problems.append(Problem(path=path, message=message, hint=hint))

    problems: list[Problem] = []
    if manifest.schema != SCHEMA:
        say("schema", f"is {manifest.schema}, and this server knows {SCHEMA}", "use the server's release")
    if not manifest.version:
        say("version", "is missing", "the image was built by an older release: bootos image build")
    elif not VERSION.fullmatch(manifest.version) or manifest.version == LOCAL:
        say("version", f"{manifest.version!r} cannot be the version of an image")
    names = [entry.name for entry in manifest.files]
    for name in REQUIRED:
        if name not in names:
            say("files", f"there is no {name}")
    for place, entry in enumerate(manifest.files):
        if not FILE.fullmatch(entry.name) or entry.name in TAKEN or names.count(entry.name) > 1:
            say(f"files[{place}].name", f"{entry.name!r} is no plain file name, or taken")
    for place, layer in enumerate(manifest.layers):
        if not FILE.fullmatch(layer.name):
            say(f"layers[{place}].name", f"{layer.name!r} is no plain file name")
    for place, loader in enumerate(manifest.loaders):
        if not FILE.fullmatch(loader.name):
            say(f"loaders[{place}].name", f"{loader.name!r} is no plain file name")
    for entry in manifest.all_files:
        if not SHA256.fullmatch(entry.sha256) or entry.size_bytes <= 0:
            say(entry.name, "has no size and sha256")
    return problems
