"""The boot loaders beside the image come out of the packages that the lock names."""

from pathlib import Path

from bootos.image.lock import Package
from bootos.image.manifest import hash_file
from bootos.image.package_store import PackageStore
from bootos.image.steps.loader import PACKAGES, build_loaders
from bootos.loader import LOADERS, MEDIUM_LOADERS
from bootos.process import run

ALL = {**LOADERS, **MEDIUM_LOADERS}


def build_deb(directory: Path, name: str, files: dict[str, bytes]) -> Package:
    tree = directory / "trees" / name
    for path, content in {**files, f"usr/share/doc/{name}/copyright": b"License: GPL-2\n"}.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content)
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: none\nDescription: test\n"
    )
    file = directory / f"{name}_1_all.deb"
    run(["dpkg-deb", "--root-owner-group", "--build", tree, file])
    entry = hash_file(file)
    return Package(file=file.name, size_bytes=entry.size_bytes, sha256=entry.sha256)


def test_the_loaders_of_all_packages_lie_in_one_directory_under_their_own_names(tmp_path: Path) -> None:
    store = PackageStore(tmp_path / "debs")
    packages = []
    for package in PACKAGES:
        files = {path: name.encode() for name, (path, of) in ALL.items() if of == package}
        if package == "ipxe":  # in Debian 13 ipxe.efi is a link, too
            files = {path: content for path, content in files.items() if not path.endswith("ipxe.efi")}
            files["usr/lib/ipxe/ipxe-amd64.efi"] = b"ipxe.efi"
            (store.directory / "trees/ipxe/usr/lib/ipxe").mkdir(parents=True)
            (store.directory / "trees/ipxe/usr/lib/ipxe/ipxe.efi").symlink_to("ipxe-amd64.efi")
        if package == "pxelinux":
            del files[LOADERS["pxelinux.0"].path]
        packages.append(build_deb(store.directory, package, files))
    said = list[str]()
    directory = tmp_path / "stage"
    directory.mkdir()

    build_loaders(packages=packages, loaders=ALL, store=store, directory=directory, say=said.append)

    found = {path.name: path.read_bytes() for path in (directory / "loaders").iterdir()}
    assert found == {name: name.encode() for name in ALL if name != "pxelinux.0"}
    assert said == ["pxelinux has no usr/lib/PXELINUX/pxelinux.0: no pxelinux.0"]
    assert {path.name for path in (directory / "copyright").iterdir()} == set(PACKAGES)
    assert {path.name for path in directory.iterdir()} == {"loaders", "copyright"}
