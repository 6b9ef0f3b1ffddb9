"""A server that answers with what yesterday's answered, and takes only what yesterday's could decode."""

import http.server
import json
import threading
from collections import deque
from typing import Any

import msgspec
from recording import REQUESTS, Call

from bootos.wire import v2

V1 = "/api/osinstall/v1/"


class OldServer:
    """Each kind of call gets the recorded answers in their order, the last one again and again.

    A receipt is the recorded one with the numbers of the report that it is for; with `cancelling` it is the one that
    asked the agent to stop. `said` are the calls with their decoded bodies, `wrong` what yesterday's server would
    have refused.
    """

    def __init__(self, calls: list[Call]) -> None:
        self.said: list[tuple[str, Any]] = []
        self.wrong: list[str] = []
        self.cancelling = False
        self._answers: dict[str, deque[Call]] = {}
        self._receipts: dict[bool, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._log_next = 0
        for call in calls:
            if call.who == "agent":
                self._answers.setdefault(call.place, deque()).append(call)
                if call.place.endswith("/report"):
                    receipt = call.read_answer()
                    self._receipts.setdefault(receipt["cancel"], receipt)
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, content, kind = server.answer(self.path, body)
                self.send_response(status)
                if kind:
                    self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """An agent that was killed in the middle of a call; there is nobody to tell."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def count(self, place: str) -> int:
        """How many calls there were of this kind."""
        return sum(path == place for path, _ in list(self.said))

    def reports(self) -> list[Any]:
        """The reports so far, as yesterday's server reads them."""
        return [said for path, said in list(self.said) if path == f"{v2.PREFIX}/report"]

    def answer(self, path: str, body: bytes) -> tuple[int, bytes, str]:
        """Status, body and content type of the answer to one call."""
        place = path.partition("?")[0]
        said = self._read(place, body)
        with self._lock:
            self.said.append((place, said))
            if said is not None and place.endswith("/report") and place.startswith(v2.PREFIX):
                return 200, json.dumps(self._make_receipt(said)).encode(), "application/json"
            answers = self._answers.get(place)
            if not answers:
                self.wrong.append(f"{path}: yesterday's agent did not call it")
                return 404, b'{"error": "not found"}', "application/json"
            is_last = len(answers) == 1
            call = answers[0] if is_last else answers.popleft()
            if place.endswith("/order") and is_last:
                if call.status == 200:  # an order is given out once, and after the last one there is none
                    self._answers[place] = deque([msgspec.structs.replace(call, status=204, answer="")])
                else:
                    is_last = False
            waits = place.endswith("/order") and call.status == 204 and not is_last
        if waits:
            self._ended.wait(0.2)
        return call.status, call.answer.encode(), call.content_type

    def _read(self, place: str, body: bytes) -> Any:
        """The body as yesterday's server decodes it; plain values of v1."""
        if place.startswith(v2.PREFIX):
            model = REQUESTS.get(place.removeprefix(v2.PREFIX))
            try:
                return msgspec.json.decode(body, type=model) if model is not None else None
            except msgspec.ValidationError as error:
                self.wrong.append(f"{place}: {error}")
                return None
        return json.loads(body) if body else None

    def _make_receipt(self, said: Any) -> dict[str, Any]:
        for line in said.log:
            self._log_next = max(self._log_next, line.n + 1)
        receipt = self._receipts[self.cancelling]
        return {**receipt, "number": said.number, "log_next": self._log_next}
