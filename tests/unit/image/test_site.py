"""What a site adds to an image, on small trees. The image's own programs run in tests/vm/test_image_build.py."""

import os
import shutil
from pathlib import Path

import pytest

from bootos.errors import BootosError
from bootos.image.recipe import Site
from bootos.image.recipe_file import read_recipe
from bootos.image.squash import build_squashfs
from bootos.image.steps.site import apply_system, find_targets
from bootos.process import run

PROJECT = Path(__file__).parents[3]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHRoaXMgaXMgbm8gcmVhbCBrZXkgYXQgYWxs ops"
NO_PACKAGES = Path("/none")
NEEDS_OVERLAY = pytest.mark.skipif(
    os.geteuid() != 0 or run(["unshare", "--mount", "true"], check=False).returncode != 0,
    reason="needs root and mounts",
)


def load(tmp_path: Path, system: str, head: str = "") -> Site:
    (tmp_path / "recipe.toml").write_text(
        f"""{head}
name = "site"
[debian]
packages = ["systemd", "udev", "kmod", "python3", "python3-msgspec", "python3-urllib3"]
[modules]
keep = ["drivers/net"]
[boot]
units = []
udev_rules = []
[system]
{system}
"""
    )
    return read_recipe(tmp_path / "recipe.toml").site


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    base, root = tmp_path / "base", tmp_path / "root"
    (base / "etc").mkdir(parents=True)
    (base / "etc/shadow").write_text("root:*:20000:0:99999:7:::\ndaemon:*:20000:0:99999:7:::\n")
    root.mkdir()
    return base, root


def test_without_a_word_nothing_is_added(tmp_path: Path, trees: tuple[Path, Path]) -> None:
    base, root = trees
    apply_system(load(tmp_path, ""), base, NO_PACKAGES, root, tmp_path / "work")
    assert not any(root.iterdir())


def test_ssh_lets_in_these_keys_only_and_starts_at_boot(tmp_path: Path, trees: tuple[Path, Path]) -> None:
    base, root = trees
    apply_system(load(tmp_path, f'ssh_keys = ["{KEY}"]'), base, NO_PACKAGES, root, tmp_path / "work")
    keys = root / "root/.ssh/authorized_keys"
    assert keys.read_text() == f"{KEY}\n"
    assert keys.stat().st_mode & 0o777 == 0o600
    assert (root / "root").stat().st_mode & 0o777 == keys.parent.stat().st_mode & 0o777 == 0o700
    unit = root / "etc/systemd/system/bootos-ssh.service"
    assert " -s" in next(line for line in unit.read_text().splitlines() if line.startswith("ExecStart="))
    assert (root / "etc/systemd/system/multi-user.target.wants/bootos-ssh.service").resolve() == unit


def test_only_root_gets_the_password(tmp_path: Path, trees: tuple[Path, Path]) -> None:
    base, root = trees
    site = load(tmp_path, 'root_password_hash = "$6$salt$hashhashhash"', 'shell = "password"')
    apply_system(site, base, NO_PACKAGES, root, tmp_path / "work")
    lines = (root / "etc/shadow").read_text().splitlines()
    assert [line.split(":")[1] for line in lines] == ["$6$salt$hashhashhash", "*"]
    assert (root / "etc/shadow").stat().st_mode & 0o777 == 0o600
    assert "sulogin" in (root / "usr/lib/bootos/shell").read_text()


def test_a_unit_is_enabled_as_its_install_section_says(tmp_path: Path, trees: tuple[Path, Path]) -> None:
    base, root = trees
    (tmp_path / "site.service").write_text(
        "[Unit]\nDescription=100% ours\n[Service]\nExecStartPre=-/bin/a\nExecStartPre=/bin/b\nExecStart=/bin/c\n"
        "[Install]\nWantedBy=multi-user.target sysinit.target\n"
    )
    apply_system(load(tmp_path, 'units = ["site.service"]'), base, NO_PACKAGES, root, tmp_path / "work")
    units = root / "etc/systemd/system"
    for target in ("multi-user.target", "sysinit.target"):
        assert (units / f"{target}.wants/site.service").resolve() == units / "site.service"


def test_required_by_makes_a_requirement() -> None:
    assert find_targets("[Install]\nRequiredBy=a.target\n") == [("requires", "a.target")]
    assert find_targets("[Unit]\n") == []


@pytest.fixture
def busybox_base(trees: tuple[Path, Path]) -> Path:
    base = trees[0]
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("needs busybox-static")
    (base / "bin").mkdir()
    shutil.copy(busybox, base / "bin/busybox")
    for name in ("sh", "rm", "mkdir", "ls", "wc"):
        (base / "bin" / name).symlink_to("busybox")
    for name in ("proc", "tmp", "old", "run", "dev", "var/tmp", "usr/bin", "usr/sbin"):
        (base / name).mkdir(parents=True)
    (base / "usr/bin/env").symlink_to("/bin/busybox")
    (base / "old/file").touch()
    return base


@NEEDS_OVERLAY
def test_scripts_see_the_image_and_change_only_the_layer(
    tmp_path: Path, trees: tuple[Path, Path], busybox_base: Path
) -> None:
    root = trees[1]
    (tmp_path / "b.sh").write_text('#!/bin/sh\necho "$(cat /etc/first) $SOURCE_DATE_EPOCH" > /etc/second\n')
    (tmp_path / "a.sh").write_text("#!/bin/sh\necho $(ls /etc/shadow) > /etc/first\nrm /old/file\n")
    (busybox_base / "bin/cat").symlink_to("busybox")
    apply_system(
        load(tmp_path, 'scripts = ["a.sh", "b.sh"]'), busybox_base, NO_PACKAGES, root, tmp_path / "work"
    )
    assert (root / "etc/second").read_text() == "/etc/shadow 1735689600\n"
    assert (busybox_base / "old/file").exists()
    assert (root / "old/file").is_char_device(), "the layer hides the file of the base"
    assert sorted(path.name for path in root.iterdir()) == ["etc", "old", "usr"], "nothing of how it was run"


@NEEDS_OVERLAY
def test_scripts_see_what_the_recipes_own_packages_brought(
    tmp_path: Path, trees: tuple[Path, Path], busybox_base: Path
) -> None:
    (tmp_path / "vendor/etc").mkdir(parents=True)
    (tmp_path / "vendor/etc/vendor.conf").write_text("port = 1\n")
    build_squashfs(tmp_path / "vendor", tmp_path / "packages", "zstd")
    (tmp_path / "a.sh").write_text("#!/bin/sh\necho port = 2 >> /etc/vendor.conf\n")
    site = load(tmp_path, 'scripts = ["a.sh"]')
    apply_system(site, busybox_base, tmp_path / "packages", trees[1], tmp_path / "work")
    assert (trees[1] / "etc/vendor.conf").read_text() == "port = 1\nport = 2\n"


@NEEDS_OVERLAY
def test_a_script_that_fails_is_named(tmp_path: Path, trees: tuple[Path, Path], busybox_base: Path) -> None:
    (tmp_path / "bad.sh").write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(BootosError, match=r"system.scripts\[0\] .*bad.sh"):
        apply_system(
            load(tmp_path, 'scripts = ["bad.sh"]'), busybox_base, NO_PACKAGES, trees[1], tmp_path / "work"
        )


@NEEDS_OVERLAY
def test_a_directory_removed_and_made_anew_hides_what_was_in_it(
    tmp_path: Path, trees: tuple[Path, Path], busybox_base: Path
) -> None:
    (tmp_path / "anew.sh").write_text("#!/bin/sh\nrm -r /old && mkdir /old && echo new > /old/other\n")
    apply_system(
        load(tmp_path, 'scripts = ["anew.sh"]'), busybox_base, NO_PACKAGES, trees[1], tmp_path / "work"
    )
    assert (trees[1] / "old/other").read_text() == "new\n"
    assert (trees[1] / "old/file").is_char_device(), "the layer hides the file of the base"
