"""Who is the operator, and who says to act. The proof is a token made at the first start: API calls carry it, the web
UI's cookie is derived from it, so a new token ends every login. Boot files and agent endpoints never come here."""

import hashlib
import hmac
import secrets
import time
from pathlib import Path
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from bootos.errors import BootosError
from bootos.files import read_or_create
from bootos.server.fault import ForbiddenError, UnauthorizedError
from bootos.server.operation.audit import Actor

Caller = Request[Any, Any, Any]

COOKIE = "bootos_session"
COOKIE_AGE_S = 12 * 3600


def read_operator_token(path: Path) -> tuple[str, bool]:
    """The token, made when there is none; returns (token, whether it was made). Raises BootosError."""
    content, created = read_or_create(path, (secrets.token_urlsafe(32) + "\n").encode(), mode=0o600)
    token = content.decode(errors="replace").strip()
    if len(token) < 16:
        raise BootosError(
            f"{path} does not hold an operator token of at least 16 characters",
            hint="remove the file; a new token is made at the next start",
        )
    return token, created


def read_actor(request: Caller, door: str = "") -> Actor:
    """Who this request says to be: the CLI sends the user's login name. `door`: `web` for the pages."""
    return Actor(
        name=request.headers.get("x-bootos-actor", "")[:100] or "operator",
        address=request.client.host if request.client else "",
        door=door,
    )


def sign(token: str, purpose: str, text: str) -> str:
    """A keyed hash (HMAC-SHA256) of `text`, in hex; another `purpose` gives another one."""
    return hmac.new(token.encode(), f"{purpose}\0{text}".encode(), hashlib.sha256).hexdigest()


def build_cookie(token: str) -> str:
    """The value of a cookie that is a login for COOKIE_AGE_S seconds from now."""
    body = f"{int(time.time()) + COOKIE_AGE_S}.{secrets.token_hex(8)}"
    return f"{body}.{sign(token, 'login', body)}"


def is_cookie_valid(token: str, cookie: str | None) -> bool:
    """Whether the cookie is a login of this token that has not run out."""
    body, _, signature = (cookie or "").rpartition(".")
    if not body or not hmac.compare_digest(signature.encode(), sign(token, "login", body).encode()):
        return False
    return int(body.partition(".")[0]) > time.time()  # the signature is right, so this is a number


def is_same(token: str, given: str) -> bool:
    """Whether both are the same; the time it takes does not tell how much of it is right."""
    return hmac.compare_digest(token.encode(), given.encode())


def is_operator(token: str, connection: ASGIConnection[Any, Any, Any, Any], *, cookie: bool) -> bool:
    """Whether the request carries the token, or (with `cookie`) a login."""
    kind, _, given = connection.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return is_same(token, given.strip())
    return cookie and is_cookie_valid(token, connection.cookies.get(COOKIE))


class OperatorGuard:
    """A Litestar guard. The cookie is good for reading only: what changes something needs the token (the web
    UI's forms have their own check, with a form token)."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        reading = connection.scope.get("method") in ("GET", "HEAD")
        if is_operator(self._token, connection, cookie=reading):
            return
        if connection.headers.get("authorization"):
            raise ForbiddenError("the operator token is wrong", hint="it is in <data>/operator.token")
        raise UnauthorizedError(
            "this call needs the operator token",
            hint="Authorization: Bearer <content of <data>/operator.token>",
        )
