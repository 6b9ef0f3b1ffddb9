"""A fuzzer of HTTP itself: bytes on a socket, as no library sends them."""

import socket
from typing import Any
from urllib.parse import urlsplit

from agentpart import Try
from hypothesis import strategies as st
from sender import Sender

ANSWER_S = 0.3
PATHS = [
    "/",
    "/api/v2/agent/",
    "/api/v2/agent/register",
    "/api/osinstall/v1/device/isInInstallList",
    "/bootos/x",
    "*",
]
LINES = [
    b"Content-Length: 5",
    b"Content-Length: -1",
    b"Content-Length: 99999999999999999999",
    b"Content-Length: " + b"9" * 5000,
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Expect: 100-continue",
    b"Expect: x",
    b"Upgrade: websocket",
    b"Connection: Upgrade, keep-alive, close",
    b"Range: bytes=0-0,1-1",
    b"Range: bytes=\xb2-",
    b"Cookie: bootos_session=\xff\xfe",
    b"Authorization: Bearer \xc3\xa9",
    b"Authorization: Bearer",
    b"Content-Type: application/json; charset=utf-16",
    b"Content-Type: application/x-www-form-urlencoded",
    b"Content-Type: multipart/form-data",
    b"Content-Encoding: gzip",
    b"Accept: text/html",
    b"X-BootOS-Actor: \xff",
    b"If-None-Match: \xff",
    b" folded",
    b"no colon",
    b": no name",
    b"X: " + b"y" * 70_000,
]
BODIES = [
    b"",
    b"hello",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"ffffffffff\r\n",
    b"-1\r\n",
    b"0\r\nX: y\r\n\r\n",
    b'{"Sn": "x"}',
]


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request, or what looks a little like one."""
    method = draw(
        st.sampled_from([b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"TRACE", b"get", b"\xff", b""])
    )
    path = draw(st.sampled_from(PATHS)).encode() + draw(st.binary(max_size=12))
    version = draw(st.sampled_from([b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/9.9", b"x"]))
    lines = draw(st.lists(st.sampled_from(LINES) | st.binary(max_size=30), max_size=4))
    end = draw(st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"]))
    head = end.join([method + b" " + path + b" " + version, b"Host: x", *lines])
    return head + end + end + draw(st.sampled_from(BODIES) | st.binary(max_size=30))


def build_tries(sender: Sender) -> dict[str, Try]:
    """One try: the request is sent and its answer awaited, which not all of them get: some are no whole request."""
    place = urlsplit(sender.place.machine_url)
    address = (place.hostname or "", place.port or 80)

    def send(raw: bytes) -> None:
        tally, heard = sender.tally, b""
        tally.requests += 1
        try:
            with socket.create_connection(address, timeout=sender.hang_s) as connection:
                connection.sendall(raw)
                connection.settimeout(ANSWER_S)
                while len(heard) < 100_000 and (piece := connection.recv(65536)):
                    heard += piece
        except OSError:
            tally.unanswered += 1
        status = int(heard[9:12]) if heard[9:12].isdigit() else 0
        tally.statuses[status] = tally.statuses.get(status, 0) + 1
        if b"HTTP/1.1 5" in heard:
            sender.note("500", "RAW", sender.place.machine_url, {}, raw, heard.decode("latin-1"))

    tries: dict[str, tuple[st.SearchStrategy[Any], Any]] = {"bytes": (requests(), send)}
    return tries
