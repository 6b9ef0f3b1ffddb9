"""Adding layers to an image: real squashfs and cpio files, small trees."""

import os
import shutil
from pathlib import Path

import pytest
from fakeimage import LAYERS, build_fake_image

from bootos.errors import BootosError
from bootos.image.cpio import write_cpio
from bootos.image.layers.core import add_layer, pack_layer, read_image, remove_layer
from bootos.image.layers.overlay import open_root
from bootos.image.manifest import hash_file
from bootos.image.release import NAME
from bootos.image.segment import list_segments
from bootos.process import run
from bootos.wire.manifest import LayerEntry

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("mksquashfs", "zstd", "cpio"))), reason="needs squashfs-tools, zstd, cpio"
)
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return build_fake_image(tmp_path / "image")


def make_squashfs(tmp_path: Path, files: dict[str, str], name: str = "made") -> Path:
    tree = tmp_path / f"{name}-tree"
    for path, content in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(content)
    pack_layer(tree, tmp_path / f"{name}.squashfs", "zstd")
    return tmp_path / f"{name}.squashfs"


def read_names(directory: Path) -> list[str]:
    return [name for name, _, _ in list_segments(directory / "initrd.img")]


def test_the_segments_of_an_initrd_are_found_with_their_places(directory: Path) -> None:
    segments = list_segments(directory / "initrd.img")
    assert [name for name, _, _ in segments] == ["boot", *LAYERS, NAME]
    places = [offset for _, offset, _ in segments]
    ends = [offset + size for _, offset, size in segments]
    assert places == [0, *ends[:-1]]
    assert ends[-1] == (directory / "initrd.img").stat().st_size


def test_microcode_before_the_first_segment_has_a_name_of_its_own(directory: Path, tmp_path: Path) -> None:
    tree = tmp_path / "early"
    (tree / "kernel/x86/microcode").mkdir(parents=True)
    (tree / "kernel/x86/microcode/GenuineIntel.bin").write_bytes(b"\1\0\0\0")
    with (tmp_path / "initrd").open("wb") as output:
        write_cpio(output, tree)
        output.write((directory / "initrd.img").read_bytes())
    names = [name for name, _, _ in list_segments(tmp_path / "initrd")]
    assert names == ["microcode", "boot", *LAYERS, NAME]


def test_an_initrd_that_was_cut_short_is_named_with_the_place(directory: Path) -> None:
    content = (directory / "initrd.img").read_bytes()
    (directory / "initrd.img").write_bytes(content[:-2000])
    with pytest.raises(BootosError, match="damaged at byte"):
        list_segments(directory / "initrd.img")


def test_a_layer_is_appended_and_the_manifest_describes_it(directory: Path, tmp_path: Path) -> None:
    squashfs = make_squashfs(tmp_path, {"usr/bin/added": "new"})
    before, old = (directory / "initrd.img").read_bytes(), read_image(directory).manifest
    entry = LayerEntry(name="igb", kind="modules", modules={"igb": "5.3.2"}, pci_ids=("8086:10d3",))
    manifest = add_layer(read_image(directory), squashfs, entry)
    image = read_image(directory)
    assert image.manifest == manifest
    assert manifest.layers[0].modules == {"igb": "5.3.2"}
    assert (manifest.layers[0].size_bytes, manifest.layers[0].sha256) == (
        squashfs.stat().st_size,
        hash_file(squashfs).sha256,
    )
    assert manifest.segments[-1] == hash_file(squashfs, "90-igb")
    built = list_segments(directory / "initrd.img")[4][1]
    assert image.initrd.read_bytes()[:built] == before[:built], "the built segments stay as they are"
    assert manifest.version != old.version
    assert manifest.version.encode() in image.initrd.read_bytes()[-512:], (
        "the machine says which image it runs"
    )
    assert read_names(directory) == ["boot", *LAYERS, "90-igb", NAME]
    assert sorted(path.name for path in directory.iterdir()) == ["initrd.img", "manifest.json", "vmlinuz"]


def test_the_kernel_finds_the_added_squashfs_where_init_looks(directory: Path, tmp_path: Path) -> None:
    squashfs = make_squashfs(tmp_path, {"usr/bin/added": "new"})
    add_layer(read_image(directory), squashfs, LayerEntry(name="igb", kind="modules"))
    _, offset, size = list_segments(directory / "initrd.img")[-2]
    (tmp_path / "segment").write_bytes((directory / "initrd.img").read_bytes()[offset : offset + size])
    run(["cpio", "--quiet", "-i", "-F", tmp_path / "segment"], cwd=tmp_path)
    assert (tmp_path / "rootfs/90-igb.squashfs").read_bytes() == squashfs.read_bytes()


def test_a_layer_of_the_same_name_replaces_the_old_one(directory: Path, tmp_path: Path) -> None:
    entry = LayerEntry(name="igb", kind="modules")
    add_layer(read_image(directory), make_squashfs(tmp_path, {"a": "1"}, "one"), entry)
    second = make_squashfs(tmp_path, {"a": "2"}, "two")
    add_layer(
        read_image(directory),
        make_squashfs(tmp_path, {"b": "1"}, "other"),
        LayerEntry(name="x", kind="files"),
    )
    manifest = add_layer(read_image(directory), second, entry, number=91)
    assert read_names(directory) == ["boot", *LAYERS, "90-x", "91-igb", NAME]
    assert [layer.name for layer in manifest.layers] == ["x", "igb"]
    assert manifest.layers[1].sha256 == hash_file(second).sha256


def test_after_removing_what_was_added_the_image_is_what_it_was(directory: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    add_layer(
        read_image(directory), make_squashfs(tmp_path, {"a": "1"}), LayerEntry(name="igb", kind="modules")
    )
    remove_layer(read_image(directory), "igb")
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before


def test_what_cannot_be_done_changes_nothing_and_says_why(directory: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    squashfs = make_squashfs(tmp_path, {"a": "1"})
    image = read_image(directory)
    for name, number, words in (
        ("base", 90, "a layer of the image itself"),
        ("a/b", 90, "cannot be the name"),
        ("igb", 10, "81 to 99"),
    ):
        with pytest.raises(BootosError, match=words):
            add_layer(image, squashfs, LayerEntry(name=name, kind="files"), number=number)
    with pytest.raises(BootosError, match="no added layer"):
        remove_layer(image, "80-bootos")
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before


def test_an_image_that_changed_since_it_was_read_is_not_written_over(directory: Path, tmp_path: Path) -> None:
    squashfs = make_squashfs(tmp_path, {"a": "1"})
    image = read_image(directory)
    add_layer(image, squashfs, LayerEntry(name="one", kind="files"))
    with pytest.raises(BootosError, match="changed in the meantime"):
        add_layer(image, squashfs, LayerEntry(name="two", kind="files"))


def test_a_file_that_is_not_the_manifests_is_refused(directory: Path) -> None:
    (directory / "vmlinuz").write_bytes(b"other!")
    with pytest.raises(BootosError, match=r"vmlinuz is not the file that .*manifest.json describes"):
        read_image(directory)
    (directory / "manifest.json").unlink()
    with pytest.raises(BootosError, match="is not a built image"):
        read_image(directory)


def test_equal_trees_give_equal_layers(tmp_path: Path) -> None:
    files = {"usr/bin/a": "1", "etc/b": "2"}
    first, second = make_squashfs(tmp_path, files, "first"), make_squashfs(tmp_path, files, "second")
    assert first.read_bytes() == second.read_bytes()


@ROOT_ONLY
def test_the_open_root_is_what_the_machine_will_see(directory: Path, tmp_path: Path) -> None:
    entry = LayerEntry(name="igb", kind="modules")
    add_layer(read_image(directory), make_squashfs(tmp_path, {"usr/bin/tool": "newer"}), entry)
    with open_root(read_image(directory), tmp_path / "work") as root:
        assert (root / "etc/hostname").read_text() == "bootos\n"
        assert (root / "usr/bin/tool").read_text() == "newer"
        (root / "etc/added").write_text("x")
        assert [str(path.relative_to(root.upper)) for path in root.upper.rglob("*")] == ["etc", "etc/added"]
    assert not (tmp_path / "work/root/etc").exists(), "nothing stays mounted"
    assert (tmp_path / "work/upper/etc/added").exists()


@ROOT_ONLY
def test_a_root_of_some_layers_holds_only_those(directory: Path, tmp_path: Path) -> None:
    image = read_image(directory)
    with open_root(image, tmp_path / "work", ["10-base"]) as root:
        assert (root / "etc/hostname").read_text() == "base\n"
    with (
        pytest.raises(BootosError, match="no layer 30-none"),
        open_root(image, tmp_path / "other", ["30-none"]),
    ):
        pass
