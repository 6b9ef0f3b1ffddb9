"""Stage `loader`: the boot loaders of the image's own Debian release, which lie beside the image and not in it.

So what firmware is sent depends on the image and not on the Debian release of the server's host. The packages are
unpacked, not installed; none of their programs runs.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bootos.image.archive import extract_package
from bootos.image.lock import Package
from bootos.image.package_store import PackageStore
from bootos.image.steps.kernel import copy_licenses
from bootos.loader import DIRECTORY, LOADERS, Loader

PACKAGES = tuple(sorted({loader.package for loader in LOADERS.values()}))


def build_loaders(
    *,
    packages: Sequence[Package],
    loaders: Mapping[str, Loader],
    store: PackageStore,
    directory: Path,
    say: Callable[[str], None],
) -> None:
    """Fill `directory`: `loaders/` with the loaders by their names, `copyright/` with what is said of each package."""
    tree, target = directory / "work", directory / DIRECTORY
    target.mkdir()
    for package in packages:
        extract_package(store.directory / package.file, tree)
    for name, loader in loaders.items():
        if (tree / loader.path).is_file():
            shutil.copyfile(tree / loader.path, target / name)
        else:  # another Debian release may lack this loader; the server then says which boot path is missing
            say(f"{loader.package} has no {loader.path}: no {name}")
    copy_licenses(tree, directory / "copyright")
    shutil.rmtree(tree)
