"""Requests that two programs may read differently: nothing that one of them hides in another is answered, and nobody
tells the server what its own name is."""

import pytest
from rawhttp import exchange
from serving import Agent, Running

from bootos.wire import cloudboot_v1 as v1

HIDDEN = b"GET /bootos/hidden HTTP/1.1\r\nHost: hidden\r\nConnection: close\r\n\r\n"
POST = f"POST {v1.PREFIX}/report/deviceMacInfo HTTP/1.1\r\nHost: server\r\n".encode()
GET = b"GET /api/v2/agent/ HTTP/1.1\r\nHost: server\r\n"
LENGTH = len(HIDDEN)
LAST_CHUNK = b"0\r\n\r\n" + HIDDEN

AMBIGUOUS = {
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % LENGTH + HIDDEN,
    "two lengths in one line": POST + b"Content-Length: 0, %d\r\n\r\n" % LENGTH + HIDDEN,
    "a length with a sign": POST + b"Content-Length: +0\r\n\r\n" + HIDDEN,
    "a negative length": POST + b"Content-Length: -1\r\n\r\n" + HIDDEN,
    "a length in hexadecimal": POST + b"Content-Length: 0x0\r\n\r\n" + HIDDEN,
    "a length with an underscore": POST + b"Content-Length: 0_0\r\n\r\n" + HIDDEN,
    "a length in other digits": POST + "Content-Length: ٠\r\n\r\n".encode() + HIDDEN,
    "a coding that is none": POST + b"Transfer-Encoding: xchunked\r\n\r\n" + LAST_CHUNK,
    "no coding": POST + b"Transfer-Encoding: identity\r\n\r\n" + LAST_CHUNK,
    "two codings": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + LAST_CHUNK,
    "a coding before the chunks": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + LAST_CHUNK,
    "a coding after a control character": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + LAST_CHUNK,
    "a space before the colon of the coding": POST
    + b"Transfer-Encoding : chunked\r\nContent-Length: %d\r\n\r\n" % len(LAST_CHUNK)
    + LAST_CHUNK,
    "a space before the colon of the length": POST + b"Content-Length : %d\r\n\r\n" % LENGTH + HIDDEN,
    "a line end of another kind": POST + b"X: a\rContent-Length: %d\r\n\r\n" % LENGTH + HIDDEN,
    "a NUL": POST + b"X: a\0b\r\nContent-Length: 0\r\n\r\n" + HIDDEN,
    "a line end in a chunk's extension": POST
    + b"Transfer-Encoding: chunked\r\n\r\n1;a\nb\r\nx\r\n0\r\n\r\n"
    + HIDDEN,
    "a negative chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + HIDDEN,
    "a chunk of 0x0": POST + b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" + HIDDEN,
    "two hosts": GET + b"Host: other\r\n\r\n" + HIDDEN,
    "no host": b"GET /api/v2/agent/ HTTP/1.1\r\n\r\n" + HIDDEN,
    "two spaces": b"GET  /api/v2/agent/ HTTP/1.1\r\nHost: server\r\n\r\n" + HIDDEN,
    "tabs": b"GET\t/api/v2/agent/\tHTTP/1.1\r\nHost: server\r\n\r\n" + HIDDEN,
}
"""Each could be one request or two, by who reads it (RFC 9112, section 11.2)."""


@pytest.mark.parametrize("kind", AMBIGUOUS)
def test_a_request_that_can_be_read_in_two_ways_is_refused_and_nothing_after_it_is_read(
    server: Running, kind: str
) -> None:
    heard = exchange(server.url, AMBIGUOUS[kind])
    assert heard.closed
    assert heard.statuses == [400], heard.text


TWICE_MEASURED = {
    "length, then coding": b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % len(LAST_CHUNK),
    "coding, then length": b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n",
    "a coding in a folded line": b"Transfer-Encoding:\r\n chunked\r\nContent-Length: %d\r\n\r\n"
    % len(LAST_CHUNK),
}


@pytest.mark.parametrize("kind", TWICE_MEASURED)
def test_a_request_with_a_length_and_a_coding_is_the_last_of_its_connection(
    server: Running, kind: str
) -> None:
    """One end is the server's, the other one may be a proxy's: what lies between them is nobody's request."""
    heard = exchange(server.url, POST + TWICE_MEASURED[kind] + LAST_CHUNK)
    assert heard.closed
    assert len(heard.statuses) == 1, heard.text


def test_what_the_length_counts_is_a_body_and_no_request(server: Running) -> None:
    for head in (POST, GET):
        heard = exchange(
            server.url, head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % LENGTH + HIDDEN
        )
        assert heard.statuses == [200], heard.text


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:1", "server@evil.example", '"><b>', "../..", "*"]
)
def test_what_a_request_calls_the_server_comes_back_nowhere(server: Running, host: str) -> None:
    """No link, no redirect and no boot file is made of it: what machines are told is a setting."""
    assert Agent(server).register().status == 200
    paths = [
        "/",
        "/login",
        "/machines/id:1",
        "/nothing",
        "/schema/openapi.json",
        "/api/v2/agent/",
        "/api/operator/status",
        "/bootos/nothing",
        f"{v1.PREFIX}/device/getNetworkBySn?sn=SN001",
    ]
    named = (
        "X-Forwarded-Host: evil.example\r\nForwarded: host=evil.example\r\nX-Original-URL: /evil.example\r\n"
    )
    for path in paths:
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{named}Accept: text/html\r\nConnection: close\r\n\r\n"
        )
        heard = exchange(server.find_side(path), request.encode())
        assert heard.statuses[0] in (200, 303, 400, 401, 403, 404), heard.text
        assert "evil.example" not in heard.text
        assert host == "*" or host not in heard.text.replace("../../", "")


@pytest.mark.parametrize(
    "target", ["http://evil.example/api/v2/agent/", "//evil.example/", "evil.example:443", "*"]
)
def test_a_target_of_another_server_is_not_looked_for(server: Running, target: str) -> None:
    """Neither as a proxy nor by a redirect there."""
    for method in ("GET", "CONNECT", "OPTIONS"):
        request = f"{method} {target} HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n"
        heard = exchange(server.url, request.encode())
        assert len(heard.statuses) == 1
        assert heard.statuses[0] < 300 or heard.statuses[0] >= 400
        assert "evil.example" not in heard.text
