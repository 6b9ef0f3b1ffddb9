"""What an image is made of, for auditors: `sbom.spdx.json` (SPDX 2.3, ISO/IEC 5962 in its JSON form) and
`packages.txt`. The same image gives the same bytes: the time in it is that of all files of the image.

Called by `build` when the image is put together; what is added to a built image later is in its manifest, not here.
"""

import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from bootos.image.license import NO_ASSERTION, build_expression, parse_names
from bootos.image.lock import Lock, Package
from bootos.image.manifest import Manifest
from bootos.image.steps.squash import SOURCE_DATE

_NAMESPACE = uuid.UUID("6f2f7d0c-5a57-4e0e-9d3b-0b2f4f1c9a51")
"""Ours: names a document by what is in it."""


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """One Debian package of the image."""

    package: Package
    licenses: tuple[str, ...] = ()
    """As its copyright file names them."""


def collect_components(
    lock: Lock, installed: Iterable[str], copyrights: Mapping[str, Path]
) -> list[Component]:
    """The lock's packages that are in the image, sorted by name; `copyrights` are their copyright files."""
    names = set(installed)
    components = []
    for package in sorted({*lock.base, *lock.kernel}, key=lambda item: item.file):
        if package.name in names:
            path = copyrights.get(package.name)
            text = path.read_text(errors="replace") if path is not None else ""
            components.append(Component(package=package, licenses=tuple(parse_names(text))))
    return components


def find_copyrights(base: Path, kernel: Path) -> dict[str, Path]:
    """Package -> its copyright file, of the installed base and of the kernel stage."""
    found = {path.name: path for path in sorted(kernel.glob("copyright/*"))}
    for directory in sorted((base / "usr/share/doc").iterdir()):
        inside = directory
        if directory.is_symlink():  # packages of one source share a directory
            inside = base / "usr/share/doc" / directory.readlink().name
        if (inside / "copyright").is_file():
            found[directory.name] = inside / "copyright"
    return found


def build_sbom(manifest: Manifest, components: Iterable[Component]) -> dict[str, Any]:
    """The SPDX document."""
    created = datetime.fromtimestamp(int(SOURCE_DATE), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    image = {
        "SPDXID": "SPDXRef-Image",
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
    packages = [image, agent, *(_describe(component) for component in components)]
    contains = [item["SPDXID"] for item in packages[1:]]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{manifest.name}-{manifest.version}",
        "documentNamespace": f"urn:uuid:{uuid.uuid5(_NAMESPACE, manifest.version)}",
        "creationInfo": {"created": created, "creators": [f"Tool: bootos-{manifest.bootos_version}"]},
        "packages": packages,
        "relationships": [
            _relate("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-Image"),
            *(_relate("SPDXRef-Image", "CONTAINS", identifier) for identifier in contains),
        ],
    }


def build_package_list(components: Iterable[Component]) -> str:
    """`packages.txt`: name, version, architecture, sha256 of the .deb, licenses; a package each line."""
    lines = []
    for component in components:
        package = component.package
        licenses = ", ".join(component.licenses) or NO_ASSERTION
        lines.append(
            f"{package.name}\t{package.version}\t{_architecture(package)}\t{package.sha256}\t{licenses}\n"
        )
    return "".join(lines)


def _describe(component: Component) -> dict[str, Any]:
    package = component.package
    described: dict[str, Any] = {
        "SPDXID": f"SPDXRef-Package-{_identifier(package.name)}",
        "name": package.name,
        "versionInfo": package.version,
        "packageFileName": package.file,
        "supplier": "Organization: Debian",
        "downloadLocation": NO_ASSERTION,
        "filesAnalyzed": False,
        "checksums": [{"algorithm": "SHA256", "checksumValue": package.sha256}],
        "licenseConcluded": NO_ASSERTION,
        "licenseDeclared": build_expression(component.licenses),
        "copyrightText": NO_ASSERTION,
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": f"pkg:deb/debian/{quote(package.name)}@{quote(package.version, safe='')}"
                f"?arch={_architecture(package)}",
            }
        ],
    }
    if component.licenses:
        described["licenseComments"] = f"Debian's names: {', '.join(component.licenses)}"
    return described


def _relate(element: str, kind: str, related: str) -> dict[str, str]:
    return {"spdxElementId": element, "relationshipType": kind, "relatedSpdxElement": related}


def _identifier(name: str) -> str:
    """Letters, digits, `.` and `-` are all that an SPDXID may hold."""
    return name.replace("+", ".plus")


def _architecture(package: Package) -> str:
    return package.file.rsplit("_", 1)[1].removesuffix(".deb")
