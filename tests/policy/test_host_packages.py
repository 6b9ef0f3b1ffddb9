"""The two lists of Debian packages: what image, server and lab need, and what only tests need."""

from pathlib import Path

from bootos.image.build import HOST_TOOLS
from bootos.lab.preflight import REQUIREMENTS
from bootos.loader import LOADERS, MEDIUM_LOADERS

ROOT = Path(__file__).parents[2]
ESSENTIAL = {"apt", "dpkg"}  # every Debian has these


def read_names(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if not line.startswith("#")]


HOST = read_names(ROOT / "debian-packages.txt")
TEST = read_names(ROOT / "debian-packages-test.txt")


def test_no_package_is_listed_twice() -> None:
    names = HOST + TEST
    assert len(names) == len(set(names))
    assert all(name == name.strip() and name for name in names)


def test_what_the_programs_ask_for_is_installed_for_them() -> None:
    asked = {*HOST_TOOLS.values(), *(requirement.package for requirement in REQUIREMENTS)}
    asked |= {loader.package for loader in {**LOADERS, **MEDIUM_LOADERS}.values()}
    assert asked - ESSENTIAL <= set(HOST)
