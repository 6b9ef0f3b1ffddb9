"""The lab layer: an image's boot files with the stand-ins laid in, as one more squashfs of the initrd: the script under
the names of the vendors' programs, and the faces of the RAID controllers.

Called by `scenario`. The image itself stays as it was built: what is booted is a copy, with its own manifest.
"""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bootos.image.layers.core import LAST_NUMBER, add_layer, pack_layer, read_image
from bootos.lab.spec import MachineSpec
from bootos.lab.vendor_tools.script import build_script
from bootos.lab.vendor_tools.silicon import PciIdentity
from bootos.loader import DIRECTORY as LOADERS
from bootos.wire.manifest import LayerEntry

LAYER = "lab"
NUMBER = LAST_NUMBER  # the layer lies over all others
# This script runs before the agent. It gives the PCI devices that do nothing the `uevent` files of this machine's RAID
# controllers.
_FACES = """#!/bin/sh
faces=/usr/lib/lab/$(cat /sys/class/dmi/id/product_serial)
number=0
for device in /sys/bus/pci/devices/*; do
    grep -qs PCI_ID=1B36:0005 "$device/uevent" && [ -e "$faces/$number" ] || continue
    mount --bind "$faces/$number" "$device/uevent"
    number=$((number + 1))
done
"""
_UNIT = "[Service]\nExecStartPre=/usr/lib/lab/faces\n"


def build_boot_files(image: Path, target: Path, specs: Sequence[MachineSpec]) -> Path:
    """Copy the boot files of `image` to `target`, with what these machines have of stand-ins; returns `target`."""
    target.mkdir(parents=True, exist_ok=True)
    for entry in read_image(image).manifest.files:
        shutil.copyfile(image / entry.name, target / entry.name)
    if (image / LOADERS).is_dir():
        shutil.copytree(image / LOADERS, target / LOADERS, dirs_exist_ok=True)
    shutil.copyfile(image / "manifest.json", target / "manifest.json")
    with tempfile.TemporaryDirectory(prefix="lab-layer-", dir=target) as work:
        root, squashfs = Path(work) / "root", Path(work) / "lab.squashfs"
        lay_out(root, specs)
        pack_layer(root, squashfs)
        add_layer(read_image(target), squashfs, LayerEntry(name=LAYER, kind="files"), number=NUMBER)
    return target


def lay_out(root: Path, specs: Sequence[MachineSpec]) -> None:
    """Write the layer's files below `root`."""
    programs = root / "usr/sbin"
    faces = root / "usr/lib/lab"
    drop_in = root / "etc/systemd/system/bootos-agent.service.d"
    for directory in (programs, faces, drop_in):
        directory.mkdir(parents=True)
    _write(programs / "lab-vendor-tool", build_script(), 0o755)
    _write(faces / "faces", _FACES.encode(), 0o755)
    _write(drop_in / "lab.conf", _UNIT.encode(), 0o644)
    for spec in specs:
        if spec.silicon is None:
            continue
        for program in spec.silicon.programs:
            (programs / program).unlink(missing_ok=True)
            (programs / program).symlink_to("lab-vendor-tool")
        (faces / spec.identity.serial).mkdir()
        for number, card in enumerate(spec.silicon.controllers):
            _write(faces / spec.identity.serial / str(number), build_uevent(card).encode(), 0o644)
    for path in (root, *root.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)


def build_uevent(card: PciIdentity) -> str:
    """A PCI device's `uevent` as the kernel writes it, without the parts that name its place."""
    return (
        f"DRIVER={card.kernel_module}\nPCI_CLASS={card.class_id.upper()}\nPCI_ID={card.id.upper()}\n"
        f"PCI_SUBSYS_ID={card.subsystem.upper()}\n"
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    path.write_bytes(content)
    path.chmod(mode)
