"""The tables modprobe and udev look modules up in (modules.dep, modules.alias, ...), over all layers of an image.

Each layer with modules would need tables that know the others: they are one layer of their own above all, `INDEX`, made
anew whenever a layer with modules comes or goes. Called by `add`.
"""

import shutil
from pathlib import Path

from bootos.image.layers.core import Image, add_layer, pack_layer
from bootos.process import run
from bootos.wire.manifest import LayerEntry, Manifest

INDEX = "module-index"
NUMBER = 95
READ = (
    "modules.dep",
    "modules.dep.bin",
    "modules.alias.bin",
    "modules.softdep",
    "modules.devname",
    "modules.weakdep",
)
"""What the running system reads and modules change; the tables of what is built in stay those of the image."""


def build_index(root: Path, release: str, tree: Path) -> None:
    """Run depmod in a merged root; what the running system reads of its tables goes into `tree`, too."""
    run(["depmod", "--basedir", root, release], timeout_s=600)
    target = tree / "usr/lib/modules" / release
    target.mkdir(parents=True)
    for name in READ:
        made = root / "usr/lib/modules" / release / name
        if made.is_file():
            shutil.copyfile(made, target / name)


def add_index(image: Image, root: Path, work: Path) -> Manifest:
    """Put the tables over `root`, the image's modules as they will be, into the image."""
    tree, squashfs = work / "index", work / "index.squashfs"
    build_index(root, image.manifest.kernel_release, tree)
    pack_layer(tree, squashfs)
    entry = LayerEntry(name=INDEX, kind="files", kernel_release=image.manifest.kernel_release)
    return add_layer(image, squashfs, entry, number=NUMBER)
