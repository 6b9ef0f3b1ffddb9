"""The list of an image's packages follows its layers. The package tools themselves: test_packages_of_image."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from spdx import MANIFEST, read_document

from bootos.files import write_json
from bootos.image.layers.sbom import PACKAGE_LIST, SBOM, renew_sbom
from bootos.image.sbom import Component, build_package_list, build_sbom
from bootos.wire.manifest import LayerEntry, Manifest

BASH = Component(name="bash", version="5.2", architecture="amd64", file="bash_5.2_amd64.deb", sha256="a" * 64)
HWTOOLS = Component(
    name="dell_hw-tools",
    version="2.1-1",
    architecture="noarch",
    file="tools.rpm",
    sha256="b" * 64,
    supplier="Organization: Dell Inc.",
    licenses=("MIT",),
)
NEW_BASH = msgspec.structs.replace(BASH, version="5.3", sha256="c" * 64)
PLAIN = msgspec.structs.replace(MANIFEST, version="0.1.0-base", packages={"bash": "5.2"})


def with_layers(*names: str, pci_ids: tuple[str, ...] = ()) -> Manifest:
    layers = tuple(LayerEntry(name=name, kind="packages", sha256="e" * 64, pci_ids=pci_ids) for name in names)
    version = PLAIN.version if pci_ids else f"0.1.0-{'-'.join(names)}"
    return msgspec.structs.replace(PLAIN, version=version, layers=layers)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """What a build writes."""
    write_json(tmp_path / SBOM, build_sbom(PLAIN, [BASH]))
    (tmp_path / PACKAGE_LIST).write_text(build_package_list([BASH]))
    return tmp_path


def read(directory: Path) -> tuple[dict[str, Any], list[list[str]]]:
    lines = (directory / PACKAGE_LIST).read_text().splitlines()
    return json.loads((directory / SBOM).read_text()), [line.split("\t") for line in lines]


def test_what_a_layer_brings_is_named_and_no_longer_when_it_is_gone(directory: Path) -> None:
    before = (directory / SBOM).read_bytes(), (directory / PACKAGE_LIST).read_bytes()
    renew_sbom(directory, with_layers("dell"), {"dell": [HWTOOLS, NEW_BASH]})
    document, lines = read(directory)
    packages = read_document(document)
    tools = packages["SPDXRef-Layer-dell-Package-dell.5fhw-tools"]
    assert (tools["name"], tools["versionInfo"]) == ("dell_hw-tools", "2.1-1")
    assert (tools["supplier"], tools["packageFileName"]) == ("Organization: Dell Inc.", "tools.rpm")
    assert tools["checksums"] == [{"algorithm": "SHA256", "checksumValue": "b" * 64}]
    assert "externalRefs" not in tools, "nobody said under which name others know it"
    assert packages["SPDXRef-Layer-dell"]["checksums"][0]["checksumValue"] == "e" * 64
    assert packages["SPDXRef-Image"]["versionInfo"] == "0.1.0-dell"
    assert document["name"] == "bootos-0.1.0-dell"
    assert lines == [
        ["bash", "5.2", "amd64", "a" * 64, "NOASSERTION"],
        ["dell_hw-tools", "2.1-1", "noarch", "b" * 64, "MIT", "dell"],
        ["bash", "5.3", "amd64", "c" * 64, "NOASSERTION", "dell"],
    ]
    renew_sbom(directory, PLAIN, {})
    assert ((directory / SBOM).read_bytes(), (directory / PACKAGE_LIST).read_bytes()) == before


def test_of_two_layers_one_goes_and_one_is_replaced(directory: Path) -> None:
    renew_sbom(directory, with_layers("a"), {"a": [HWTOOLS]})
    renew_sbom(directory, with_layers("a", "a-Package-b"), {"a-Package-b": [NEW_BASH]})
    newer = msgspec.structs.replace(HWTOOLS, version="2.2-1")
    renew_sbom(directory, with_layers("a-Package-b", "a"), {"a": [newer]})
    document, lines = read(directory)
    assert [line[1] for line in lines if line[0] == "dell_hw-tools"] == ["2.2-1"]
    assert len(read_document(document)) == 7
    renew_sbom(directory, with_layers("a-Package-b"), {})
    document, lines = read(directory)
    assert [(line[0], line[5:]) for line in lines] == [("bash", []), ("bash", ["a-Package-b"])]
    assert "SPDXRef-Layer-a" not in read_document(document)


def test_a_layer_beside_the_initrd_makes_another_document_of_the_same_version(directory: Path) -> None:
    before = read(directory)[0]
    renew_sbom(directory, with_layers("igb", pci_ids=("8086:1521",)), {"igb": [HWTOOLS]})
    after = read(directory)[0]
    assert after["name"] == before["name"]
    assert after["documentNamespace"] != before["documentNamespace"]


def test_a_copy_without_these_files_stays_without(tmp_path: Path) -> None:
    renew_sbom(tmp_path, with_layers("dell"), {"dell": [HWTOOLS]})
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_knows_the_packages_of_all_layers() -> None:
    layer = LayerEntry(name="a", kind="packages", packages={"bash": "5.3", "perccli": "7"})
    assert msgspec.structs.replace(PLAIN, layers=(layer,)).all_packages == {"bash": "5.3", "perccli": "7"}
