"""What VM tests share: the image, built once before (`make image`), and a directory for each run's files."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def image() -> Path:
    """The built image. A missing one is an error, not a skip: `make vm` builds it first."""
    directory = ROOT / "build/image"
    missing = [name for name in ("vmlinuz", "initrd.img", "manifest.json") if not (directory / name).exists()]
    assert not missing, f"{directory} lacks {', '.join(missing)}: run `make image`"
    return directory


@pytest.fixture(scope="module")
def output(request: pytest.FixtureRequest) -> Path:
    """Where a module's runs leave disks and logs, to be looked at after a failure."""
    directory: Path = ROOT / "build/vm" / request.module.__name__
    directory.mkdir(parents=True, exist_ok=True)
    return directory
