"""Stage `snapshot`: ask the Debian archive which packages the recipe means today, and write them down as a lock.

Only names are resolved here; nothing is downloaded but package lists, whose signatures apt checks.
"""

import shutil
import tempfile
from pathlib import Path

from bootos.errors import BootosError
from bootos.image.archive import KEYRING, Archive, Mirrors, build_sources
from bootos.image.lock import Lock, write_lock
from bootos.image.recipe import Recipe
from bootos.image.steps import loader as loader_step
from bootos.image.steps import microcode as microcode_step
from bootos.process import run

BUSYBOX = "busybox-static"
FIXED = ("?essential", "apt")
"""What every base holds, whatever the recipe names."""


def list_question(recipe: Recipe) -> dict[str, object]:
    """What of a recipe decides on its packages."""
    debian = recipe.debian
    return {
        "suite": debian.suite,
        "components": debian.components,
        "packages": debian.packages,
        "kernel": recipe.kernel,
        "unpacked": list_kernel_packages(recipe),
        "loaders": loader_step.PACKAGES,
    }


def list_kernel_packages(recipe: Recipe) -> list[str]:
    """What is unpacked beside the kernel, not installed."""
    microcode = microcode_step.PACKAGES if recipe.firmware.microcode else ()
    return [BUSYBOX, *recipe.firmware.packages, *(p for p in microcode if p not in recipe.firmware.packages)]


def build_snapshot(recipe: Recipe, asked: str, mirrors: Mirrors, directory: Path) -> None:
    """Fill `directory/lock.json`."""
    sources = build_image_sources(recipe, mirrors)
    archive = Archive(directory / "apt", add_backports(sources, recipe))
    backports = f"{recipe.debian.suite}-backports" if recipe.kernel == "backports" else ""
    kernel = archive.find_kernel(suite=backports)
    lock = Lock(
        asked=asked,
        sources=sources,
        base=archive.resolve([*FIXED, *recipe.debian.packages]),
        kernel=tuple(
            sorted(
                {
                    *archive.locate(kernel, suite=backports),
                    *archive.locate(list_kernel_packages(recipe)),
                },
                key=lambda package: package.file,
            )
        ),
        loaders=archive.locate(loader_step.PACKAGES),
    )
    write_lock(directory / "lock.json", lock)
    shutil.rmtree(directory / "apt")


def build_image_sources(recipe: Recipe, mirrors: Mirrors) -> str:
    """The image's sources.list; where no mirror is known, with mmdebstrap's own default."""
    if mirrors.main:
        return build_sources(mirrors, recipe.debian.suite, recipe.debian.components)
    with tempfile.TemporaryDirectory(prefix="sources-") as work:
        run(
            [
                *("mmdebstrap", "--mode=root", "--variant=custom", "--skip=update", "--architectures=amd64"),
                f"--components={','.join(recipe.debian.components)}",
                *(recipe.debian.suite, f"{work}/root"),
            ],
            timeout_s=120,
        )
        text = (Path(work) / "root/etc/apt/sources.list").read_text()
    lines = [line for line in text.splitlines() if line.startswith("deb ")]
    if not lines:
        raise BootosError("no Debian mirror is known", hint="set debian.mirror in the recipe")
    return "".join(
        (line if line.startswith("deb [") else line.replace("deb ", f"deb [signed-by={KEYRING}] ", 1)) + "\n"
        for line in lines
    )


def add_backports(sources: str, recipe: Recipe) -> str:
    """The sources to look into for the kernel."""
    if recipe.kernel != "backports":
        return sources
    suite = recipe.debian.suite
    main = [line for line in sources.splitlines() if f" {suite} " in line]
    return sources + "".join(line.replace(f" {suite} ", f" {suite}-backports ") + "\n" for line in main)
