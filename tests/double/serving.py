"""A real server in a thread, the clients that tests drive it with, and the fixtures that the folders of tests import.

Making a server costs more than most tests do, so all tests of a process share one; each finds it empty, as after its
first start.
"""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest
import urllib3
from sqlalchemy import select, text

from bootos.server.app import open_context, prepare
from bootos.server.command.site import Site, read_address_file
from bootos.server.context import Context
from bootos.server.limit import Limits
from bootos.server.plane import MACHINE_PATHS
from bootos.server.serve import Server, listen
from bootos.server.settings import Settings
from bootos.server.store.table import Base, Machine
from bootos.waiting import wait_for

INVENTORY: dict[str, Any] = {
    "collected_at": "2026-01-01T00:00:00Z",
    "system": {"vendor": "QEMU", "product": "Standard PC (Q35)", "serial": "SN001"},
    "nics": [
        {"name": "eth0", "mac": "52:54:00:00:00:02", "addresses": ["10.0.2.15/24"], "is_pxe": True},
        {"name": "eth1", "mac": "52:54:00:00:00:01"},
    ],
}


class Answer(msgspec.Struct):
    status: int
    data: Any
    headers: dict[str, str]


class Running:
    """A server that runs, and calls to it."""

    def __init__(self, context: Context, url: str, operator_url: str, tls_url: str = "") -> None:
        self.context = context
        self.url = url
        self.operator_url = operator_url
        self.tls_url = tls_url
        self.data = context.settings.data
        self.pxe_directory = context.settings.pxe_directory
        self.site = read_address_file(self.data) or Site(url=operator_url)
        tls = self.site.build_tls()
        self._pool = urllib3.PoolManager(retries=False, timeout=30, maxsize=40, ssl_context=tls)

    def find_side(self, path: str) -> str:
        """The address of the side that has a path."""
        return self.url if path.startswith(MACHINE_PATHS) else self.operator_url

    def find(self, path: str) -> str:
        """The URL of a path."""
        return self.find_side(path) + path

    def request(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        return self.request_at(self.find_side(path), method, path, body, headers)

    def request_at(
        self, url: str, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Any:
        """A request to one side, whatever the path."""
        raw = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
        return self._pool.request(method, url + path, body=raw, headers=headers or {}, redirect=False)

    def open(self, path: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        """An answer that is read while it comes."""
        return self._pool.request("GET", self.find(path), headers=headers, preload_content=False)

    def call(self, method: str, path: str, body: Any = None, token: str = "") -> Answer:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        response = self.request(method, path, body, headers)
        is_json = response.headers.get("content-type", "").startswith("application/json") and response.data
        data = msgspec.json.decode(response.data) if is_json else response.data.decode()
        return Answer(response.status, data, dict(response.headers))

    def operate(self, method: str, path: str, body: Any = None) -> Any:
        """An operator's call that must succeed."""
        answer = self.call(method, "/api/operator" + path, body, self.context.operator_token)
        assert answer.status < 300, answer
        return answer.data

    def refuse(self, method: str, path: str, body: Any = None) -> Answer:
        """An operator's call that must be refused."""
        answer = self.call(method, "/api/operator" + path, body, self.context.operator_token)
        assert answer.status >= 400, answer
        return answer

    def put_template(self, name: str = "t", text: str = "") -> None:
        self.operate("PUT", f"/templates/{name}", {"text": text or f"name: {name}\n", "format": "yaml"})

    def create_job(self, machine: str = "SN001", template: str = "t", **more: Any) -> Any:
        return self.operate("POST", "/jobs", {"machine": machine, "template": template, **more})

    def job(self, number: int) -> Any:
        return self.operate("GET", f"/jobs/{number}")

    def close(self) -> None:
        """Give the connections back."""
        self._pool.clear()

    def empty(self) -> None:
        """Forget everything that a test did. Polls that it left open are sent home first."""
        context = self.context
        with context.store.write() as session:
            machines = list(session.scalars(select(Machine.id)))
            for table in reversed(Base.metadata.sorted_tables):
                session.execute(table.delete())
            if context.store.engine.dialect.name == "sqlite":
                session.execute(text("DELETE FROM sqlite_sequence"))
            session.touch("machines", "jobs", *(f"machine:{number}" for number in machines))
        for path in context.settings.images.iterdir():
            shutil.rmtree(path)
        default = context.shelf.stock.default
        with context.store.read() as session:
            context.shelf.read_stock(session)
        if context.shelf.stock.default != default:
            context.tree.follow_shelf()
        context.health.clear()
        context.registrations.clear()
        context.new_registrations.clear()
        wait_for(lambda: not context.presence.count_polls(), 10, what="the end of a poll", pause_s=0.005)
        for presence in (context.presence, context.legacy_presence):
            for number in machines:
                presence.forget(number)
        for directory in (context.settings.files, context.settings.boot_files, self.pxe_directory):
            for path in directory.iterdir() if directory.is_dir() else ():
                if path.is_dir():
                    shutil.rmtree(path)
                elif path.name != "default":
                    path.unlink()
        if context.settings.boot_files.is_dir():
            context.settings.boot_files.rmdir()


class Agent:
    """A v2 agent of one boot, as a test drives it."""

    def __init__(self, server: Running, sn: str = "SN001", boot_id: str = "boot-1", **more: Any) -> None:
        self.server = server
        self.boot_id = boot_id
        self.registration = {
            "sn": sn,
            "boot_id": boot_id,
            "agent_version": "test",
            "developer": True,
            "inventory": INVENTORY,
            **more,
        }
        self.session = ""
        self.number = 0

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        return self.server.call(method, "/api/v2/agent" + path, body, self.session)

    def register(self) -> Answer:
        answer = self.server.call("POST", "/api/v2/agent/register", self.registration)
        if answer.status == 200:
            self.session = answer.data["session"]
        return answer

    def order(self, wait_s: float = 0) -> Any:
        answer = self.call("GET", f"/order?wait_s={wait_s}")
        assert answer.status in (200, 204), answer
        return answer.data if answer.status == 200 else None

    def report(self, job_id: Any = None, **more: Any) -> Answer:
        self.number = more.pop("number", self.number + 1)
        body = {"number": self.number, "boot_id": self.boot_id, "job_id": job_id and str(job_id), **more}
        return self.call("POST", "/report", body)

    def upload_mac(self, job_id: Any, mac: str = "52:54:00:00:00:02") -> Answer:
        return self.call("POST", "/mac", {"job_id": str(job_id), "mac": mac})


class Stop(Protocol):
    """Ends a server. Raises AssertionError when it has not ended at the deadline."""

    def __call__(self, deadline_s: float = 15) -> None: ...


def run_in_thread(settings: Settings) -> tuple[Running, Stop]:
    settings, listeners = listen(settings)
    context = open_context(settings)
    prepare(context)
    server = Server(context, listeners)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()

    def stop(deadline_s: float = 15) -> None:
        server.handle_exit(15, None)
        thread.join(deadline_s)
        assert not thread.is_alive(), "the server did not end"

    urls = {(listener.side, listener.is_tls): listener.url for listener in listeners}
    tls_url = urls.get(("machines", True), "")
    return Running(context, urls["machines", False], urls["operators", True], tls_url), stop


TRUSTING: dict[str, Any] = {"enrol": "open", "legacy": "open", "plain_secrets": True}
DEFAULTS = {
    name: field.default for field in msgspec.structs.fields(Settings) if (name := field.name) in TRUSTING
}
# All tests have one address.
ROOMY = Limits(registrations_per_address=10**6, registrations_per_minute=10**6)


def build_settings(root: Path, **more: Any) -> Settings:
    """Of a server for tests of something else than who is a machine: every one is taken for what it says."""
    given = {"limits": ROOMY, **TRUSTING, **more}
    return Settings(data=root / "data", port=0, boot_files=root / "image", tftp=False, **given)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return build_settings(tmp_path)


SHARED = pytest.StashKey[dict[str, Running]]()


def share_server(
    request: pytest.FixtureRequest, factory: pytest.TempPathFactory, name: str, **more: Any
) -> Running:
    """The server of this name in this process, whichever folders ask for it; it ends with the run."""
    shared = request.config.stash.setdefault(SHARED, {})
    if name not in shared:
        shared[name], stop = run_in_thread(build_settings(factory.mktemp(name), **more))
        request.config.add_cleanup(stop)
    return shared[name]


@pytest.fixture(scope="session")
def shared_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Running:
    return share_server(request, tmp_path_factory, "server")


@pytest.fixture
def server(shared_server: Running) -> Iterator[Running]:
    yield shared_server
    shared_server.empty()


@pytest.fixture
def default_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """A server that was told nothing of whom to trust: it does as `bootos serve` does without options."""
    server = share_server(request, tmp_path_factory, "default", **DEFAULTS)
    yield server
    server.empty()


@pytest.fixture
def confirming_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """As `default_server`, which sends secrets over any connection to whom it has confirmed."""
    server = share_server(request, tmp_path_factory, "confirming", **{**DEFAULTS, "plain_secrets": True})
    yield server
    server.empty()


@pytest.fixture
def agent(server: Running) -> Agent:
    agent = Agent(server)
    assert agent.register().status == 200
    return agent
