from pathlib import Path

import pytest

from bootos.errors import ProblemsError
from bootos.image.recipe import read_recipe

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


def read(tmp_path: Path, text: str):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return read_recipe(path)


def problems_of(tmp_path: Path, text: str) -> dict[str, str]:
    with pytest.raises(ProblemsError) as caught:
        read(tmp_path, text)
    return {problem.path: problem.message for problem in caught.value.problems}


def test_the_recipe_of_the_project_is_valid():
    assert read_recipe(PROJECT / "recipes/bootos.toml").recipe.name == "bootos"


def test_what_a_recipe_leaves_out_takes_its_default(tmp_path):
    recipe = read(tmp_path, GOOD).recipe
    assert (recipe.kernel, recipe.shell, recipe.debian.suite) == ("stable", "on", "trixie")


def test_an_overlay_is_found_beside_the_recipe(tmp_path):
    (tmp_path / "files").mkdir()
    assert read(tmp_path, 'overlay = "files"\n' + GOOD).overlay_dir == tmp_path / "files"


def test_every_mistake_is_reported_at_once_with_its_path(tmp_path):
    found = problems_of(
        tmp_path,
        """
name = "wrong"
kernel = "newest"
budget_mb = 0
colour = "blue"
overlay = "nowhere"
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
        "overlay",
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


def test_a_missing_table_is_named(tmp_path):
    assert problems_of(tmp_path, 'name = "x"\n')["debian"] == "is required"


def test_package_files_and_keys_are_found_beside_the_recipe_and_bad_ones_are_named(tmp_path):
    (tmp_path / "a.deb").touch()
    (tmp_path / "hw.asc").touch()
    repository = '[repositories.hw]\nurl = "http://a/hw"\nkey = "hw.asc"\n'
    loaded = read(tmp_path, 'debs = ["a.deb"]\n' + GOOD + repository)
    assert (loaded.debs, loaded.keys) == ((tmp_path / "a.deb",), (tmp_path / "hw.asc",))
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
