"""What a Redfish service links to under another host's name is asked at the service itself: no other host gets the
session's token or a password."""

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from mockupservice import ROOT, MockupService

from bootos.drivers.redfish.client import Client
from bootos.drivers.redfish.endpoint import Account, Endpoint
from bootos.drivers.redfish.failure import RedfishError
from bootos.drivers.redfish.reply import Reply
from bootos.drivers.redfish.task import wait_for_task
from bootos.masking import Hidden

ACCOUNT = Account(user="operator", password=Hidden("s3cret-Enough"))


class Elsewhere:
    """Another host; `asked` is what came to it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        elsewhere = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                elsewhere.asked.append((self.command, self.path))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_GET = do_POST = do_PATCH = do_DELETE = answer

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    other = Elsewhere()
    yield other
    other.close()


class LeadingService(MockupService):
    """`redirects`: status and host of what is said to those who ask for systems; `host` is where sessions are."""

    redirects: tuple[int, str] | None = None
    host = ""
    suffix = ""  # of the path that is redirected to
    own_sessions = ""  # where sessions are whatever the root says

    def __init__(self, tree: dict[str, dict[str, Any]], user: str, password: str) -> None:
        self.heard: list[tuple[str, str]] = []
        super().__init__(tree, user, password)

    @property
    def sessions(self) -> str:
        return self.own_sessions or super().sessions

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        self.heard.append((method, path))
        follows = bool(self.suffix) and path.endswith(self.suffix)
        if self.redirects is not None and path.startswith(f"{ROOT}/Systems") and not follows:
            return self.redirects[0], {}, {"Location": f"http://{self.redirects[1]}{path}{self.suffix}"}
        status, said, headers = super().answer(method, path, body)
        if "X-Auth-Token" in headers and self.host:
            headers["Location"] = f"http://{self.host}{path}/9"
        return status, said, headers


@pytest.fixture
def service() -> Iterator[LeadingService]:
    sessions = {"@odata.id": f"{ROOT}/SessionService/Sessions"}
    tree: dict[str, dict[str, Any]] = {
        ROOT: {
            "Id": "RootService",
            "@odata.id": ROOT,
            "Links": {"Sessions": sessions},
            "Systems": {"@odata.id": f"{ROOT}/Systems"},
        },
        f"{ROOT}/Systems": {"Members": [{"@odata.id": f"{ROOT}/Systems/1"}]},
        f"{ROOT}/Systems/1": {"@odata.id": f"{ROOT}/Systems/1", "Id": "1"},
    }
    service = LeadingService(tree, ACCOUNT.user, ACCOUNT.password.password)
    yield service
    service.close()


def build_client(service: MockupService) -> Client:
    return Client(Endpoint(url=service.url, reason="test"), ACCOUNT, timeout_s=10)


def put_first(service: MockupService, address: str) -> None:
    service.tree[f"{ROOT}/Systems"]["Members"].insert(0, {"@odata.id": address})


@pytest.mark.parametrize(
    "link", ["http://{}/redfish/v1/Systems/2", "//{}/redfish/v1/Systems/2", "https://{}/x"]
)
def test_a_link_to_elsewhere_that_the_service_has_not_takes_away_only_itself(
    link: str, service: MockupService, elsewhere: Elsewhere
) -> None:
    address = link.format(elsewhere.host)
    put_first(service, address)
    with build_client(service) as client:
        assert [body["Id"] for body in client.get_members(f"{ROOT}/Systems")] == ["1"]
        assert client.unread == [f"{address}: the Redfish service links to it, and does not have it"]
        assert client.find(address) is None
        for method in (client.post, client.patch):
            with pytest.raises(RedfishError) as raised:
                method(address, {}, what="reset")
            assert raised.value.status == 404
    assert elsewhere.asked == []


@pytest.mark.parametrize("link", ["ftp://{}/x", "http://[{}/x", "mailto:{}", "http://:80/x"])
def test_what_is_no_address_of_a_service_is_not_asked_and_named(
    link: str, service: MockupService, elsewhere: Elsewhere
) -> None:
    address = link.format(elsewhere.host)
    put_first(service, address)
    with build_client(service) as client:
        assert [body["Id"] for body in client.get_members(f"{ROOT}/Systems")] == ["1"]
        (said,) = client.unread
        assert address in said
        assert client.find(address) is None
        for method in (client.post, client.patch):
            with pytest.raises(RedfishError, match="no address of a service"):
                method(address, {}, what="reset")
    assert elsewhere.asked == []


def test_a_resource_under_another_name_of_the_bmc_is_read_at_the_machines_own_address(
    service: MockupService, elsewhere: Elsewhere
) -> None:
    service.tree[f"{ROOT}/Systems"]["Members"] = [{"@odata.id": f"https://{elsewhere.host}{ROOT}/Systems/1"}]
    with build_client(service) as client:
        assert [body["Id"] for body in client.get_members(f"{ROOT}/Systems")] == ["1"]
        assert client.unread == []
    assert elsewhere.asked == []


def test_a_member_under_two_names_of_the_bmc_is_one(service: MockupService, elsewhere: Elsewhere) -> None:
    put_first(service, f"http://{elsewhere.host}{ROOT}/Systems/1")
    put_first(service, f"{service.url}{ROOT}/Systems/1")
    with build_client(service) as client:
        assert [body["Id"] for body in client.get_members(f"{ROOT}/Systems")] == ["1"]


def test_its_own_address_written_out_is_no_other(service: MockupService) -> None:
    service.tree[f"{ROOT}/Systems"]["Members"] = [{"@odata.id": f"{service.url}{ROOT}/Systems/1"}]
    with build_client(service) as client:
        assert [body["Id"] for body in client.get_members(f"{ROOT}/Systems")] == ["1"]
        assert client.unread == []


def test_an_action_and_a_task_under_another_name_are_asked_at_home(
    service: MockupService, elsewhere: Elsewhere
) -> None:
    target = f"{ROOT}/Systems/1/Actions/ComputerSystem.Reset"
    task = f"{ROOT}/TaskService/Tasks/1"
    service.tree[f"{ROOT}/Systems/1"]["Actions"] = {"#ComputerSystem.Reset": {"target": target}}
    service.tree[task] = {"@odata.id": task, "TaskState": "Completed"}
    with build_client(service) as client:
        client.post(f"https://{elsewhere.host}{target}", {}, what="reset")
        reply = Reply(status=202, location=f"https://{elsewhere.host}{task}")
        assert wait_for_task(client, reply, what="reset", deadline_s=10) is False
    assert service.done == [("POST", target)]
    assert task in service.read
    assert elsewhere.asked == []


def test_the_password_is_posted_to_nobody_else(service: LeadingService, elsewhere: Elsewhere) -> None:
    at = service.tree[ROOT]["Links"]["Sessions"]
    at["@odata.id"] = f"http://{elsewhere.host}{at['@odata.id']}"
    service.own_sessions = f"{ROOT}/SessionService/Sessions"
    with build_client(service) as client:
        assert client.get(f"{ROOT}/Systems/1").body["Id"] == "1"
    assert elsewhere.asked == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_nobody_is_redirected_elsewhere(status: int, service: LeadingService, elsewhere: Elsewhere) -> None:
    service.redirects = (status, elsewhere.host)
    with build_client(service) as client:
        with pytest.raises(RedfishError, match=f"another host.*{elsewhere.host}"):
            client.get(f"{ROOT}/Systems/1")
        with pytest.raises(RedfishError, match=f"another host.*{elsewhere.host}"):
            client.post(f"{ROOT}/Systems/1", {}, what="reset")
        assert list(client.get_members(f"{ROOT}/Systems")) == []
        assert len(client.unread) == 1
    assert elsewhere.asked == []


def test_a_redirection_to_another_path_under_another_name_is_followed_at_home(
    service: LeadingService, elsewhere: Elsewhere
) -> None:
    service.redirects, service.suffix = (307, elsewhere.host), "/here"
    service.tree[f"{ROOT}/Systems/1/here"] = {"Id": "here"}
    with build_client(service) as client:
        assert client.get(f"{ROOT}/Systems/1").body["Id"] == "here"
    assert elsewhere.asked == []


def test_a_session_that_is_elsewhere_is_closed_at_home(service: LeadingService, elsewhere: Elsewhere) -> None:
    service.host = elsewhere.host
    with build_client(service) as client:
        assert client.get(f"{ROOT}/Systems/1").body["Id"] == "1"
    assert ("DELETE", f"{ROOT}/SessionService/Sessions/9") in service.heard
    assert elsewhere.asked == []
