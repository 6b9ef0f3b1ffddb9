"""`manifest.json`: what an image is made of. The image build writes it; server and command line read it.

Every field has a default, so that a manifest of an older release reads, and fields of a newer one are ignored. Who
needs a field checks that it is there: `bootos.server.image.manifest` before it publishes an image,
`bootos.image.manifest` before it changes one. `SCHEMA` grows when a field changes its meaning; added fields do not
change it.
"""

import msgspec

SCHEMA = 1
REQUIRED = ("vmlinuz", "initrd.img")
"""The files that every image has, and that a machine loads."""


class FileEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the image, or one segment of its initrd."""

    name: str
    size_bytes: int
    sha256: str


class LayerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One layer that was added to a built image. With `pci_ids` it is a file of its own, `layers/NAME.squashfs`; any
    other is in the initrd. `core.add_layer` sets size and sha256, which are of its squashfs."""

    name: str
    kind: str = ""
    """modules, packages or files."""
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

    schema: int = 0
    """`SCHEMA` of the release that wrote it; 0: the file does not say."""
    name: str = ""
    version: str = ""
    """What the running machine says of itself, made of what is in the image."""
    bootos_version: str = ""
    recipe_sha256: str = ""
    kernel_release: str = ""
    kernel_modules: int = 0
    firmware_files: int = 0
    files: tuple[FileEntry, ...] = ()
    segments: tuple[FileEntry, ...] = ()
    root_uncompressed_bytes: int = 0
    packages: dict[str, str] = {}
    """Name -> version, without those of added layers."""
    budget_bytes: int = 0
    """What its recipe allows vmlinuz and initrd.img together; 0: not known."""
    abilities: tuple[str, ...] = ()
    """What may be rendered for it and sent to its agent (`wire.ability`); 0.1.0 named none."""
    layers: tuple[LayerEntry, ...] = ()
    loaders: tuple[FileEntry, ...] = ()
    """Boot loaders in `loaders/`; no part of what a machine keeps in memory, and not of the version."""

    @property
    def size_bytes(self) -> int:
        """What a machine has to load: kernel and initrd."""
        return sum(entry.size_bytes for entry in self.files if entry.name in REQUIRED)

    @property
    def all_packages(self) -> dict[str, str]:
        """The packages with those of the added layers; of one that a layer renews, its version there."""
        packages = dict(self.packages)
        for layer in self.layers:
            packages |= layer.packages
        return packages


def parse_manifest(text: bytes | str) -> Manifest:
    """Read the text of a `manifest.json`. Raises msgspec.DecodeError: it is no JSON, or has a field of another type."""
    return msgspec.json.decode(text, type=Manifest)
