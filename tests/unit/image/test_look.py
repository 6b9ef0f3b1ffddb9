"""inspect, diff and extract of small real images: real squashfs and cpio, no root needed."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from fakeimage import LAYERS, RELEASE, build_fake_image

from bootos.errors import BootosError
from bootos.image.content import merge_layers, parse_listing, unpack_boot
from bootos.image.cpio import write_cpio_entries
from bootos.image.difference import Change, Difference, compare_images
from bootos.image.layers.core import Image, read_image
from bootos.image.look_command import extract_image, inspect_image, inspect_path
from bootos.image.segment import read_segments
from bootos.wire.manifest import FileEntry, LayerEntry

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("mksquashfs", "zstd"))), reason="needs squashfs-tools and zstd"
)
LISTING = """\
drwxr-xr-x 0/0                      83 2025-01-01 00:00 /
not a line of the listing
-rwsr-xr-x 0/4                    1234 2025-01-01 00:00 /usr/bin/a name
lrwxrwxrwx 0/0                      19 2025-01-01 00:00 /etc/mtab -> ../proc/self/mounts
crw-rw-rw- 0/0                  0,   0 2025-01-01 00:00 /etc/gone
"""


def compare(tmp_path: Path, layers: Mapping[str, Mapping[str, str]]) -> Difference:
    before = build_fake_image(tmp_path / "before")
    after = build_fake_image(tmp_path / "after", layers)
    return compare_images(read_image(before), read_image(after))


def test_a_listing_gives_owner_size_target_and_whiteouts() -> None:
    setuid, link, whiteout = parse_listing(LISTING, "10-base")
    assert (setuid.path, setuid.size_bytes, setuid.owner) == ("/usr/bin/a name", 1234, "0:4")
    assert (link.path, link.target, link.kind) == ("/etc/mtab", "../proc/self/mounts", "symlink")
    assert whiteout.is_whiteout and whiteout.path == "/etc/gone"


def test_an_upper_layer_hides_the_lower_one_and_a_whiteout_removes_a_directory() -> None:
    def line(kind: str, path: str, size: str = "1") -> str:
        return f"{kind}rwxr-xr-x 0/0 {size} 2025-01-01 00:00 {path}\n"

    lower = parse_listing(line("d", "/a") + line("-", "/a/file") + line("-", "/b"), "10")
    upper = parse_listing(line("c", "/a", "0, 0") + line("-", "/b", "7"), "20")
    merged = merge_layers([lower, upper])
    assert list(merged) == ["/b"]
    assert (merged["/b"].layer, merged["/b"].size_bytes) == ("20", 7)


def test_the_overview_names_segments_and_counts_files(tmp_path: Path) -> None:
    found = inspect_image(read_image(build_fake_image(tmp_path)))
    assert [segment["name"] for segment in found["segments"]][: len(LAYERS) + 1] == ["boot", *LAYERS]
    assert found["unpacked_files"] == 3
    assert {item["path"] for item in found["biggest"]} >= {"/etc/hostname", "/usr/bin/tool"}


def test_a_path_shows_the_layer_it_comes_from_and_the_package(tmp_path: Path) -> None:
    layers = {
        "10-base": {
            "usr/bin/tool": "tool",
            "var/lib/dpkg/info/maker.list": "/usr\n/usr/bin/tool\n",
            "var/lib/dpkg/info/other.list": "/etc/x\n",
        },
        "80-bootos": {"etc/hostname": "upper"},
    }
    image = read_image(build_fake_image(tmp_path, layers))
    tool = inspect_path(image, "usr/bin/tool")
    assert (tool["package"], tool["layer"], tool["size_bytes"]) == ("maker", "10-base", 4)
    assert len(tool["sha256"]) == 64
    assert inspect_path(image, "/etc/hostname")["layer"] == "80-bootos"
    assert [entry["path"] for entry in inspect_path(image, "/usr")["entries"]] == ["/usr/bin"]
    assert [entry["path"] for entry in inspect_path(image, "/")["entries"]] == ["/etc", "/usr", "/var"]


def test_a_path_that_is_not_there_says_where_to_look(tmp_path: Path) -> None:
    image = read_image(build_fake_image(tmp_path))
    with pytest.raises(BootosError, match="no /usr/bin/nothing") as caught:
        inspect_path(image, "/usr/bin/nothing")
    assert caught.value.hint.endswith("/usr/bin")


def test_what_is_extracted_is_what_the_running_system_sees(tmp_path: Path) -> None:
    image = read_image(build_fake_image(tmp_path / "image"))
    assert extract_image(image, tmp_path / "all", ()) == 3
    assert (tmp_path / "all/etc/hostname").read_text() == "bootos\n"
    extract_image(image, tmp_path / "some", ["/usr/bin"])
    assert [p.name for p in (tmp_path / "some").rglob("*") if p.is_file()] == ["tool"]
    with pytest.raises(BootosError, match="not empty"):
        extract_image(image, tmp_path / "some", ())


def test_equal_images_are_equal(tmp_path: Path) -> None:
    difference = compare(tmp_path, {name: dict(files) for name, files in LAYERS.items()})
    assert difference.is_same and not difference.segments


def test_an_added_driver_is_a_difference_with_its_package_and_version(tmp_path: Path) -> None:
    plain = read_image(build_fake_image(tmp_path / "image"))
    entry = LayerEntry(
        name="igb",
        kind="modules",
        sha256="a" * 64,
        packages={"igb": "5.3.2-1"},
        modules={"igb": "5.3.2"},
        pci_ids=("8086:1521",),
    )
    manifest = msgspec.structs.replace(plain.manifest, layers=(entry,))
    found = compare_images(plain, Image(directory=plain.directory, manifest=manifest))
    assert not found.is_same, "it lies beside the initrd, which is the same"
    assert found.layers == (Change(name="igb of layer igb", after=f"5.3.2 ({'a' * 12})"),)
    assert found.packages == (Change(name="igb", after="5.3.2-1"),)
    assert inspect_image(Image(directory=plain.directory, manifest=manifest))["packages"] == {
        "igb": "5.3.2-1"
    }


def test_other_boot_loaders_are_a_difference(tmp_path: Path) -> None:
    def read(name: str, digit: str) -> Image:
        image = read_image(build_fake_image(tmp_path / name))
        loader = FileEntry(name="grubx64.efi", size_bytes=1, sha256=digit * 64)
        manifest = msgspec.structs.replace(image.manifest, loaders=(loader,))
        return Image(directory=image.directory, manifest=manifest)

    found = compare_images(read("before", "a"), read("after", "b"))
    assert not found.is_same
    assert found.loaders == (Change(name="grubx64.efi", before="a" * 12, after="b" * 12),)


def test_a_difference_names_segment_file_and_both_contents(tmp_path: Path) -> None:
    layers = {name: dict(files) for name, files in LAYERS.items()}
    layers["10-base"]["usr/bin/tool"] = "changed"
    layers["10-base"]["usr/bin/new"] = "new"
    layers["20-kernel"][f"usr/lib/modules/{RELEASE}/kernel/drivers/net/a-b.ko"] = "module"
    difference = compare(tmp_path, layers)
    assert not difference.is_same
    base, kernel = (segment for segment in difference.segments if segment.name in LAYERS)
    new, tool = base.files
    assert (base.name, new.name, new.before) == ("10-base", "usr/bin/new", "")
    assert tool.name == "usr/bin/tool" and "10 bytes" in tool.before and "7 bytes" in tool.after
    assert kernel.name == "20-kernel"
    assert [(change.name, change.before) for change in difference.modules] == [("a_b", "")]


def test_a_whole_layer_that_is_new_is_shown_with_its_files(tmp_path: Path) -> None:
    difference = compare(tmp_path, {**LAYERS, "90-more": {"opt/a": "a"}})
    (segment,) = (found for found in difference.segments if found.name == "90-more")
    assert (segment.name, segment.before_bytes) == ("90-more", 0)
    assert segment.files[-1].name == "opt/a"


def test_the_compressed_segment_is_unpacked_as_well(tmp_path: Path) -> None:
    initrd = build_fake_image(tmp_path / "image") / "initrd.img"
    boot = read_segments(initrd)[0]
    assert initrd.read_bytes()[:4] != b"0707"
    unpack_boot(initrd, boot, tmp_path / "boot")
    assert (tmp_path / "boot/init").read_text() == "#!/bin/sh\n"


def test_a_second_entry_of_a_name_does_not_write_through_the_link_of_the_first(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("as it was")
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "file").write_text("from the segment")
    initrd = tmp_path / "initrd"
    with initrd.open("wb") as output:
        write_cpio_entries(output, [("name", tmp_path / "link"), ("name", tmp_path / "file")])
    unpack_boot(initrd, read_segments(initrd)[0], tmp_path / "boot")
    assert (tmp_path / "outside").read_text() == "as it was"
    assert (tmp_path / "boot/name").read_text() == "from the segment"


@pytest.mark.parametrize("names", [["../outside"], ["/{}/outside"], ["link", "link/outside"]])
def test_a_segment_that_would_write_outside_its_directory_is_refused(
    tmp_path: Path, names: list[str]
) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "outside").write_text("as it was")
    initrd, target = tmp_path / "initrd", tmp_path / "boot/in"
    with initrd.open("wb") as output:
        entries = ((name.format(tmp_path), tmp_path / Path(name).name) for name in names)
        write_cpio_entries(output, entries)
    with pytest.raises(BootosError, match="outside"):
        unpack_boot(initrd, read_segments(initrd)[0], target)
    assert (tmp_path / "outside").read_text() == "as it was"
    assert not (tmp_path / "boot/outside").exists()
