import hashlib
import http.server
import logging
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootos.agent.hooks import run_hook

FILES: dict[str, bytes] = {}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = FILES.get(self.path)
        self.send_response(404 if content is None else 200)
        body = b'{"Error":"Resource not found"}' if content is None else content
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    FILES.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as peer:
        thread = threading.Thread(target=peer.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{peer.server_address[1]}"
        peer.shutdown()
        thread.join()


@pytest.mark.parametrize("head", ["#!/bin/sh\n", "#!/usr/bin/env bash\n", ""])
def test_runs_a_script_with_its_environment_and_logs_its_output(
    server: str, tmp_path: Path, head: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    FILES["/pre.sh"] = (head + 'echo "serial is $SN"; exit 3\n').encode()
    result = run_hook("PRE", f"{server}/pre.sh", tmp_path, {"SN": "X1"})
    assert result.exit_code == 3
    assert "PRE | serial is X1" in caplog.messages


def test_runs_a_binary_that_is_named_like_a_script(server: str, tmp_path: Path) -> None:
    binary = shutil.which("true")
    assert binary
    FILES["/post.py"] = Path(binary).read_bytes()
    assert run_hook("POST", f"{server}/post.py", tmp_path, {}).exit_code == 0


def test_refuses_a_binary_for_another_architecture(server: str, tmp_path: Path) -> None:
    FILES["/post"] = b"\x7fELF" + bytes(14) + (0x15).to_bytes(2, "little") + bytes(60)
    result = run_hook("POST", f"{server}/post", tmp_path, {})
    assert result.exit_code is None
    assert "ELF machine 0x15" in result.message


def test_never_runs_an_error_page(server: str, tmp_path: Path) -> None:
    result = run_hook("PRE", f"{server}/gone.sh", tmp_path, {})
    assert result.exit_code is None
    assert "404" in result.message


def test_an_empty_file_is_an_error(server: str, tmp_path: Path) -> None:
    FILES["/empty"] = b""
    assert "empty" in run_hook("PRE", f"{server}/empty", tmp_path, {}).message


def test_a_checksum_on_the_url_is_enforced(server: str, tmp_path: Path) -> None:
    FILES["/pre.sh"] = b"#!/bin/sh\ntrue\n"
    right = hashlib.sha256(FILES["/pre.sh"]).hexdigest()
    assert run_hook("PRE", f"{server}/pre.sh#sha256={right}", tmp_path, {}).exit_code == 0
    wrong = run_hook("PRE", f"{server}/pre.sh#sha256={'0' * 64}", tmp_path, {})
    assert wrong.exit_code is None
    assert "not run" in wrong.message
