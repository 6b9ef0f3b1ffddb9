"""What an image contains: the model of a recipe. Makes no file and runs nothing.

A recipe is TOML; `recipe_file` reads and checks one. Relative paths are relative to the file they stand in.
"""

from pathlib import Path
from typing import Literal

import msgspec

NEEDED_BOOT_MODULES = ("loop", "overlay", "squashfs")


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
    """Debian packages to take firmware from; only files named by a kept kernel module are taken. `microcode` puts the
    processors' microcode before everything else; `microcode_files` says for which of them."""

    packages: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    microcode: bool = False
    microcode_files: tuple[str, ...] = ("amd-ucode/*", "intel-ucode/*")


class Boot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that may happen by itself in the running OS. What is not listed is removed from the boot, so that a
    package cannot bring along something that touches a disk."""

    units: tuple[str, ...]
    udev_rules: tuple[str, ...]
    generators: tuple[str, ...] = ()
    tmpfiles: tuple[str, ...] = ()


class Cut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Paths left out of the root file system: absolute, `*` allowed, a directory means all below it; `keep`
    names what stays. `repeated` are packages, with the library of each that its users have elsewhere (see the step)."""

    paths: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    repeated: dict[str, str] = {}


class Hot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every boot reads: packed by zstd in small blocks, a layer beside that of the rest. Paths as in `Cut`."""

    paths: tuple[str, ...] = ()


class Repository(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A yum repository of the running OS. `key` is a file: rpm knows it then, and signatures are checked."""

    url: str
    key: str = ""


class System(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a site adds to the running system. `ssh_keys` brings an SSH server, which lets in only who has one of these
    keys; without, nothing listens. `units` are started at boot as their [Install] says. `scripts` run at build time, in
    the image's root, without network, in this order."""

    ssh_keys: tuple[str, ...] = ()
    ca_certificates: tuple[str, ...] = ()
    root_password_hash: str = ""
    units: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One image."""

    name: str
    debian: Debian
    modules: Modules
    boot: Boot
    kernel: Literal["stable", "backports"] = "stable"
    compression: Literal["zstd", "xz"] = "zstd"
    shell: Literal["on", "off", "password"] = "on"
    budget_mb: int = 140
    profile: str = ""
    overlays: tuple[str, ...] = ()
    system: System = System()
    debs: tuple[str, ...] = ()
    rpms: tuple[str, ...] = ()
    repositories: dict[str, Repository] = {}
    firmware: Firmware = Firmware()
    cut: Cut = Cut()
    hot: Hot = Hot()


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """[system] and the shell of a recipe, with the files that it names."""

    system: System
    shell: Literal["on", "off", "password"]
    files: dict[str, list[Path]]
    """By the list of the recipe they stand in: overlays, ca_certificates, units, scripts."""


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """A checked recipe and the directory its relative paths start from."""

    recipe: Recipe
    directory: Path

    def find_files(self) -> dict[str, list[Path]]:
        """The files and directories that the recipe names: what is in them is part of it."""
        system = self.recipe.system
        named = {
            "overlays": self.recipe.overlays,
            "ca_certificates": system.ca_certificates,
            "units": system.units,
            "scripts": system.scripts,
        }
        return {key: [self.directory / name for name in names] for key, names in named.items()}

    @property
    def debs(self) -> tuple[Path, ...]:
        """The recipe's own Debian packages."""
        return tuple(self.directory / name for name in self.recipe.debs)

    @property
    def rpms(self) -> tuple[Path, ...]:
        """The recipe's own rpm packages."""
        return tuple(self.directory / name for name in self.recipe.rpms)

    @property
    def keys(self) -> dict[str, Path]:
        """The keys of the repositories, by the repository's name."""
        repositories = self.recipe.repositories
        return {name: self.directory / repo.key for name, repo in repositories.items() if repo.key}

    @property
    def site(self) -> Site:
        """What the site adds to the running system."""
        return Site(system=self.recipe.system, shell=self.recipe.shell, files=self.find_files())
