from pathlib import Path

import pytest

from bootos.errors import BootosError, ProblemsError
from bootos.image.recipe import Loaded
from bootos.image.recipe_file import read_recipe

PROJECT = Path(__file__).parents[3]

GOOD = """
name = "small"
[debian]
packages = ["systemd", "udev", "kmod", "python3", "python3-msgspec", "python3-urllib3"]
[modules]
keep = ["drivers/net/ethernet"]
[boot]
units = ["systemd-udevd.service"]
udev_rules = ["80-drivers.rules"]
"""


def read(tmp_path: Path, text: str) -> Loaded:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return read_recipe(path)


def problems_of(tmp_path: Path, text: str) -> dict[str, str]:
    with pytest.raises(ProblemsError) as caught:
        read(tmp_path, text)
    return {problem.path: problem.message for problem in caught.value.problems}


def test_the_recipe_of_the_project_is_valid() -> None:
    assert read_recipe(PROJECT / "recipes/bootos.toml").recipe.name == "bootos"


def test_what_a_recipe_leaves_out_takes_its_default(tmp_path: Path) -> None:
    recipe = read(tmp_path, GOOD).recipe
    assert (recipe.kernel, recipe.shell, recipe.debian.suite) == ("stable", "on", "trixie")


def test_an_overlay_is_found_beside_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    loaded = read(tmp_path, 'overlays = ["files"]\n' + GOOD)
    assert loaded.find_files()["overlays"] == [tmp_path / "files"]


def test_every_mistake_is_reported_at_once_with_its_path(tmp_path: Path) -> None:
    found = problems_of(
        tmp_path,
        """
name = "wrong"
kernel = "newest"
budget_mb = 0
colour = "blue"
overlays = ["nowhere"]
[debian]
packages = ["systemd", "udev", "kmod", "python3", "python3-msgspec", "Curl", "systemd"]
mirror = "somewhere"
[modules]
keep = ["kernel/drivers/net", "drivers/md"]
boot = ["loop", "squashfs"]
[boot]
units = ["systemd-udevd"]
udev_rules = ["80-drivers"]
[cut]
paths = ["usr/share/doc", "/"]
""",
    )
    assert set(found) == {
        "kernel",
        "budget_mb",
        "colour",
        "overlays[0]",
        "debian.packages[5]",
        "debian.packages[6]",
        "debian.packages",
        "debian.mirror",
        "modules.keep[0]",
        "modules.boot",
        "boot.units[0]",
        "boot.udev_rules[0]",
        "cut.paths[0]",
        "cut.paths[1]",
    }
    assert "python3-urllib3" in found["debian.packages"]
    assert "overlay" in found["modules.boot"]


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    assert problems_of(tmp_path, 'name = "x"\n')["debian"] == "is required"


def test_package_files_and_keys_are_found_beside_the_recipe_and_bad_ones_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.deb").touch()
    (tmp_path / "hw.asc").touch()
    repository = '[repositories.hw]\nurl = "http://a/hw"\nkey = "hw.asc"\n'
    loaded = read(tmp_path, 'debs = ["a.deb"]\n' + GOOD + repository)
    assert (loaded.debs, loaded.keys) == ((tmp_path / "a.deb",), {"hw": tmp_path / "hw.asc"})
    found = problems_of(
        tmp_path,
        'debs = ["a.deb", "b.deb"]\nrpms = ["a.deb"]\n'
        + GOOD
        + '[repositories."a b"]\nurl = "a/hw"\nkey = "none.asc"\n',
    )
    assert sorted(found) == [
        "debs[1]",
        "repositories.a b",
        "repositories.a b.key",
        "repositories.a b.url",
        "rpms[0]",
    ]


def write_parts(tmp_path: Path, **parts: str) -> Path:
    for name, text in parts.items():
        path = tmp_path / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".toml").write_text(text)
    return tmp_path / "recipe.toml"


def test_an_include_is_merged_below_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "common/files").mkdir(parents=True)
    (tmp_path / "own").mkdir()
    path = write_parts(
        tmp_path,
        common__base='shell = "off"\ncompression = "xz"\noverlays = ["files"]\n' + GOOD,
        recipe='include = ["common/base.toml"]\nname = "mine"\nshell = "on"\noverlays = ["own"]\n'
        '[debian]\npackages = ["curl", "kmod"]\n',
    )
    loaded = read_recipe(path)
    recipe = loaded.recipe
    assert (recipe.name, recipe.shell, recipe.compression) == ("mine", "on", "xz")
    assert recipe.debian.packages[-1] == "curl" and recipe.debian.packages.count("kmod") == 1
    assert loaded.find_files()["overlays"] == [tmp_path / "common/files", tmp_path / "own"]


def test_a_profile_brings_firmware_and_takes_things_away(tmp_path: Path) -> None:
    path = write_parts(
        tmp_path,
        profiles__small='[without]\nmodules.keep = ["drivers/scsi"]\n',
        profiles__big='[firmware]\npackages = ["firmware-misc-nonfree"]\nmicrocode = true\n',
        recipe='profile = "big"\n' + GOOD.replace('"drivers/net/ethernet"', '"drivers/net", "drivers/scsi"'),
    )
    big, small = read_recipe(path).recipe, read_recipe(path, "small").recipe
    assert (big.profile, big.firmware.packages, big.firmware.microcode) == (
        "big",
        ("firmware-misc-nonfree",),
        True,
    )
    assert (small.profile, small.firmware.packages, small.modules.keep) == ("small", (), ("drivers/net",))


def test_an_included_recipe_brings_its_profile_and_the_profiles_beside_it(tmp_path: Path) -> None:
    path = write_parts(
        tmp_path,
        common__profiles__big='shell = "off"\n',
        common__profiles__small='compression = "xz"\n',
        common__base='profile = "big"\n' + GOOD,
        recipe='include = ["common/base.toml"]\n',
    )
    assert read_recipe(path).recipe.shell == "off"
    assert read_recipe(path, "small").recipe.compression == "xz"


def test_an_unknown_profile_is_answered_with_those_there_are(tmp_path: Path) -> None:
    path = write_parts(tmp_path, profiles__server="", recipe=GOOD)
    with pytest.raises(BootosError, match="no profile 'sever'") as caught:
        read_recipe(path, "sever")
    assert "server" in caught.value.hint


def test_a_mistake_in_an_included_file_is_named_with_its_place_there(tmp_path: Path) -> None:
    found = problems_of_file(
        write_parts(
            tmp_path,
            common__net='[debian]\npackages = ["Curl"]\n[modules]\ndrop = ["a", "/b"]\n',
            recipe='name = "x"\ninclude = ["common/net.toml", "gone.toml"]\n[without]\nboot.units = ["x.service"]\n'
            "[debian]\nsuit = 1\n"
            'packages = ["systemd", "udev", "kmod", "python3", "python3-msgspec", "python3-urllib3", "Wget"]\n'
            '[modules]\nkeep = ["x"]\n[boot]\nunits = []\nudev_rules = []\n',
        )
    )
    assert set(found) == {
        "common/net.toml: debian.packages[0]",
        "common/net.toml: modules.drop[1]",
        "debian.packages[6]",
        "debian.suit",
        "recipe.toml: include[1]",
        "without.boot.units[0]",
    }


def test_files_that_include_each_other_are_refused(tmp_path: Path) -> None:
    path = write_parts(tmp_path, a='include = ["recipe.toml"]\n', recipe='include = ["a.toml"]\n' + GOOD)
    assert list(problems_of_file(path)) == ["a.toml: include[0]"]


def problems_of_file(path: Path) -> dict[str, str]:
    with pytest.raises(ProblemsError) as caught:
        read_recipe(path)
    return {problem.path: problem.message for problem in caught.value.problems}


def test_ssh_keys_bring_a_server_and_nothing_else_does(tmp_path: Path) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHRoaXMgaXMgbm8gcmVhbCBrZXkgYXQgYWxs ops"
    assert "dropbear-bin" in read(tmp_path, GOOD + f'[system]\nssh_keys = ["{key}"]\n').recipe.debian.packages
    assert "dropbear-bin" not in read(tmp_path, GOOD).recipe.debian.packages


def test_every_mistake_of_a_site_is_named(tmp_path: Path) -> None:
    (tmp_path / "no-interpreter").write_text("echo\n")
    (tmp_path / "unit.txt").write_text("[Unit]\n")
    (tmp_path / "ca.pem").write_text("not a certificate")
    found = problems_of(
        tmp_path,
        'shell = "password"\n'
        + GOOD
        + '[system]\nssh_keys = ["-----BEGIN OPENSSH PRIVATE KEY-----"]\nca_certificates = ["ca.pem", "gone.pem"]\n'
        + 'root_password_hash = "secret"\nunits = ["unit.txt"]\nscripts = ["no-interpreter"]\n',
    )
    assert set(found) == {
        "system.ssh_keys[0]",
        "system.ca_certificates[0]",
        "system.ca_certificates[1]",
        "system.root_password_hash",
        "system.units[0]",
        "system.scripts[0]",
    }
    assert "shell" in problems_of(tmp_path, 'shell = "password"\n' + GOOD)


def test_the_worked_example_of_the_documentation_is_the_file_that_is_tested() -> None:
    """Its image is built and booted by tests/vm/test_example_recipe.py."""
    text = (PROJECT / "recipes/example/rack.toml").read_text()
    assert text in (PROJECT / "docs/image-recipe.md").read_text()
    read_recipe(PROJECT / "recipes/example/rack.toml")


@pytest.mark.parametrize("profile", ["minimal", "server", "all"])
def test_every_profile_of_the_project_is_valid(profile: str) -> None:
    recipe = read_recipe(PROJECT / "recipes/bootos.toml", profile).recipe
    assert recipe.profile == profile
    assert recipe.firmware.microcode is (profile == "all")
