"""Add kernel modules to a built image, or take them out: checked, packed as a layer, in the manifest, in seconds.

A layer for every machine goes into the initrd. One for some machines (it names PCI ids) is a file of its own beside it,
which the server offers and the agent loads where such a device is (`bootos.agent.hardware_layer`).
"""

import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bootos.errors import BootosError, Problem, ProblemsError
from bootos.files import write_json
from bootos.image.driver.boot import read_order, renew_boot_files
from bootos.image.driver.check import check_modules, find_broken
from bootos.image.driver.index import INDEX, add_index
from bootos.image.driver.kernel import MODULES, find_dependents, list_modules, read_kernel, read_modules
from bootos.image.driver.package import Unpacked, check_over, unpack
from bootos.image.kernel_module import read_name
from bootos.image.layers.core import Image, add_layer, pack_layer, read_image, remove_layer
from bootos.image.layers.origin import read_file
from bootos.image.layers.overlay import open_root
from bootos.image.layers.sbom import renew_sbom
from bootos.image.license import NO_ASSERTION
from bootos.image.manifest import hash_file
from bootos.image.sbom import Component
from bootos.image.segment import read_segments
from bootos.process import run
from bootos.wire.manifest import LayerEntry, Manifest

LAYERS = "layers"
"""Directory of an image with the layers that are files of their own."""
PCI_ID = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")


class Added(msgspec.Struct, frozen=True, kw_only=True):
    """What was added, and what is to be known about it."""

    layer: LayerEntry
    file: str
    notes: tuple[str, ...]


def add_driver(
    directory: Path, source: Path, cache_dir: Path, *, pci_ids: Sequence[str] = (), by_hardware: bool = False
) -> Added:
    """Add the modules in `source` (rpm, deb, ko) to an image. With `pci_ids` only machines with one of these devices
    load them; with `by_hardware` only machines with a device that the modules name. Raises BootosError, and
    ProblemsError when the modules do not fit."""
    image = read_image(directory)
    release = image.manifest.kernel_release
    with tempfile.TemporaryDirectory(prefix="driver-") as place:
        work = Path(place)
        unpacked = unpack(source, work / "tree")
        kept = list_layers_without(image, unpacked.name)
        with open_root(image, work / "image", kept) as root:
            check_over(unpacked.tree, root)
            kernel = read_kernel(root, release, cache_dir)
            verdict = check_modules(list(unpacked.modules.values()), kernel)
            problems = [*verdict.problems, *find_rivals(image.manifest, unpacked)]
            if problems:
                raise ProblemsError(f"{source.name}, for {directory},", problems)
            entry = LayerEntry(
                name=unpacked.name,
                kind="modules",
                kernel_release=release,
                packages={unpacked.name: unpacked.version} if unpacked.is_package else {},
                modules={
                    module.name: module.label or unpacked.version for module in unpacked.modules.values()
                },
                replaces=tuple(find_replaced(root / MODULES / release, unpacked)),
                pci_ids=choose_pci_ids(unpacked, pci_ids, by_hardware=by_hardware),
            )
            names = frozenset(entry.modules)
            early = [name for name in read_order(image) if name in names]
            if early and entry.pci_ids:
                raise BootosError(
                    f"{', '.join(early)} is loaded before a machine has a network: it must be in the initrd",
                    hint="add it without --by-hardware and --pci",
                )
            dependents = read_modules(find_dependents(root / MODULES / release, names))
            notes = (
                *verdict.notes,
                *find_broken(dependents, list(unpacked.modules.values())),
                *(f"{name}: the first program of the image, /init, loads it from now on" for name in early),
            )
            squashfs = work / "layer.squashfs"
            pack_layer(unpacked.tree, squashfs)
            if entry.pci_ids:
                manifest = put_beside(take_out(image, entry.name, root, work), squashfs, entry)
                renew_sbom(directory, manifest, {entry.name: describe(source, unpacked)})
                entry = manifest.layers[-1]
                return Added(layer=entry, file=f"{LAYERS}/{entry.name}.squashfs", notes=notes)
            # links are copied as links, and nothing is written through one that the image has
            run(["cp", "--archive", "--remove-destination", "--no-target-directory", unpacked.tree, root])
            image = Image(directory=directory, manifest=add_layer(image, squashfs, entry))
            image = Image(directory=directory, manifest=add_index(image, root, work))
            manifest = renew_boot_files(image, root, work)
            find_file(directory, entry.name).unlink(missing_ok=True)
    renew_sbom(directory, manifest, {entry.name: describe(source, unpacked)})
    entry = next(item for item in manifest.layers if item.name == entry.name)
    return Added(layer=entry, file="initrd.img", notes=notes)


def remove_driver(directory: Path, name: str) -> LayerEntry:
    """Take added modules out again: what they overrode is used again. Raises BootosError: no such layer."""
    image = read_image(directory)
    names = [entry.name for entry in image.manifest.layers if entry.kind == "modules"]
    if name not in names:
        listed = ", ".join(names) or "none"
        raise BootosError(f"{directory} has no driver {name!r}", hint=f"added drivers: {listed}")
    with (
        tempfile.TemporaryDirectory(prefix="driver-") as place,
        open_root(image, Path(place) / "image", list_layers_without(image, name)) as root,
    ):
        manifest = take_out(image, name, root, Path(place)).manifest
    renew_sbom(directory, manifest, {})
    return next(entry for entry in image.manifest.layers if entry.name == name)


def describe(source: Path, unpacked: Unpacked) -> list[Component]:
    """What the SBOM says of a driver: its package, or the modules that came without one."""
    if unpacked.is_package:
        return [read_file(source)]
    return [
        Component(
            name=module.name,
            version=module.label,
            architecture="amd64",
            file=source.name,
            sha256=hash_file(source).sha256,
            supplier=NO_ASSERTION,
            licenses=(module.license,) if module.license else (),
        )
        for module in unpacked.modules.values()
    ]


def list_layers_without(image: Image, name: str) -> list[str]:
    """The squashfs files of the initrd but for those of an added layer and of the index."""
    added = {entry.name for entry in image.manifest.layers} & {name, INDEX}
    layers = [segment.name for segment in read_segments(image.initrd) if segment.is_layer]
    return [layer for layer in layers if layer.partition("-")[2] not in added]


def find_rivals(manifest: Manifest, unpacked: Unpacked) -> list[Problem]:
    """Modules that another added layer already brings."""
    mine = {module.name for module in unpacked.modules.values()}
    return [
        Problem(
            path=f"{module}.ko",
            message=f"is already brought by the layer {entry.name}",
            hint=f"bootos driver remove IMAGE {entry.name}",
        )
        for entry in manifest.layers
        if entry.name != unpacked.name
        for module in sorted(mine & set(entry.modules))
    ]


def find_replaced(directory: Path, unpacked: Unpacked) -> list[str]:
    """The image's own module files of the same names, as kernel/drivers/net/ethernet/intel/igb/igb.ko."""
    names = {module.name for module in unpacked.modules.values()}
    paths = [path for path in list_modules(directory) if read_name(path.name) in names]
    return [path.relative_to(directory).as_posix() for path in paths]


def choose_pci_ids(unpacked: Unpacked, given: Sequence[str], *, by_hardware: bool) -> tuple[str, ...]:
    """The devices a layer is for; none: it is for every machine. Raises BootosError."""
    wrong = [item for item in given if not PCI_ID.fullmatch(item.lower())]
    if wrong:
        raise BootosError(f"{', '.join(wrong)} is no PCI id", hint="vendor and device, as 8086:10d3")
    found = {item.lower() for item in given}
    if by_hardware and not found:
        found = {item for module in unpacked.modules.values() for item in module.pci_ids}
        if not found:
            raise BootosError(
                f"the modules of {unpacked.name} name no PCI devices", hint="name them: --pci 8086:10d3"
            )
    return tuple(sorted(found))


def find_file(directory: Path, name: str) -> Path:
    """Where a layer that is a file of its own lies."""
    return directory / LAYERS / f"{name}.squashfs"


def put_beside(image: Image, squashfs: Path, entry: LayerEntry) -> Manifest:
    """A layer as a file of its own; the manifest is written last."""
    target = find_file(image.directory, entry.name)
    target.parent.mkdir(exist_ok=True)
    unfinished = target.with_name(f".{target.name}.new")
    shutil.copyfile(squashfs, unfinished)
    unfinished.replace(target)
    file = hash_file(target)
    entry = msgspec.structs.replace(entry, size_bytes=file.size_bytes, sha256=file.sha256)
    manifest = msgspec.structs.replace(image.manifest, layers=(*image.manifest.layers, entry))
    write_json(image.directory / "manifest.json", manifest)
    return manifest


def take_out(image: Image, name: str, root: Path, work: Path) -> Image:
    """The image without the layer `name`, if it has one; `root` is its merged root without it."""
    entry = next((item for item in image.manifest.layers if item.name == name), None)
    if entry is None:
        return image
    if entry.pci_ids:
        rest = tuple(item for item in image.manifest.layers if item.name != name)
        manifest = msgspec.structs.replace(image.manifest, layers=rest)
        write_json(image.directory / "manifest.json", manifest)
        find_file(image.directory, name).unlink(missing_ok=True)
        return Image(directory=image.directory, manifest=manifest)
    manifest = remove_layer(image, name)
    image = Image(directory=image.directory, manifest=manifest)
    others = [item for item in manifest.layers if item.kind == "modules" and not item.pci_ids]
    if others:
        manifest = add_index(image, root, work)
    elif any(item.name == INDEX for item in manifest.layers):
        manifest = remove_layer(image, INDEX)
    image = Image(directory=image.directory, manifest=manifest)
    return Image(directory=image.directory, manifest=renew_boot_files(image, root, work))
