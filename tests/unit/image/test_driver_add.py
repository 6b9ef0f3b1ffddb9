"""Modules are added to an image and taken out again: real squashfs and depmod; the modules have no code and the image
does not boot."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from fakeimage import build_fake_image
from kernelmodule import LABNIC, LABSCSI, PCI_ID, RELEASE, build_module

from bootos.errors import BootosError, ProblemsError
from bootos.files import write_json
from bootos.image.driver.add import add_driver, remove_driver
from bootos.image.driver.index import INDEX
from bootos.image.driver.listing import Listed, find_group, list_drivers
from bootos.image.layers.add import remove_packages
from bootos.image.layers.core import Image, add_layer, pack_layer, read_image
from bootos.image.layers.overlay import open_root
from bootos.image.layers.sbom import PACKAGE_LIST
from bootos.image.manifest import hash_file
from bootos.image.segment import list_segments, read_segments
from bootos.process import run
from bootos.wire.manifest import LayerEntry

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root"),
    pytest.mark.skipif(
        not all(map(shutil.which, ("mksquashfs", "zstd", "cpio", "depmod"))), reason="needs image tools"
    ),
]

OWN = "kernel/drivers/net/labnic.ko"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """labnic.ko and labscsi.ko, as an operator has them."""
    files = tmp_path / "files"
    files.mkdir()
    (files / "labnic.ko").write_bytes(LABNIC)
    (files / "labscsi.ko").write_bytes(LABSCSI)
    return files


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """An image whose kernel has one module, labnic."""
    return build_image(tmp_path, {OWN: LABNIC}, {})


def build_image(tmp_path: Path, own: Mapping[str, bytes], boot: Mapping[str, bytes]) -> Path:
    """An image whose kernel has the modules `own`, of which /init loads `boot`."""
    image = build_fake_image(tmp_path / "image", boot_modules=boot)
    tree = tmp_path / "kernel"
    modules = tree / "usr/lib/modules" / RELEASE
    for path, content in own.items():
        (modules / path).parent.mkdir(parents=True)
        (modules / path).write_bytes(content)
    (modules / "modules.builtin").write_text("kernel/fs/ext4/ext4.ko\n")
    (modules / "modules.order").touch()
    for name in ("lib", "lib64"):
        (tree / name).symlink_to(f"usr/{name}")
    (tree / "usr/lib64").mkdir()
    (tree / "usr/lib64/ld.so").write_text("the dynamic loader")
    (tree / "var").mkdir()
    (tree / "var/run").symlink_to("/run")
    run(["depmod", "--basedir", tree, RELEASE])
    pack_layer(tree, tmp_path / "kernel.squashfs")
    add_layer(
        read_image(image), tmp_path / "kernel.squashfs", LayerEntry(name="own", kind="files"), number=81
    )
    set_release(image, RELEASE)
    return image


def set_release(image: Path, release: str) -> None:
    write_json(
        image / "manifest.json",
        msgspec.structs.replace(read_image(image).manifest, kernel_release=release, layers=()),
    )


def read_layers(image: Path) -> dict[str, LayerEntry]:
    return {entry.name: entry for entry in read_image(image).manifest.layers}


def read_names(image: Path) -> list[str]:
    return [name for name, _, _ in list_segments(image / "initrd.img")]


def read_text(image: Image, path: str, work: Path) -> str:
    with open_root(image, work) as root:
        return (root / path).read_text()


def unpack_boot_files(image: Path, target: Path) -> dict[str, bytes]:
    """What is in /modules before the first layer is read, as the kernel unpacks it: a segment over the other."""
    target.mkdir()
    for segment in read_segments(image / "initrd.img"):
        if not segment.is_layer:
            content = (image / "initrd.img").read_bytes()[segment.offset :][: segment.size_bytes]
            (target.parent / "segment").write_bytes(content)
            run(["sh", "-c", "zstd -dcf --pass-through ../segment | cpio -idu --quiet"], cwd=target)
    return {path.name: path.read_bytes() for path in (target / "modules").iterdir()}


def show(items: list[Listed]) -> list[tuple[str, str, str, bool]]:
    return [(item.group, item.path, item.layer, item.overridden) for item in items]


def test_a_module_overrides_the_image_s_own(directory: Path, files: Path, tmp_path: Path) -> None:
    added = add_driver(directory, files / "labnic.ko", tmp_path / "cache")
    assert added.layer == read_layers(directory)["labnic"]
    assert (added.layer.kind, added.layer.kernel_release) == ("modules", RELEASE)
    assert (added.layer.replaces, added.layer.pci_ids) == ((OWN,), ())
    assert list(added.layer.modules) == ["labnic"]
    assert [name for name in read_names(directory) if name[0] == "9"] == ["90-labnic", f"95-{INDEX}"]
    assert show(list_drivers(directory, "net")) == [
        ("net", OWN, "image", True),
        ("net", "updates/labnic.ko", "labnic", False),
    ]
    table = read_text(read_image(directory), f"usr/lib/modules/{RELEASE}/modules.dep", tmp_path / "look")
    assert "updates/labnic.ko:" in table
    assert OWN not in table


def fill_deb(tmp_path: Path, *directories: str) -> Path:
    """What a package with a module is made of; `directories` are more of it."""
    tree = tmp_path / "deb"
    for name in ("DEBIAN", f"usr/lib/modules/{RELEASE}/extra", *directories):
        (tree / name).mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        "Package: labnic-driver\nVersion: 2.0\nArchitecture: amd64\nMaintainer: nobody <a@b>\nDescription: x\n"
    )
    (tree / f"usr/lib/modules/{RELEASE}/extra/labnic.ko").write_bytes(LABNIC)
    return tree


@pytest.mark.parametrize("pci_ids", [[], [PCI_ID]])
def test_libraries_go_where_the_image_has_them(directory: Path, pci_ids: list[str], tmp_path: Path) -> None:
    """A layer with a directory /lib64 would hide the image's link, and the dynamic loader with it."""
    tree = fill_deb(tmp_path, "lib64")
    (tree / "lib64/libmaker.so").write_text("code")
    run(["dpkg-deb", "--root-owner-group", "--build", tree, tmp_path / "labnic.deb"])
    added = add_driver(directory, tmp_path / "labnic.deb", tmp_path / "cache", pci_ids=pci_ids)
    if pci_ids:
        listed = run(["unsquashfs", "-l", directory / added.file]).stdout
        assert "/usr/lib64/libmaker.so" in listed and "squashfs-root/lib64" not in listed.splitlines()
        return
    with open_root(read_image(directory), tmp_path / "look") as root:
        assert (root / "lib64").is_symlink()
        assert (root / "lib64/ld.so").read_text() == "the dynamic loader"
        assert (root / "lib64/libmaker.so").read_text() == "code"


@pytest.mark.parametrize("pci_ids", [[], [PCI_ID]])
@pytest.mark.parametrize(
    ("files", "links", "message"),
    [
        (
            "var/run/maker",
            {},
            "the package has a directory in the place of /var/run, which is a link to /run in the image",
        ),
        (
            "opt/maker",
            {"usr/lib64": "/opt/maker"},
            "the package has a link in the place of /usr/lib64, which is a directory in the image",
        ),
    ],
)
def test_a_package_that_would_hide_what_the_image_has_is_refused(
    directory: Path, files: str, links: dict[str, str], message: str, pci_ids: list[str], tmp_path: Path
) -> None:
    tree = fill_deb(tmp_path, files)
    (tree / files / "file").write_text("x")
    for name, to in links.items():
        (tree / name).symlink_to(to)
    run(["dpkg-deb", "--root-owner-group", "--build", tree, tmp_path / "labnic.deb"])
    before = (directory / "manifest.json").read_bytes()
    with pytest.raises(BootosError) as raised:
        add_driver(directory, tmp_path / "labnic.deb", tmp_path / "cache", pci_ids=pci_ids)
    assert raised.value.message == message
    assert (directory / "manifest.json").read_bytes() == before


def test_a_package_with_links_goes_in_with_its_links(directory: Path, tmp_path: Path) -> None:
    tree = fill_deb(tmp_path, "opt/maker")
    (tree / "opt/maker/current").symlink_to("/opt/maker/of-another-package")
    (tmp_path / "secret").write_text("of the build host")
    (tree / "opt/maker/host").symlink_to(tmp_path / "secret")
    run(["dpkg-deb", "--root-owner-group", "--build", tree, tmp_path / "labnic.deb"])
    for _ in range(2):
        added = add_driver(directory, tmp_path / "labnic.deb", tmp_path / "cache")
        assert list(added.layer.modules) == ["labnic"]
    with open_root(read_image(directory), tmp_path / "look") as root:
        assert str((root / "opt/maker/current").readlink()) == "/opt/maker/of-another-package"
        assert (root / "opt/maker/host").is_symlink()


def test_a_driver_that_is_added_again_replaces_itself(directory: Path, files: Path, tmp_path: Path) -> None:
    first = add_driver(directory, files / "labnic.ko", tmp_path / "cache")
    assert add_driver(directory, files / "labnic.ko", tmp_path / "cache").layer == first.layer
    assert sorted(read_layers(directory)) == ["labnic", INDEX]
    assert read_names(directory).count("90-labnic") == 1


def test_a_driver_that_is_taken_out_gives_its_place_back(
    directory: Path, files: Path, tmp_path: Path
) -> None:
    before = read_names(directory)
    add_driver(directory, files / "labnic.ko", tmp_path / "cache")
    remove_driver(directory, "labnic")
    assert read_layers(directory) == {}
    assert read_names(directory) == before
    assert show(list_drivers(directory)) == [("net", OWN, "image", False)]


def test_a_driver_is_not_taken_out_as_a_package(directory: Path, files: Path, tmp_path: Path) -> None:
    add_driver(directory, files / "labscsi.ko", tmp_path / "cache", by_hardware=True)
    with pytest.raises(BootosError, match="labscsi is a driver") as raised:
        remove_packages(directory, "labscsi")
    assert raised.value.hint == f"bootos driver remove {directory} labscsi"


def test_the_tables_know_all_drivers_that_are_there(directory: Path, files: Path, tmp_path: Path) -> None:
    for name in ("labnic", "labscsi"):
        add_driver(directory, files / f"{name}.ko", tmp_path / "cache")
    table = f"usr/lib/modules/{RELEASE}/modules.dep"
    both = read_text(read_image(directory), table, tmp_path / "both")
    assert "updates/labnic.ko:" in both
    assert "updates/labscsi.ko:" in both
    remove_driver(directory, "labnic")
    one = read_text(read_image(directory), table, tmp_path / "one")
    assert f"{OWN}:" in one
    assert "updates/labnic.ko:" not in one
    assert "updates/labscsi.ko:" in one


def test_a_driver_for_another_kernel_leaves_the_image_as_it_is(
    directory: Path, files: Path, tmp_path: Path
) -> None:
    set_release(directory, "6.12.200+lab-amd64")
    before = hash_file(directory / "initrd.img"), (directory / "manifest.json").read_bytes()
    with pytest.raises(ProblemsError, match=r"was built for kernel 6\.12\.117\+lab-amd64"):
        add_driver(directory, files / "labnic.ko", tmp_path / "cache")
    assert before == (hash_file(directory / "initrd.img"), (directory / "manifest.json").read_bytes())


def test_a_module_that_another_layer_brings_is_refused(directory: Path, files: Path, tmp_path: Path) -> None:
    manifest = read_image(directory).manifest
    rival = LayerEntry(name="rival", kind="modules", modules={"labnic": "1"}, pci_ids=(PCI_ID,))
    write_json(directory / "manifest.json", msgspec.structs.replace(manifest, layers=(rival,)))
    with pytest.raises(ProblemsError, match="already brought by the layer rival"):
        add_driver(directory, files / "labnic.ko", tmp_path / "cache")


def test_a_driver_for_some_machines_is_a_file_of_its_own(
    directory: Path, files: Path, tmp_path: Path
) -> None:
    initrd = hash_file(directory / "initrd.img")
    added = add_driver(directory, files / "labscsi.ko", tmp_path / "cache", by_hardware=True)
    assert added.layer.pci_ids == (PCI_ID,)
    assert "symbols were checked against this image's modules" in added.notes[0]
    file = directory / added.file
    assert file == directory / "layers/labscsi.squashfs"
    assert hash_file(file).sha256 == added.layer.sha256 == read_layers(directory)["labscsi"].sha256
    assert hash_file(directory / "initrd.img") == initrd
    only = [item for item in list_drivers(directory) if item.only_for]
    assert [(item.name, item.only_for) for item in only] == [("labscsi", (PCI_ID,))]
    remove_driver(directory, "labscsi")
    assert not file.exists()
    assert read_layers(directory) == {}


def test_a_driver_moves_from_the_initrd_to_a_file_and_back(
    directory: Path, files: Path, tmp_path: Path
) -> None:
    for pci_ids, segments in (((), 1), ((PCI_ID,), 0), ((), 1)):
        add_driver(directory, files / "labscsi.ko", tmp_path / "cache", pci_ids=pci_ids)
        assert read_names(directory).count("90-labscsi") == segments
        assert (directory / "layers/labscsi.squashfs").exists() is not bool(segments)
        assert read_layers(directory)["labscsi"].pci_ids == pci_ids


LABLOOP = build_module("labloop", modinfo=("version=1", "license=GPL", "intree=Y"))
NEW_LABLOOP = build_module(
    "labloop",
    modinfo=("version=2", "license=GPL"),
    versions={"module_layout": 0x7A11, "labnic_start": 0x5001},
)
LOOP = "kernel/drivers/block/labloop.ko"


def test_a_module_that_init_loads_is_overridden_with_what_it_needs_and_gives_its_place_back(
    tmp_path: Path, files: Path
) -> None:
    directory = build_image(tmp_path, {OWN: LABNIC, LOOP: LABLOOP}, {"labloop.ko": LABLOOP})
    (directory / PACKAGE_LIST).touch()
    before = read_image(directory).manifest, read_names(directory)
    (files / "labloop.ko").write_bytes(NEW_LABLOOP)
    added = add_driver(directory, files / "labloop.ko", tmp_path / "cache")
    assert "labloop: the first program of the image, /init, loads it from now on" in added.notes
    found = unpack_boot_files(directory, tmp_path / "added")
    assert found == {"order": b"labnic.ko\nlabloop.ko\n", "labnic.ko": LABNIC, "labloop.ko": NEW_LABLOOP}
    line = ("labloop", "2", "amd64", hash_file(files / "labloop.ko").sha256, "GPL", "labloop")
    assert (directory / PACKAGE_LIST).read_text() == "\t".join(line) + "\n"
    add_driver(directory, files / "labscsi.ko", tmp_path / "cache")
    assert unpack_boot_files(directory, tmp_path / "still") == found
    remove_driver(directory, "labloop")
    assert unpack_boot_files(directory, tmp_path / "back") == {
        "order": b"labloop.ko\n",
        "labloop.ko": LABLOOP,
    }
    remove_driver(directory, "labscsi")
    assert (read_image(directory).manifest, read_names(directory)) == before
    assert (directory / PACKAGE_LIST).read_text() == ""


def test_a_module_that_init_loads_cannot_come_over_the_network(tmp_path: Path, files: Path) -> None:
    directory = build_image(tmp_path, {OWN: LABNIC}, {"labscsi.ko": LABSCSI})
    before = (directory / "manifest.json").read_bytes()
    with pytest.raises(BootosError, match="labscsi is loaded before a machine has a network") as refused:
        add_driver(directory, files / "labscsi.ko", tmp_path / "cache", by_hardware=True)
    assert refused.value.hint == "add it without --by-hardware and --pci"
    assert (directory / "manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "pci_ids", "said"),
    [("labnic", (), "name no PCI devices"), ("labnic", ("8086",), "is no PCI id")],
)
def test_devices_must_be_known(
    directory: Path, files: Path, tmp_path: Path, name: str, pci_ids: tuple[str, ...], said: str
) -> None:
    with pytest.raises(BootosError, match=said):
        add_driver(directory, files / f"{name}.ko", tmp_path / "cache", pci_ids=pci_ids, by_hardware=True)


def test_what_is_not_there_cannot_be_taken_out_or_listed(directory: Path) -> None:
    with pytest.raises(BootosError, match="has no driver 'igb'"):
        remove_driver(directory, "igb")
    with pytest.raises(BootosError, match="no modules of the class 'scsi'") as raised:
        list_drivers(directory, "scsi")
    assert raised.value.hint == "there are: net"


@pytest.mark.parametrize(
    ("path", "group"),
    [
        ("kernel/drivers/net/ethernet/intel/igb/igb.ko", "net"),
        ("kernel/drivers/scsi/sd_mod.ko", "scsi"),
        ("kernel/fs/ext4/ext4.ko", "fs"),
        ("updates/drivers/net/igb.ko", "net"),
        ("updates/igb.ko", ""),
    ],
)
def test_the_class_is_the_directory_below_drivers(path: str, group: str) -> None:
    assert find_group(path) == group
