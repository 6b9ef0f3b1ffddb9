"""Sends the requests of the fuzzers and writes down how each was answered."""

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import msgspec
import urllib3

BODY_KEPT = 20_000  # so much of a body is written down with a fault
STREAM = "/events"  # an answer that goes on for ever; its head is enough


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server is: for machines, for operators, with the operator's token."""

    machine_url: str
    operator_url: str
    token: str


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A request that a server must be able to answer, and was not: `kind` is the status, or `hang`."""

    kind: str
    part: str
    seed: int
    method: str
    url: str
    headers: dict[str, str]
    body: str
    answer: str


class Tally(msgspec.Struct, kw_only=True):
    """What one fuzzer did. `unanswered`: the connection ended without an answer. `faults` has the first of each kind,
    part and path, `counts` how many there were."""

    requests: int = 0
    unanswered: int = 0
    slowest_s: float = 0.0
    statuses: dict[int, int] = {}
    faults: dict[str, Fault] = {}
    counts: dict[str, int] = {}

    def add(self, other: "Tally") -> None:
        """Both together."""
        self.requests += other.requests
        self.unanswered += other.unanswered
        self.slowest_s = max(self.slowest_s, other.slowest_s)
        self.statuses = dict(Counter(self.statuses) + Counter(other.statuses))
        self.counts = dict(Counter(self.counts) + Counter(other.counts))
        self.faults = other.faults | self.faults


class Sender:
    """One fuzzer's connections. An answer that takes `hang_s` seconds is a hang. `sn` is its own machine's name: a
    session ends when another fuzzer registers the same machine."""

    def __init__(self, place: Place, hang_s: float, number: int = 0) -> None:
        self.sn = f"FUZZ-{number}"
        self.place = place
        self.tally = Tally()
        self.part = ""
        self.seed = 0
        self.hang_s = hang_s
        # among the calls are those that change the server's authority: none is asked for
        self._pool = urllib3.PoolManager(retries=False, timeout=hang_s, maxsize=4, cert_reqs="CERT_NONE")

    def send(
        self, method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> int:
        """The status; 0 when there was no answer."""
        sent = {name: value for name, value in (headers or {}).items() if is_sendable(name, value)}
        self.tally.requests += 1
        began = time.monotonic()
        status, answer = 0, ""
        try:
            streams = url.partition("?")[0].endswith(STREAM)
            response = self._pool.request(
                method, url, body=body, headers=sent, redirect=False, preload_content=not streams
            )
            status = response.status
            answer = "" if streams or status < 500 else response.data.decode(errors="replace")
            if streams:
                response.close()
        except urllib3.exceptions.TimeoutError:
            self.note("hang", method, url, sent, body, "")
        except (urllib3.exceptions.HTTPError, OSError, UnicodeError) as error:
            self.tally.unanswered += 1
            answer = repr(error)
        self.tally.slowest_s = max(self.tally.slowest_s, time.monotonic() - began)
        self.tally.statuses[status] = self.tally.statuses.get(status, 0) + 1
        if status >= 500 and status != 507:
            self.note(str(status), method, url, sent, body, answer)
        return status

    def call(
        self, method: str, path: str, body: object = None, *, operator: bool = True, token: str = ""
    ) -> bytes:
        """A call that prepares something, and counts for nothing; the answer's body. `token`: of a session."""
        is_machine = bool(token) or not operator
        url = (self.place.machine_url if is_machine else self.place.operator_url) + path
        bearer = token or ("" if is_machine else self.place.token)
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        raw = None if body is None else msgspec.json.encode(body)
        return self._pool.request(method, url, body=raw, headers=headers).data

    def note(
        self, kind: str, method: str, url: str, headers: dict[str, str], body: bytes | None, answer: str
    ) -> None:
        """Write down a fault."""
        key = f"{kind} {self.part}"
        self.tally.counts[key] = self.tally.counts.get(key, 0) + 1
        shown = repr((body or b"")[:BODY_KEPT])
        fault = Fault(
            kind=kind,
            part=self.part,
            seed=self.seed,
            method=method,
            url=url,
            headers={name: value for name, value in headers.items() if name.lower() != "authorization"},
            body=shown,
            answer=answer[:2000],
        )
        self.tally.faults.setdefault(key, fault)


def is_sendable(name: str, value: str) -> bool:
    """Whether the client's library lets the header out; what it does not is sent as bytes (`wirepart`)."""
    return (
        name.isascii() and value.isascii() and value.isprintable() and name.isprintable() and ":" not in name
    )


def write_faults(path: Path, tally: Tally) -> None:
    """Each fault with what is needed to send it again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(list(tally.faults.values()))) + b"\n")
