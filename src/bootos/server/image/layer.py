"""The layers that an image has for some machines only, as its manifest names them, for agents to ask for.

The files lie in `layers/` beside the image's boot files and go out with them, under `/bootos/`. The manifest is read at
each call, since the server is not told when an image is replaced.
"""

import logging
from pathlib import Path

import msgspec

from bootos.wire import v2
from bootos.wire.manifest import parse_manifest

log = logging.getLogger(__name__)

DIRECTORY = "layers"


def list_offers(boot_files: Path, place: str = "") -> list[v2.LayerOffer]:
    """The layers for machines with certain devices of the image in `boot_files`, which is served at `place`. Empty
    without a manifest, or with one that cannot be read."""
    try:
        manifest = parse_manifest((boot_files / "manifest.json").read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError) as error:
        log.warning("%s/manifest.json cannot be used, so no layers are offered: %s", boot_files, error)
        return []
    return [
        v2.LayerOffer(
            name=layer.name,
            path=f"{place}{DIRECTORY}/{layer.name}.squashfs",
            size_bytes=layer.size_bytes,
            sha256=layer.sha256,
            pci_ids=list(layer.pci_ids),
            kernel_release=layer.kernel_release,
            modules=layer.modules,
        )
        for layer in manifest.layers
        if layer.pci_ids
    ]
