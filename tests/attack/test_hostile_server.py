"""A server that answers without end, or a byte now and then, holds no agent and fills no memory of a machine."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bootos.agent.cloudboot import client as cloudboot
from bootos.agent.session import client as session
from bootos.fetch import FetchError, fetch_file

DRIP_S = 0.05
DEADLINE_S = 0.5
DRIPS = 400  # after which the server has enough of it, and who still listens hears of a broken connection
PIECES = 2000  # of 64 KiB, the same
SIZES = ("Content-Length: 200000000", "Transfer-Encoding: chunked")


class Dripping(socketserver.BaseRequestHandler):
    """Answers with a body of one byte at a time, until its client has gone."""

    size = SIZES[0]
    ended = threading.Event()

    def handle(self) -> None:
        self.request.recv(65536)
        try:
            self.request.sendall(f"HTTP/1.1 200 OK\r\n{self.size}\r\n\r\n".encode())
            piece = b"1\r\n \r\n" if "chunked" in self.size else b" "
            for _ in range(DRIPS):
                if self.ended.wait(DRIP_S):
                    return
                self.request.sendall(piece)
        except OSError:
            pass


class Flooding(Dripping):
    """Answers as fast as it is read."""

    def handle(self) -> None:
        self.request.recv(65536)
        try:
            self.request.sendall(f"HTTP/1.1 200 OK\r\n{self.size}\r\n\r\n".encode())
            piece = b"10000\r\n" + b" " * 65536 + b"\r\n" if "chunked" in self.size else b" " * 65536
            for _ in range(PIECES):
                self.request.sendall(piece)
        except OSError:
            pass


@contextmanager
def run(handler: type[Dripping], size: str) -> Iterator[str]:
    ended = threading.Event()
    made = type("Made", (handler,), {"size": size, "ended": ended})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), made) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            ended.set()
            server.shutdown()
            thread.join(10)


@pytest.mark.parametrize("size", SIZES)
def test_an_answer_a_byte_at_a_time_ends_at_the_deadline(size: str) -> None:
    with run(Dripping, size) as url, pytest.raises(session.Unreachable, match="does not come to an end"):
        session.Client(url).greet(DEADLINE_S)


@pytest.mark.parametrize("size", SIZES)
def test_an_answer_without_end_is_read_as_far_as_an_answer_goes(size: str) -> None:
    with run(Flooding, size) as url, pytest.raises(session.Unreachable, match="does not come to an end"):
        session.Client(url).greet(30.0)


@pytest.mark.parametrize("handler", [Dripping, Flooding])
def test_a_server_of_cloudboot_v1_is_listened_to_no_longer(handler: type[Dripping]) -> None:
    with run(handler, SIZES[0]) as url, pytest.raises(cloudboot.NoAnswer, match="does not come to an end"):
        cloudboot.V1Client(url, timeout_s=DEADLINE_S).probe("SN001")


@pytest.mark.parametrize("size", SIZES)
def test_a_file_a_byte_at_a_time_is_given_up_at_the_deadline(tmp_path: Path, size: str) -> None:
    with run(Dripping, size) as url, pytest.raises(FetchError, match=f"not fetched within {DEADLINE_S:g} s"):
        fetch_file(
            f"{url}/file",
            tmp_path / "file",
            sha256="0" * 64,
            most_bytes=2**20,
            timeout_s=DEADLINE_S,
            pauses_s=(),
        )
    assert not list(tmp_path.iterdir())
