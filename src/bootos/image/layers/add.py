"""`bootos image add` and `remove`: packages as a layer of a built image, which is not built again.

Each layer of packages is made on top of all that the image has, so its databases know them all; it gets a higher number
than those before it and hides their databases. That is also why the newest has to be removed first.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from bootos.errors import BootosError
from bootos.image.layers.chroot import prepare_chroot
from bootos.image.layers.core import NAME, Image, add_layer, pack_layer, read_image, remove_layer
from bootos.image.layers.origin import collect_origins
from bootos.image.layers.overlay import open_root
from bootos.image.layers.package import (
    Wanted,
    install_debs,
    install_rpms,
    read_versions,
    sort_wanted,
)
from bootos.image.layers.sbom import renew_sbom
from bootos.image.layers.upper import clean_upper, find_kernel_modules, find_self_acting, read_clock
from bootos.image.sbom import Component
from bootos.wire.manifest import LayerEntry

FIRST_NUMBER, LAST_NUMBER = 90, 98


class Added(msgspec.Struct, frozen=True, kw_only=True):
    """What was done. `silent` are the units and rules the packages brought that do not act by themselves."""

    layer: LayerEntry
    silent: tuple[str, ...]
    image_bytes: int
    seconds: float


def add_packages(
    directory: Path,
    words: Sequence[str],
    *,
    repos: Sequence[str] = (),
    name: str = "",
    enabled: Sequence[str] = (),
    say: Callable[[str], None] = lambda line: None,
) -> Added:
    """Add packages to the image in `directory`. Raises BootosError; the image is then as it was."""
    began = time.monotonic()
    wanted = sort_wanted(words, has_repo=bool(repos))
    say("reading the image")
    image = read_image(directory)
    if name:
        check_name(image, name)
    number = find_number(image)
    with tempfile.TemporaryDirectory(prefix="bootos-add-") as work:
        squashfs = Path(work) / "layer.squashfs"
        components, silent = build_tree(image, wanted, repos, enabled, Path(work), say)
        packages = {item.name: item.version for item in components}
        say(f"packing {len(packages)} package(s)")
        pack_layer(Path(work) / "upper", squashfs, all_root=False, keep_times=True)
        say("writing the image")
        entry = LayerEntry(
            name=choose_name(image, name, wanted, packages), kind="packages", packages=packages
        )
        manifest = add_layer(image, squashfs, entry, number=number)
    renew_sbom(directory, manifest, {entry.name: components})
    return Added(
        layer=manifest.layers[-1],
        silent=tuple(silent),
        image_bytes=manifest.size_bytes,
        seconds=time.monotonic() - began,
    )


def build_tree(
    image: Image,
    wanted: Wanted,
    repos: Sequence[str],
    enabled: Sequence[str],
    work: Path,
    say: Callable[[str], None],
) -> tuple[tuple[Component, ...], list[str]]:
    """Fill `work/upper` with what the packages write; returns their components for the SBOM, and the names of services
    and timers that stay switched off. Raises BootosError when they bring kernel modules, or nothing new."""
    since = read_clock(work)
    with open_root(image, work) as root:
        with prepare_chroot(root):
            before = read_versions(root)
            if wanted.debs or wanted.deb_names:
                install_debs(root, wanted, say)
            if wanted.rpms or wanted.rpm_names:
                install_rpms(root, wanted, repos, say)
            after = read_versions(root)
            packages = {name: version for name, version in after.items() if before.get(name) != version}
            components = collect_origins(root, packages, wanted, repos)
        if not packages:
            raise BootosError("the image has these packages already: nothing to add")
        modules = find_kernel_modules(root.upper)
        if modules:
            message = f"the packages bring kernel modules ({', '.join(path.name for path in modules[:5])})"
            raise BootosError(message, hint="bootos driver add checks and adds them")
        check_enabled(enabled, find_self_acting(root.upper))
        return components, clean_upper(root.upper, enabled, since)


def check_enabled(enabled: Sequence[str], acting: Sequence[Path]) -> None:
    """Raises BootosError when a name that is to act by itself is not among those that the packages bring."""
    brought = {path.name for path in acting}
    unknown = sorted(set(enabled) - brought)
    if unknown:
        hint = f"they bring {', '.join(sorted(brought)) or 'nothing that would'}"
        raise BootosError(f"the packages bring no {', '.join(unknown)} that acts by itself", hint=hint)


def find_number(image: Image) -> int:
    """The number of a new layer of packages: above all others of its kind. Raises BootosError: there is none left."""
    used = [_read_number(image, entry.name) for entry in image.manifest.layers if entry.kind == "packages"]
    number = max(used, default=FIRST_NUMBER - 1) + 1
    if number > LAST_NUMBER:
        hint = "name the packages in the recipe (packages, debs, rpms), or add several with one command"
        raise BootosError(f"{image.directory} has {len(used)} layers of packages already", hint=hint)
    return number


def remove_packages(directory: Path, name: str) -> LayerEntry:
    """Take an added layer out. Raises BootosError when there is no layer of this name, or a newer layer lies on top of
    it."""
    image = read_image(directory)
    if any(entry.name == name and entry.kind == "modules" for entry in image.manifest.layers):
        hint = f"bootos driver remove {directory} {name}"  # this command also makes modprobe's tables anew
        raise BootosError(f"{name} is a driver, not a package", hint=hint)
    stacked = [entry.name for entry in image.manifest.layers if entry.kind == "packages"]
    newer = stacked[stacked.index(name) + 1 :] if name in stacked else []
    if newer:
        hint = f"bootos image remove {directory} {newer[-1]}"
        raise BootosError(
            f"{name} lies below {', '.join(newer)}, whose databases list its packages", hint=hint
        )
    renew_sbom(directory, remove_layer(image, name), {})
    return next(entry for entry in image.manifest.layers if entry.name == name)


def list_names(image: Image) -> set[str]:
    """The names that a new layer cannot have: those of the image's own layers and of the added ones."""
    names = {segment.name.partition("-")[2] for segment in image.manifest.segments}
    return names | {entry.name for entry in image.manifest.layers}


def check_name(image: Image, name: str) -> None:
    """Raises BootosError: no layer can be called so."""
    if not NAME.fullmatch(name):
        raise BootosError(f"{name!r} cannot be the name of a layer", hint="letters, digits and . _ + ~ -")
    if name in list_names(image):
        raise BootosError(f"the image has a layer {name!r} already", hint="choose another --name")


def choose_name(image: Image, name: str, wanted: Wanted, packages: dict[str, str]) -> str:
    """The given name; else that of the first package, with a number if it is taken."""
    if name:
        return name
    asked = [*wanted.deb_names, *wanted.rpm_names, *(path.name for path in (*wanted.debs, *wanted.rpms))]
    first = max((p for p in packages if asked[0].startswith(p)), key=len, default=min(packages))
    found, number = first, 1
    while found in list_names(image):
        number += 1
        found = f"{first}-{number}"
    return found


def _read_number(image: Image, name: str) -> int:
    return next(int(s.name[:2]) for s in image.manifest.segments if s.name.partition("-")[2] == name)
