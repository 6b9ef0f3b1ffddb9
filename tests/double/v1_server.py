"""A Cloudboot v1 server on a socket, as existing ones behave: always HTTP 200, and no other protocol.

It keeps what it was sent, has the states of the original's device table, and can be told to misbehave.
"""

import base64
import contextlib
import http.server
import json
import threading
from typing import Any

PREFIX = "/api/osinstall/v1/"

OK = {"Status": "success", "Message": "操作成功", "Content": {"Result": "true"}}


def encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class V1Server:
    """`faults` maps a path to what is answered before the ordinary answers, one per call: an HTTP status, raw bytes,
    an envelope, `hang` (the connection stays open and silent) or `trickle` (an answer that never ends)."""

    def __init__(self, port: int = 0) -> None:
        self.state: str | None = None  # None: not enrolled
        self.verified = "true"
        self.skip = "false"
        self.hardware: Any = []
        self.faults: dict[str, list[Any]] = {}
        self.files: dict[str, bytes] = {}
        self.greeting: bytes | None = None  # the answer to every other GET
        self.calls: list[str] = []
        self.bodies: dict[str, list[Any]] = {}
        self.raw: list[bytes] = []
        self.reports: list[tuple[float, str, str]] = []
        self.macs: list[str] = []
        self.changed = threading.Condition()
        self._closing = threading.Event()
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            # head and body are two writes, and with Nagle's algorithm the second waits for an ACK
            disable_nagle_algorithm = True
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                found = peer.files.get(self.path, peer.greeting)
                self.reply(*((200, found) if found else (404, b'{"Error":"Resource not found"}')))

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                if not self.path.startswith(PREFIX):
                    self.reply(404, b'{"Error":"Resource not found"}')
                    return
                path = self.path.removeprefix(PREFIX)
                with peer.changed:
                    fault = peer.faults[path].pop(0) if peer.faults.get(path) else None
                    answer = peer.serve(path, raw) if fault is None else fault
                    peer.calls.append(path)
                    peer.changed.notify_all()
                if answer == "hang":
                    peer._closing.wait(30)
                    self.close_connection = True
                elif answer == "trickle":
                    self.send_response(200)
                    self.send_header("Content-Length", "1000000")
                    self.end_headers()
                    with contextlib.suppress(OSError):
                        while not peer._closing.wait(0.02):
                            self.wfile.write(b" ")
                    self.close_connection = True
                elif isinstance(answer, int):
                    self.reply(answer, b'{"Error":"runtime error: goroutine 1 [running]"}')
                elif isinstance(answer, bytes):
                    self.reply(200, answer)
                else:
                    self.reply(200, json.dumps(answer, indent=2, sort_keys=True).encode())

            def reply(self, status: int, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def titles(self) -> list[str]:
        return [title for _, title, _ in self.reports]

    @property
    def failures(self) -> list[str]:
        """The logs of the reports that said -1."""
        return [f"{title}: {text}" for progress, title, text in self.reports if progress == -1]

    def queue(self) -> None:
        """The operator enrols the machine, or has it installed again."""
        with self.changed:
            self.state = "pre_install"

    def wait_for_report(self, title: str, count: int = 1, *, deadline_s: float = 20.0) -> str:
        """Until a report with this title came `count` times; returns its log."""
        self.wait(lambda: self.titles.count(title) >= count, title, deadline_s)
        return [text for _, found, text in self.reports if found == title][-1]

    def wait_for_calls(self, path: str, count: int = 1) -> None:
        self.wait(lambda: self.calls.count(path) >= count, path)

    def wait(self, condition: Any, what: str, timeout_s: float = 20.0) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, timeout_s), f"{what} did not come: {self.reports}"

    def serve(self, path: str, raw: bytes) -> Any:
        body = json.loads(raw)
        self.bodies.setdefault(path, []).append(body)
        queued = self.state in ("pre_install", "installing")
        if path == "report/deviceProductInfo":
            self.raw.append(raw)
            return {"Status": "success", "Message": "操作成功"}
        if path == "device/isInInstallList":
            return {"Status": "success", "Message": "-", "Content": {"Result": "true" if queued else "false"}}
        if path == "device/getPrepareInstallInfo":
            content = {"IsVerify": self.verified, "IsSkipHardwareConfig": self.skip}
            return {"Status": "success", "Message": "操作成功", "Content": content}
        if path == "device/getHardwareBySn":
            content = {"Company": "Dell", "Product": "", "ModelName": "-", "Hardware": self.hardware}
            return {"Status": "success", "Message": "成功获取hardware信息", "Content": content}
        if path == "report/deviceMacInfo":
            self.macs.append(body["Mac"])
            return OK
        assert path == "report/deviceInstallInfo", path
        if not queued:
            return {"Status": "error", "Message": "该设备不在安装列表里!", "Content": ""}
        progress = body["InstallProgress"]
        self.state = "failure" if progress == -1 else "installing"
        self.reports.append((progress, body["Title"], base64.b64decode(body["InstallLog"]).decode()))
        return OK

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
