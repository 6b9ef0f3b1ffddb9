import hashlib
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import pytest

from bootos.errors import BootosError
from bootos.image.archive import Archive
from bootos.image.lock import Package
from bootos.image.package_store import PackageStore
from bootos.process import ToolError


def make_deb(directory: Path, name: str) -> Package:
    tree = directory / f"tree-{name}"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: nobody <n@example.org>\nDescription: test\n"
    )
    path = directory / f"{name}_1_all.deb"
    subprocess.run(["dpkg-deb", "--build", tree, path], check=True, stdout=subprocess.DEVNULL)
    content = path.read_bytes()
    return Package(file=path.name, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


class Mirror:
    """Offers the .deb files of a directory, as `Archive` does; counts what was asked for."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.asked: list[str] = []

    def download(self, packages: Sequence[str], directory: Path) -> list[Path]:
        names = [package.replace("=", "_") + "_all.deb" for package in packages]
        for name in names:
            if not (self.directory / name).exists():
                raise ToolError(f"no {name}")
        self.asked += packages
        return [Path(shutil.copy(self.directory / name, directory)) for name in names]


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    (tmp_path / "mirror").mkdir()
    return Mirror(tmp_path / "mirror")


def open_(mirror: Mirror) -> Callable[[], Archive]:
    return lambda: cast(Archive, mirror)


def test_only_what_is_missing_or_damaged_is_downloaded(tmp_path: Path, mirror: Mirror) -> None:
    packages = [make_deb(mirror.directory, name) for name in ("good", "short", "new")]
    store = PackageStore(tmp_path / "debs")
    shutil.copy(mirror.directory / "good_1_all.deb", store.directory)
    (store.directory / "short_1_all.deb").write_bytes(b"the beginning of a downl")
    shown: list[tuple[int, int]] = []
    store.fetch(packages, open_(mirror), lambda what, done, total: shown.append((done, total)))
    assert sorted(mirror.asked) == ["new=1", "short=1"]
    assert store.find_missing(packages) == []
    assert shown[-1][0] == shown[-1][1] == packages[1].size_bytes + packages[2].size_bytes


def test_nothing_missing_asks_no_archive(tmp_path: Path, mirror: Mirror) -> None:
    package = make_deb(mirror.directory, "good")
    store = PackageStore(tmp_path / "debs")
    shutil.copy(mirror.directory / package.file, store.directory)
    store.fetch([package], lambda: pytest.fail("opened"), lambda *_: pytest.fail("shown"))
    assert mirror.asked == []


def test_what_the_archive_no_longer_has_is_named_and_the_rest_is_kept(tmp_path: Path, mirror: Mirror) -> None:
    packages = [make_deb(mirror.directory, name) for name in ("old", "new")]
    (mirror.directory / "old_1_all.deb").unlink()
    store = PackageStore(tmp_path / "debs")
    with pytest.raises(BootosError, match="old 1") as caught:
        store.fetch(packages, open_(mirror), lambda *_: None)
    assert "keeps old packages" in caught.value.hint
    assert [package.name for package in store.find_missing(packages)] == ["old"]


def test_a_file_with_other_content_than_the_lock_says_is_not_taken(tmp_path: Path, mirror: Mirror) -> None:
    package = make_deb(mirror.directory, "a")
    path = mirror.directory / package.file
    path.write_bytes(b"x" * package.size_bytes)
    store = PackageStore(tmp_path / "debs")
    with pytest.raises(BootosError, match="a 1"):
        store.fetch([package], open_(mirror), lambda *_: None)


def test_the_local_archive_lists_exactly_the_packages_with_their_hashes(
    tmp_path: Path, mirror: Mirror
) -> None:
    package = make_deb(mirror.directory, "a")
    store = PackageStore(mirror.directory)
    line = store.build_repository([package], "trixie", tmp_path / "repository")
    index = (tmp_path / "repository/Packages").read_text()
    assert index.startswith("Package: a\n")
    assert f"Filename: ./a_1_all.deb\nSize: {package.size_bytes}\nSHA256: {package.sha256}\n" in index
    release = (tmp_path / "repository/Release").read_text()
    assert hashlib.sha256(index.encode()).hexdigest() in release
    assert line == f"deb [trusted=yes] copy:{tmp_path}/repository ./"
