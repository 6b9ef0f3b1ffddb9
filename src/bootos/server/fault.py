"""What can be wrong with a request, with the HTTP status that says so. Raised by the parts, shown by `app`."""

from collections.abc import Sequence

import msgspec

from bootos.errors import BootosError, Problem


class Fault(msgspec.Struct, kw_only=True):
    """Every answer with a 4xx or 5xx status."""

    error: str
    hint: str = ""
    problems: list[Problem] = []
    retry_after_s: int | None = None


class RequestError(BootosError):
    """A request that cannot be done. `status` is the HTTP status, `problems` every reason with its path."""

    status = 400

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        problems: Sequence[Problem] = (),
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)
        self.retry_after_s = retry_after_s


class UnauthorizedError(RequestError):
    """The request proves nobody."""

    status = 401


class ForbiddenError(RequestError):
    """The caller may not do this, or this server is set up not to do it."""

    status = 403


class NotFoundError(RequestError):
    """What the request names is not there."""

    status = 404


class ConflictError(RequestError):
    """The request does not fit the present state; later, or after another call, it may fit."""

    status = 409


class UnusableError(RequestError):
    """The request is well formed, but what it asks for is impossible."""

    status = 422


class NoRoomError(RequestError):
    """The server's disk has no room for it, or does not take it."""

    status = 507
