"""What the SPDX specification 2.3 demands of a document, as far as ours uses it (sections 6, 7, 8 and 11); and a
manifest to make one for."""

import re
from collections.abc import Mapping
from typing import Any

from bootos.wire.manifest import FileEntry, Manifest

MANIFEST = Manifest(
    schema=1,
    name="bootos",
    version="0.1.0-abc",
    bootos_version="0.1.0",
    recipe_sha256="",
    kernel_release="6.12",
    kernel_modules=1,
    firmware_files=0,
    files=(FileEntry(name="vmlinuz", size_bytes=1, sha256="d" * 64),),
    segments=(),
    root_uncompressed_bytes=1,
    packages={},
)


def read_document(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Check a document; returns its packages by SPDXID."""
    assert document["spdxVersion"] == "SPDX-2.3"
    assert document["dataLicense"] == "CC0-1.0"
    assert document["SPDXID"] == "SPDXRef-DOCUMENT"
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", document["documentNamespace"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["creationInfo"]["created"])
    assert all(
        re.match("Tool: |Person: |Organization: ", who) for who in document["creationInfo"]["creators"]
    )
    packages = {package["SPDXID"]: package for package in document["packages"]}
    assert len(packages) == len(document["packages"]), "every SPDXID is used once"
    for identifier, package in packages.items():
        assert re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", identifier)
        assert {"name", "downloadLocation", "filesAnalyzed", "licenseDeclared", "copyrightText"} <= set(
            package
        )
        assert all(value != "" for value in package.values()), "what is not known is left out"
        supplier = package.get("supplier", "NOASSERTION")
        assert re.fullmatch(r"NOASSERTION|(Person|Organization): .+", supplier)
        for checksum in package.get("checksums", ()):
            assert re.fullmatch(r"[0-9a-f]{64}", checksum["checksumValue"])
    known = {*packages, "SPDXRef-DOCUMENT"}
    for relation in document["relationships"]:
        assert {relation["spdxElementId"], relation["relatedSpdxElement"]} <= known
    contained = {r["relatedSpdxElement"] for r in document["relationships"]}
    assert contained == set(packages), "everything hangs together"
    assert document["relationships"][0]["relationshipType"] == "DESCRIBES"
    return packages
