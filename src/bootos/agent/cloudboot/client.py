"""Cloudboot v1 from the agent's side: one call per method, each with a deadline, errors told apart.

`NoAnswer`: try again later. `BadAnswer`: something answered, but not as the protocol says. `Rejected`: the server
said no. `Status` and `Content` decide; `Message` is for people and only shown. Used by `flow`.
"""

import time
from typing import Any, TypeVar

import msgspec
import urllib3

from bootos import __version__
from bootos.agent.session.client import describe_cause
from bootos.errors import BootosError
from bootos.fetch import EndlessError, read_whole
from bootos.wire import cloudboot_v1 as v1

T = TypeVar("T", bound=msgspec.Struct)

CALL_TIMEOUT_S = 30.0
MOST_BYTES = 16 * 2**20
MOST_SHOWN = 300
# By this our own server knows that the image can apply declarative templates. Other servers ignore it.
USER_AGENT = f"{v1.OUR_AGENT}{__version__}"


class V1Error(BootosError):
    """A call that did not end well."""


class NoAnswer(V1Error):
    """The server cannot be reached or did not answer in time."""


class BadAnswer(V1Error):
    """An HTTP error, or an answer that is not what the protocol says."""


class Rejected(V1Error):
    """The server understood and said no; the message is its own."""


class V1Client:
    """Speaks to one server."""

    def __init__(
        self,
        server_addr: str,
        *,
        timeout_s: float = CALL_TIMEOUT_S,
        http: urllib3.PoolManager | None = None,
    ) -> None:
        self.server_addr = server_addr
        self._timeout_s = timeout_s
        self._http = http or urllib3.PoolManager(maxsize=2, retries=False)

    def probe(self, sn: str) -> None:
        """Whether this is a v1 server: it answers in v1's form, whatever it says. Raises NoAnswer, BadAnswer."""
        self._ask("/device/isInInstallList", v1.SnOnly(sn=sn))

    def send_product_info(self, body: bytes) -> str:
        """Enrol the machine; returns the server's message ("has been entered" means: known already)."""
        return self._demand("/report/deviceProductInfo", body).message

    def is_queued(self, sn: str) -> bool:
        """Whether the operator put the machine into the install list. Also the heartbeat."""
        path = "/device/isInInstallList"
        content = self._demand(path, v1.SnOnly(sn=sn)).content
        if not isinstance(content, dict) or not isinstance(content.get("Result"), str):
            raise BadAnswer(f"{path}: the answer has no Result")
        return bool(content["Result"] == "true")

    def read_preparation(self, query: v1.ModelQuery) -> v1.PrepareContent:
        """Whether the model is in the support list, and whether hardware configuration is skipped."""
        return self._read("/device/getPrepareInstallInfo", query, v1.PrepareContent)

    def read_hardware(self, sn: str) -> v1.HardwareContent:
        """The hardware template: groups of scripts."""
        return self._read("/device/getHardwareBySn", v1.SnOnly(sn=sn), v1.HardwareContent)

    def report_progress(self, report: v1.InstallInfo) -> None:
        """Tell the server how far the installation is. Raises BadAnswer when it refuses, as all calls here do."""
        self._demand("/report/deviceInstallInfo", report)

    def upload_mac(self, sn: str, mac: str) -> None:
        """The server makes the PXE file of the next boot from it."""
        self._demand("/report/deviceMacInfo", v1.MacInfo(sn=sn, mac=mac))

    def _read(self, path: str, body: Any, model: type[T]) -> T:
        """The content of a successful answer. Content that is no object (existing servers send "") is bad."""
        content = self._demand(path, body).content
        if not isinstance(content, dict):
            raise BadAnswer(f"{path}: the answer has no Content")
        try:
            return v1.read_request(msgspec.json.encode(content), model)
        except v1.MalformedError as cause:
            raise BadAnswer(f"{path}: the Content is not as the protocol says: {cause}") from cause

    def _demand(self, path: str, body: Any) -> v1.Envelope:
        """As `_ask`; raises Rejected unless the status is `success`."""
        answer = self._ask(path, body)
        if answer.status != v1.SUCCESS:
            raise Rejected(f"{answer.message or 'no message'} ({path}: {answer.status})")
        return answer

    def _ask(self, path: str, body: Any) -> v1.Envelope:
        status, text = self._post(path, body if isinstance(body, bytes) else msgspec.json.encode(body))
        if status != 200:
            raise BadAnswer(f"{self.server_addr} answered HTTP status {status} to {path}")
        try:
            answer = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError) as cause:
            raise BadAnswer(f"{path}: the answer is not JSON: {cause}") from cause
        said = answer.get("Status") if isinstance(answer, dict) else None
        if said not in (v1.SUCCESS, v1.ERROR, v1.FAILURE):
            raise BadAnswer(f"{path}: the answer has no Status")
        message = str(answer.get("Message") or "")[:MOST_SHOWN]
        return v1.Envelope(status=said, message=message, content=answer.get("Content"))

    def _post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """One POST within the deadline, body included. Raises NoAnswer."""
        deadline = time.monotonic() + self._timeout_s
        try:
            answer = self._http.request(
                "POST",
                self.server_addr + v1.PREFIX + path,
                body=body,
                headers={
                    "Content-Type": "application/json",
                    "Accept": "application/json",
                    "User-Agent": USER_AGENT,
                },
                timeout=urllib3.Timeout(connect=min(10.0, self._timeout_s), read=self._timeout_s),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            return answer.status, read_whole(answer, until=deadline, most_bytes=MOST_BYTES)
        except EndlessError as cause:
            raise NoAnswer(f"{self.server_addr} does not come to an end with its answer to {path}") from cause
        except urllib3.exceptions.HTTPError as cause:
            raise NoAnswer(f"{self.server_addr} does not answer {path}: {describe_cause(cause)}") from cause
