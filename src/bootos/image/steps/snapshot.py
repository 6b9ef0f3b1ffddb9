"""Stage `snapshot`: ask the Debian archive which packages the recipe means today, and write them down as a lock.

Only names are resolved here; nothing is downloaded but package lists, whose signatures apt checks.
"""

import shutil
import tempfile
from pathlib import Path

import msgspec

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


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What of a recipe decides on its packages."""

    suite: str
    components: tuple[str, ...]
    packages: tuple[str, ...]
    kernel: str
    unpacked: tuple[str, ...]
    """What is unpacked beside the kernel, not installed."""
    loaders: tuple[str, ...] = loader_step.PACKAGES


def read_question(recipe: Recipe) -> Question:
    """What a recipe asks the archive."""
    debian, firmware = recipe.debian, recipe.firmware
    microcode = microcode_step.PACKAGES if firmware.microcode else ()
    return Question(
        suite=debian.suite,
        components=debian.components,
        packages=debian.packages,
        kernel=recipe.kernel,
        unpacked=(BUSYBOX, *firmware.packages, *(p for p in microcode if p not in firmware.packages)),
    )


def build_snapshot(*, question: Question, asked: str, mirrors: Mirrors, directory: Path) -> None:
    """Fill `directory/lock.json` with what the archive answers today; `asked` is the hash of the question.
    Raises BootosError: the archive lacks a package, or no mirror is known."""
    sources = build_image_sources(question, mirrors)
    archive = Archive(directory / "apt", add_backports(sources, question.suite, question.kernel))
    backports = f"{question.suite}-backports" if question.kernel == "backports" else ""
    kernel = archive.find_kernel(suite=backports)
    unpacked = {*archive.locate(kernel, suite=backports), *archive.locate(question.unpacked)}
    lock = Lock(
        asked=asked,
        sources=sources,
        base=archive.resolve([*FIXED, *question.packages]),
        kernel=tuple(sorted(unpacked, key=lambda package: package.file)),
        loaders=archive.locate(question.loaders),
    )
    write_lock(directory / "lock.json", lock)
    shutil.rmtree(directory / "apt")


def build_image_sources(question: Question, mirrors: Mirrors) -> str:
    """The image's sources.list; where no mirror is known, with mmdebstrap's own default. Raises BootosError: it has
    none."""
    if mirrors.main:
        return build_sources(mirrors, question.suite, question.components)
    with tempfile.TemporaryDirectory(prefix="sources-") as work:
        run(
            [
                *("mmdebstrap", "--mode=root", "--variant=custom", "--skip=update", "--architectures=amd64"),
                f"--components={','.join(question.components)}",
                *(question.suite, f"{work}/root"),
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


def add_backports(sources: str, suite: str, kernel: str) -> str:
    """The sources to look into for a recipe's `kernel`: with the suite's backports, where it comes from there."""
    if kernel != "backports":
        return sources
    main = [line for line in sources.splitlines() if f" {suite} " in line]
    return sources + "".join(line.replace(f" {suite} ", f" {suite}-backports ") + "\n" for line in main)
