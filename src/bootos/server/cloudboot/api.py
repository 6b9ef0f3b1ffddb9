"""The agent endpoints of Cloudboot v1 (`wire.cloudboot_v1`), for existing agents and installers.

One handler with a table, because the wire has rules of its own: always status 200 with an envelope, 404 and 405
in a form of their own, bodies read whatever their Content-Type. The messages are those that existing servers
send; some clients show them.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Request, Response, route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler

from bootos.errors import BootosError
from bootos.server.cloudboot import legacy
from bootos.server.cloudboot.answer import Answer, Text, Unserved, Variables, render
from bootos.server.context import Context
from bootos.server.fault import ConflictError, NotFoundError, RequestError, UnusableError
from bootos.server.netboot.pxe_file import parse_mac
from bootos.server.operation import job as jobs
from bootos.server.operation.mac import MacTakenError
from bootos.server.store.machine import find_by_sn
from bootos.server.store.table import Machine
from bootos.wire import cloudboot_v1 as v1

DONE = "操作成功"
MALFORMED = "参数错误"
NO_SN = "SN参数不能为空!"
NO_DEVICE = "该设备不存在!"
NOT_IN_LIST = "该设备不在安装列表里!"
NOT_FOUND = "record not found"
HELD = "another agent holds the identity of this machine"  # no existing server says this


PostCall = Callable[[bytes, legacy.Sender], v1.Envelope]
GetCall = Callable[[str, bool], Answer]


class SaidError(Exception):
    """An answer with Status error. `content` UNSET leaves the key out."""

    def __init__(self, message: str, content: Any = msgspec.UNSET) -> None:
        super().__init__(message)
        self.answer = v1.Envelope(status=v1.ERROR, message=message, content=content)


def succeed(content: Any = msgspec.UNSET, message: str = DONE) -> v1.Envelope:
    return v1.Envelope(status=v1.SUCCESS, message=message, content=content)


class PostCalls:
    """The calls with a JSON body. Each takes the body and who sent it."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def device_product_info(self, body: bytes, sender: legacy.Sender) -> v1.Envelope:
        said = v1.read_request(body, v1.ProductInfo)
        if not said.sn or not said.company:
            raise SaidError("SN和厂商名称不能为空!")
        if min(said.memory_sum, said.disk_sum, said.cpu_sum) < 0:
            raise v1.MalformedError("a sum is negative")
        with self._context.store.write() as session:
            accepted = legacy.store_product(self._context, session, said, sender)
        if not accepted:
            raise SaidError(HELD)
        return succeed()

    def is_in_install_list(self, body: bytes, sender: legacy.Sender) -> v1.Envelope:
        sn = self._read_sn(body, malformed_content="")
        with self._context.store.write() as session:
            machine = legacy.find_machine(session, sn)
            if machine is not None and not legacy.refuse_claim(self._context, session, machine, sender):
                legacy.hear(self._context, session, machine)
            found = machine is not None and legacy.find_open_job(self._context, session, machine) is not None
        if found:
            return succeed({"Result": "true"}, "该设备在安装列表里")
        return succeed({"Result": "false"}, "该设备不在安装列表里")

    def get_prepare_install_info(self, body: bytes, sender: legacy.Sender) -> v1.Envelope:
        said = v1.read_request(body, v1.ModelQuery)
        if not said.sn or not said.company:
            raise SaidError("SN及厂商信息不能为空!")
        with self._context.store.write() as session:
            machine = legacy.find_machine(session, said.sn)
            if machine is None:
                verified, skipped = legacy.judge_said(session, None, None, said).ok, False
            else:
                verified, skipped = legacy.prepare(self._context, session, machine, said)
        content = v1.PrepareContent(
            is_verify=str(verified).lower(), is_skip_hardware_config=str(skipped).lower()
        )
        return succeed(content)

    def get_hardware_by_sn(self, body: bytes, sender: legacy.Sender) -> v1.Envelope:
        sn = self._read_sn(body, malformed_content="")
        refusal = None
        with self._context.store.write() as session:
            machine = find_by_sn(session, sn)  # this call knows no MAC in its place
            job = legacy.find_open_job(self._context, session, machine) if machine is not None else None
            if machine is None or job is None or job.skip_hardware:
                raise SaidError(NOT_FOUND, "")
            try:
                groups = legacy.take_scripts(self._context, session, machine, job, sender)
            except ConflictError as cause:  # the job is refused now, which must be committed
                refusal = cause.message
                groups = None
            content = v1.HardwareContent(
                company=machine.vendor,
                product=machine.product,
                model_name=machine.product,
                hardware=groups,
            )
        if refusal is not None:
            raise SaidError(refusal, "")
        return succeed(content, "成功获取hardware信息")

    def device_install_info(self, body: bytes, sender: legacy.Sender) -> v1.Envelope:
        said = v1.read_request(body, v1.InstallInfo)
        if not said.sn:
            raise SaidError(NO_SN)
        progress = said.install_progress
        if not math.isfinite(progress) or not (progress == -1 or 0 <= progress <= 1):
            raise SaidError("安装进度参数不正确!")
        with self._context.store.write() as session:
            machine = legacy.find_machine(session, said.sn)
            if machine is None:
                raise SaidError(NO_DEVICE)
            legacy.hear(self._context, session, machine)
            try:
                legacy.apply_progress(self._context, session, machine, said)
            except ConflictError as cause:
                raise SaidError(NOT_IN_LIST) from cause
        return succeed({"Result": "true"})

    def device_mac_info(self, body: bytes, sender: legacy.Sender) -> v1.Envelope:
        said = v1.read_request(body, v1.MacInfo)
        if not said.sn or not said.mac:
            raise SaidError("SN和Mac参数不能为空!")
        if parse_mac(said.mac) is None:
            raise SaidError("Mac参数不正确!")
        with self._context.store.write() as session:
            machine = legacy.find_machine(session, said.sn)
            if machine is None:
                raise SaidError(NO_DEVICE)
            legacy.hear(self._context, session, machine)
            try:
                legacy.accept_mac(self._context, session, machine, said.mac)
            except MacTakenError as cause:
                raise SaidError("该MAC地址已被其他设备录入") from cause
            except ConflictError as cause:
                raise SaidError(f"{NOT_IN_LIST} {cause.message}") from cause
        return succeed({"Result": "true"})

    def _read_sn(self, body: bytes, *, malformed_content: str) -> str:
        try:
            sn = v1.read_request(body, v1.SnOnly).sn
        except v1.MalformedError as cause:
            raise SaidError(MALFORMED, malformed_content) from cause
        if not sn:
            raise SaidError(NO_SN)
        return sn


class GetCalls:
    """The calls with a query. Each returns what `type=raw` gets, or the envelope."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def get_network_by_sn(self, sn: str, raw: bool) -> Answer:
        with self._context.store.read() as session:
            machine = self._find(session, sn)
            network = legacy.read_network(session, machine)
        if not raw:
            return succeed(network, "成功获取network信息")
        names = {
            "Hostname": "HOSTNAME",
            "Ip": "IPADDR",
            "Netmask": "NETMASK",
            "Gateway": "GATEWAY",
            "Vlan": "VLAN",
        }
        values = {names.get(key, key): value for key, value in network.items()}
        return Variables(values, always=("HWADDR",))

    def get_system_by_sn(self, sn: str, raw: bool) -> Answer:
        with self._context.store.read() as session:
            job = legacy.find_answer(session, self._find(session, sn))
            answer = job.pxe_answer
        if raw:
            return Text(answer)
        at = job.created_at.isoformat()
        row = {"ID": job.id, "CreatedAt": at, "UpdatedAt": at, "DeletedAt": None}
        return succeed({**row, "Name": job.pxe_name, "Content": answer}, "成功获取system信息")

    def get_device_by_sn(self, sn: str, raw: bool) -> Answer:
        with self._context.store.read() as session:
            machine = self._find(session, sn)
            latest = jobs.find_latest_job(session, machine.id)
        content = {
            "ID": machine.id,
            "CreatedAt": machine.created_at.isoformat(),
            "Sn": machine.sn,
            "Hostname": machine.settings.get("hostname", ""),
            "Ip": machine.settings.get("address", ""),
            "Status": legacy.read_status(latest),
            "InstallProgress": (latest.progress or 0) if latest is not None else 0,
        }
        return succeed(content)

    def _find(self, session: Any, sn: str) -> Machine:
        machine = legacy.find_machine(session, sn)
        if machine is None:
            raise NotFoundError(NOT_FOUND)
        return machine


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

    async def answer(request: Request[Any, Any, Any]) -> Answer:
        if not context.settings.legacy_api:
            return Unserved(404, "Cloudboot v1 is switched off on this server")
        call = request.url.path.removeprefix(v1.PREFIX).strip("/")
        if call not in post_calls and call not in get_calls:
            return Unserved(404, "Resource not found")
        if request.method != ("POST" if call in post_calls else "GET"):
            return Unserved(405, "Method not allowed")
        if call in post_calls:
            body = await request.body()
            sender = legacy.Sender(
                address=request.client.host if request.client else "",
                agent=request.headers.get("user-agent", ""),
            )
            return await asyncio.to_thread(_answer_post, post_calls[call], body, sender)
        sn, raw = request.query_params.get("sn", "").strip(), request.query_params.get("type", "raw") == "raw"
        return await asyncio.to_thread(
            _answer_get, get_calls[call], sn, raw and call != "device/getDeviceBySn"
        )

    @route(
        [v1.PREFIX, f"{v1.PREFIX}/{{call:path}}"],
        http_method=[HttpMethod.GET, HttpMethod.POST, HttpMethod.PUT, HttpMethod.PATCH, HttpMethod.DELETE],
        include_in_schema=False,
        status_code=200,
    )
    async def serve(request: Request[Any, Any, Any]) -> Response[bytes]:
        return render(await answer(request))

    return serve


def _answer_post(call: PostCall, body: bytes, sender: legacy.Sender) -> Answer:
    try:
        return call(body, sender)
    except SaidError as said:
        return said.answer
    except v1.MalformedError as cause:
        return v1.Envelope(status=v1.ERROR, message=f"{MALFORMED}{cause.message}")
    except (RequestError, BootosError) as cause:
        return v1.Envelope(status=v1.ERROR, message=cause.message)


def _answer_get(call: GetCall, sn: str, raw: bool) -> Answer:
    try:
        if not sn:
            raise UnusableError("SN参数不能为空")
        return call(sn, raw)
    except RequestError as cause:
        return Text("") if raw else v1.Envelope(status=v1.ERROR, message=cause.message, content="")
