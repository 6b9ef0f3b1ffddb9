"""A Redfish service of nothing but a tree of resources, as a mockup is: log-ins, PATCH of properties that are there,
new accounts, actions that the tree names. It is as strict as it can be without knowing schemas.
"""

import base64
import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

Tree = dict[str, dict[str, Any]]

ROOT = "/redfish/v1"
TOKEN = "0123456789abcdef"


class MockupService:
    """Serves `tree` (paths without a slash at the end) on the loopback. `done` are the requests that changed something
    but log-ins, `read` the paths that were read, `refused` the requests that were answered with an error. Passwords are
    kept beside the tree."""

    def __init__(self, tree: Mapping[str, Mapping[str, Any]], user: str, password: str) -> None:
        self.tree: Tree = json.loads(json.dumps(tree))
        self.passwords = {user: password}
        self.gives_tokens = True
        self.allows: dict[str, str] = {}  # the `Allow` header of a path
        self.takes_logins = True
        self.done: list[tuple[str, str]] = []
        self.refused: list[tuple[str, str, int]] = []
        self.read: set[str] = set()
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are two writes: the second would wait for an ACK
            timeout = 30

            def handle_request(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                data = self.rfile.read(length)
                path = self.path.partition("?")[0].rstrip("/")
                is_json = "json" in self.headers.get("Content-Type", "")
                body = json.loads(data) if data and is_json else {}
                if not service.may(self.command, path, dict(self.headers)):
                    status, answer, headers = service.refuse_login()
                else:
                    status, answer, headers = service.answer(self.command, path, body)
                if status >= 400:
                    service.refused.append((self.command, path, status))
                elif self.command == "GET":
                    service.read.add(path)
                elif service.sessions not in path or not service.sessions:
                    service.done.append((self.command, path))
                said = json.dumps(answer).encode() if status != 204 else b""
                self.send_response_only(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                # without this header the other side may send its next request into a closed connection
                if self.close_connection:
                    self.send_header("Connection", "close")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_POST = do_PATCH = do_DELETE = handle_request

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def sessions(self) -> str:
        """The collection of sessions; empty: the service has none."""
        links: Any = self.tree.get(ROOT, {}).get("Links", {}).get("Sessions", {})
        return str(links.get("@odata.id", "")).rstrip("/")

    def may(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        """Whether a request is open to everybody, or of a session, or of somebody with a password."""
        if path in ("/redfish", ROOT) or (method, path) == ("POST", self.sessions):
            return True
        basic = headers.get("Authorization", "").removeprefix("Basic ")
        user, _, password = base64.b64decode(basic).decode().partition(":")
        return headers.get("X-Auth-Token") == TOKEN or (bool(user) and self.passwords.get(user) == password)

    def refuse_login(self) -> tuple[int, Any, dict[str, str]]:
        return 401, _refuse("NoValidSession", "log in"), {}

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        """Status, body, headers."""
        if method == "POST" and path == self.sessions and not self.takes_logins:
            return 405, _refuse("OperationNotAllowed", path), {}
        if method == "POST" and self.sessions and path == self.sessions:
            if self.passwords.get(str(body.get("UserName"))) != body.get("Password"):
                return self.refuse_login()
            token = {"X-Auth-Token": TOKEN} if self.gives_tokens else {}
            return 201, {"@odata.id": f"{path}/9"}, {"Location": f"{path}/9", **token}
        if method == "DELETE":
            return 204, {}, {}
        if method == "POST":
            return self._post(path, body)
        found = self.tree.get(path)
        if found is None:
            return 404, _refuse("ResourceMissingAtURI", path), {}
        if method == "PATCH":
            return self._patch(path, found, body)
        return 200, found, {"Allow": self.allows[path]} if path in self.allows else {}

    def _patch(
        self, path: str, found: dict[str, Any], body: dict[str, Any]
    ) -> tuple[int, Any, dict[str, str]]:
        wanted = {key: value for key, value in body.items() if "@" not in key}
        unknown = _find_unknown(wanted, found)
        if unknown or not wanted:
            return 400, _refuse("PropertyUnknown", ", ".join(unknown)), {}
        if "Password" in wanted:
            self.passwords[str(wanted.get("UserName") or found["UserName"])] = wanted.pop("Password")
        owner = next((other for other in self.tree.values() if _find_settings(other) == path), None)
        for resource in (found,) if owner is None else (found, owner):  # settings take effect at once
            _change(resource, wanted)
        return 200, found, {}

    def _post(self, path: str, body: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        if any(path == target for target in self._find_targets()):
            return 204, {}, {}
        collection = self.tree.get(path)
        if collection is None:
            return 404, _refuse("ResourceMissingAtURI", path), {}
        if "AccountService" not in path or "Members" not in collection:
            return 405, _refuse("OperationNotAllowed", path), {}
        new = f"{path}/new{len(collection['Members'])}"
        made = {"@odata.id": new, "Id": new.rpartition("/")[2], "Enabled": True, **body}
        self.passwords[str(body["UserName"])] = made.pop("Password")
        self.tree[new] = made
        collection["Members"].append({"@odata.id": new})
        return 201, made, {"Location": new}

    def _find_targets(self) -> Iterator[str]:
        for resource in self.tree.values():
            actions = resource.get("Actions")
            for action in actions.values() if isinstance(actions, dict) else ():
                if isinstance(action, dict) and "target" in action:
                    yield str(action["target"]).rstrip("/")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@contextmanager
def serve_mockup(
    tree: Mapping[str, Mapping[str, Any]], user: str = "admin", password: str = "s3cret-Enough"
) -> Iterator[MockupService]:
    service = MockupService(tree, user, password)
    try:
        yield service
    finally:
        service.close()


def _find_settings(resource: Mapping[str, Any]) -> str:
    settings: Any = resource.get("@Redfish.Settings", {})
    return str(settings.get("SettingsObject", {}).get("@odata.id", "")).rstrip("/")


def _change(resource: dict[str, Any], wanted: Mapping[str, Any]) -> None:
    for key, value in wanted.items():
        old = resource.get(key)
        resource[key] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
    if wanted.get("IPv4StaticAddresses"):
        first = wanted["IPv4StaticAddresses"][0]
        resource["IPv4Addresses"] = [{**first, "AddressOrigin": "Static"}]


def _find_unknown(wanted: Mapping[str, Any], found: Mapping[str, Any], at: str = "") -> list[str]:
    """Properties that the resource does not have, inner ones too."""
    unknown = []
    for key, value in wanted.items():
        if key == "Password" and not at:
            continue
        if key not in found:
            unknown.append(f"{at}{key}")
        elif isinstance(value, dict) and isinstance(found[key], dict):
            unknown += _find_unknown(value, found[key], f"{at}{key}/")
    return unknown


def _refuse(key: str, what: str) -> dict[str, Any]:
    info = [{"MessageId": f"Base.1.8.{key}", "Message": f"{key}: {what}", "Severity": "Critical"}]
    return {"error": {"code": f"Base.1.8.{key}", "message": key, "@Message.ExtendedInfo": info}}
