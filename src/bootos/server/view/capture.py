"""A machine's capture, as operators see it."""

from datetime import datetime

import msgspec
from sqlalchemy.orm import Session

from bootos.server.store.table import Boot, Capture, Machine
from bootos.wire.ability import is_able

ABILITY = "mode:capture"


class CaptureView(msgspec.Struct, kw_only=True):
    """`asked_at`: it is waited for since then. `taken_at`: when the newest one came; None: there is none. `error`: why
    the last wish came to nothing. `reason`: why this machine's agent cannot take one; empty: it can."""

    sn: str
    asked_at: datetime | None
    taken_at: datetime | None
    size_bytes: int
    error: str
    reason: str


class CaptureFile(msgspec.Struct, kw_only=True):
    """The capture itself: JSON, packed by gzip, in base64 in JSON."""

    sn: str
    taken_at: datetime | None
    data: bytes


def find_reason(session: Session, machine: Machine) -> str:
    """Why the machine's agent cannot take a capture now; empty: it can."""
    boot = session.get(Boot, machine.boot_pk) if machine.boot_pk is not None else None
    if boot is None:
        return "no agent of it has registered" if machine.protocol != 1 else "its agent speaks protocol v1"
    if not is_able(boot.abilities, ABILITY):
        version = machine.agent_version or "of an unknown version"
        return f"its agent ({version}) does not know captures: boot it with an image of this server's release"
    return ""


def view_capture(session: Session, machine: Machine) -> CaptureView:
    """The view of a machine's capture."""
    row = session.get(Capture, machine.id)
    return CaptureView(
        sn=machine.sn,
        asked_at=row.asked_at if row is not None else None,
        taken_at=row.taken_at if row is not None else None,
        size_bytes=row.size_bytes if row is not None else 0,
        error=row.error if row is not None else "",
        reason=find_reason(session, machine),
    )
