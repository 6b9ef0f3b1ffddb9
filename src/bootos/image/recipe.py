"""What an image contains: the recipe model, and its checks. Read by `build`; makes no file and runs nothing.

A recipe is TOML. Every mistake in it is reported at once, each with its path; relative paths in it are
relative to the recipe's own directory.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from bootos.document import convert_all, read_document
from bootos.errors import Problem, ProblemsError
from bootos.repository import NAME as REPOSITORY_PATTERN
from bootos.repository import find_url_fault

PACKAGE_PATTERN = re.compile(r"[a-z0-9][a-z0-9+.-]+")
"""A Debian package name (Debian Policy 5.6.7)."""
MODULE_PATTERN = re.compile(r"[A-Za-z0-9_-]+")
UNIT_PATTERN = re.compile(r"[A-Za-z0-9:_.@\\-]+\.(service|socket|target|mount|timer|path|slice|automount)")

NEEDED_BOOT_MODULES = ("loop", "overlay", "squashfs")
NEEDED_PACKAGES = ("kmod", "python3", "python3-msgspec", "python3-urllib3", "systemd", "udev")


class Debian(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base: which packages of which release. An empty mirror means the build host's own."""

    packages: tuple[str, ...]
    suite: str = "trixie"
    components: tuple[str, ...] = ("main", "non-free-firmware")
    mirror: str = ""
    security_mirror: str = ""


class Modules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which kernel modules: `keep` minus `drop` (paths below `/lib/modules/<release>/kernel/`, `*` allowed, a
    directory means all below it), plus whatever the kept ones depend on. `boot` are those `/init` loads."""

    keep: tuple[str, ...]
    drop: tuple[str, ...] = ()
    boot: tuple[str, ...] = NEEDED_BOOT_MODULES


class Firmware(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Debian packages to take firmware from; only files named by a kept kernel module are taken."""

    packages: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class Boot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that may happen by itself in the running OS. What is not listed is removed from the boot, so that a
    package cannot bring along something that touches a disk."""

    units: tuple[str, ...]
    udev_rules: tuple[str, ...]
    generators: tuple[str, ...] = ()
    tmpfiles: tuple[str, ...] = ()


class Cut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Paths left out of the root file system: absolute, `*` allowed, a directory means all below it; `keep`
    names what stays."""

    paths: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()


class Hot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every boot reads: packed by zstd in small blocks, a layer beside that of the rest. Paths as in `Cut`."""

    paths: tuple[str, ...] = ()


class Repository(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A yum repository of the running OS. `key` is a file: rpm knows it then, and signatures are checked."""

    url: str
    key: str = ""


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One image."""

    name: str
    debian: Debian
    modules: Modules
    boot: Boot
    kernel: Literal["stable", "backports"] = "stable"
    compression: Literal["zstd", "xz"] = "zstd"
    shell: Literal["on", "off"] = "on"
    budget_mb: int = 140
    overlay: str = ""
    debs: tuple[str, ...] = ()
    rpms: tuple[str, ...] = ()
    repositories: dict[str, Repository] = {}
    firmware: Firmware = Firmware()
    cut: Cut = Cut()
    hot: Hot = Hot()


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """A checked recipe and the directory its relative paths start from."""

    recipe: Recipe
    directory: Path

    @property
    def overlay_dir(self) -> Path | None:
        return self.directory / self.recipe.overlay if self.recipe.overlay else None

    @property
    def debs(self) -> tuple[Path, ...]:
        return tuple(self.directory / name for name in self.recipe.debs)

    @property
    def rpms(self) -> tuple[Path, ...]:
        return tuple(self.directory / name for name in self.recipe.rpms)

    @property
    def keys(self) -> tuple[Path, ...]:
        """The keys of the repositories."""
        return tuple(self.directory / repo.key for repo in self.recipe.repositories.values() if repo.key)


def read_recipe(path: Path) -> Loaded:
    """Read and check a recipe file. Raises ProblemsError with everything that is wrong in it."""
    recipe, problems = convert_all(read_document(path), Recipe)
    if recipe is not None:
        problems = [*problems, *check_recipe(recipe, path.parent)]
    if problems or recipe is None:
        raise ProblemsError(f"recipe {path}", problems)
    return Loaded(recipe=recipe, directory=path.parent)


def check_recipe(recipe: Recipe, directory: Path) -> list[Problem]:
    """What the types cannot say: names, duplicates, things the boot needs, files that must exist."""
    return [
        *_check_names(recipe),
        *_check_needs(recipe),
        *_check_paths(recipe),
        *_check_rest(recipe, directory),
    ]


def _check_names(recipe: Recipe) -> Iterator[Problem]:
    named: list[tuple[str, Sequence[str], re.Pattern[str] | None, str]] = [
        ("debian.packages", recipe.debian.packages, PACKAGE_PATTERN, "a Debian package name"),
        ("debian.components", recipe.debian.components, PACKAGE_PATTERN, "an archive component"),
        ("firmware.packages", recipe.firmware.packages, PACKAGE_PATTERN, "a Debian package name"),
        ("modules.boot", recipe.modules.boot, MODULE_PATTERN, "a kernel module name without .ko"),
        ("modules.keep", recipe.modules.keep, None, ""),
        ("modules.drop", recipe.modules.drop, None, ""),
        ("boot.units", recipe.boot.units, UNIT_PATTERN, "a unit name with its suffix"),
        ("boot.udev_rules", recipe.boot.udev_rules, re.compile(r"[^/]+\.rules"), "a file name *.rules"),
        ("boot.generators", recipe.boot.generators, re.compile(r"[^/]+"), "a file name"),
        ("boot.tmpfiles", recipe.boot.tmpfiles, re.compile(r"[^/]+\.conf"), "a file name *.conf"),
    ]
    for path, names, pattern, words in named:
        for index, name in enumerate(names):
            if pattern is not None and not pattern.fullmatch(name):
                yield Problem(path=f"{path}[{index}]", message=f"{name!r} is not {words}")
            elif name in names[:index]:
                yield Problem(path=f"{path}[{index}]", message=f"{name!r} is listed twice")


def _check_needs(recipe: Recipe) -> Iterator[Problem]:
    for module in NEEDED_BOOT_MODULES:
        if module not in recipe.modules.boot:
            yield Problem(
                path="modules.boot", message=f"{module!r} is missing: /init cannot mount the root without"
            )
    for package in NEEDED_PACKAGES:
        if package not in recipe.debian.packages:
            yield Problem(
                path="debian.packages", message=f"{package!r} is missing: the agent does not run without"
            )


def _check_paths(recipe: Recipe) -> Iterator[Problem]:
    for field, patterns in (("keep", recipe.modules.keep), ("drop", recipe.modules.drop)):
        for index, pattern in enumerate(patterns):
            if pattern.startswith(("/", "kernel/")) or not pattern:
                hint = "paths start below /lib/modules/<release>/kernel/, as drivers/net/ethernet"
                yield Problem(
                    path=f"modules.{field}[{index}]", message=f"{pattern!r} is not such a path", hint=hint
                )
    for field, patterns in (
        ("cut.paths", recipe.cut.paths),
        ("cut.keep", recipe.cut.keep),
        ("hot.paths", recipe.hot.paths),
    ):
        for index, pattern in enumerate(patterns):
            if not pattern.startswith("/") or pattern.strip("/*") == "":
                hint = "as /usr/share/man"
                yield Problem(
                    path=f"{field}[{index}]", message=f"{pattern!r} is not an absolute path", hint=hint
                )


def _check_rest(recipe: Recipe, directory: Path) -> Iterator[Problem]:
    if recipe.budget_mb < 1:
        yield Problem(path="budget_mb", message="must be at least 1")
    for field, mirror in (
        ("mirror", recipe.debian.mirror),
        ("security_mirror", recipe.debian.security_mirror),
    ):
        if mirror and not re.match(r"(https?|file|copy)://?\S+$", mirror):
            yield Problem(path=f"debian.{field}", message=f"{mirror!r} is not an http, https or file URL")
    if not PACKAGE_PATTERN.fullmatch(recipe.debian.suite):
        yield Problem(
            path="debian.suite", message=f"{recipe.debian.suite!r} is not a suite name", hint="as trixie"
        )
    yield from _check_packages(recipe, directory)
    if recipe.overlay and not (directory / recipe.overlay).is_dir():
        yield Problem(path="overlay", message=f"{recipe.overlay!r} is not a directory below {directory}")


def _check_packages(recipe: Recipe, directory: Path) -> Iterator[Problem]:
    for field, names in (("debs", recipe.debs), ("rpms", recipe.rpms)):
        for index, name in enumerate(names):
            path = f"{field}[{index}]"
            if not name.endswith(f".{field[:-1]}"):
                yield Problem(path=path, message=f"{name!r} is not the path of a .{field[:-1]} file")
            elif not (directory / name).is_file():
                yield Problem(path=path, message=f"there is no file {name!r} below {directory}")
    for name, repo in recipe.repositories.items():
        path = f"repositories.{name}"
        if not REPOSITORY_PATTERN.fullmatch(name):
            yield Problem(path=path, message="a repository's name has letters, digits and _ . : -")
        fault = find_url_fault(repo.url)
        if fault:
            yield Problem(path=f"{path}.url", message=fault)
        if repo.key and not (directory / repo.key).is_file():
            yield Problem(path=f"{path}.key", message=f"there is no file {repo.key!r} below {directory}")
