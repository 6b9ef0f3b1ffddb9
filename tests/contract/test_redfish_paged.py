"""Collections of a Redfish service that come in pages, or without end."""

from collections.abc import Iterator
from typing import Any

import pytest
from redfishtree import SECRETS, TreeService, serve_tree

from bootos.drivers.oob.redfish import RedfishDriver
from bootos.drivers.redfish.client import MOST_MEMBERS, MOST_PAGES, MOST_UNREAD, Client
from bootos.drivers.redfish.endpoint import Account, Endpoint
from bootos.drivers.redfish.reply import read_links
from bootos.masking import Hidden

ACCOUNTS = "/redfish/v1/AccountService/Accounts"
NEXT = "Members@odata.nextLink"


@pytest.fixture
def service() -> Iterator[TreeService]:
    with serve_tree("cisco-c240-m5") as service:
        yield service


def open_client(service: TreeService) -> Client:
    account = Account(user="operator", password=Hidden(SECRETS["oob-admin"]))
    return Client(Endpoint(url=service.url, reason="test"), account, timeout_s=10)


def put(service: TreeService, path: str, body: dict[str, Any]) -> None:
    service.tree[path.lower()] = body


def list_members(client: Client, path: str) -> list[str]:
    found = client.look(path)
    return read_links(found.body["Members"]) if found is not None else []


def move_accounts(service: TreeService) -> None:
    """All accounts are on the second page."""
    first = service.find(ACCOUNTS)
    put(service, f"{ACCOUNTS}/page2", {"Members": first["Members"]})
    first.update({"Members": [], NEXT: f"{ACCOUNTS}/page2"})


def test_an_account_on_the_second_page_is_there(service: TreeService) -> None:
    move_accounts(service)
    admin = {"name": "admin", "password": {"secret": "oob-admin"}}
    planned = service.plan(RedfishDriver(), {"oob": {"users": [admin]}})
    assert (planned.problems, planned.actions) == ([], [])


def test_no_account_is_made_while_a_page_of_them_cannot_be_read(service: TreeService) -> None:
    move_accounts(service)
    service.fail(f"{ACCOUNTS}/page2", 500, "broken")
    admin = {"name": "admin", "password": {"secret": "oob-admin"}}
    planned = service.plan(RedfishDriver(), {"oob": {"users": [admin]}})
    assert planned.problems
    assert planned.actions == []


def test_pages_that_lead_in_a_circle_are_read_once(service: TreeService) -> None:
    put(service, "/x", {"Members": [{"@odata.id": "/a"}], NEXT: "/y"})
    put(service, "/y", {"Members": [{"@odata.id": "/b"}, {"@odata.id": "/a"}], NEXT: "/x"})
    with open_client(service) as client:
        assert list_members(client, "/x") == ["/a", "/b"]
        assert client.unread == []


def test_pages_without_end_have_an_end_that_is_told(service: TreeService) -> None:
    for number in range(MOST_PAGES + 9):
        put(service, f"/p{number}", {"Members": [{"@odata.id": f"/m{number}"}], NEXT: f"/p{number + 1}"})
    with open_client(service) as client:
        assert len(list_members(client, "/p0")) == MOST_PAGES + 1
        assert len(client.unread) == 1


def test_members_and_notes_without_end_have_an_end_that_is_told(service: TreeService) -> None:
    put(service, "/x", {"Members": [{"@odata.id": f"/m{number}"} for number in range(3 * MOST_MEMBERS)]})
    with open_client(service) as client:
        members = list_members(client, "/x")
        assert len(members) == MOST_MEMBERS + 1
        assert client.look(members[-1]) is None
        assert len(client.unread) == 1
        for link in members[: 2 * MOST_UNREAD]:
            client.look(link)
        assert len(client.unread) == MOST_UNREAD + 1
