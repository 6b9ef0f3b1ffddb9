"""The two sides of a server: what keeps the answers of each from doing harm, and what is said to a client of the other.

Most of what machines are answered was sent by machines, without a login. So their side answers with data only, by its
own type and no guessed one, in a sandbox, and never from an address at which an operator is logged in. Called by `app`.
"""

from typing import Any

from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Scope

from bootos.server.fault import Fault
from bootos.server.settings import Settings

MACHINE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
}
OPERATOR_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
}
OPERATOR_PATHS = ("/api/operator", "/schema")
MACHINE_PATHS = ("/api/v2/agent", "/api/osinstall", "/bootos", "/grub")


def is_operators(path: str) -> bool:
    """Whether a program that asks for this path wants the operators' side."""
    return path.startswith(OPERATOR_PATHS)


def build_elsewhere(settings: Settings, path: str) -> Fault:
    """What a client gets on the machines' side for a path that is not there."""
    if path.startswith(MACHINE_PATHS):
        return Fault(error=f"there is nothing at {path}")
    url = settings.operator_url
    error = f"this is the address for machines; operators reach the server at {url}"
    if settings.operators.is_loopback:
        return Fault(
            error=f"{error}, from its own host only",
            hint="there, leave BOOTOS_SERVER and --server away; for other hosts start it with bootos serve "
            "--operator-listen HOST:PORT, and say there bootos login https://HOST:PORT",
        )
    return Fault(
        error=error,
        hint=f"say bootos login {url} once, and set BOOTOS_SERVER or --server to it or leave them away; on the "
        "server's own host leave them away",
    )


async def shield_machines(message: Message, scope: Scope) -> None:
    """Put the headers of the machines' side on an answer. A hook for `Litestar(before_send=...)`, which sees also what
    the framework itself answers: a path or method that it does not route, a body that is too large."""
    _add(message, scope, MACHINE_HEADERS)


async def shield_operators(message: Message, scope: Scope) -> None:
    """Put the headers of the operators' side on an answer that does not have its own, as pages have."""
    _add(message, scope, OPERATOR_HEADERS)


def _add(message: Message, scope: Scope, headers: dict[str, str]) -> None:
    if message["type"] != "http.response.start":
        return
    present: Any = MutableScopeHeaders.from_message(message)
    for name, value in headers.items():
        present.setdefault(name, value)
    if is_ambiguous(scope):
        present["Connection"] = "close"


def is_ambiguous(scope: Scope) -> bool:
    """Whether a request has both a length and a coding: a proxy that goes by the length sees its end elsewhere than
    this server, which goes by the coding, and has to be told that the connection ends here (RFC 9112, section 6.1)."""
    return {b"content-length", b"transfer-encoding"} <= {name for name, _ in scope["headers"]}
