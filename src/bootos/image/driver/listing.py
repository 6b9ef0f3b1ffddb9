"""The kernel modules of an image, by the directory of their class (`net`, `scsi`, ...): `bootos driver list`."""

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from bootos.errors import BootosError
from bootos.image.driver.add import LAYERS
from bootos.image.driver.kernel import MODULES, list_modules, read_modules
from bootos.image.driver.module_file import ModuleFile
from bootos.image.kernel_module import read_name
from bootos.image.layers.core import Image, read_image
from bootos.image.layers.overlay import open_root
from bootos.wire.manifest import LayerEntry


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One module of an image. `path` is below /lib/modules/RELEASE; `layer` is where it comes from, `image` when it was
    built in; `overrides` is the image's own file that it is used instead of."""

    name: str
    group: str
    path: str
    version: str
    srcversion: str
    layer: str
    pci_ids: int
    in_tree: bool
    signed_by: str = ""
    overrides: str = ""
    overridden: bool = False
    only_for: tuple[str, ...] = ()


def find_group(path: str) -> str:
    """`kernel/drivers/net/ethernet/intel/igb/igb.ko` -> `net`; outside of drivers/ the first directory (`fs`)."""
    parts = path.split("/")[1:-1]
    if parts[:1] == ["drivers"]:
        parts = parts[1:]
    return parts[0] if parts else ""


def list_drivers(directory: Path, group: str = "") -> list[Listed]:
    """The modules of an image, of one class or all, by name. Needs root. Raises BootosError."""
    image = read_image(directory)
    with tempfile.TemporaryDirectory(prefix="driver-") as place:
        work = Path(place)
        with open_root(image, work) as root:
            base = root / MODULES / image.manifest.kernel_release
            paths = list_modules(base)
            insides = [path.relative_to(base).as_posix() for path in paths]
            groups = assign_groups(insides)
            chosen = [
                (path, inside)
                for path, inside in zip(paths, insides, strict=True)
                if not group or groups[inside] == group
            ]
            if group and not chosen:
                raise BootosError(
                    f"this image has no modules of the class {group!r}",
                    hint=f"there are: {', '.join(sorted(set(groups.values())))}",
                )
            modules = dict(
                zip((inside for _, inside in chosen), read_modules([path for path, _ in chosen]), strict=True)
            )
    listed = list(describe_modules(modules, groups, image.manifest.layers))
    listed += describe_beside(image, group)
    return sorted(listed, key=lambda item: (item.group, item.name, item.path))


def assign_groups(paths: Iterable[str]) -> dict[str, str]:
    """Path -> class. A module under updates/ belongs to the class of the image's own module of that name."""
    paths = list(paths)
    own = {read_name(path): find_group(path) for path in paths if path.startswith("kernel/")}
    return {path: own.get(read_name(path)) or find_group(path) or "updates" for path in paths}


def describe_modules(
    modules: Mapping[str, ModuleFile], groups: Mapping[str, str], layers: Iterable[LayerEntry]
) -> Iterable[Listed]:
    """One line for each file; of two of one name, the one under updates/ is used."""
    brought = {name: entry for entry in layers if not entry.pci_ids for name in entry.modules}
    for path, module in modules.items():
        is_added = not path.startswith("kernel/") and module.name in brought
        replaced = path in (brought[module.name].replaces if module.name in brought else ())
        yield Listed(
            name=module.name,
            group=groups[path],
            path=path,
            version=module.version,
            srcversion=module.srcversion,
            layer=brought[module.name].name if is_added else "image",
            pci_ids=len(module.pci_ids),
            in_tree=module.is_in_tree,
            signed_by=module.signed_by,
            overrides=", ".join(brought[module.name].replaces) if is_added else "",
            overridden=replaced,
        )


def describe_beside(image: Image, group: str) -> list[Listed]:
    """The modules of layers that only some machines load; of these the manifest knows name, version and devices."""
    found = []
    for entry in image.manifest.layers:
        for name, version in entry.modules.items() if entry.pci_ids else ():
            replaced = next((path for path in entry.replaces if read_name(path) == name), "")
            own = find_group(replaced) if replaced else ""
            if not group or own == group:
                found.append(
                    Listed(
                        name=name,
                        group=own,
                        path=f"{LAYERS}/{entry.name}.squashfs",
                        version=version,
                        srcversion="",
                        layer=entry.name,
                        pci_ids=len(entry.pci_ids),
                        in_tree=False,
                        overrides=replaced,
                        only_for=entry.pci_ids,
                    )
                )
    return found
