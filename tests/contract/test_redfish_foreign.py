"""What a Redfish service links to elsewhere is not asked: no other host gets the session's token or a password."""

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from mockupservice import ROOT, MockupService

from bootos.drivers.redfish.client import Client
from bootos.drivers.redfish.endpoint import Account, Endpoint
from bootos.drivers.redfish.failure import RedfishError
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

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        if self.redirects is not None and path.startswith(f"{ROOT}/Systems"):
            return self.redirects[0], {}, {"Location": f"http://{self.redirects[1]}{path}"}
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


@pytest.mark.parametrize(
    "link",
    [
        "http://{}/redfish/v1/Systems/2",
        "//{}/redfish/v1/Systems/2",
        "https://{}/x",
        "ftp://{}/x",
        "http://[{}/x",
        "\\\\{}/x",
    ],
)
def test_a_link_to_elsewhere_takes_away_only_itself(
    link: str, service: MockupService, elsewhere: Elsewhere
) -> None:
    address = link.format(elsewhere.host)
    service.tree[f"{ROOT}/Systems"]["Members"].insert(0, {"@odata.id": address})
    with build_client(service) as client:
        assert [body["Id"] for body in client.get_members(f"{ROOT}/Systems")] == ["1"]
        (said,) = client.unread
        assert elsewhere.host in said.replace("%5C", "\\")
        if "\\" not in link:
            assert client.find(address) is None
            for method in (client.post, client.patch):
                with pytest.raises(RedfishError, match="another host"):
                    method(address, {}, what="reset")
    assert elsewhere.asked == []


def test_its_own_address_written_out_is_no_other(service: MockupService) -> None:
    service.tree[f"{ROOT}/Systems"]["Members"] = [{"@odata.id": f"{service.url}{ROOT}/Systems/1"}]
    with build_client(service) as client:
        assert [body["Id"] for body in client.get_members(f"{ROOT}/Systems")] == ["1"]
        assert client.unread == []


def test_the_password_is_posted_to_nobody_else(service: MockupService, elsewhere: Elsewhere) -> None:
    service.tree[ROOT]["Links"]["Sessions"]["@odata.id"] = f"http://{elsewhere.host}/sessions"
    with pytest.raises(RedfishError, match=f"another host.*{elsewhere.host}"), build_client(service):
        pass
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


def test_a_session_that_is_elsewhere_is_not_closed_there(
    service: LeadingService, elsewhere: Elsewhere
) -> None:
    service.host = elsewhere.host
    with build_client(service) as client:
        assert client.get(f"{ROOT}/Systems/1").body["Id"] == "1"
    assert elsewhere.asked == []
