"""Images, their pins and their uploads, as they are shown."""

from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server.context import Context
from bootos.server.image import version as versions
from bootos.server.image.choice import choose_image
from bootos.server.image.manifest import LOCAL
from bootos.server.image.upload import FileState
from bootos.server.store.table import Image, ImagePin, Machine
from bootos.server.view.conversion import build_view


class UploadView(msgspec.Struct, kw_only=True):
    """`is_published`: all of it is here, whole, and served already. `damaged`: files of a published image that are not
    what its manifest names any more; the upload replaces them."""

    version: str
    is_published: bool
    damaged: list[str] = []
    files: list[FileState]


class PinView(msgspec.Struct, kw_only=True):
    """The image of one machine (`sn`), or of a model."""

    id: int
    version: str
    sn: str
    vendor: str
    product: str


class PinsView(msgspec.Struct, kw_only=True):
    """`left`: PXE files of the operator that were not touched, so that their machines do not get their image."""

    pin: PinView
    left: list[str]


class ImageView(msgspec.Struct, kw_only=True):
    """`problem`: why it is not served. `running`: the machines that booted it last; `next`: how many get it next.
    `abilities`: what its manifest names (`wire.ability`)."""

    version: str
    name: str
    kernel_release: str
    bootos_version: str
    size_bytes: int
    layers: list[str]
    abilities: list[str]
    note: str
    signed_by: str
    problem: str
    is_default: bool
    was_default: bool
    published_at: datetime | None
    published_by: str
    pins: list[PinView]
    running: list[str]
    next: int


def view_pin(session: Session, row: ImagePin) -> PinView:
    """A pin, with the serial number of the machine that it is for."""
    machine = session.get(Machine, row.machine_id) if row.machine_id is not None else None
    return build_view(PinView, row, sn=machine.sn if machine else "")


def list_pins(session: Session) -> list[PinView]:
    """All pins, in the order they were made."""
    return [view_pin(session, row) for row in session.scalars(select(ImagePin).order_by(ImagePin.id))]


def find_image_view(context: Context, session: Session, version: str) -> ImageView:
    """One image, published or the local one. Raises NotFoundError."""
    versions.check_version(session, version)
    return next(view for view in view_images(context, session) if view.version == version)


def view_images(context: Context, session: Session) -> list[ImageView]:
    """All images, the newest first and the local one last, with a fixed number of queries."""
    pins, default = versions.read_pins(session), versions.read_default(session)
    pin_views = list_pins(session)
    history = versions.list_defaults(session, 2)
    earlier = history[1].version if len(history) > 1 else LOCAL if history else ""
    running: dict[str, list[str]] = {}
    coming: dict[str, int] = {}
    columns = (Machine.id, Machine.sn, Machine.vendor, Machine.product, Machine.image_version)
    for machine_id, sn, vendor, product, version in session.execute(
        select(*columns).order_by(Machine.sn_key)
    ):
        running.setdefault(version, []).append(sn)
        choice = choose_image(pins, default, machine_id=machine_id, vendor=vendor, product=product)
        coming[choice.version] = coming.get(choice.version, 0) + 1
    published = session.scalars(select(Image).order_by(Image.id.desc()))
    rows: dict[str, Image | None] = {row.version: row for row in published}
    views = []
    for version, row in {**rows, LOCAL: None}.items():
        item = context.shelf.find_item(version)
        manifest = item.manifest if item is not None else None
        # A machine reports the version that is in its image. That of the local image is in its manifest.
        booted = manifest.version if version == LOCAL and manifest is not None else version
        views.append(
            ImageView(
                version=version,
                name=manifest.name if manifest else "",
                kernel_release=manifest.kernel_release if manifest else "",
                bootos_version=manifest.bootos_version if manifest else "",
                size_bytes=manifest.size_bytes if manifest else 0,
                layers=[layer.name for layer in manifest.layers] if manifest else [],
                abilities=context.shelf.read_abilities(version),
                note=row.note if row else f"in {item.directory}" if item else "",
                signed_by=item.signed_by if item else "",
                problem=item.problem if item else "it is not there",
                is_default=version == default,
                was_default=version == earlier,
                published_at=row.published_at if row else None,
                published_by=row.published_by if row else "",
                pins=[pin for pin in pin_views if pin.version == version],
                running=[] if version == LOCAL and booted in rows else running.get(booted, []),
                next=coming.get(version, 0),
            )
        )
    return views
