"""A BMC that sends without end, a byte at a time, or what grows: it takes away what is asked for, and nothing else."""

import http.server
import json
import threading
import zlib
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Any

import pytest
from handclock import StillClock

from bootos.document import MOST_DEPTH
from bootos.drivers.redfish.bound import Bounds
from bootos.drivers.redfish.client import Client
from bootos.drivers.redfish.endpoint import Account, Endpoint
from bootos.drivers.redfish.failure import MOST_SAID, RedfishError
from bootos.masking import Hidden

ACCOUNT = Account(user="operator", password=Hidden("s3cret-Enough"))
BOUNDS = Bounds(answer_bytes=200_000)
LIST, GOOD, BAD = "/redfish/v1/Systems", "/redfish/v1/Systems/1", "/redfish/v1/Systems/2"
SESSIONS = "/redfish/v1/SessionService/Sessions"
HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"


class HostileService:
    """`sent` is what goes over the wire for a path, status line and headers too; all else is a small resource."""

    def __init__(self) -> None:
        self.sent: dict[str, Callable[[], Iterator[bytes]]] = {}
        self.sent_to_post: dict[str, Callable[[], Iterator[bytes]]] = {}
        self.bodies: dict[str, Any] = {
            "/redfish/v1": {
                "Id": "RootService",
                "@odata.id": "/redfish/v1",
                "Links": {"Sessions": {"@odata.id": SESSIONS}},
            },
            LIST: {"Members": [{"@odata.id": BAD}, {"@odata.id": GOOD}]},
            GOOD: {"Id": "1"},
        }
        self.asked: list[str] = []
        self.ending = threading.Event()
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            timeout = 30

            def do_GET(self) -> None:
                path = self.path.rstrip("/")
                service.asked.append(path)
                if path in service.sent:
                    self.send(service.sent[path]())
                    return
                self.answer(200 if path in service.bodies else 404, service.bodies.get(path, {}))

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.path in service.sent_to_post:
                    self.send(service.sent_to_post[self.path]())
                    return
                self.answer(201, {}, {"X-Auth-Token": "token", "Location": f"{SESSIONS}/1"})

            def do_DELETE(self) -> None:
                self.answer(200, {})

            def send(self, pieces: Iterator[bytes]) -> None:
                try:
                    for piece in pieces:
                        self.wfile.write(piece)
                except OSError:
                    pass  # the client has had enough
                self.close_connection = True

            def answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
                raw = json.dumps(body).encode()
                self.send_response_only(status)
                for name, value in {"Content-Length": str(len(raw)), **(headers or {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def close(self) -> None:
        self.ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@pytest.fixture
def service() -> Iterator[HostileService]:
    service = HostileService()
    yield service
    service.close()


def open_client(
    service: HostileService, bounds: Bounds = BOUNDS, clock: StillClock | None = None, timeout_s: float = 60
) -> Client:
    endpoint = Endpoint(url=service.url, reason="test")
    return Client(endpoint, ACCOUNT, timeout_s=timeout_s, bounds=bounds, clock=clock or StillClock())


def compress(size: int) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(b" " * size) + packer.flush()


def send_chunks() -> Iterator[bytes]:
    yield HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    yield from repeat(b"400\r\n" + b" " * 1024 + b"\r\n")


FLOODS: dict[str, Callable[[], Iterator[bytes]]] = {
    "a body without end": lambda: chain([HEAD + b"\r\n"], repeat(b" " * 1024)),
    "chunks without end": send_chunks,
    "a chunk's length without end": lambda: chain(
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n"], repeat(b"0")
    ),
    "a length of a terabyte": lambda: chain(
        [HEAD + b"Content-Length: 1000000000000\r\n\r\n"], repeat(b" " * 1024)
    ),
    "headers without end": lambda: chain([HEAD], repeat(b"X-Header: " + b"x" * 60_000 + b"\r\n")),
    "interim answers without end": lambda: repeat(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body that ends too early": lambda: iter([HEAD + b"Content-Length: 100\r\n\r\n{"]),
    "a body that is not packed as it says": lambda: iter([HEAD + b"Content-Encoding: gzip\r\n\r\n{}"]),
    "a body that grows when it is unpacked": lambda: iter(
        [HEAD + b"Content-Encoding: gzip\r\n\r\n" + compress(3_000_000)]
    ),
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_what_is_too_large_or_no_answer_takes_away_only_itself(
    flood: Callable[[], Iterator[bytes]], service: HostileService
) -> None:
    service.sent[BAD] = flood
    with open_client(service) as client:
        assert [body["Id"] for body in client.get_members(LIST)] == ["1"]
        (said,) = client.unread
        assert BAD in said
        assert client.find(BAD) is None


def test_how_large_it_may_be_is_said(service: HostileService) -> None:
    service.sent[BAD] = FLOODS["a body without end"]
    with open_client(service) as client, pytest.raises(RedfishError, match="larger than 200000 bytes"):
        client.get(BAD)
    assert service.asked.count(BAD) == 1  # it is not asked for again


Trickle = Callable[[], Iterator[bytes]]


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def trickle(clock: StillClock) -> Trickle:
    """An answer without end, of which a byte comes each second of the clock."""

    def send() -> Iterator[bytes]:
        yield HEAD + b"\r\n"
        while True:
            clock.sleep(1.0)
            yield b" "

    return send


def test_a_byte_a_second_ends(service: HostileService, clock: StillClock, trickle: Trickle) -> None:
    service.sent[BAD] = trickle
    with open_client(service, Bounds(reading_s=1e9), clock) as client:
        assert [body["Id"] for body in client.get_members(LIST)] == ["1"]
        (said,) = client.unread
        assert BAD in said and "not whole after 120 s" in said


def test_a_request_that_may_take_long_has_as_long_for_its_answer(
    service: HostileService, clock: StillClock, trickle: Trickle
) -> None:
    service.sent_to_post[BAD] = trickle
    with open_client(service, Bounds(), clock) as client:
        with pytest.raises(RedfishError, match="not whole after 1800 s"):
            client.post(BAD, {}, what="flash", timeout_s=1800)
        with pytest.raises(RedfishError, match="not whole after 120 s"):
            client.post(BAD, {}, what="flash")


def test_what_stops_in_the_middle_ends(service: HostileService) -> None:
    def stop() -> Iterator[bytes]:
        yield HEAD + b"Content-Length: 100\r\n\r\n{"
        service.ending.wait(30)

    service.sent[BAD] = stop
    with open_client(service, Bounds(answer_s=0.2)) as client:
        assert [body["Id"] for body in client.get_members(LIST)] == ["1"]
        assert len(client.unread) == 1


def list_silent(service: HostileService, bad: str, *, began: bytes = b"") -> dict[str, list[str]]:
    """Ten members, of which the service answers nothing for those that `bad` marks with an x."""

    def say_nothing() -> Iterator[bytes]:
        yield began
        service.ending.wait(30)

    members = [f"/redfish/v1/Systems/{number}" for number in range(len(bad))]
    silent = [path for path, mark in zip(members, bad, strict=True) if mark == "x"]
    service.bodies |= {path: {"Id": path} for path in members}
    service.bodies[LIST] = {"Members": [{"@odata.id": path} for path in members]}
    service.sent |= dict.fromkeys(silent, say_nothing)
    return {"silent": silent, "others": [path for path in members if path not in silent]}


@pytest.mark.parametrize("began", [b"", HEAD, HEAD + b"Content-Length: 100\r\n\r\n{"])
def test_what_is_never_answered_takes_away_only_itself(began: bytes, service: HostileService) -> None:
    expected = list_silent(service, "xx.xx.x", began=began)
    with open_client(service, timeout_s=0.2) as client:
        assert [body["Id"] for body in client.get_members(LIST)] == expected["others"]
        assert len(client.unread) == len(expected["silent"])
        for path, said in zip(expected["silent"], client.unread, strict=True):
            assert said.startswith(f"{path}: the Redfish service") and "does not answer" in said


def test_what_need_not_be_there_and_is_never_answered_is_told(service: HostileService) -> None:
    (path,) = list_silent(service, "x")["silent"]
    with open_client(service, timeout_s=0.2) as client:
        assert client.find(path) is None
        assert path in client.unread[0]


def test_a_service_that_answers_nothing_three_times_in_a_row_does_not_answer(service: HostileService) -> None:
    silent = list_silent(service, ".xx.xxxx")["silent"]
    with open_client(service, timeout_s=0.2) as client:
        with pytest.raises(RedfishError, match="does not answer any more") as raised:
            list(client.get_members(LIST))
        assert all(path in str(raised.value) for path in silent[2:5])
    assert silent[5] not in service.asked


def test_what_is_never_answered_is_a_part_of_what_reading_may_take(
    service: HostileService, clock: StillClock
) -> None:
    def say_nothing() -> Iterator[bytes]:
        clock.sleep(500.0)
        yield b""
        service.ending.wait(30)

    expected = list_silent(service, "x.x.")
    service.sent |= dict.fromkeys(expected["silent"], say_nothing)
    with open_client(service, Bounds(), clock, timeout_s=0.2) as client:
        assert [body["Id"] for body in client.get_members(LIST)] == expected["others"][:1]
        assert "more than 900 s" in client.unread[-1]


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("depth", [MOST_DEPTH + 1, 20_000])
@pytest.mark.parametrize("status", [b"200 OK", b"500 Internal Server Error"])
def test_a_resource_nested_without_sense_takes_away_only_itself(
    opening: bytes, depth: int, status: bytes, service: HostileService
) -> None:
    closing = b"]" if opening == b"[" else b"}"
    body = b'{"x": ' + opening * depth + b"1" + closing * depth + b"}"
    service.sent[BAD] = lambda: iter([b"HTTP/1.1 " + status + b"\r\nConnection: close\r\n\r\n" + body])
    with open_client(service) as client:
        assert [body["Id"] for body in client.get_members(LIST)] == ["1"]
        (said,) = client.unread
        assert BAD in said


def test_what_a_service_says_is_cut(service: HostileService) -> None:
    said = json.dumps({"error": {"message": "x" * 100_000}}).encode()
    service.sent[BAD] = lambda: iter([b"HTTP/1.1 400 Bad\r\nConnection: close\r\n\r\n" + said])
    with open_client(service) as client, pytest.raises(RedfishError) as raised:
        client.get(BAD)
    assert MOST_SAID <= len(str(raised.value)) < MOST_SAID + 200


def test_all_that_is_read_has_a_size(service: HostileService) -> None:
    members = [f"/m{number}" for number in range(20)]
    service.bodies[LIST] = {"Members": [{"@odata.id": path} for path in members]}
    service.bodies |= {path: {"Id": path, "x": "x" * 1000} for path in members}
    with open_client(service, Bounds(reading_bytes=10_000)) as client:
        read = [body["Id"] for body in client.get_members(LIST)]
        assert 0 < len(read) < 15
        assert read == members[: len(read)]
        assert len(client.unread) == 20 - len(read)
        assert all("has sent more than 10000 bytes" in said for said in client.unread)
    assert not set(members[len(read) :]) & set(service.asked)


def test_all_that_is_read_has_a_deadline_and_tasks_go_on(service: HostileService, clock: StillClock) -> None:
    def answer_late() -> Iterator[bytes]:
        clock.sleep(500.0)
        yield HEAD + b'\r\n{"Id": "late"}'

    members = [f"/m{number}" for number in range(9)]
    service.bodies[LIST] = {"Members": [{"@odata.id": path} for path in members]}
    service.sent |= dict.fromkeys(members, answer_late)
    with open_client(service, Bounds(), clock) as client:
        assert len(list(client.get_members(LIST))) == 2
        assert len(client.unread) == 7
        assert all("more than 900 s" in said for said in client.unread)
        assert client.get(GOOD).body == {"Id": "1"}
