"""What an image is made of, for auditors: `sbom.spdx.json` (SPDX 2.3, ISO/IEC 5962 in its JSON form) and
`packages.txt`. The same image gives the same bytes: the time in it is that of all files of the image.

Called by `build` when the image is put together; `layers.sbom` keeps it true when layers come and go.
"""

import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from bootos.image.license import NO_ASSERTION, build_expression, parse_names
from bootos.image.lock import Lock, Package
from bootos.image.squash import SOURCE_DATE
from bootos.wire.manifest import Manifest

_NAMESPACE = uuid.UUID("6f2f7d0c-5a57-4e0e-9d3b-0b2f4f1c9a51")
"""Ours: names a document by what is in it."""
DEBIAN = "Organization: Debian"
IMAGE_ID = "SPDXRef-Image"


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """One package of the image, or a kernel module that came without one."""

    name: str
    version: str
    architecture: str
    file: str = ""
    """The package file it was installed from, with its sha256; empty where that is not known."""
    sha256: str = ""
    supplier: str = DEBIAN
    licenses: tuple[str, ...] = ()
    """As its copyright file names them, or its rpm."""


def collect_components(
    lock: Lock, installed: Iterable[str], copyrights: Mapping[str, Path]
) -> list[Component]:
    """The lock's packages that are in the image or, boot loaders, beside it, sorted by name; `copyrights` are their
    copyright files."""
    names = {*installed, *(package.name for package in lock.loaders)}
    components = []
    for package in sorted({*lock.base, *lock.kernel, *lock.loaders}, key=lambda item: item.file):
        if package.name in names:
            path = copyrights.get(package.name)
            text = path.read_text(errors="replace") if path is not None else ""
            components.append(describe_package(package, text))
    return components


def describe_package(package: Package, text: str) -> Component:
    """A package of the Debian archive; `text`: its copyright file."""
    return Component(
        name=package.name,
        version=package.version,
        architecture=package.file.rsplit("_", 1)[1].removesuffix(".deb"),
        file=package.file,
        sha256=package.sha256,
        licenses=tuple(parse_names(text)),
    )


def find_copyrights(base: Path, *stages: Path) -> dict[str, Path]:
    """Package -> its copyright file, of the installed base and of the stages that unpack packages."""
    found = {path.name: path for stage in stages for path in sorted(stage.glob("copyright/*"))}
    for directory in sorted((base / "usr/share/doc").iterdir()):
        inside = directory
        if directory.is_symlink():  # packages of one source share a directory
            inside = base / "usr/share/doc" / directory.readlink().name
        if (inside / "copyright").is_file():
            found[directory.name] = inside / "copyright"
    return found


def build_sbom(manifest: Manifest, components: Iterable[Component]) -> dict[str, Any]:
    """The SPDX document (2.3, as JSON)."""
    created = datetime.fromtimestamp(int(SOURCE_DATE), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    image = {
        "SPDXID": IMAGE_ID,
        "name": manifest.name,
        "versionInfo": manifest.version,
        "downloadLocation": NO_ASSERTION,
        "filesAnalyzed": False,
        "licenseConcluded": NO_ASSERTION,
        "licenseDeclared": NO_ASSERTION,
        "copyrightText": NO_ASSERTION,
    }
    agent = {
        **image,
        "SPDXID": "SPDXRef-Package-bootos",
        "name": "bootos",
        "versionInfo": manifest.bootos_version,
        "licenseDeclared": "Apache-2.0",
    }
    packages = [
        image,
        agent,
        *(describe_component(item, f"SPDXRef-Package-{encode_id(item.name)}") for item in components),
    ]
    contains = [item["SPDXID"] for item in packages[1:]]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{manifest.name}-{manifest.version}",
        "documentNamespace": name_document(manifest),
        "creationInfo": {"created": created, "creators": [f"Tool: bootos-{manifest.bootos_version}"]},
        "packages": packages,
        "relationships": [
            relate("SPDXRef-DOCUMENT", "DESCRIBES", IMAGE_ID),
            *(relate(IMAGE_ID, "CONTAINS", identifier) for identifier in contains),
        ],
    }


def name_document(manifest: Manifest) -> str:
    """Another content has another name. What lies beside the initrd leaves the version as it is, but counts here."""
    layers = [(layer.name, layer.sha256) for layer in manifest.layers if layer.pci_ids]
    loaders = [(entry.name, entry.sha256) for entry in manifest.loaders]
    beside = "".join(f" {name} {sha256}" for name, sha256 in layers + loaders)
    return f"urn:uuid:{uuid.uuid5(_NAMESPACE, manifest.version + beside)}"


def build_package_list(components: Iterable[Component], layer: str = "") -> str:
    """`packages.txt`: name, version, architecture, sha256 of the package file, licenses; a package each line. Those of
    an added layer have its name behind."""
    lines = []
    for item in components:
        licenses = ", ".join(item.licenses) or NO_ASSERTION
        fields = (item.name, item.version or "-", item.architecture, item.sha256 or "-", licenses)
        lines.append("\t".join((*fields, layer) if layer else fields) + "\n")
    return "".join(lines)


def describe_component(item: Component, identifier: str) -> dict[str, Any]:
    """The package element (SPDX 2.3, section 7)."""
    described: dict[str, Any] = {
        "SPDXID": identifier,
        "name": item.name,
        "supplier": item.supplier,
        "downloadLocation": NO_ASSERTION,
        "filesAnalyzed": False,
        "licenseConcluded": NO_ASSERTION,
        "licenseDeclared": build_expression(item.licenses),
        "copyrightText": NO_ASSERTION,
    }
    if item.version:
        described["versionInfo"] = item.version
    if item.file:
        described["packageFileName"] = item.file
    if item.sha256:
        described["checksums"] = [{"algorithm": "SHA256", "checksumValue": item.sha256}]
    if item.supplier == DEBIAN:
        described["externalRefs"] = [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": f"pkg:deb/debian/{quote(item.name)}@{quote(item.version, safe='')}"
                f"?arch={item.architecture}",
            }
        ]
    if item.licenses:
        whose = "Debian's names" if item.supplier == DEBIAN else "As it names them"
        described["licenseComments"] = f"{whose}: {', '.join(item.licenses)}"
    return described


def relate(element: str, kind: str, related: str) -> dict[str, str]:
    """A relationship of two elements (SPDX 2.3, section 11)."""
    return {"spdxElementId": element, "relationshipType": kind, "relatedSpdxElement": related}


def encode_id(name: str) -> str:
    """An SPDXID for a name: letters, digits, `.` and `-` are all that it may hold (SPDX 2.3, section 3.2)."""
    return re.sub(r"[^A-Za-z0-9.-]", lambda found: f".{ord(found[0]):02x}", name.replace("+", ".plus"))
