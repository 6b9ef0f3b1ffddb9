"""The server's certificate and its authority, renewed by the server itself and changed by an operator."""

import logging

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from bootos.errors import BootosError
from bootos.server.context import Context
from bootos.server.fault import ConflictError, NoRoomError, RequestError
from bootos.server.operation.address_file import write_address_file
from bootos.server.operation.audit import Actor, record
from bootos.server.store.hold import HoldLostError
from bootos.server.view.ca import AuthorityView, list_left, view_authority

log = logging.getLogger(__name__)

MOST_NAMED = 10


class Rotation(msgspec.Struct, kw_only=True):
    """`finish`: let the former authority go, instead of making a new one; `force`: also when machines that are up
    would not find the server again."""

    finish: bool = False
    force: bool = False


def rotate(context: Context, actor: Actor, asked: Rotation) -> AuthorityView:
    """Make a new authority while the present one stays good, or end that. Raises ConflictError, and
    NoRoomError when the files cannot be written, which the audit log says, too."""
    left = list_left(context) if asked.finish and not asked.force else []
    if left:
        more = f" and {len(left) - MOST_NAMED} more" if len(left) > MOST_NAMED else ""
        raise ConflictError(
            f"machines that are up know only the former authority: {', '.join(left[:MOST_NAMED])}{more}",
            hint="boot them first, each learns the new one when it boots; or leave them to be booted: "
            "bootos ca rotate --finish --force",
        )
    authority, action = context.authority, "ca.finish" if asked.finish else "ca.rotate"
    before = authority.fingerprints
    try:
        with (
            authority.finishing() if asked.finish else authority.rotating() as fingerprint,
            context.store.write() as session,
        ):
            record(session, actor, action, fingerprint)
        write_address_file(context)
    except (RequestError, SQLAlchemyError):
        raise
    except BootosError as cause:
        raise ConflictError(cause.message, hint=cause.hint) from cause
    except (OSError, ValueError) as cause:
        is_done = authority.fingerprints != before
        outcome = "was changed, but not all of its files" if is_done else "was not changed"
        sentence = f"the authority {outcome}: {getattr(cause, 'strerror', '') or cause}"
        _note_failure(context, actor, action, sentence)
        ways = "start the server again, which writes the others" if is_done else "try again"
        raise NoRoomError(
            sentence, hint=f"see that the server has room and may write in its data directory, then {ways}"
        ) from cause
    return view_authority(context)


def _note_failure(context: Context, actor: Actor, action: str, sentence: str) -> None:
    """On *Health*, and in the audit log, if that can be written."""
    context.health.note("certificate", sentence)
    try:
        with context.store.write() as session:
            record(session, actor, action, context.authority.fingerprint, sentence)
    except (SQLAlchemyError, HoldLostError) as cause:
        log.error("%s by %s is not in the audit log: %s", action, actor.name, cause)


def renew(context: Context) -> None:
    """Renew the server's certificate if it is time. One that cannot be renewed goes on, and the log says why."""
    try:
        done = context.authority.renew()
        if done:
            log.info("%s", done)
            write_address_file(context)
    except (OSError, ValueError) as cause:
        context.health.note("certificate", f"the server's certificate cannot be renewed: {cause}")
    note_trouble(context)


def note_trouble(context: Context) -> None:
    """Say in the log and on the page *Health* why clients do not take the server's certificate, or soon will not."""
    if trouble := context.authority.find_trouble():
        context.health.note("certificate", trouble)
