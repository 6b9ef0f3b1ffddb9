"""A driver's package becomes a tree for a layer: modules uncompressed and below updates/, scripts not run."""

import lzma
import shutil
from pathlib import Path

import pytest

from bootos.errors import BootosError
from bootos.image.driver.package import place_path, unpack
from bootos.process import run

GOLDEN = Path(__file__).parents[2] / "golden/image/kernel_module"
RELEASE = "6.12.117+deb13-amd64"
MII = lzma.decompress((GOLDEN / "mii.ko.xz").read_bytes())

SPEC = f"""\
Name: mii-driver
Version: 2.0
Release: 1
Summary: a module, as drivers' makers pack them
License: GPL
%description
%install
mkdir -p %{{buildroot}}/lib/modules/{RELEASE}/kernel/drivers/net %{{buildroot}}/usr/share/man/man7
cp %{{_sourcedir}}/mii.ko %{{buildroot}}/lib/modules/{RELEASE}/kernel/drivers/net/mii.ko.new
echo page > %{{buildroot}}/usr/share/man/man7/mii.7
%post
touch /ran-the-script
%files
/lib/modules
/usr/share/man/man7/*
"""

CONTROL = """\
Package: mii-driver
Version: 2.0
Architecture: amd64
Maintainer: nobody <root@localhost>
Description: a module
"""


@pytest.mark.parametrize(
    ("inside", "placed"),
    [
        (f"usr/lib/modules/{RELEASE}/updates/drivers/net/igb/igb.ko", "updates/drivers/net/igb/igb.ko"),
        (f"usr/lib/modules/{RELEASE}/extra/igb.ko.xz", "updates/igb.ko"),
        (f"usr/lib/modules/{RELEASE}/kernel/drivers/net/igb/igb.ko.new", "updates/drivers/net/igb/igb.ko"),
        (f"usr/lib/modules/{RELEASE}/weak-updates/a/b.ko.zst", "updates/a/b.ko"),
        (f"usr/lib/modules/{RELEASE}/igb.ko", "updates/igb.ko"),
        ("igb.ko", "updates/igb.ko"),
        ("opt/vendor/drivers/igb.ko.gz", "updates/igb.ko"),
    ],
)
def test_a_module_goes_where_modprobe_looks_first(inside: str, placed: str) -> None:
    assert place_path(inside, RELEASE) == f"usr/lib/modules/{RELEASE}/{placed}"


def test_a_module_that_was_built_for_another_release_stays_with_it() -> None:
    assert place_path("usr/lib/modules/5.14.0/extra/a.ko", RELEASE) == "usr/lib/modules/5.14.0/updates/a.ko"


def test_a_single_compressed_module(tmp_path: Path) -> None:
    shutil.copy(GOLDEN / "mii.ko.xz", tmp_path)
    unpacked = unpack(tmp_path / "mii.ko.xz", tmp_path / "tree")
    place = f"usr/lib/modules/{RELEASE}/updates/mii.ko"
    assert (tmp_path / "tree" / place).read_bytes() == MII
    assert list(unpacked.modules) == [place]
    assert (unpacked.name, unpacked.is_package) == ("mii", False)
    assert unpacked.version == unpacked.modules[place].srcversion


def test_an_rpm_as_intel_s_with_new_at_the_end_of_names(tmp_path: Path) -> None:
    sources = tmp_path / "rpmbuild/SOURCES"
    sources.mkdir(parents=True)
    (sources / "mii.ko").write_bytes(MII)
    (tmp_path / "mii.spec").write_text(SPEC)
    define = ["--define", f"_topdir {tmp_path}/rpmbuild", "--define", "__os_install_post %{nil}"]
    run(["rpmbuild", "-bb", "--quiet", "--nodeps", "--target", "x86_64", *define, tmp_path / "mii.spec"])
    (rpm,) = (tmp_path / "rpmbuild/RPMS").rglob("*.rpm")
    unpacked = unpack(rpm, tmp_path / "tree")
    place = f"usr/lib/modules/{RELEASE}/updates/drivers/net/mii.ko"
    assert (tmp_path / "tree" / place).read_bytes() == MII
    assert (unpacked.name, unpacked.version, unpacked.is_package) == ("mii-driver", "2.0-1", True)
    files = [path for path in (tmp_path / "tree").rglob("*") if path.is_file()]
    assert files == [tmp_path / "tree" / place]


def build_deb(directory: Path, files: dict[str, bytes]) -> Path:
    tree = directory / "deb"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(CONTROL)
    for name, content in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content)
    target = directory / "mii.deb"
    run(["dpkg-deb", "--root-owner-group", "--build", tree, target])
    return target


def test_a_debian_package_brings_its_firmware_and_settings_too(tmp_path: Path) -> None:
    deb = build_deb(
        tmp_path,
        {
            f"lib/modules/{RELEASE}/extra/mii.ko": MII,
            f"lib/modules/{RELEASE}/modules.dep": b"wrong",
            "lib/firmware/mii.bin": b"firmware",
            "etc/modprobe.d/mii.conf": b"options mii x=1\n",
            "usr/share/doc/mii/copyright": b"text",
        },
    )
    unpacked = unpack(deb, tmp_path / "tree")
    assert (unpacked.name, unpacked.version) == ("mii-driver", "2.0")
    files = {
        path.relative_to(tmp_path / "tree").as_posix()
        for path in (tmp_path / "tree").rglob("*")
        if path.is_file()
    }
    assert files == {
        f"usr/lib/modules/{RELEASE}/updates/mii.ko",
        "usr/lib/firmware/mii.bin",
        "etc/modprobe.d/mii.conf",
    }
    assert not (tmp_path / "tree/lib").exists()


def test_a_package_without_modules_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(BootosError, match="brings no kernel module") as raised:
        unpack(build_deb(tmp_path, {"usr/bin/tool": b"x"}), tmp_path / "tree")
    assert "bootos image add" in raised.value.hint


@pytest.mark.parametrize(("name", "content"), [("notes.txt", b"text"), ("mii.ko", b"text"), ("mii.ko", b"")])
def test_anything_else_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BootosError, match=name):
        unpack(tmp_path / name, tmp_path / "tree")
