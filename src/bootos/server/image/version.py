"""The published images in the store: published, made the default, rolled back, pinned, removed. All functions take an
open transaction; the caller lets the `Shelf` read it afterwards.
"""

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bootos.server.fault import ConflictError, NotFoundError, UnusableError
from bootos.server.image.choice import Pin
from bootos.server.image.manifest import LOCAL
from bootos.server.store.engine import WriteSession
from bootos.server.store.table import Image, ImageDefault, ImagePin, Machine


def find_image(session: Session, version: str) -> Image:
    """The published image of this version. Raises NotFoundError."""
    row = session.scalar(select(Image).where(Image.version == version))
    if row is None:
        raise NotFoundError(f"there is no image {version!r}", hint="see bootos image list")
    return row


def check_version(session: Session, version: str) -> None:
    """Check that the version is published, or the local one. Raises NotFoundError."""
    if version != LOCAL:
        find_image(session, version)


def add_image(session: WriteSession, version: str, *, note: str, published_by: str) -> None:
    """Enter what was published; again is fine, and a new note replaces the old one."""
    row = session.scalar(select(Image).where(Image.version == version))
    if row is None:
        session.add(Image(version=version, note=note[:500], published_by=published_by))
        session.flush()
    elif note:
        row.note = note[:500]


def read_default(session: Session) -> str:
    """The version that is the default."""
    rows = list_defaults(session, 1)
    return rows[0].version if rows else LOCAL


def list_defaults(session: Session, limit: int) -> list[ImageDefault]:
    """What was made the default, newest first."""
    return list(session.scalars(select(ImageDefault).order_by(ImageDefault.id.desc()).limit(limit)))


def set_default(session: WriteSession, version: str) -> bool:
    """Make it the default; returns whether it was another one before. Raises NotFoundError."""
    check_version(session, version)
    if read_default(session) == version:
        return False
    session.add(ImageDefault(version=version))
    session.flush()
    return True


def roll_back(session: WriteSession) -> tuple[str, str]:
    """Make the default before the present one the default again; returns (from, to). Raises ConflictError."""
    rows = list_defaults(session, 2)
    if not rows:
        raise ConflictError(
            "there was no default before the present one", hint="choose one: bootos image default VERSION"
        )
    session.delete(rows[0])
    session.flush()
    return rows[0].version, rows[1].version if len(rows) > 1 else LOCAL


def remove_image(session: WriteSession, version: str) -> None:
    """Forget a version. Raises NotFoundError, ConflictError when machines are to boot it."""
    if version == LOCAL:
        raise ConflictError(
            "the local image is what is in --boot-files, and is not removed here",
            hint="another default: bootos image default VERSION",
        )
    row = find_image(session, version)
    if read_default(session) == version:
        raise ConflictError(
            f"{version} is the default",
            hint="make another one the default first: bootos image default VERSION",
        )
    pins = list(session.scalars(select(ImagePin).where(ImagePin.version == version)))
    if pins:
        raise ConflictError(
            f"{version} is pinned {len(pins)} time(s)",
            hint=f"remove the pins first: {', '.join(f'bootos image unpin {pin.id}' for pin in pins[:5])}",
        )
    session.delete(row)
    session.execute(delete(ImageDefault).where(ImageDefault.version == version))
    _join_repetitions(session)


def _join_repetitions(session: WriteSession) -> None:
    """A rollback must change something: of equal neighbours in the history the later one goes."""
    before = LOCAL
    for row in list(session.scalars(select(ImageDefault).order_by(ImageDefault.id))):
        if row.version == before:
            session.delete(row)
        before = row.version
    session.flush()


def read_pins(session: Session) -> list[Pin]:
    """All pins, in the order they were made."""
    rows = session.scalars(select(ImagePin).order_by(ImagePin.id))
    return [msgspec.convert(row, Pin, from_attributes=True) for row in rows]


def set_pin(
    session: WriteSession,
    version: str,
    *,
    machine: Machine | None = None,
    vendor: str = "",
    product: str = "",
) -> ImagePin:
    """Pin a version for a machine, or for a model; an older pin of the same is replaced. Returns the pin. Raises
    NotFoundError, UnusableError (neither of both)."""
    check_version(session, version)
    vendor, product = " ".join(vendor.split()), " ".join(product.split())
    if machine is None and not (vendor and product):
        raise UnusableError(
            "a pin is for a machine, or for a model, which is vendor and product", hint="use * for any"
        )
    if machine is not None:
        query = select(ImagePin).where(ImagePin.machine_id == machine.id)
    else:
        query = select(ImagePin).where(ImagePin.vendor == vendor, ImagePin.product == product)
    row = session.scalar(query)
    if row is None:
        row = ImagePin(
            version=version,
            machine_id=machine.id if machine else None,
            vendor="" if machine else vendor,
            product="" if machine else product,
        )
        session.add(row)
    row.version = version
    session.flush()
    return row


def remove_pin(session: WriteSession, pin_id: int) -> ImagePin:
    """Remove a pin; returns it. Raises NotFoundError."""
    row = session.get(ImagePin, pin_id)
    if row is None:
        raise NotFoundError(f"there is no pin {pin_id}", hint="see bootos image list")
    session.delete(row)
    session.flush()
    return row
