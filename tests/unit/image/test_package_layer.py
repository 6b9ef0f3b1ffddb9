"""What `bootos image add` decides before and after the package tools run."""

import os
import shutil
import sqlite3
import stat
import time
from pathlib import Path

import msgspec
import pytest
from fakeimage import build_fake_image

from bootos.errors import BootosError
from bootos.files import write_json
from bootos.image.layers.add import check_enabled, check_name, choose_name, find_number, remove_packages
from bootos.image.layers.core import add_layer, pack_layer, read_image
from bootos.image.layers.overlay import open_trees
from bootos.image.layers.package import Wanted, sort_wanted
from bootos.image.layers.upper import clean_upper, find_kernel_modules, find_self_acting, read_clock
from bootos.image.squash import SOURCE_DATE
from bootos.wire.manifest import LayerEntry

DEB = b"!<arch>\ndebian-binary   1410122664  0     0     100644  4         `\n2.0\n"
RPM = b"\xed\xab\xee\xdb\x03\x00\x00\x00\x00\x01" + b"\0" * 86
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
SQUASHFS = pytest.mark.skipif(shutil.which("mksquashfs") is None, reason="needs squashfs-tools")


def test_a_package_file_is_told_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(DEB)
    (tmp_path / "b").write_bytes(RPM)
    wanted = sort_wanted([str(tmp_path / "a.bin"), str(tmp_path / "b"), "strace"], has_repo=False)
    assert wanted == Wanted(debs=(tmp_path / "a.bin",), rpms=(tmp_path / "b",), deb_names=("strace",))
    assert sort_wanted(["perccli"], has_repo=True) == Wanted(rpm_names=("perccli",))


@pytest.mark.parametrize(
    ("word", "content", "reason"),
    [
        ("none.rpm", None, "there is no such file"),
        ("dir/none", None, "there is no such file"),
        ("page.rpm", b"<html>", "neither a .deb nor an .rpm"),
        ("a.src.rpm", RPM[:6] + b"\0\1" + RPM[8:], "is a source package"),
        ("-y", None, "neither a package file nor the name"),
    ],
)
def test_what_is_no_package_is_refused_with_the_reason(
    tmp_path: Path, word: str, content: bytes | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / word).write_bytes(content)
        word = str(tmp_path / word)
    with pytest.raises(BootosError, match=reason):
        sort_wanted([word], has_repo=False)


def make_upper(tmp_path: Path) -> Path:
    upper = tmp_path / "work/upper"
    for name in (
        "usr/bin/tool",
        "var/cache/apt/pkgcache.bin",
        "var/log/dpkg.log",
        "var/lib/dpkg/status",
        "var/lib/dpkg/status-old",
        "etc/passwd",
        "etc/passwd-",
        "usr/lib/systemd/system/tool.service",
        "usr/lib/udev/rules.d/60-tool.rules",
    ):
        (upper / name).parent.mkdir(parents=True, exist_ok=True)
        (upper / name).write_text(name)
    link = upper / "etc/systemd/system/multi-user.target.wants/tool.service"
    link.parent.mkdir(parents=True)
    link.symlink_to("/usr/lib/systemd/system/tool.service")
    return upper


def list_files(upper: Path) -> list[str]:
    return sorted(
        str(path.relative_to(upper)) for path in upper.rglob("*") if path.is_symlink() or not path.is_dir()
    )


def test_a_layer_holds_the_packages_and_databases_and_nothing_that_acts_by_itself(tmp_path: Path) -> None:
    upper = make_upper(tmp_path)
    assert clean_upper(upper, (), 0.0) == ["60-tool.rules", "tool.service"]
    assert list_files(upper) == [
        "etc/passwd",
        "usr/bin/tool",
        "usr/lib/systemd/system/tool.service",
        "var/lib/dpkg/status",
    ]


def test_what_is_enabled_by_name_stays(tmp_path: Path) -> None:
    upper = make_upper(tmp_path)
    assert clean_upper(upper, ("tool.service",), 0.0) == ["60-tool.rules"]
    assert "etc/systemd/system/multi-user.target.wants/tool.service" in list_files(upper)


def test_a_name_to_enable_that_the_packages_do_not_bring_is_refused(tmp_path: Path) -> None:
    upper = make_upper(tmp_path)
    with pytest.raises(BootosError, match=r"bring no tol\.service") as refused:
        check_enabled(["tol.service"], find_self_acting(upper))
    assert "60-tool.rules, tool.service" in refused.value.hint


def test_files_of_packages_keep_their_times_and_what_was_just_made_does_not(tmp_path: Path) -> None:
    upper = make_upper(tmp_path)
    since = time.time() - 60
    packaged_s = since - 60
    os.utime(upper / "usr/bin/tool", (packaged_s, packaged_s))
    clean_upper(upper, (), since)
    assert (upper / "usr/bin/tool").stat().st_mtime == packaged_s
    assert (upper / "var/lib/dpkg/status").stat().st_mtime == int(SOURCE_DATE)


def test_what_is_made_at_once_after_the_clock_was_read_is_not_older(tmp_path: Path) -> None:
    for number in range(50):
        since = read_clock(tmp_path)
        made = tmp_path / str(number)
        made.mkdir()
        assert made.stat().st_mtime >= since


def test_rpms_log_is_brought_into_its_database(tmp_path: Path) -> None:
    upper = make_upper(tmp_path)
    (upper / "var/lib/rpm").mkdir(parents=True)
    path = upper / "var/lib/rpm/rpmdb.sqlite"
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE Packages (blob BLOB)")
    database.execute("INSERT INTO Packages VALUES ('dell-hw-tools')")
    database.commit()
    shutil.copytree(path.parent, tmp_path / "left")  # the state in which rpm leaves it when rpm is killed
    database.close()
    shutil.rmtree(path.parent)
    shutil.copytree(tmp_path / "left", path.parent)
    assert (path.parent / "rpmdb.sqlite-wal").stat().st_size > 0
    clean_upper(upper, (), 0.0)
    assert [item.name for item in path.parent.iterdir()] == ["rpmdb.sqlite"]
    read = sqlite3.connect(path)
    assert read.execute("SELECT * FROM Packages").fetchall() == [("dell-hw-tools",)]
    read.close()


def test_kernel_modules_are_found_however_they_are_packed(tmp_path: Path) -> None:
    upper = make_upper(tmp_path)
    module = upper / "usr/lib/modules/6.12.0/updates/igb.ko.xz"
    module.parent.mkdir(parents=True)
    module.touch()
    assert find_kernel_modules(upper) == [module]


@ROOT_ONLY
def test_a_directory_made_anew_hides_what_the_old_one_held(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for name in ("opt/tool/old", "opt/tool/kept"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).touch()
    with open_trees([tree], tmp_path / "work") as root:
        shutil.rmtree(root / "opt/tool")
        (root / "opt/tool").mkdir()
        (root / "opt/tool/kept").write_text("new")
        clean_upper(root.upper, (), 0.0)
    info = (tmp_path / "work/upper/opt/tool/old").lstat()
    assert stat.S_ISCHR(info.st_mode) and info.st_rdev == 0
    assert (tmp_path / "work/upper/opt/tool/kept").read_text() == "new"
    assert sorted(path.name for path in (tree / "opt/tool").iterdir()) == ["kept", "old"]


@SQUASHFS
def test_layers_of_packages_are_numbered_in_their_order_and_removed_from_the_top(tmp_path: Path) -> None:
    directory = build_fake_image(tmp_path / "image")
    (tmp_path / "tree").mkdir()
    pack_layer(tmp_path / "tree", tmp_path / "squashfs")
    add_layer(read_image(directory), tmp_path / "squashfs", LayerEntry(name="igb", kind="modules"))
    image = read_image(directory)
    beside = LayerEntry(name="mydisk", kind="modules", pci_ids=("1000:0097",))
    manifest = msgspec.structs.replace(image.manifest, layers=(*image.manifest.layers, beside))
    write_json(directory / "manifest.json", manifest)
    for name, number in (("zlast", 90), ("first", 91)):
        image = read_image(directory)
        assert find_number(image) == number
        entry = LayerEntry(
            name=choose_name(image, "", Wanted(deb_names=(name,)), {name: "1"}), kind="packages"
        )
        add_layer(image, tmp_path / "squashfs", entry, number=number)
    image = read_image(directory)
    assert [segment.name for segment in image.manifest.segments[-2:]] == ["90-zlast", "91-first"]
    assert choose_name(image, "", Wanted(deb_names=("first",)), {"first": "2"}) == "first-2"
    with pytest.raises(BootosError, match="has a layer 'first' already"):
        check_name(image, "first")
    with pytest.raises(BootosError, match="cannot be the name of a layer"):
        check_name(image, "a b")
    with pytest.raises(BootosError, match="zlast lies below first") as refused:
        remove_packages(directory, "zlast")
    assert "image remove" in refused.value.hint
    for name in ("first", "zlast"):
        assert remove_packages(directory, name).name == name
    assert [entry.name for entry in read_image(directory).manifest.layers] == ["igb", "mydisk"]


@SQUASHFS
def test_a_tenth_layer_of_packages_is_refused_with_what_to_do(tmp_path: Path) -> None:
    directory = build_fake_image(tmp_path / "image")
    (tmp_path / "tree").mkdir()
    pack_layer(tmp_path / "tree", tmp_path / "squashfs")
    for number in range(90, 99):
        entry = LayerEntry(name=f"p{number}", kind="packages")
        add_layer(read_image(directory), tmp_path / "squashfs", entry, number=number)
    with pytest.raises(BootosError, match="has 9 layers of packages already") as refused:
        find_number(read_image(directory))
    assert "recipe" in refused.value.hint
