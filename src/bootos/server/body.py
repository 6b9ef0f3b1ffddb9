"""The one door for the bodies of calls with JSON: how large they may be, and what `wire.body` asks of them. Routers of
such calls make their requests of this class.
"""

import asyncio
from typing import Any

from litestar import Request
from litestar.exceptions import HTTPException

from bootos.server.fault import RequestError
from bootos.server.limit import Limits, TooDeepError, TooLargeError
from bootos.wire.body import BodyError, TooDeepBodyError, check_body

IN_A_THREAD_BYTES = 64 * 1024  # what is larger is checked beside the event loop


class SizedRequest(Request[Any, Any, Any]):
    """A request that says how large its body may be when it is larger. The name of that limit is the handler's option
    `limit`."""

    async def body(self) -> bytes:
        """The whole body. Raises TooLargeError."""
        try:
            return await super().body()
        except HTTPException as cause:
            if cause.status_code != TooLargeError.status:
                raise
            handler = self.route_handler
            raise build_too_large(
                handler.resolve_request_max_body_size() or 0, handler.opt["limit"]
            ) from None


def build_too_large(most_bytes: int, limit: str) -> TooLargeError:
    """The refusal of a body that has more bytes than the limit of this name."""
    hint = f"at most {most_bytes:,} bytes"
    return TooLargeError("the body is larger than this call takes", hint=hint, limit=limit)


def build_json_request(limits: Limits) -> type[SizedRequest]:
    """The class of the requests whose body is JSON, or empty."""

    class JsonRequest(SizedRequest):
        _checked: bytes | None = None

        async def body(self) -> bytes:
            """The whole body, fit to be decoded. Raises TooLargeError, TooDeepError, RequestError."""
            if self._checked is None:
                self._checked = await _check(await super().body(), limits.json_depth)
            return self._checked

    return JsonRequest


async def _check(body: bytes, most_depth: int) -> bytes:
    try:
        if len(body) <= IN_A_THREAD_BYTES:
            return check_body(body, most_depth=most_depth)
        return await asyncio.to_thread(check_body, body, most_depth=most_depth)
    except TooDeepBodyError as cause:
        raise TooDeepError(cause.message, hint=cause.hint, limit="json_depth") from cause
    except BodyError as cause:
        raise RequestError(cause.message, hint=cause.hint) from cause
