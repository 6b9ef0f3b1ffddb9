"""The modules that `/init` loads before it can read a layer (loop, squashfs, overlay, what they need): they lie in the
boot segment. Added ones of the same names are laid over them in one more segment, made anew whenever a driver comes or
goes, with the order in which `/init` loads them. Called by `add`.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bootos.errors import BootosError
from bootos.image.content import unpack_boot
from bootos.image.driver.kernel import MODULES
from bootos.image.kernel_module import order_modules, parse_dependencies, read_name
from bootos.image.layers.core import BOOT_FILES, Image, set_boot_files
from bootos.image.segment import read_segments
from bootos.wire.manifest import Manifest

OWN = "kernel/"
"""Where the modules of the image itself lie; added ones are in updates/."""


def read_order(image: Image) -> list[str]:
    """The modules of the boot segment as the image was built, in the order of their loading."""
    with tempfile.TemporaryDirectory(prefix="driver-boot-") as place:
        for segment in read_segments(image.initrd):
            if segment.name == "boot":
                unpack_boot(image.initrd, segment, Path(place))
        order = Path(place) / BOOT_FILES
        return [read_name(line) for line in order.read_text().split()] if order.is_file() else []


def plan_boot_files(names: Sequence[str], dependencies: Mapping[str, Sequence[str]]) -> list[str]:
    """The paths to load for these modules, with what they need now; empty: the boot segment's own will do. Raises
    BootosError."""
    try:
        paths = order_modules(names, dependencies)
    except KeyError as cause:
        raise BootosError(f"the image has no module {cause}, which /init loads") from cause
    return paths if any(not path.startswith(OWN) for path in paths) else []


def renew_boot_files(image: Image, root: Path, work: Path) -> Manifest:
    """Lay what `/init` loads of the added modules over the boot segment's; `root` is the image's merged root as it will
    be, with tables that are made."""
    directory = root / MODULES / image.manifest.kernel_release
    names = read_order(image)
    paths = (
        plan_boot_files(names, parse_dependencies((directory / "modules.dep").read_text())) if names else []
    )
    if not paths:
        return set_boot_files(image, {})
    order = work / "order"
    order.write_text("".join(f"{Path(path).name}\n" for path in paths))
    order.chmod(0o644)
    files = {BOOT_FILES: order}
    for path in paths:
        if not path.startswith(OWN) or read_name(path) not in names:
            files[f"modules/{Path(path).name}"] = directory / path
    return set_boot_files(image, files)
