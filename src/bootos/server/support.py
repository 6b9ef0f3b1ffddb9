"""The support list: the hardware models on which jobs run in user mode. Wildcard patterns, case ignored."""

from fnmatch import fnmatchcase

from sqlalchemy import select
from sqlalchemy.orm import Session

from bootos.server.fault import ConflictError, NotFoundError, UnusableError
from bootos.server.store.table import Support


def matches(pattern: Support, vendor: str, product: str) -> bool:
    """Whether a line of the list covers this model; an empty pattern covers nothing."""
    pairs = ((vendor, pattern.vendor), (product, pattern.product))
    return all(
        fnmatchcase(" ".join(value.split()).casefold(), wanted.casefold()) and bool(wanted)
        for value, wanted in pairs
    )


def find_support(session: Session, vendor: str, product: str) -> Support | None:
    """The first line that covers the model."""
    lines = session.scalars(select(Support).order_by(Support.id))
    return next((line for line in lines if matches(line, vendor, product)), None)


def add_support(session: Session, vendor: str, product: str) -> Support:
    vendor, product = " ".join(vendor.split()), " ".join(product.split())
    if not vendor or not product:
        raise UnusableError("a line of the support list needs a vendor and a product", hint="use * for any")
    known = select(Support).where(Support.vendor == vendor, Support.product == product)
    if session.scalar(known) is not None:
        raise ConflictError(f"{vendor} / {product} is in the support list already")
    line = Support(vendor=vendor, product=product)
    session.add(line)
    session.flush()
    return line


def remove_support(session: Session, line_id: int) -> Support:
    line = session.get(Support, line_id)
    if line is None:
        raise NotFoundError(f"the support list has no line {line_id}", hint="see bootos support list")
    session.delete(line)
    return line
