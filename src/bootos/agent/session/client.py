"""Protocol v2 from the agent's side: one call per method, each with a deadline, errors told apart.

`Unreachable` means try again later; `Refused` carries the server's own words. Waiting and retrying is the work
of `sequence` and `reporter`, which know what to say meanwhile.
"""

import re
import time
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

import msgspec
import urllib3

from bootos.errors import BootosError
from bootos.fetch import EndlessError, is_unverified, read_whole
from bootos.wire import v2
from bootos.wire.ability import parse_abilities

T = TypeVar("T")

CALL_TIMEOUT_S = 20.0
# The least: a server that says 0 is not asked without a pause. The most: how late the agent notices that the server is
# gone.
LEAST_POLL_S, MOST_POLL_S = 1, 120
MOST_BYTES = 64 * 1024 * 1024  # of an answer; an order, the largest, has a template in it
LAYERS_TIMEOUT_S = 5.0  # without an answer the machine goes on without layers


def describe_cause(cause: urllib3.exceptions.HTTPError) -> str:
    """What went wrong, without the name of the connection: on the status page there is only room for the reason."""
    return re.sub(r"^(<[\w.]+ object at 0x[0-9a-f]+>|HTTPS?Connection(Pool)?\([^)]*\)): ", "", str(cause))


class Answer(NamedTuple):
    """The status of an answer, and its body."""

    status: int
    data: bytes


class Unreachable(BootosError):
    """The server cannot be reached, does not answer in time, or has an internal error."""


class Refused(BootosError):
    """The server answered and said no."""

    def __init__(self, status: int, refusal: v2.Refusal) -> None:
        super().__init__(refusal.error or f"HTTP status {status}", hint=refusal.hint)
        self.status = status
        self.retry_after_s = refusal.retry_after_s


class Client:
    """Speaks to one server. Thread-safe: the reporter and the sequence share it."""

    def __init__(
        self, server_addr: str, http: urllib3.PoolManager | None = None, *, ca_sha256: str = ""
    ) -> None:
        self.server_addr = server_addr
        self.ca_sha256 = ca_sha256  # of the CA that the server is known by; empty: it is not, or not over TLS
        self._http = http or urllib3.PoolManager(maxsize=4, retries=False)
        self._session: str | None = None
        self.abilities: list[str] = []  # the server's abilities, from its greeting; for `ability.is_able`
        self.poll_s = 25  # how long `fetch_order` waits, as the server last said

    def greet(self, timeout_s: float = CALL_TIMEOUT_S) -> v2.Greeting:
        """Ask whether the server speaks v2, and what it can be sent. Raises Refused (404: it does not), Unreachable."""
        greeting = self._call("GET", "/", None, v2.Greeting, timeout_s=timeout_s)
        self.abilities = parse_abilities(greeting.abilities)
        return greeting

    def fetch_layers(self, image_version: str = "") -> list[v2.LayerOffer]:
        """Kernel modules for some machines only, of the image that was booted. Raises Refused (404: the server knows
        none), Unreachable."""
        query = f"?image={quote(image_version)}" if image_version else ""
        return self._call("GET", f"/layers{query}", None, list[v2.LayerOffer], timeout_s=LAYERS_TIMEOUT_S)

    def ask_nonce(self, commitment: v2.KeyCommitment) -> str:
        """The server's part of the words of this boot. Raises Refused (404: it knows none), Unreachable."""
        return self._call("POST", "/key", commitment, v2.KeyNonce).nonce

    def register(self, registration: v2.Registration) -> v2.Registered:
        """Register and keep the session for the calls that follow, and how long a long-poll waits."""
        registered = self._call("POST", "/register", registration, v2.Registered, timeout_s=60.0)
        self._session = registered.session
        self.poll_s = min(max(registered.poll_s, LEAST_POLL_S), MOST_POLL_S)
        return registered

    def fetch_order(self, wait_s: int) -> v2.Order | None:
        """Wait up to `wait_s` seconds for an order; None when there is none."""
        path = f"/order?wait_s={wait_s}"
        answer = self._request("GET", path, None, wait_s + CALL_TIMEOUT_S)
        return None if answer.status == 204 else self._decode(path, answer, v2.Order)

    def send_report(self, report: v2.Report) -> v2.Receipt:
        """Send a whole report; returns what the server says of it. Raises as every call here."""
        return self._call("POST", "/report", report, v2.Receipt)

    def upload_mac(self, upload: v2.MacUpload) -> v2.MacAccepted:
        """Tell the MAC of the network card that the next boot uses; returns what the server made of it."""
        return self._call("POST", "/mac", upload, v2.MacAccepted)

    def upload_capture(self, upload: v2.CaptureUpload) -> v2.CaptureAccepted:
        """Send the capture that was asked for. Raises as every call here."""
        return self._call("POST", "/capture", upload, v2.CaptureAccepted, timeout_s=60.0)

    def _call(
        self,
        method: str,
        path: str,
        body: Any,
        model: type[T],
        *,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> T:
        return self._decode(path, self._request(method, path, body, timeout_s), model)

    def _decode(self, path: str, answer: Answer, model: type[T]) -> T:
        if not 200 <= answer.status < 300:
            raise self._read_refusal(path, answer)
        try:
            return msgspec.json.decode(answer.data, type=model)
        except msgspec.DecodeError as cause:
            raise Refused(
                answer.status, v2.Refusal(error=f"{path} gave no BootOS v2 answer: {cause}")
            ) from cause

    def _request(self, method: str, path: str, body: Any, timeout_s: float) -> Answer:
        """One call within the deadline, body included. Raises Unreachable."""
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._session:
            headers["Authorization"] = f"Bearer {self._session}"
        url = self.server_addr + v2.PREFIX + path
        until = time.monotonic() + timeout_s
        try:
            answer = self._http.request(
                method,
                url,
                body=msgspec.json.encode(body) if body is not None else None,
                headers=headers,
                timeout=urllib3.Timeout(total=timeout_s, connect=min(10.0, timeout_s)),
                retries=False,
                preload_content=False,
            )
            return Answer(answer.status, read_whole(answer, until=until, most_bytes=MOST_BYTES))
        except EndlessError as cause:
            raise Unreachable(
                f"{self.server_addr} does not come to an end with its answer to {path}"
            ) from cause
        except urllib3.exceptions.HTTPError as cause:
            if self.ca_sha256 and is_unverified(cause):
                raise Unreachable(
                    f"{self.server_addr} is not known by the CA of this boot (sha256:{self.ca_sha256}) any more: the "
                    "server's authority was rotated, or somebody is between; boot this machine again"
                ) from cause
            if is_unverified(cause):
                raise Unreachable(
                    f"{self.server_addr} has a certificate that no authority of this image vouches for: "
                    f"{describe_cause(cause)}",
                    hint="SERVER_CA=sha256:HEX says whom to take for the server, as `bootos ca show` prints it; or is "
                    "this machine's clock wrong?",
                ) from cause
            raise Unreachable(f"{self.server_addr} does not answer: {describe_cause(cause)}") from cause

    def _read_refusal(self, path: str, answer: Answer) -> BootosError:
        """The error that an answer means: 5xx is a server in trouble, the rest its own words."""
        if answer.status >= 500:
            return Unreachable(f"{self.server_addr} answered HTTP status {answer.status} to {path}")
        try:
            refusal = msgspec.json.decode(answer.data, type=v2.Refusal)
        except msgspec.DecodeError:
            refusal = v2.Refusal(error=f"{self.server_addr} answered HTTP status {answer.status} to {path}")
        return Refused(answer.status, refusal)
