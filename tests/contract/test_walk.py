"""docs/adding-a-driver.md followed to the letter: its files are written, the package is built and installed beside
BootOS, its own test passes, and the agent finds the driver by its entry point."""

import os
import re
import sys
import zipfile
from pathlib import Path

import pytest

from bootos.process import Completed, run

WALK = Path(__file__).parents[2] / "docs/adding-a-driver.md"
SOURCE = Path(__file__).parents[2] / "src"
FILES = ("pyproject.toml", "power_restore.py", "template.yaml", "test_power_restore.py")


def read_files() -> dict[str, str]:
    """The walk's files: a paragraph that begins with the name of one, then its text."""
    text = WALK.read_text()
    found = re.findall(
        r"^`([\w.]+)`[^`\n][^\n]*\n(?:[^\n`]+\n)*?.*?```\w+\n(.*?)^```", text, re.DOTALL | re.MULTILINE
    )
    return dict(found)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name, text in read_files().items():
        (tmp_path / name).write_text(text)
    return tmp_path


def run_python(package: Path, *words: str) -> Completed:
    env = {"PYTHONPATH": os.pathsep.join([str(package / "installed"), str(SOURCE)])}
    return run([sys.executable, *words], cwd=package, env=env, check=False, timeout_s=110)


def install(package: Path) -> None:
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel"], cwd=package, timeout_s=60)
    (wheel,) = (package / "dist").glob("*.whl")
    zipfile.ZipFile(wheel).extractall(package / "installed")
    (package / "power_restore.py").unlink()  # the installed package is used from now on, not its source


def test_the_walk_has_all_its_files() -> None:
    assert tuple(read_files()) == FILES


def test_the_installed_driver_passes_its_own_test(package: Path) -> None:
    install(package)
    done = run_python(package, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_power_restore.py")
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_without_the_package_the_template_is_refused_with_the_place(package: Path) -> None:
    script = (
        "from pathlib import Path\n"
        "from bootos.document import read_document\n"
        "from bootos.drivers.contract import Machine\n"
        "from bootos.engine.plan import plan_job\n"
        "from bootos.engine.run import Run\n"
        "from bootos.wire.inventory import Bmc, Inventory\n"
        "inventory = Inventory(collected_at='2026-01-01T00:00:00Z', bmc=Bmc())\n"
        "plan = plan_job(Run(read_document(Path('template.yaml')), Machine(), inventory))\n"
        "print(*plan.problems)\n"
    )
    done = run_python(package, "-c", script)
    assert "extra.power_restore: no driver in this image carries this out" in done.stdout
