"""Two builds, one hash: in the second all is otherwise that may be otherwise. A user who is not root makes it, in
another directory, at another hour, and it is killed in the middle and repeated.

Both share only the downloaded packages and the lock. A build takes minutes, so all is `full`.
"""

import json
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from rpmchain import CHAIN, build_repository, find_package
from stages import find_unseen

import bootos
from bootos.image.build import choose_mirrors
from bootos.image.cache import Stage
from bootos.image.difference import Difference, compare_images
from bootos.image.layers.core import read_image
from bootos.image.layers.package import Wanted
from bootos.image.lock import read_lock
from bootos.image.manifest import hash_file
from bootos.image.reach import Reach
from bootos.image.recipe_file import read_recipe
from bootos.image.steps.layer import ROOTFS
from bootos.image.steps.rpmdb import LOADER_PATHS, build_rpmdb
from bootos.image.steps.snapshot import build_snapshot, read_question
from bootos.process import Child, run, start
from bootos.waiting import wait_for

pytestmark = [pytest.mark.vm, pytest.mark.full, pytest.mark.timeout(3 * 3600)]

PROJECT = Path(__file__).parents[2]
PACKAGES = PROJECT / "build/cache/debs"
STAGES = "tests/double/stages.py"
WORKSHOP = "bootos.image.driver.workshop:build_workshop"
"""The one stage that is no part of an image."""
BUILD_S = 3600.0
USER = "bootos-build-test"
FINISHED, KILLED_IN = "base", "root: packing"
"""A stage that is finished when the build is killed, and what it says then."""


def start_build(work: Path, lock: Path, prefix: Sequence[str | Path], project: Path, python: str) -> Child:
    """Start a build with a cache of its own in `work`."""
    argv = [*prefix, python, project / STAGES, work / "ran.json", "image", "build"]
    argv += ["--recipe", project / "recipes/bootos.toml", "--lock", lock]
    argv += ["--output", work / "image", "--cache", work / "cache"]
    return start(argv, cwd=work, log_path=work / "log")


def copy_packages(work: Path) -> Path:
    """What was downloaded before; a file that is missing or not what the lock says is downloaded."""
    debs = work / "cache/debs"
    debs.mkdir(parents=True)
    for package in PACKAGES.glob("*.deb"):
        shutil.copyfile(package, debs / package.name)
    return work


def read_log(work: Path) -> str:
    return (work / "log").read_text() if (work / "log").exists() else ""


def finish(child: Child, work: Path) -> Path:
    assert child.wait(BUILD_S) == 0, read_log(work)[-3000:]
    return work / "image"


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
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What root built in one go: `image`, and `image.lock.json`, which it was made with."""
    work = copy_packages(tmp_path_factory.mktemp("first"))
    finish(start_build(work, work / "image.lock.json", (), PROJECT, sys.executable), work)
    assert (work / "image.lock.json").is_file()
    return work


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """The home of a new user who is not root and has subordinate ids."""
    path = Path("/var/tmp") / USER
    run(["userdel", "--remove", USER], check=False)  # the user of an earlier run that was killed
    run(["useradd", "--create-home", "--home-dir", path, "--shell", "/bin/sh", USER])
    try:
        yield path
    finally:
        run(["userdel", "--remove", USER], check=False)


def become_user(home: Path) -> list[str | Path]:
    """The words before a command that run it as the user, who finds this project, its packages and its Python below
    `home`: bind mounts of a namespace, as the originals may lie where only root looks."""
    places = {
        "project": PROJECT,
        "python": Path(sys.base_prefix).resolve(),
        "packages": Path(pytest.__file__).parents[1],
    }
    script = "set -e\n"
    for name, original in places.items():
        (home / name).mkdir()
        script += f'mount --bind -o ro "{original}" "{home / name}"\n'
    # Its library is where this user does not look, and the host may have another Python's of the same name.
    words = f'LD_LIBRARY_PATH="{home}/python/lib" PYTHONPATH="{home}/project/src:{home}/packages"'
    script += f'exec runuser -u {USER} -- env {words} "$@"\n'
    return ["unshare", "--mount", "sh", "-c", script, "sh"]


@pytest.fixture(scope="module")
def second(first: Path, home: Path) -> Path:
    """What the user built with the lock of the first, after one attempt that was killed."""
    work = copy_packages(home / "work")
    shutil.copyfile(first / "image.lock.json", work / "image.lock.json")
    run(["chown", "-R", f"{USER}:", work])
    python = str(home / "python/bin" / Path(sys.executable).resolve().name)
    words = (work / "image.lock.json", become_user(home), home / "project", python)
    child = start_build(work, *words)
    wait_for(
        lambda: child.poll() is not None or KILLED_IN in read_log(work),
        BUILD_S,
        what=f"the build is at {KILLED_IN}",
    )
    assert child.poll() is None, read_log(work)[-3000:]
    child.signal(signal.SIGKILL)
    child.wait(60)
    is_alone = ["pgrep", "-u", USER]
    wait_for(lambda: run(is_alone, check=False).returncode == 1, 60, what="the end of all that it started")
    (work / "log").rename(work / "log.killed")
    finish(start_build(work, *words), work)
    return work


def test_two_builds_with_one_lock_give_the_same_bytes(first: Path, second: Path) -> None:
    difference = compare_images(read_image(first / "image"), read_image(second / "image"))
    assert difference.is_same, explain(difference)
    trees = [work / "image" for work in (first, second)]
    names = [sorted(path.relative_to(tree) for path in tree.rglob("*") if path.is_file()) for tree in trees]
    assert names[0] == names[1]
    assert {Path("initrd.img"), Path("manifest.json"), Path("sbom.spdx.json"), Path("report.html")} <= set(
        names[0]
    )
    assert not [name for name in names[0] if (trees[0] / name).read_bytes() != (trees[1] / name).read_bytes()]


def test_what_runs_in_a_stage_is_in_its_key(first: Path) -> None:
    source = Reach(Path(bootos.__file__).parent)
    ran: dict[str, list[str]] = json.loads((first / "ran.json").read_text())
    assert [stage for stage, names in ran.items() if len(names) < 2] == [WORKSHOP]
    for stage, names in ran.items():
        assert find_unseen(source, stage, names) == set(), stage


def test_a_build_goes_on_where_it_was_killed(second: Path) -> None:
    assert f"  {FINISHED:8} from the cache" in read_log(second)
    assert not list((second / "cache").glob("unfinished-*"))


def test_the_recipes_own_packages_make_the_same_layer_twice(first: Path, tmp_path: Path) -> None:
    base = Stage(name="base", key="", directory=next((first / "cache").glob("base-*")))
    repository = build_repository(tmp_path / "repository")
    names = [find_package(repository, name).relative_to(tmp_path).as_posix() for name in CHAIN]
    site = tmp_path / "site.toml"
    site.write_text(f'include = ["{PROJECT}/recipes/bootos.toml"]\nrpms = {names}\n')
    loaded = read_recipe(site)
    recipe, found = loaded.recipe, []
    for work in (tmp_path / "a", tmp_path / "b"):
        work.mkdir()
        build_rpmdb(
            base=base,
            wanted=Wanted(rpms=loaded.rpms),
            keys=(),
            cut=recipe.cut,
            enabled=recipe.boot.units,
            compression=recipe.compression,
            loader_paths=ROOTFS / LOADER_PATHS,
            version="1",
            directory=work,
            say=lambda line: None,
        )
        found.append({path.name: hash_file(path).sha256 for path in work.rglob("*") if path.is_file()})
    assert found[0] == found[1]
    assert set(found[0]) == {"packages.json", "packages.squashfs", "rpmdb.sqlite"}


@pytest.mark.parametrize("profile", ["minimal", "server", "all"])
def test_the_archive_offers_the_packages_of(profile: str, tmp_path: Path) -> None:
    recipe = read_recipe(PROJECT / "recipes/bootos.toml", profile).recipe
    mirrors = choose_mirrors(recipe.debian)
    build_snapshot(question=read_question(recipe), asked="", mirrors=mirrors, directory=tmp_path)
    found = {package.name for package in read_lock(tmp_path / "lock.json").kernel}
    assert {*recipe.firmware.packages, "busybox-static"} <= found
    assert ("intel-microcode" in found) is (profile == "all")
