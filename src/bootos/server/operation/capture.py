"""A machine's capture: an operator asks for one, the agent takes it between jobs and sends it (`wire.v2`). The newest
is kept. What an agent sends is not looked into here: it is handed out as it came, within a bound.
"""

from datetime import timedelta

from sqlalchemy.orm import Session

from bootos.server.context import Context
from bootos.server.fault import ConflictError, NotFoundError, RequestError
from bootos.server.limit import TooLargeError
from bootos.server.operation.audit import Actor, record
from bootos.server.operation.secrecy import note_way
from bootos.server.store.machine import find_machine, find_session
from bootos.server.store.table import Boot, Capture, Machine, read_clock
from bootos.server.view.capture import ABILITY, CaptureFile, CaptureView, find_reason, view_capture
from bootos.wire import v2
from bootos.wire.ability import is_able

KEPT = timedelta(hours=1)  # a wish that nobody came for is forgotten
_GZIP = b"\x1f\x8b"


def ask_capture(context: Context, actor: Actor, word: str) -> CaptureView:
    """Ask the machine's agent for a capture; it is taken when no job runs. Raises NotFoundError, ConflictError with the
    reason why this machine's agent cannot."""
    with context.store.write() as session:
        machine = find_machine(session, word)
        reason = find_reason(session, machine)
        if reason:
            raise ConflictError(f"machine {machine.sn} takes no capture: {reason}")
        row = session.get(Capture, machine.id)
        if row is None:
            row = Capture(machine_id=machine.id)
            session.add(row)
        row.asked_at, row.error = read_clock(), ""
        record(session, actor, "machine.capture", machine.sn, "asked for")
        session.touch(f"machine:{machine.id}", "machines")
        session.flush()
        return view_capture(session, machine)


def find_wish(session: Session, machine: Machine, boot: Boot) -> str:
    """The name of the wish for a capture that this boot is to be told; empty: there is none."""
    row = session.get(Capture, machine.id) if not machine.doubt else None
    if row is None or row.asked_at is None or row.asked_at + KEPT < read_clock():
        return ""
    return f"capture:{row.asked_at.isoformat()}" if is_able(boot.abilities, ABILITY) else ""


def take_upload(
    context: Context, authorization: str | None, upload: v2.CaptureUpload, *, secure: bool
) -> v2.CaptureAccepted:
    """Keep the capture that the boot which this `Authorization` header proves was asked for. `secure`: it came over
    TLS. Raises UnauthorizedError, ConflictError (nobody asked), TooLargeError, RequestError (it is none)."""
    note_way(context, authorization, secure=secure)
    if not upload.error and not upload.data.startswith(_GZIP):
        raise RequestError("a capture is packed by gzip")
    limits = context.settings.limits
    if len(upload.data) > limits.capture_bytes:
        hint = f"at most {limits.capture_bytes:,} bytes"
        raise TooLargeError("the capture is too large", hint=hint, limit="capture_bytes")
    with context.store.write() as session:
        machine, _ = find_session(session, authorization)
        row = session.get(Capture, machine.id)
        if row is None or row.asked_at is None or machine.doubt:
            raise ConflictError("nobody asked for a capture of this machine")
        row.asked_at, row.error = None, upload.error[: limits.note_letters]
        if not upload.error:
            row.data, row.size_bytes, row.taken_at = upload.data, len(upload.data), read_clock()
        session.touch(f"machine:{machine.id}", "machines")
        return v2.CaptureAccepted(size_bytes=len(upload.data))


def read_capture(context: Context, word: str) -> CaptureFile:
    """The newest capture of a machine. Raises NotFoundError."""
    with context.store.read() as session:
        machine = find_machine(session, word)
        row = session.get(Capture, machine.id)
        if row is None or row.data is None:
            raise NotFoundError(
                f"there is no capture of machine {machine.sn}", hint=f"bootos machine capture id:{machine.id}"
            )
        return CaptureFile(sn=machine.sn, taken_at=row.taken_at, data=row.data)


def show_capture(context: Context, word: str) -> CaptureView:
    """What is known of a machine's capture, without it. Raises NotFoundError."""
    with context.store.read() as session:
        machine = find_machine(session, word)
        return view_capture(session, machine)
