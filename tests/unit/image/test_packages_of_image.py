"""apt, rpm, yum in the root of the built image, without booting it; and `bootos image add` on a copy of it."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from rpmchain import CHAIN, PROGRAM, TOOLS, build_repository, find_package
from spdx import read_document

from bootos.agent.host.repository import write_repositories
from bootos.errors import BootosError
from bootos.image.layers.add import Added, add_packages, remove_packages
from bootos.image.layers.chroot import bind_directory, prepare_chroot, run_inside
from bootos.image.layers.core import read_image
from bootos.image.layers.overlay import open_root
from bootos.image.manifest import hash_file
from bootos.process import Completed, run

IMAGE = Path(__file__).parents[3] / "build/image"
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root"),
    pytest.mark.skipif(not (IMAGE / "manifest.json").exists(), reason="no image is built (make image)"),
    pytest.mark.skipif(not all(map(shutil.which, (*TOOLS, "dpkg-deb"))), reason="needs rpm, createrepo-c"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_repository(tmp_path_factory.mktemp("repository"))


def copy_image(directory: Path) -> Path:
    """The image, to be changed: files are replaced and never written into, so that links do."""
    directory.mkdir()
    for path in IMAGE.iterdir():
        (directory / path.name).symlink_to(path.resolve())
    return directory


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return copy_image(tmp_path / "image")


class Inside:
    """The open root of an image."""

    def __init__(self, image: Path, work: Path, repository: Path) -> None:
        self._stack = ExitStack()
        self.root = self._stack.enter_context(open_root(read_image(image), work))
        self._stack.enter_context(prepare_chroot(self.root))
        self.repository = bind_directory(self._stack, self.root, repository, "repository")

    def close(self) -> None:
        self._stack.close()

    def run(self, *argv: str, check: bool = True) -> Completed:
        """Run a command that must have nothing to warn of."""
        done = run_inside(self.root, argv, check=check)
        assert not check or not done.stderr, done.stderr
        return done


@pytest.fixture
def inside(tmp_path: Path, repository: Path) -> Iterator[Inside]:
    opened = Inside(IMAGE, tmp_path / "root", repository)
    yield opened
    opened.close()


def build_deb(directory: Path, name: str, depends: str = "") -> Path:
    tree = directory / name
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin" / name).write_text(f"#!/bin/sh\necho {name} runs\n")
    (tree / "usr/bin" / name).chmod(0o755)
    (tree / "usr/share/doc" / name).mkdir(parents=True)
    (tree / "usr/share/doc" / name / "copyright").write_text(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nLicense: Expat\n"
    )
    more = f"Depends: {depends}\n" if depends else ""
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: 1.2-3\nArchitecture: all\nDescription: test\n"
        f"Maintainer: Some Maker <maker@example.com>\n{more}"
    )
    run(["dpkg-deb", "--root-owner-group", "--build", tree, directory / f"{name}.deb"])
    return directory / f"{name}.deb"


def test_yum_resolves_a_vendors_chain_against_the_base_and_rpm_agrees(inside: Inside) -> None:
    write_repositories([f"file://{inside.repository}"], inside.root)
    inside.run("yum", "-y", "install", "dell-hw-tools")
    said = inside.run(PROGRAM).stdout
    assert "model R740" in said and "ipmitool version" in said and "XZ Utils" in said
    inside.run("rpm", "-ivh", f"{inside.repository}/lenovo-hw-tools-2.1-1.noarch.rpm")
    asked = inside.run("rpm", "-q", *CHAIN, "lenovo-hw-tools").stdout.split()
    assert len(asked) == 5 and all("-2.1-1." in line for line in asked)
    assert inside.run("rpm", "-Va").stdout == ""


def test_the_modules_lie_where_they_are_looked_for(inside: Inside) -> None:
    release = read_image(IMAGE).manifest.kernel_release
    listed = inside.run("ls", f"/lib/modules/{release}/kernel/drivers/net/").stdout.split()
    assert {"ethernet", "bonding", "phy", "mii.ko", "tun.ko", "veth.ko", "virtio_net.ko"} <= set(listed)
    for name in ("igb", "ixgbe", "i40e", "e1000e", "tg3", "bnx2x", "mlx5_core", "be2net", "r8169", "vmxnet3"):
        found = inside.run("modinfo", "--set-version", release, "--field", "filename", name).stdout
        assert f"/lib/modules/{release}/kernel/drivers/net/" in found, name


def test_apt_installs_from_a_source_of_its_own(inside: Inside, tmp_path: Path) -> None:
    deb = build_deb(tmp_path, "bootos-test-tool", depends="ipmitool")
    shutil.copyfile(deb, inside.root / "tmp/tool.deb")
    inside.run("apt-get", "-qq", "-o", "Dpkg::Use-Pty=0", "install", "/tmp/tool.deb")
    assert inside.run("bootos-test-tool").stdout == "bootos-test-tool runs\n"
    sources = (inside.root / "etc/apt/sources.list").read_text()
    for keyring in {line.partition("signed-by=")[2].partition("]")[0] for line in sources.split("\n")} - {""}:
        assert (inside.root / keyring.lstrip("/")).exists(), "the archive's signatures can be checked"
    assert sources.startswith("deb ")


class Stack(NamedTuple):
    """A copy of the image, the layers that were put on it, and the files that were asked for by a path."""

    image: Path
    added: tuple[Added, ...]
    files: dict[str, Path]


@pytest.fixture(scope="module")
def vendor(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A vendor's chain, by its files, of which one has another name."""
    work = tmp_path_factory.mktemp("stack")
    image = copy_image(work / "image")
    renamed = Path(shutil.copy(find_package(repository, "hwprobe"), work / "as-downloaded.rpm"))
    chain = [str(find_package(repository, name)) for name in CHAIN if name != "hwprobe"] + [str(renamed)]
    return Stack(image, (add_packages(image, chain, name="dell"),), {})


@pytest.fixture(scope="module")
def vendor_and_tool(vendor: Stack) -> Stack:
    """A Debian package on top of it."""
    deb = build_deb(vendor.image.parent, "bootos-test-tool", depends="ipmitool")
    return Stack(vendor.image, (*vendor.added, add_packages(vendor.image, [str(deb)])), {"tool": deb})


@pytest.fixture(scope="module")
def stack(vendor_and_tool: Stack, repository: Path) -> Stack:
    """And one from a repository, by its name."""
    image, added, files = vendor_and_tool
    return Stack(image, (*added, add_packages(image, ["lenovo-hw-tools"], repos=[str(repository)])), files)


def test_a_chain_of_files_becomes_a_layer(vendor: Stack) -> None:
    assert set(vendor.added[0].layer.packages) == set(CHAIN)


def test_a_debian_package_becomes_a_layer(vendor_and_tool: Stack) -> None:
    assert vendor_and_tool.added[1].layer.packages == {"bootos-test-tool": "1.2-3"}


def test_a_name_from_a_repository_becomes_a_layer(stack: Stack) -> None:
    third = stack.added[2]
    assert third.layer.packages == {"lenovo-hw-tools": "2.1-1"}
    assert third.layer.size_bytes < 1_000_000
    assert [layer.name for layer in read_image(stack.image).manifest.layers][-3:] == [
        "dell",
        "bootos-test-tool",
        "lenovo-hw-tools",
    ]


def test_the_list_of_packages_names_what_the_layers_brought(stack: Stack, repository: Path) -> None:
    own = read_document(json.loads((IMAGE / "sbom.spdx.json").read_text()))
    packages = read_document(json.loads((stack.image / "sbom.spdx.json").read_text()))
    brought = {packages[key]["name"]: packages[key] for key in packages.keys() - own.keys()}
    names = {*CHAIN, "bootos-test-tool", "lenovo-hw-tools"}
    assert set(brought) == {*names, "layer dell", "layer bootos-test-tool", "layer lenovo-hw-tools"}
    assert {name: brought[name]["checksums"][0]["checksumValue"] for name in names} == {
        **{name: hash_file(find_package(repository, name)).sha256 for name in (*CHAIN, "lenovo-hw-tools")},
        "bootos-test-tool": hash_file(stack.files["tool"]).sha256,
    }
    assert brought["hwprobe"]["packageFileName"] == "as-downloaded.rpm"
    assert brought["bootos-test-tool"]["supplier"] == "Organization: Some Maker"
    assert brought["bootos-test-tool"]["licenseDeclared"] == "MIT"
    assert brought["hwprobe"]["licenseComments"] == "As it names them: MIT"


def test_every_database_in_the_image_knows_the_packages_of_all_layers(
    stack: Stack, repository: Path, tmp_path: Path
) -> None:
    opened = Inside(stack.image, tmp_path / "root", repository)
    try:
        assert "XZ Utils" in opened.run(PROGRAM).stdout
        assert opened.run("bootos-test-tool").stdout == "bootos-test-tool runs\n"
        assert len(opened.run("rpm", "-q", *CHAIN, "lenovo-hw-tools").stdout.split()) == 5
        assert opened.run("rpm", "-Va").stdout == ""
        assert "Status: install ok installed" in opened.run("dpkg", "-s", "bootos-test-tool").stdout
    finally:
        opened.close()


def test_taking_the_layers_off_gives_the_image_back(stack: Stack, tmp_path: Path) -> None:
    image = Path(shutil.copytree(stack.image, tmp_path / "image", symlinks=True))
    for name in ("lenovo-hw-tools", "bootos-test-tool", "dell"):
        remove_packages(image, name)
    assert read_image(image).manifest == read_image(IMAGE).manifest
    for name in ("sbom.spdx.json", "packages.txt"):
        assert (image / name).read_bytes() == (IMAGE / name).read_bytes()


def test_a_package_whose_needs_are_not_met_is_refused_and_the_image_stays(
    copy: Path, repository: Path, tmp_path: Path
) -> None:
    before = (copy / "manifest.json").read_bytes()
    with pytest.raises(BootosError, match="hwprobe is needed by dell-hw-tools") as refused:
        add_packages(copy, [str(find_package(repository, "dell-hw-tools"))])
    assert "--repo" in refused.value.hint
    assert (copy / "manifest.json").read_bytes() == before


def test_a_name_that_no_repository_has_is_refused_and_the_image_stays(
    copy: Path, repository: Path, tmp_path: Path
) -> None:
    before = (copy / "manifest.json").read_bytes()
    with pytest.raises(BootosError, match="none-such"):
        add_packages(copy, ["none-such"], repos=[str(repository)])
    with pytest.raises(BootosError, match="no repodata"):
        add_packages(copy, ["dell-hw-tools"], repos=[str(tmp_path)])
    assert (copy / "manifest.json").read_bytes() == before


def test_a_package_that_the_image_has_is_refused(copy: Path, repository: Path) -> None:
    add_packages(copy, [str(find_package(repository, "dell-hw-common"))])
    with pytest.raises(BootosError, match="the image has it already"):
        add_packages(copy, [str(find_package(repository, "dell-hw-common"))])
