"""Real builds: twice the same bytes, also after one was killed, and without root.

They share the downloaded packages of build/cache and the first image. Each build takes minutes, so all is `full`.
"""

import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootos.image.difference import Difference, compare_images
from bootos.image.layers.core import read_image
from bootos.lab.scenario import wait_for
from bootos.process import Child, run, start

pytestmark = [pytest.mark.vm, pytest.mark.full, pytest.mark.timeout(4 * 3600)]

PROJECT = Path(__file__).parents[2]
PACKAGES = PROJECT / "build/cache/debs"
BUILD_S = 3600.0
USER = "bootos-build-test"


def start_build(work: Path, lock: Path, *, user: str = "") -> Child:
    """Start a build with a cache of its own in `work`, which shares nothing but the downloaded packages. A lock that is
    there is copied, for a user who cannot read its directory."""
    debs = work / "cache/debs"
    if not debs.exists():
        debs.mkdir(parents=True)
        for package in PACKAGES.glob("*.deb"):
            shutil.copyfile(package, debs / package.name)
    argv: list[str | Path] = [
        sys.executable,
        "-m",
        "bootos.cli",
        "image",
        "build",
        "--lock",
        lock,
        "--output",
        work / "image",
    ]
    argv += ["--cache", work / "cache"]
    if user:
        shutil.copyfile(lock, work / lock.name)
        argv[argv.index(lock)] = work / lock.name
        run(["chown", "-R", f"{user}:", work])
        argv = ["runuser", "-u", user, "--", *argv]
    return start(argv, cwd=PROJECT, log_path=work / "log")


def finish(child: Child, work: Path) -> None:
    assert child.wait(BUILD_S) == 0, (work / "log").read_text()[-3000:]


def explain(difference: Difference) -> str:
    """Every file that differs, for the person who has to find out why."""
    return (
        "\n".join(
            f"{segment.name}: {change.name}: {change.before or '-'} | {change.after or '-'}"
            for segment in difference.segments
            for change in segment.files or ()
        )
        or f"segments {[segment.name for segment in difference.segments]} hold equal files, packed otherwise"
    )


@pytest.fixture(scope="module")
def lock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lock") / "image.lock.json"


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, lock: Path) -> Path:
    """An image, and the lock it was made with."""
    work = tmp_path_factory.mktemp("first")
    finish(start_build(work, lock), work)
    assert lock.is_file()
    return work / "image"


def test_a_killed_build_leaves_nothing_behind_and_its_repetition_gives_the_same_bytes(
    tmp_path: Path, first: Path, lock: Path
) -> None:
    child = start_build(tmp_path, lock)
    wait_for(
        lambda: child.poll() is not None or "base: installing" in (tmp_path / "log").read_text() or None,
        BUILD_S,
        what="the build installs packages",
    )
    assert child.poll() is None, (tmp_path / "log").read_text()[-3000:]
    child.signal(signal.SIGKILL)
    child.wait(60)
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()
    finish(start_build(tmp_path, lock), tmp_path)
    difference = compare_images(read_image(first), read_image(tmp_path / "image"))
    assert difference.is_same, explain(difference)


@pytest.fixture
def user() -> Iterator[Path]:
    """The home of a new user who is not root but has subordinate ids."""
    if shutil.which("newuidmap") is None:
        pytest.skip("the package uidmap is not installed")
    home = Path("/var/tmp") / USER
    run(["useradd", "--create-home", "--home-dir", home, "--shell", "/bin/sh", USER])
    try:
        probe = ["runuser", "-u", USER, "--", sys.executable, "-c", "import bootos.cli"]
        if run(probe, cwd=home, check=False).returncode != 0:
            pytest.skip("another user than root cannot read this Python or this project")
        yield home
    finally:
        run(["userdel", "--remove", USER], check=False)


def test_a_user_who_is_not_root_builds_the_same_bytes(user: Path, first: Path, lock: Path) -> None:
    work = user / "work"
    work.mkdir()
    finish(start_build(work, lock, user=USER), work)
    difference = compare_images(read_image(first), read_image(work / "image"))
    assert difference.is_same, explain(difference)
