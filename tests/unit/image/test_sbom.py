from pathlib import Path

import pytest
from spdx import MANIFEST, read_document

from bootos.image.license import build_expression, find_identifier, parse_names
from bootos.image.lock import Lock, Package
from bootos.image.sbom import Component, build_package_list, build_sbom, collect_components, find_copyrights

BASH = Package(file="bash_5.2.37-2+b10_amd64.deb", size_bytes=1, sha256="a" * 64)
LIBC = Package(file="libstdc++6_14.2.0-19_amd64.deb", size_bytes=1, sha256="b" * 64)
BUSYBOX = Package(file="busybox-static_1%3a1.37.0-6+b9_amd64.deb", size_bytes=1, sha256="c" * 64)
LOCK = Lock(asked="", sources="", base=(BASH, LIBC), kernel=(BUSYBOX,))
MACHINE_READABLE = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: tool

Files: *
Copyright: 2000 Somebody
License: GPL-2+

Files: lib/*
Copyright: 2001 Somebody
License: Expat or LGPL-2.1+

License: GPL-2+
 The text: of the license.
"""


@pytest.mark.parametrize(
    "name, identifier",
    [
        ("GPL-2+", "GPL-2.0-or-later"),
        ("GPL-3", "GPL-3.0-only"),
        ("LGPL-2.1+", "LGPL-2.1-or-later"),
        ("Expat", "MIT"),
        ("BSD-3-clause", "BSD-3-Clause"),
        ("GPL", ""),
        ("LGPL-2.2", ""),
        ("some-own-words", ""),
    ],
)
def test_debian_license_names_become_spdx_identifiers_where_that_is_certain(
    name: str, identifier: str
) -> None:
    assert find_identifier(name) == identifier


def test_license_names_are_read_from_a_machine_readable_file_only() -> None:
    assert parse_names(MACHINE_READABLE) == ["GPL-2+", "Expat or LGPL-2.1+"]
    assert parse_names("This package is under the GPL.\nLicense: GPL-2\n") == []


def test_several_licenses_make_one_expression_and_an_unknown_one_makes_none() -> None:
    assert (
        build_expression(["GPL-2+", "Expat or LGPL-2.1+"])
        == "(MIT OR LGPL-2.1-or-later) AND GPL-2.0-or-later"
    )
    assert build_expression(["Expat"]) == "MIT"
    assert build_expression(["Expat", "own"]) == build_expression([]) == "NOASSERTION"


def test_copyright_files_are_found_for_packages_that_share_a_directory(tmp_path: Path) -> None:
    doc = tmp_path / "base/usr/share/doc"
    (doc / "bash").mkdir(parents=True)
    (doc / "bash/copyright").write_text("x")
    (doc / "bash-builtins").symlink_to("bash")
    (tmp_path / "kernel/copyright").mkdir(parents=True)
    (tmp_path / "kernel/copyright/firmware-x").write_text("y")
    found = find_copyrights(tmp_path / "base", tmp_path / "kernel")
    assert set(found) == {"bash", "bash-builtins", "firmware-x"}


def make_components(tmp_path: Path) -> list[Component]:
    path = tmp_path / "copyright"
    path.write_text(MACHINE_READABLE)
    return collect_components(LOCK, ["bash", "libstdc++6", "busybox-static"], {"bash": path})


def test_the_document_has_every_field_that_spdx_requires(tmp_path: Path) -> None:
    document = build_sbom(MANIFEST, make_components(tmp_path))
    assert document["creationInfo"]["creators"] == ["Tool: bootos-0.1.0"]
    assert len(read_document(document)) == 5


def test_a_package_has_its_version_hash_license_and_purl(tmp_path: Path) -> None:
    packages = {item["name"]: item for item in build_sbom(MANIFEST, make_components(tmp_path))["packages"]}
    assert packages["bash"]["licenseDeclared"] == "(MIT OR LGPL-2.1-or-later) AND GPL-2.0-or-later"
    assert packages["busybox-static"]["versionInfo"] == "1:1.37.0-6+b9"
    assert packages["busybox-static"]["licenseDeclared"] == "NOASSERTION"
    locator = packages["libstdc++6"]["externalRefs"][0]["referenceLocator"]
    assert locator == "pkg:deb/debian/libstdc%2B%2B6@14.2.0-19?arch=amd64"
    assert packages["bash"]["checksums"][0]["checksumValue"] == "a" * 64


def test_the_same_image_gives_the_same_document(tmp_path: Path) -> None:
    components = make_components(tmp_path)
    assert build_sbom(MANIFEST, components) == build_sbom(MANIFEST, make_components(tmp_path))
    lines = build_package_list(components).splitlines()
    assert lines[0] == f"bash\t5.2.37-2+b10\tamd64\t{'a' * 64}\tGPL-2+, Expat or LGPL-2.1+"
    assert [line.split("\t")[0] for line in lines] == ["bash", "busybox-static", "libstdc++6"]
