"""A Redfish service over a tree of resources that a real one showed (`golden/drivers/redfish.trees`): path -> resource.

It gives out sessions for one account, notes what it is asked to change, and changes nothing unless `keeps`.
"""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from carrying import apply, plan

from bootos.drivers.contract import Action, Driver, Machine
from bootos.engine.plan import JobPlan
from bootos.wire.inventory import Bmc, Inventory, System

TREES = Path(__file__).parents[1] / "golden/drivers/redfish.trees"
ACCESS = {"user": "operator", "password": {"secret": "oob-admin"}}
SECRETS = {"oob-admin": "s3cret-Enough", "oob-ops": "an0ther-One"}
SESSIONS = "/redfish/v1/SessionService/Sessions"


class TreeService:
    """`tree` by lower-case path without a slash at the end; `changes` is (method, path, body) of what was asked."""

    def __init__(self, tree: dict[str, Any], url: str) -> None:
        self.tree = {path.rstrip("/").lower(): body for path, body in tree.items()}
        self.url = url
        self.changes: list[tuple[str, str, Any]] = []
        self.keeps = False
        self.failures: dict[str, tuple[int, bytes]] = {}  # path -> status and body of what cannot be read
        self.machine = Machine()
        self.inventory = Inventory(collected_at="2024-01-01T00:00:00Z", bmc=Bmc())

    def set_vendor(self, vendor: str) -> None:
        self.inventory.system = System(vendor=vendor)

    def find(self, path: str) -> Any:
        return self.tree.get(path.partition("?")[0].rstrip("/").lower())

    def fail(self, path: str, status: int, said: str = "") -> None:
        """Answer so where the resource is read; with 200 it is no JSON."""
        error = {"error": {"@Message.ExtendedInfo": [{"Message": said}]}}
        self.failures[path.lower()] = (status, b"<html>" if status == 200 else json.dumps(error).encode())

    def change(self, method: str, path: str, body: Any) -> bool:
        """Whether there is such a resource."""
        self.changes.append((method, path, body))
        found = self.find(path)
        if found is not None and method == "PATCH" and self.keeps:
            _merge(found, body)
        return found is not None

    def build(self, document: dict[str, Any]) -> dict[str, Any]:
        """The document, with the way to the service in it."""
        oob = document.get("oob", {})
        return {"name": "t", **document, "oob": {**oob, "redfish": {"address": self.url, **ACCESS}}}

    def plan(self, driver: Driver, document: dict[str, Any]) -> JobPlan:
        return plan(self.build(document), self.machine, self.inventory, SECRETS, drivers=[driver])

    def apply(self, driver: Driver, document: dict[str, Any]) -> list[Action]:
        return apply(self.build(document), self.machine, self.inventory, SECRETS, drivers=[driver])

    def read(self, driver: Any, document: dict[str, Any]) -> Any:
        """What the driver reads for this template."""
        from bootos.template.check import read_template

        machine = Machine()
        machine.template, machine.secrets = read_template(self.build(document))[0], SECRETS
        return driver.read(machine, self.inventory)


def _merge(found: dict[str, Any], body: dict[str, Any]) -> None:
    for key, value in body.items():
        if isinstance(value, dict) and isinstance(found.get(key), dict):
            _merge(found[key], value)
        else:
            found[key] = value


class _Handler(http.server.BaseHTTPRequestHandler):
    service: TreeService

    def do_GET(self) -> None:
        self._read_body()
        failure = self.service.failures.get(self.path.rstrip("/").lower())
        if failure is not None:
            self._send(*failure)
            return
        found = self.service.find(self.path)
        if found is None and self.path.rstrip("/").endswith(("/SessionService", SESSIONS)):
            found = {"Sessions": {"@odata.id": SESSIONS}, "Members": []}
        self._answer(200 if found is not None else 404, found)

    def do_POST(self) -> None:
        body = self._read_body()
        if self.path.rstrip("/").endswith("/Sessions"):
            path = f"{SESSIONS}/1"
            self._answer(201, {"@odata.id": path}, {"X-Auth-Token": "token", "Location": path})
            return
        self._answer(201 if self.service.change("POST", self.path, body) else 404, None)

    def do_PATCH(self) -> None:
        done = self.service.change("PATCH", self.path, self._read_body())
        self._answer(200 if done else 404, self.service.find(self.path))

    def do_DELETE(self) -> None:
        self._read_body()
        self._answer(200, None)

    def _read_body(self) -> Any:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return json.loads(raw) if raw else None

    def _answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self._send(status, b"" if body is None else json.dumps(body).encode(), headers)

    def _send(self, status: int, raw: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Connection": "close",
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serve_tree(name: str) -> Iterator[TreeService]:
    """Serve a golden of `redfish.trees` on the loopback."""

    class Handler(_Handler):
        pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    Handler.service = TreeService(json.loads((TREES / f"{name}.json").read_text()), url)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Handler.service
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
