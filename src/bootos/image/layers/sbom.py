"""Keep `sbom.spdx.json` and `packages.txt` of an image true when a layer was added or taken out. Called after the
manifest was written: it says which layers there are, so that an interruption is made good the next time.

Each layer is an element of its own, which the image contains and which contains the layer's packages.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bootos.files import read_json, write_atomically, write_json
from bootos.image.license import NO_ASSERTION
from bootos.image.sbom import (
    IMAGE_ID,
    Component,
    build_package_list,
    describe_component,
    encode_id,
    name_document,
    relate,
)
from bootos.wire.manifest import LayerEntry, Manifest

SBOM, PACKAGE_LIST = "sbom.spdx.json", "packages.txt"
PREFIX = "SPDXRef-Layer-"


def renew_sbom(directory: Path, manifest: Manifest, added: Mapping[str, Sequence[Component]]) -> None:
    """Name in an image's files what its layers bring; `added`: name of a new layer -> its packages. An image directory
    that has no such files (a copy for one machine has none) gets none."""
    kept = {layer.name for layer in manifest.layers} - set(added)
    new = [(layer, added[layer.name]) for layer in manifest.layers if layer.name in added]
    sbom = directory / SBOM
    if sbom.is_file():
        write_json(sbom, change_document(read_json(sbom), manifest, kept, new))
    packages = directory / PACKAGE_LIST
    if packages.is_file():
        lines = packages.read_text().splitlines(keepends=True)
        text = "".join(line for line in lines if _read_layer(line) in {"", *kept})
        text += "".join(build_package_list(components, layer.name) for layer, components in new)
        write_atomically(packages, text.encode(), durable=False)


def change_document(
    document: dict[str, Any],
    manifest: Manifest,
    kept: set[str],
    new: Sequence[tuple[LayerEntry, Sequence[Component]]],
) -> dict[str, Any]:
    """The SPDX document with the layers `kept` of those it has, and with the new ones."""
    known = {f"{PREFIX}{encode_id(name)}" for name in kept}
    gone = {
        relation["relatedSpdxElement"]
        for relation in document["relationships"]
        if relation["spdxElementId"] == IMAGE_ID and relation["relatedSpdxElement"].startswith(PREFIX)
    } - known
    gone |= {
        relation["relatedSpdxElement"]
        for relation in document["relationships"]
        if relation["spdxElementId"] in gone
    }
    packages = [item for item in document["packages"] if item["SPDXID"] not in gone]
    relations = [item for item in document["relationships"] if item["relatedSpdxElement"] not in gone]
    for layer, components in new:
        identifier = f"{PREFIX}{encode_id(layer.name)}"
        packages.append(_describe_layer(layer, identifier))
        relations.append(relate(IMAGE_ID, "CONTAINS", identifier))
        for component in components:
            described = describe_component(component, f"{identifier}-Package-{encode_id(component.name)}")
            packages.append(described)
            relations.append(relate(identifier, "CONTAINS", described["SPDXID"]))
    for item in packages:
        if item["SPDXID"] == IMAGE_ID:
            item["versionInfo"] = manifest.version
    return {
        **document,
        "name": f"{manifest.name}-{manifest.version}",
        "documentNamespace": name_document(manifest),
        "packages": packages,
        "relationships": relations,
    }


def _describe_layer(layer: LayerEntry, identifier: str) -> dict[str, Any]:
    return {
        "SPDXID": identifier,
        "name": f"layer {layer.name}",
        "packageFileName": f"{layer.name}.squashfs",
        "downloadLocation": NO_ASSERTION,
        "filesAnalyzed": False,
        "checksums": [{"algorithm": "SHA256", "checksumValue": layer.sha256}],
        "licenseConcluded": NO_ASSERTION,
        "licenseDeclared": NO_ASSERTION,
        "copyrightText": NO_ASSERTION,
        "comment": f"Added to the built image ({layer.kind}).",
    }


def _read_layer(line: str) -> str:
    """The layer of a line of the package list; empty: the image itself."""
    return line.rstrip("\n").split("\t")[5] if line.count("\t") == 5 else ""
