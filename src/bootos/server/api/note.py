"""Writes the audit line of an operator's call. Used by the operator API and the web pages."""

from typing import Any

from litestar import Request
from sqlalchemy.orm import Session

from bootos.server.operation import audit

Caller = Request[Any, Any, Any]


def read_actor(request: Caller) -> str:
    """Who says it: the CLI sends the user's login name. It is a note for the log, not a proof."""
    return request.headers.get("x-bootos-actor", "")[:100] or "operator"


def note(session: Session, request: Caller, action: str, subject: object, detail: str = "") -> None:
    """Record what this request does, in its own transaction."""
    address = request.client.host if request.client else ""
    audit.record(session, action, str(subject), detail, actor=read_actor(request), address=address)
