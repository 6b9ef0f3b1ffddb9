"""Everything below the path of Cloudboot v1 (`wire.cloudboot_v1`), for existing agents and installers.

One handler with a table, because the wire has rules of its own: always status 200 with an envelope, 404 and 405 in a
form of their own, bodies read whatever their Content-Type.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from litestar import Request, Response, route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler

from bootos.errors import BootosError
from bootos.server.body import SizedRequest, build_too_large
from bootos.server.cloudboot.answer import (
    MALFORMED,
    Answer,
    SaidError,
    Text,
    Unserved,
    render,
)
from bootos.server.cloudboot.call import PostCalls
from bootos.server.cloudboot.caller import Sender
from bootos.server.cloudboot.query import GetCalls
from bootos.server.context import Context
from bootos.server.fault import RequestError, UnusableError
from bootos.wire import cloudboot_v1 as v1

PostCall = Callable[[bytes, Sender], v1.Envelope]
GetCall = Callable[[str, Sender, bool], Answer]


def build_calls(context: Context) -> tuple[dict[str, PostCall], dict[str, GetCall]]:
    """The calls by their paths below v1's prefix: those with a body, and those with a query."""
    posts, gets = PostCalls(context), GetCalls(context)
    post_calls: dict[str, PostCall] = {
        "report/deviceProductInfo": posts.device_product_info,
        "device/isInInstallList": posts.is_in_install_list,
        "device/getPrepareInstallInfo": posts.get_prepare_install_info,
        "device/getHardwareBySn": posts.get_hardware_by_sn,
        "report/deviceInstallInfo": posts.device_install_info,
        "report/deviceMacInfo": posts.device_mac_info,
    }
    get_calls: dict[str, GetCall] = {
        "device/getNetworkBySn": gets.get_network_by_sn,
        "device/getSystemBySn": gets.get_system_by_sn,
        "device/getDeviceBySn": gets.get_device_by_sn,
    }
    return post_calls, get_calls


def build_legacy_handler(context: Context) -> HTTPRouteHandler:
    """Everything under `/api/osinstall/v1`. Switched off, it says so, in the form of v1's own 404."""
    post_calls, get_calls = build_calls(context)
    limits = context.settings.limits

    async def answer(request: Request[Any, Any, Any]) -> Answer:
        if context.settings.legacy == "off":
            return Unserved(404, "Cloudboot v1 is switched off on this server")
        call = request.url.path.removeprefix(v1.PREFIX).strip("/")
        if call not in post_calls and call not in get_calls:
            return Unserved(404, "Resource not found")
        if request.method != ("POST" if call in post_calls else "GET"):
            return Unserved(405, "Method not allowed")
        sender = Sender(
            address=request.client.host if request.client else "",
            agent=request.headers.get("user-agent", ""),
            token=request.query_params.get("token", ""),
        )
        if call in post_calls:
            limit = "v1_log_bytes" if call == "report/deviceInstallInfo" else "body_bytes"
            most_bytes: int = getattr(limits, limit)
            if (request.content_length or 0) > most_bytes or len(body := await request.body()) > most_bytes:
                raise build_too_large(most_bytes, limit)
            return await asyncio.to_thread(_answer_post, post_calls[call], body, sender)
        sn, raw = request.query_params.get("sn", "").strip(), request.query_params.get("type", "raw") == "raw"
        return await asyncio.to_thread(
            _answer_get, get_calls[call], sn, sender, raw and call != "device/getDeviceBySn"
        )

    @route(
        [v1.PREFIX, f"{v1.PREFIX}/{{call:path}}"],
        http_method=[HttpMethod.GET, HttpMethod.POST, HttpMethod.PUT, HttpMethod.PATCH, HttpMethod.DELETE],
        include_in_schema=False,
        status_code=200,
        request_class=SizedRequest,
        request_max_body_size=limits.v1_log_bytes,
        opt={"limit": "v1_log_bytes"},
    )
    async def serve(request: Request[Any, Any, Any]) -> Response[bytes]:
        return render(await answer(request))

    return serve


def _answer_post(call: PostCall, body: bytes, sender: Sender) -> Answer:
    """What the call answers. Errors are answers with status 200 as well."""
    try:
        return call(body, sender)
    except SaidError as said:
        return said.answer
    except v1.MalformedError as cause:
        return v1.Envelope(status=v1.ERROR, message=f"{MALFORMED}{cause.message}")
    except (RequestError, BootosError) as cause:
        return v1.Envelope(status=v1.ERROR, message=cause.message)


def _answer_get(call: GetCall, sn: str, sender: Sender, raw: bool) -> Answer:
    """What the call answers. Where there is nothing, `raw` gets an empty text, as from existing servers."""
    try:
        if not sn:
            raise UnusableError("SN参数不能为空")
        return call(sn, sender, raw)
    except SaidError as said:
        return said.answer
    except RequestError as cause:
        return Text("") if raw else v1.Envelope(status=v1.ERROR, message=cause.message, content="")
