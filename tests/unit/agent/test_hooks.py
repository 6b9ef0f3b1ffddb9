import base64
import hashlib
import http.server
import logging
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from bootos.agent.hook.file import HookError
from bootos.agent.hook.hook import fetch_hook, run_hook
from bootos.fetch import mask_url

FILES: dict[str, bytes] = {}
STATUS: list[int] = []  # of the next answers, before the ordinary one
HEADERS: list[dict[str, str]] = []


class Handler(http.server.BaseHTTPRequestHandler):
    disable_nagle_algorithm = True  # head and body are two writes: the second would wait for an ACK

    def do_GET(self) -> None:
        content = FILES.get(self.path)
        HEADERS.append({key.lower(): value for key, value in self.headers.items()})
        self.send_response(STATUS.pop(0) if STATUS else 404 if content is None else 200)
        body = b'{"Error":"Resource not found"}' if content is None else content
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    FILES.clear()
    STATUS.clear()
    HEADERS.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as peer:
        thread = threading.Thread(target=peer.serve_forever, kwargs={"poll_interval": 0.02})
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


def test_runs_a_script_in_python(server: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    FILES["/post.py"] = (
        b"#!/usr/bin/env python3\nimport os\nprint('of', os.environ['SN'])\nraise SystemExit(4)\n"
    )
    assert run_hook("POST", f"{server}/post.py", tmp_path, {"SN": "X1"}).exit_code == 4
    assert "POST | of X1" in caplog.messages


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


@pytest.mark.parametrize("fragment", ["sha256=12", "sha256=" + "g" * 64, "sha512=00", "md5", ""])
def test_a_malformed_checksum_is_never_ignored(server: str, tmp_path: Path, fragment: str) -> None:
    FILES["/pre.sh"] = b"#!/bin/sh\ntrue\n"
    result = run_hook("PRE", f"{server}/pre.sh#{fragment}", tmp_path, {})
    assert result.exit_code is None
    assert "64 hexadecimal digits" in result.message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<!DOCTYPE html><html><body>Not found", "web page"),
        (b"  <HTML>\n", "web page"),
        (b'<?xml version="1.0"?>', "web page"),
        (b'{"Error":"Resource not found"}', "JSON"),
        (b" \n\n", "white space"),
        (b"#!/opt/none/perl\nprint 1\n", "/opt/none/perl is not in the image"),
        (b"#!/usr/bin/env -S none-of-them -x\n", "none-of-them is not in the image"),
        (b"#!\n", "without an interpreter"),
        (b"\x1f\x8b\x08\x00compressed", "neither a script nor an ELF binary"),
        (b"\x7fELF" + bytes(14) + (0x3E).to_bytes(2, "little"), "cut off"),
    ],
)
def test_what_cannot_be_run_is_said_and_not_run(
    server: str, tmp_path: Path, content: bytes, reason: str
) -> None:
    FILES["/hook"] = content
    result = run_hook("PRE", f"{server}/hook", tmp_path, {})
    assert result.exit_code is None
    assert reason in result.message


def test_a_binary_whose_loader_is_missing_is_said(server: str, tmp_path: Path) -> None:
    binary = Path(shutil.which("true") or "").read_bytes()
    FILES["/hook"] = binary.replace(b"/lib64/ld-linux", b"/lib64/no-linux")
    assert "/lib64/no-linux" in run_hook("PRE", f"{server}/hook", tmp_path, {}).message


def test_a_bash_group_is_no_json_and_a_script_from_windows_runs(server: str, tmp_path: Path) -> None:
    FILES["/group"] = b"{ true; }\n"
    FILES["/windows"] = b"#!/bin/sh\r\nexit 4\r\n"
    assert run_hook("PRE", f"{server}/group", tmp_path, {}).exit_code == 0
    assert run_hook("PRE", f"{server}/windows", tmp_path, {}).exit_code == 4


def test_a_server_in_trouble_is_asked_again_and_a_missing_file_is_not(server: str) -> None:
    FILES["/pre.sh"] = b"true\n"
    STATUS[:] = [503, 500]
    assert fetch_hook(f"{server}/pre.sh", urllib3.PoolManager(), pauses_s=(0, 0)) == b"true\n"
    STATUS[:] = [503, 500]
    with pytest.raises(HookError, match="HTTP status 500"):
        fetch_hook(f"{server}/pre.sh", urllib3.PoolManager(), pauses_s=(0,))
    asked = len(HEADERS)
    with pytest.raises(HookError, match="404"):
        fetch_hook(f"{server}/gone.sh", urllib3.PoolManager(), pauses_s=(0, 0))
    assert len(HEADERS) == asked + 1


def test_a_password_in_the_url_is_used_and_shown_nowhere(
    server: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    FILES["/pre.sh"] = b"echo the word is s3cret; exit 1\n"
    for path in ("pre.sh", "gone.sh"):
        url = server.replace("http://", "http://ops:s3cr%65t@") + f"/{path}"
        result = run_hook("PRE", url, tmp_path, {})
        assert "s3cr" not in f"{result}"
    assert HEADERS[0]["authorization"] == "Basic " + base64.b64encode(b"ops:s3cret").decode()
    assert "s3cr" not in caplog.text
    assert mask_url("http://ops@h/x") == "http://ops@h/x"


def test_a_hook_that_hangs_is_ended(server: str, tmp_path: Path) -> None:
    FILES["/pre.sh"] = b"#!/bin/sh\nexec tail -f /dev/null\n"
    result = run_hook("PRE", f"{server}/pre.sh", tmp_path, {}, timeout_s=0.5)
    assert result.exit_code is None
    assert "took longer than 0.5 s" in result.message


def test_a_hook_may_leave_a_program_behind(server: str, tmp_path: Path) -> None:
    FILES["/pre.sh"] = b"tail -f /dev/null & echo left $!; exit 5\n"
    result = run_hook("PRE", f"{server}/pre.sh", tmp_path, {}, timeout_s=30)
    assert result.exit_code == 5
