"""The calls of Cloudboot v1 with a JSON body, by the letter of the wire.

The messages are those of existing servers, because some clients show them.
"""

import math
from typing import TypeVar

import msgspec

from bootos.server.cloudboot import order
from bootos.server.cloudboot.answer import MALFORMED, NO_SN, NOT_IN_LIST, SaidError, succeed
from bootos.server.cloudboot.caller import Sender
from bootos.server.cloudboot.product import take_product
from bootos.server.cloudboot.progress import take_progress
from bootos.server.context import Context
from bootos.server.fault import ConflictError, NotFoundError
from bootos.server.netboot.pxe_file import parse_mac
from bootos.server.operation.mac import MacTakenError
from bootos.wire import cloudboot_v1 as v1

T = TypeVar("T", bound=msgspec.Struct)


class PostCalls:
    """The calls with a JSON body. Each takes the body and who sent it, and returns the answer.

    Each raises MalformedError for a body that is not what the call takes, SaidError with the answer that says what is
    wrong with it, and RequestError for what the rest of the server refuses.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def device_product_info(self, body: bytes, sender: Sender) -> v1.Envelope:
        """An agent that booted tells its machine's hardware; the machine is enrolled, or renewed."""
        said = self._read(body, v1.ProductInfo)
        if not said.sn or not said.company:
            raise SaidError("SN和厂商名称不能为空!")
        if min(said.memory_sum, said.disk_sum, said.cpu_sum) < 0:
            raise v1.MalformedError("a sum is negative")
        refused = take_product(self._context, said, sender)
        if refused:
            raise SaidError(refused)
        return succeed()

    def is_in_install_list(self, body: bytes, sender: Sender) -> v1.Envelope:
        """An agent asks, once in every LOOP_INTERVAL, whether there is a job for it. It is also its sign of life."""
        sn = self._read_sn(body)
        if order.take_poll(self._context, sn, sender):
            return succeed({"Result": "true"}, "该设备在安装列表里")
        return succeed({"Result": "false"}, "该设备不在安装列表里")

    def get_prepare_install_info(self, body: bytes, sender: Sender) -> v1.Envelope:
        """Whether the support list has the model, and whether the job leaves the hardware alone. The agent decides."""
        said = self._read(body, v1.ModelQuery)
        if not said.sn or not said.company:
            raise SaidError("SN及厂商信息不能为空!")
        try:
            verified, skipped = order.prepare(self._context, said, sender)
        except ConflictError as cause:
            raise SaidError(f"{NOT_IN_LIST} {cause.message}") from cause
        content = v1.PrepareContent(
            is_verify=str(verified).lower(), is_skip_hardware_config=str(skipped).lower()
        )
        return succeed(content)

    def get_hardware_by_sn(self, body: bytes, sender: Sender) -> v1.Envelope:
        """The script groups of the job; it runs from now on. A job that a v1 agent cannot carry out is refused."""
        sn = self._read_sn(body)
        try:
            content = order.take_scripts(self._context, sn, sender)
        except (NotFoundError, ConflictError) as cause:
            raise SaidError(cause.message, "") from cause
        return succeed(content, "成功获取hardware信息")

    def device_install_info(self, body: bytes, sender: Sender) -> v1.Envelope:
        """How far an agent or an installer is: -1 has failed, 1 is done."""
        said = self._read(body, v1.InstallInfo)
        if not said.sn:
            raise SaidError(NO_SN)
        progress = said.install_progress
        if not math.isfinite(progress) or not (progress == -1 or 0 <= progress <= 1):
            raise SaidError("安装进度参数不正确!")
        try:
            take_progress(self._context, said, sender)
        except ConflictError as cause:
            raise SaidError(NOT_IN_LIST) from cause
        return succeed({"Result": "true"})

    def device_mac_info(self, body: bytes, sender: Sender) -> v1.Envelope:
        """The MAC of the NIC that shall boot the installer: its PXE file is written."""
        said = self._read(body, v1.MacInfo)
        if not said.sn or not said.mac:
            raise SaidError("SN和Mac参数不能为空!")
        if parse_mac(said.mac) is None:
            raise SaidError("Mac参数不正确!")
        try:
            order.take_mac(self._context, said.sn, said.mac, sender)
        except MacTakenError as cause:
            raise SaidError("该MAC地址已被其他设备录入") from cause
        except ConflictError as cause:
            raise SaidError(f"{NOT_IN_LIST} {cause.message}") from cause
        return succeed({"Result": "true"})

    def _read(self, body: bytes, model: type[T]) -> T:
        """The body as what the call takes. Raises MalformedError."""
        return v1.read_request(body, model, most_depth=self._context.settings.limits.json_depth)

    def _read_sn(self, body: bytes) -> str:
        """The serial number of a body that has nothing else. Raises SaidError."""
        try:
            sn = self._read(body, v1.SnOnly).sn
        except v1.MalformedError as cause:
            raise SaidError(MALFORMED, "") from cause
        if not sn:
            raise SaidError(NO_SN)
        return sn
