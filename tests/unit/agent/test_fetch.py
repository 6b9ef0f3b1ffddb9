import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from certificate import Authority
from peer import Peer

from bootos.fetch import FetchError, fetch_file

CONTENT = b"firmware" * 100_000
SHA = hashlib.sha256(CONTENT).hexdigest()
ANSWERS: list[str] = []  # of the next requests: whole, cut, trouble


class Handler(http.server.BaseHTTPRequestHandler):
    disable_nagle_algorithm = True  # head and body are two writes: the second would wait for an ACK

    def do_GET(self) -> None:
        answer = ANSWERS.pop(0) if ANSWERS else "whole"
        self.send_response({"trouble": 503, "gone": 404}.get(answer, 200))
        if answer != "endless":
            self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: len(CONTENT) // 2] if answer == "cut" else CONTENT)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    ANSWERS.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as peer:
        threading.Thread(target=peer.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{peer.server_port}/bios.bin"
        peer.shutdown()


def fetch(url: str, directory: Path, **more: Any) -> Path:
    path = directory / "firmware" / "bios.bin"
    arguments = {"sha256": SHA, "most_bytes": 2**20, "timeout_s": 20.0, "pauses_s": (0.0, 0.0), **more}
    fetch_file(url, path, **arguments)
    return path


def test_a_file_is_there_only_when_it_is_the_right_one(server: str, tmp_path: Path) -> None:
    assert fetch(server, tmp_path, sha256=SHA.upper(), size_bytes=len(CONTENT)).read_bytes() == CONTENT
    with pytest.raises(FetchError, match=f"has sha256 {SHA}, but {'0' * 64} is asked for"):
        fetch(server, tmp_path, sha256="0" * 64)
    assert list((tmp_path / "firmware").iterdir()) == []


def test_a_download_that_was_cut_off_begins_again_and_leaves_nothing_behind(
    server: str, tmp_path: Path
) -> None:
    ANSWERS[:] = ["cut", "trouble", "whole"]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    ANSWERS[:] = ["cut", "cut", "cut"]
    with pytest.raises(FetchError, match="cannot be fetched"):
        fetch(server, tmp_path)
    assert list((tmp_path / "firmware").iterdir()) == []
    ANSWERS[:] = ["gone", "whole"]
    with pytest.raises(FetchError, match="404"):
        fetch(server, tmp_path)
    assert ANSWERS == ["whole"]


def test_another_size_and_one_that_has_no_room_are_refused_before_anything_is_stored(
    server: str, tmp_path: Path
) -> None:
    with pytest.raises(FetchError, match=f"has {len(CONTENT)} bytes, but 7 are asked for"):
        fetch(server, tmp_path, size_bytes=7)
    with pytest.raises(FetchError, match="free") as raised:
        fetch(server, tmp_path, size_bytes=2**60)
    assert "memory" in raised.value.hint
    ANSWERS[:] = ["endless"]
    with pytest.raises(FetchError, match="larger than 1000 bytes"):
        fetch(server, tmp_path, most_bytes=1000)
    assert list((tmp_path / "firmware").iterdir()) == []


def test_a_local_file_is_checked_alike(tmp_path: Path) -> None:
    (tmp_path / "a b.bin").write_bytes(CONTENT)
    assert fetch(f"file://{tmp_path}/a%20b.bin", tmp_path).read_bytes() == CONTENT
    with pytest.raises(FetchError, match="cannot be read"):
        fetch(f"file://{tmp_path}/none.bin", tmp_path)


def test_a_password_in_the_url_is_not_said(server: str, tmp_path: Path) -> None:
    url = server.replace("http://", "http://ops:geheim@")
    with pytest.raises(FetchError) as raised:
        fetch(url, tmp_path, sha256="0" * 64)
    assert "geheim" not in str(raised.value)


def test_a_server_whose_certificate_is_not_trusted_is_not_asked_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    peer = Peer(Authority().write(tmp_path / "server"))
    try:
        with pytest.raises(FetchError, match="certificate is not trusted") as caught:
            fetch_file(
                f"{peer.url}/bios.bin", tmp_path / "bios.bin", sha256=SHA, most_bytes=10, timeout_s=10.0
            )
    finally:
        peer.close()
    assert "clock" in caught.value.hint
    assert "tried again" not in caplog.text
