"""The server's certificate authority, changed by an operator."""

import msgspec

from bootos.errors import BootosError
from bootos.server.context import Context
from bootos.server.fault import ConflictError
from bootos.server.operation.audit import Actor, record
from bootos.server.view.ca import AuthorityView, view_authority


class Rotation(msgspec.Struct, kw_only=True):
    """`finish`: let the former authority go, instead of making a new one."""

    finish: bool = False


def rotate(context: Context, actor: Actor, asked: Rotation) -> AuthorityView:
    """Make a new authority while the present one stays good, or end that. Raises ConflictError."""
    with context.store.write() as session:
        try:
            context.authority.finish() if asked.finish else context.authority.rotate()
        except BootosError as cause:
            raise ConflictError(cause.message, hint=cause.hint) from cause
        action = "ca.finish" if asked.finish else "ca.rotate"
        record(session, actor, action, context.authority.fingerprint)
    return view_authority(context)
