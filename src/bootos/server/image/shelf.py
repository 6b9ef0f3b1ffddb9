"""What may be served now: the images by version, and the default. Kept in memory, so that a boot file costs no
transaction; read anew from the store and the directories after every change, and put in place in one step.

Also keeps the pairs: a client that began with a kernel of the plain URL gets the initrd that belongs to it, whatever
has become the default meanwhile.
"""

import logging
import threading
import time
from pathlib import Path

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.errors import BootosError
from bootos.server.image.manifest import LOCAL, parse_manifest
from bootos.server.image.signature import SIGNATURE, find_signer, read_trusted
from bootos.server.image.upload import MANIFEST
from bootos.server.settings import Settings
from bootos.server.store.table import Image, ImageDefault
from bootos.wire.ability import parse_abilities
from bootos.wire.manifest import REQUIRED, Manifest

log = logging.getLogger(__name__)

# How far apart the requests of one boot may be: a slow loader needs minutes for the initrd, which is one request.
PAIR_S = 600.0
PAIRS_MAX = 20_000


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One image. `problem`: why it is not served. The local one may have no manifest."""

    version: str
    directory: Path
    manifest: Manifest | None = None
    signed_by: str = ""
    problem: str = ""


class Stock(msgspec.Struct, frozen=True, kw_only=True):
    """All images at one moment."""

    default: str = LOCAL
    items: dict[str, Item] = {}


class Shelf:
    """The published images. `stock` is replaced as a whole, so that a caller that keeps it sees one moment. Replacing
    it needs `lock`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.stock = Stock()
        self.lock = threading.Lock()
        self._pairs: dict[str, tuple[str, float]] = {}

    def read_stock(self, session: Session) -> None:
        """Take over what the store and the directories hold now."""
        settings = self._settings
        trusted = read_trusted(settings.trusted_keys)
        items = {LOCAL: self.read_local()}
        for row in session.scalars(select(Image)):
            directory = settings.images / row.version
            try:
                raw = (directory / MANIFEST).read_bytes()
                manifest = parse_manifest(raw)
                signature = (directory / SIGNATURE).read_bytes()
            except (OSError, BootosError) as error:
                log.error("the image %s cannot be served: %s", row.version, error)
                problem = f"its files in {directory} are damaged: publish it again"
                items[row.version] = Item(version=row.version, directory=directory, problem=problem)
                continue
            signer = find_signer(trusted, raw, signature)
            problem = "" if signer or not settings.require_signature else "it carries no trusted signature"
            items[row.version] = Item(
                version=row.version,
                directory=directory,
                manifest=manifest,
                signed_by=signer,
                problem=problem,
            )
        default = (
            session.scalar(select(ImageDefault.version).order_by(ImageDefault.id.desc()).limit(1)) or LOCAL
        )
        problem = items[default].problem if default in items else "it is not there"
        if problem and default != LOCAL:  # `serve` reports the local image itself
            log.error("the default image %s is not served: %s", default, problem)
        self.stock = Stock(default=default, items=items)

    def read_local(self) -> Item:
        """The image in `--boot-files`, read now, since the server is not told when it is built anew."""
        directory = self._settings.boot_files
        problem = "only signed images are served" if self._settings.require_signature else ""
        if not all((directory / name).is_file() for name in REQUIRED):
            problem = problem or f"there is no vmlinuz and initrd.img in {directory}"
        try:
            manifest = parse_manifest((directory / MANIFEST).read_bytes())
        except (OSError, BootosError):
            manifest = None
        return Item(version=LOCAL, directory=directory, manifest=manifest, problem=problem)

    def find_item(self, version: str) -> Item | None:
        """The image of this version, also one that is not served; the local one as it is now."""
        return self.read_local() if version == LOCAL else self.stock.items.get(version)

    def read_abilities(self, version: str) -> list[str]:
        """What may be rendered for the image of this version, for `is_able`; none for one without a manifest."""
        item = self.find_item(version)
        return (
            parse_abilities(item.manifest.abilities) if item is not None and item.manifest is not None else []
        )

    def find_directory(self, version: str) -> Path | None:
        """Where the files of a version are; None when it is not there or not to be served."""
        if version == LOCAL:
            return None if self._settings.require_signature else self._settings.boot_files
        item = self.stock.items.get(version)
        return item.directory if item is not None and not item.problem else None

    def find_plain(self, name: str, client: str, *, begins: bool) -> Path | None:
        """The directory that `/bootos/NAME` is served from to the client at this address; None when it is not to be
        served. `begins`: the client loads the file from its beginning. Called in the event loop's thread only."""
        if name not in REQUIRED:
            return self.find_directory(self.stock.default)
        version, at = self._pairs.pop(client, ("", 0.0))
        is_kept = time.monotonic() - at < PAIR_S and self.find_directory(version) is not None
        is_kernel = name == REQUIRED[0] and begins
        if is_kernel or not is_kept:
            version = self.stock.default
        if is_kernel or is_kept:
            self._pairs[client] = (version, time.monotonic())  # the newest entry is the last
            while len(self._pairs) > PAIRS_MAX:
                del self._pairs[next(iter(self._pairs))]
        return self.find_directory(version)
