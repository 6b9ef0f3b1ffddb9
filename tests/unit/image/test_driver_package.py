"""A driver's package becomes a tree for a layer: modules uncompressed and below updates/, scripts not run."""

import gzip
import lzma
import re
from pathlib import Path

import pytest
from kernelmodule import LABNIC, RELEASE

from bootos.errors import BootosError
from bootos.image.cpio import read_cpio, write_cpio_entries
from bootos.image.driver.package import check_entries, place_path, unpack
from bootos.process import run

SPEC = f"""\
Name: labnic-driver
Version: 2.0
Release: 1
Summary: a module, as drivers' makers pack them
License: GPL
%description
%install
mkdir -p %{{buildroot}}/lib/modules/{RELEASE}/kernel/drivers/net %{{buildroot}}/usr/share/man/man7
cp %{{_sourcedir}}/labnic.ko %{{buildroot}}/lib/modules/{RELEASE}/kernel/drivers/net/labnic.ko.new
echo page > %{{buildroot}}/usr/share/man/man7/labnic.7
%post
touch /ran-the-script
%files
/lib/modules
/usr/share/man/man7/*
"""

CONTROL = """\
Package: labnic-driver
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
    (tmp_path / "labnic.ko.xz").write_bytes(lzma.compress(LABNIC))
    unpacked = unpack(tmp_path / "labnic.ko.xz", tmp_path / "tree")
    place = f"usr/lib/modules/{RELEASE}/updates/labnic.ko"
    assert (tmp_path / "tree" / place).read_bytes() == LABNIC
    assert list(unpacked.modules) == [place]
    assert (unpacked.name, unpacked.is_package) == ("labnic", False)
    assert unpacked.version == unpacked.modules[place].srcversion


def test_an_rpm_as_intel_s_with_new_at_the_end_of_names(tmp_path: Path) -> None:
    sources = tmp_path / "rpmbuild/SOURCES"
    sources.mkdir(parents=True)
    (sources / "labnic.ko").write_bytes(LABNIC)
    (tmp_path / "labnic.spec").write_text(SPEC)
    define = ["--define", f"_topdir {tmp_path}/rpmbuild", "--define", "__os_install_post %{nil}"]
    run(["rpmbuild", "-bb", "--quiet", "--nodeps", "--target", "x86_64", *define, tmp_path / "labnic.spec"])
    (rpm,) = (tmp_path / "rpmbuild/RPMS").rglob("*.rpm")
    unpacked = unpack(rpm, tmp_path / "tree")
    place = f"usr/lib/modules/{RELEASE}/updates/drivers/net/labnic.ko"
    assert (tmp_path / "tree" / place).read_bytes() == LABNIC
    assert (unpacked.name, unpacked.version, unpacked.is_package) == ("labnic-driver", "2.0-1", True)
    files = [path for path in (tmp_path / "tree").rglob("*") if path.is_file()]
    assert files == [tmp_path / "tree" / place]


def build_deb(directory: Path, files: dict[str, bytes], links: dict[str, Path] | None = None) -> Path:
    tree = directory / "deb"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(CONTROL)
    for name, content in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content)
    for name, to in (links or {}).items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).symlink_to(to)
    target = directory / "labnic.deb"
    run(["dpkg-deb", "--root-owner-group", "--build", tree, target])
    return target


def test_a_debian_package_brings_its_firmware_and_settings_too(tmp_path: Path) -> None:
    deb = build_deb(
        tmp_path,
        {
            f"lib/modules/{RELEASE}/extra/labnic.ko": LABNIC,
            f"lib/modules/{RELEASE}/modules.dep": b"wrong",
            "lib/firmware/labnic.bin": b"firmware",
            "etc/modprobe.d/labnic.conf": b"options labnic x=1\n",
            "usr/share/doc/labnic/copyright": b"text",
        },
    )
    unpacked = unpack(deb, tmp_path / "tree")
    assert (unpacked.name, unpacked.version) == ("labnic-driver", "2.0")
    files = {
        path.relative_to(tmp_path / "tree").as_posix()
        for path in (tmp_path / "tree").rglob("*")
        if path.is_file()
    }
    assert files == {
        f"usr/lib/modules/{RELEASE}/updates/labnic.ko",
        "usr/lib/firmware/labnic.bin",
        "etc/modprobe.d/labnic.conf",
    }
    assert not (tmp_path / "tree/lib").exists()


@pytest.mark.parametrize(
    ("links", "where"),
    [
        ({"usr": ""}, "usr/lib"),
        ({"usr/share": "share"}, "usr/share"),
        ({"usr/lib/modules": ""}, "usr/lib/modules"),
        ({f"usr/lib/modules/{RELEASE}/updates": ""}, f"usr/lib/modules/{RELEASE}/updates"),
        ({f"usr/lib/modules/{RELEASE}/updates/labnic.ko": "file"}, f"usr/lib/modules/{RELEASE}/updates"),
        ({"usr/lib/modules/other": ""}, "usr/lib/modules/other"),
    ],
)
def test_a_link_of_a_package_leads_to_nothing_of_the_host(
    tmp_path: Path, links: dict[str, str], where: str
) -> None:
    host = tmp_path / "host"
    (host / "share/doc/precious").mkdir(parents=True)
    (host / "modules.dep").write_text("precious")
    (host / "file").write_text("precious")
    before = sorted((path, path.stat().st_mode) for path in host.rglob("*"))
    deb = build_deb(
        tmp_path,
        {f"lib/modules/{RELEASE}/extra/labnic.ko": LABNIC},
        {name: host / inside for name, inside in links.items()},
    )
    with pytest.raises(BootosError, match=re.escape(f"the package has a link in the path {where}")):
        unpack(deb, tmp_path / "tree")
    assert sorted((path, path.stat().st_mode) for path in host.rglob("*")) == before
    assert (host / "file").read_text() == (host / "modules.dep").read_text() == "precious"


@pytest.mark.parametrize(
    "names", [["../outside"], ["usr/../../outside"], ["./link", "./link/outside"], ["/link", "link/outside"]]
)
def test_no_name_of_an_rpm_leads_out_of_it(tmp_path: Path, names: list[str]) -> None:
    """cpio 2.13 writes through a link that the archive brings, whatever it is told of absolute names."""
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "outside").write_text("x")
    with (tmp_path / "payload").open("wb") as output:
        write_cpio_entries(output, ((name, tmp_path / Path(name).name) for name in names))
    with (tmp_path / "payload").open("rb") as payload:
        entries, _ = read_cpio(payload)
    with pytest.raises(BootosError, match="which would be written outside of it"):
        check_entries(entries)
    check_entries(entries[:-1])


def test_links_that_lead_elsewhere_stay_links_and_change_nothing_there(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir(mode=0o700)
    deb = build_deb(
        tmp_path,
        {f"usr/lib/modules/{RELEASE}/extra/labnic.ko": LABNIC},
        {"opt/private": tmp_path / "private", f"usr/lib/modules/{RELEASE}/build": Path("/usr/src/none")},
    )
    tree = unpack(deb, tmp_path / "tree").tree
    assert (tree / "opt/private").is_symlink()
    assert (tree / f"usr/lib/modules/{RELEASE}/build").is_symlink()
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o700


def test_a_package_without_modules_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(BootosError, match="brings no kernel module") as raised:
        unpack(build_deb(tmp_path, {"usr/bin/tool": b"x"}), tmp_path / "tree")
    assert "bootos image add" in raised.value.hint


def test_a_package_that_is_cut_short_is_said_to_be_damaged(tmp_path: Path) -> None:
    whole = build_deb(tmp_path, {f"lib/modules/{RELEASE}/labnic.ko": LABNIC}).read_bytes()
    (tmp_path / "cut.deb").write_bytes(whole[:-200])
    with pytest.raises(BootosError, match=r"^cut.deb cannot be unpacked: [^\n]+$") as raised:
        unpack(tmp_path / "cut.deb", tmp_path / "tree")
    assert "downloaded whole" in raised.value.hint


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.txt", b"text"),
        ("labnic.ko", b"text"),
        ("labnic.ko", b""),
        ("labnic.ko", LABNIC[:1000]),
        ("labnic.ko.xz", lzma.compress(LABNIC)[:-40]),
        ("labnic.ko.gz", gzip.compress(LABNIC)[:-40]),
        ("labnic.ko.gz", b"\x1f\x8btext"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BootosError, match=name):
        unpack(tmp_path / name, tmp_path / "tree")
