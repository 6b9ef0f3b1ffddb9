"""Read a recipe file and check it: what the types of the model cannot say. Used by the commands; runs nothing.

A recipe is put together by `compose` from itself, what it includes and a profile. Every mistake is reported at once,
each with its place.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from bootos.document import convert_all
from bootos.errors import Problem, ProblemsError
from bootos.image.compose import compose_recipe
from bootos.image.recipe import NEEDED_BOOT_MODULES, Loaded, Recipe
from bootos.repository import NAME as REPOSITORY_PATTERN
from bootos.repository import find_url_fault

PACKAGE_PATTERN = re.compile(r"[a-z0-9][a-z0-9+.-]+")
"""A Debian package name (Debian Policy 5.6.7)."""
MODULE_PATTERN = re.compile(r"[A-Za-z0-9_-]+")
UNIT_PATTERN = re.compile(r"[A-Za-z0-9:_.@\\-]+\.(service|socket|target|mount|timer|path|slice|automount)")

SSH_KEY_PATTERN = re.compile(
    r"(ssh-(ed25519|rsa)|ecdsa-sha2-nistp\d+|sk-[a-z0-9@.-]+) [A-Za-z0-9+/]{20,}={0,2}( [^\n]*)?"
)
HASH_PATTERN = re.compile(r"\$[0-9a-z]+\$[^:\s]{8,}")
"""A hash as /etc/shadow holds it; the old DES form is refused."""
SSH_PACKAGE = "dropbear-bin"

NEEDED_PACKAGES = ("kmod", "python3", "python3-msgspec", "python3-urllib3", "systemd", "udev")


def read_recipe(path: Path, profile: str = "") -> Loaded:
    """Read and check a recipe file, with `profile` instead of its own. Raises ProblemsError with everything that is
    wrong in it."""
    composed = compose_recipe(path, profile)
    recipe, problems = convert_all(composed.values, Recipe)
    if recipe is not None:
        recipe = _add_packages(recipe)
        problems = [*problems, *check_recipe(recipe, path.parent)]
    problems = [*composed.problems, *(composed.place(problem) for problem in problems)]
    if problems or recipe is None:
        raise ProblemsError(f"recipe {path}", problems)
    return Loaded(recipe=recipe, directory=path.parent)


def _add_packages(recipe: Recipe) -> Recipe:
    """What the recipe asks for by other words than a package's name."""
    if not recipe.system.ssh_keys or SSH_PACKAGE in recipe.debian.packages:
        return recipe
    debian = msgspec.structs.replace(recipe.debian, packages=(*recipe.debian.packages, SSH_PACKAGE))
    return msgspec.structs.replace(recipe, debian=debian)


def check_recipe(recipe: Recipe, directory: Path) -> list[Problem]:
    """What the types cannot say: names, duplicates, things the boot needs, files that must exist."""
    return [
        *_check_names(recipe),
        *_check_needs(recipe),
        *_check_paths(recipe),
        *_check_rest(recipe, directory),
        *_check_system(recipe, directory),
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
    for index, name in enumerate(recipe.overlays):
        if not (directory / name).is_dir():
            yield Problem(path=f"overlays[{index}]", message=f"{name!r} is not a directory below {directory}")


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


def _check_system(recipe: Recipe, directory: Path) -> Iterator[Problem]:
    system = recipe.system
    for field, names, suffix in (
        ("ca_certificates", system.ca_certificates, ""),
        ("units", system.units, "unit"),
        ("scripts", system.scripts, ""),
    ):
        for index, name in enumerate(names):
            path, place = directory / name, f"system.{field}[{index}]"
            if not path.is_file():
                yield Problem(path=place, message=f"{name!r} is not a file below {directory}")
            elif suffix and not UNIT_PATTERN.fullmatch(path.name):
                yield Problem(path=place, message=f"{path.name!r} is not a unit name with its suffix")
            elif field == "ca_certificates" and "-----BEGIN CERTIFICATE-----" not in path.read_text(
                errors="replace"
            ):
                yield Problem(path=place, message=f"{name!r} holds no certificate in PEM form")
            elif field == "scripts" and not path.read_bytes().startswith(b"#!"):
                yield Problem(path=place, message=f"{name!r} does not begin with #! and an interpreter")
    for index, key in enumerate(system.ssh_keys):
        if not SSH_KEY_PATTERN.fullmatch(key):
            hint = "one public key, as in ~/.ssh/id_ed25519.pub"
            yield Problem(path=f"system.ssh_keys[{index}]", message="is not a public key", hint=hint)
    if system.root_password_hash and not HASH_PATTERN.fullmatch(system.root_password_hash):
        hint = "make one with: openssl passwd -6"
        yield Problem(path="system.root_password_hash", message="is not a crypt(5) hash", hint=hint)
    if recipe.shell == "password" and not system.root_password_hash:
        yield Problem(
            path="shell", message="'password' needs system.root_password_hash: nobody could open the shell"
        )
