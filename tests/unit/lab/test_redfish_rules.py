"""What the lab's Redfish service holds its clients to (DSP0266): who may do what, ETags, methods, how it says no."""

import base64
import http.client
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from redfishmachine import RedfishMachine, serve

from bootos.lab.vendor_tools.redfish import RedfishTool
from bootos.lab.vendor_tools.redfish_path import ACCOUNTS, BIOS, MANAGER, ROOT, SESSIONS, SYSTEM, UPDATE
from bootos.lab.vendor_tools.redfish_spec import RedfishSpec
from bootos.lab.vendor_tools.redfish_state import find_state, start_redfish
from bootos.lab.vendor_tools.silicon import Silicon, SiliconSpec

ADMIN = ("labadmin", "lab-initial")
READER = ("reader", "read-only-1")


class Answer(msgspec.Struct):
    """An HTTP answer. `key` is the message's in the Base registry."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def key(self) -> str:
        return str(self.body["error"]["@Message.ExtendedInfo"][0]["MessageId"]).rpartition(".")[2]


class Asker:
    """Asks a service as anybody would; `login` None: nobody."""

    def __init__(self, machine: RedfishMachine) -> None:
        self.machine = machine

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        login: tuple[str, str] | None = ADMIN,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        said = dict(headers or {})
        if login is not None:
            said["Authorization"] = "Basic " + base64.b64encode(":".join(login).encode()).decode()
        if body is not None:
            said.setdefault("Content-Type", "application/json")
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.machine.service.port, timeout=30)
        try:
            connection.request(method, path, data, said)
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        is_json = response.headers.get_content_type() == "application/json" and text
        return Answer(response.status, dict(response.headers), json.loads(text) if is_json else text)

    def log_in(self, login: tuple[str, str] = ADMIN) -> Answer:
        return self.ask("POST", SESSIONS, {"UserName": login[0], "Password": login[1]}, login=None)

    def add_reader(self, **more: object) -> str:
        account = {"UserName": READER[0], "Password": READER[1], "RoleId": "ReadOnly", **more}
        return self.ask("POST", ACCOUNTS, account).headers["Location"]


@pytest.fixture
def bmc() -> Iterator[Asker]:
    with serve(RedfishSpec(tls=False)) as machine:
        yield Asker(machine)


@pytest.mark.parametrize(
    "path", ["/redfish", "/redfish/v1", "/redfish/v1/", f"{ROOT}odata", f"{ROOT}$metadata"]
)
def test_what_leads_to_the_log_in_is_open_to_everybody(bmc: Asker, path: str) -> None:
    assert bmc.ask("GET", path, login=None).status == 200


def test_without_a_log_in_nothing_else_is_told_not_even_what_is_there(bmc: Asker) -> None:
    for path in (SYSTEM, f"{ROOT}nothing"):
        answer = bmc.ask("GET", path, login=None)
        assert (answer.status, answer.key) == (401, "NoValidSession")
        assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")


def test_an_answer_says_what_it_is_and_what_can_be_done_with_it(bmc: Asker) -> None:
    answer = bmc.ask("GET", f"{ACCOUNTS}/1")
    assert answer.headers["Allow"] == "GET, HEAD, PATCH, DELETE"
    assert answer.headers["OData-Version"] == "4.0"
    assert answer.headers["Cache-Control"] == "no-cache"
    version = answer.body["@odata.type"].split(".")[1]
    assert answer.headers["Link"].endswith(f"/ManagerAccount.{version}.json>; rel=describedby")
    assert answer.headers["ETag"] == answer.body["@odata.etag"]
    assert "lab-initial" not in json.dumps(answer.body)


def test_head_has_no_body(bmc: Asker) -> None:
    answer = bmc.ask("HEAD", SYSTEM)
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", MANAGER),
        ("DELETE", ROOT),
        ("POST", SYSTEM),
        ("PUT", SYSTEM),
        ("PATCH", BIOS),
        ("GET", f"{UPDATE}/push"),
    ],
)
def test_a_method_that_a_resource_does_not_know_is_refused_with_those_it_knows(
    bmc: Asker, method: str, path: str
) -> None:
    answer = bmc.ask(method, path, {"Name": "x"} if method != "GET" else None)
    assert (answer.status, answer.key) == (405, "OperationNotAllowed")
    assert method not in answer.headers["Allow"].split(", ")


def test_a_method_that_nobody_knows_is_refused_in_the_same_form(bmc: Asker) -> None:
    answer = bmc.ask("FROBNICATE", SYSTEM)
    assert (answer.status, answer.key) == (501, "GeneralError")
    assert "FROBNICATE" in answer.body["error"]["@Message.ExtendedInfo"][0]["Message"]


def test_a_resource_that_changed_meanwhile_is_not_overwritten(bmc: Asker) -> None:
    seen = bmc.ask("GET", SYSTEM).headers["ETag"]
    assert bmc.ask("PATCH", SYSTEM, {"AssetTag": "a"}, headers={"If-Match": seen}).status == 200
    late = bmc.ask("PATCH", SYSTEM, {"AssetTag": "b"}, headers={"If-Match": seen})
    assert (late.status, late.key) == (412, "PreconditionFailed")
    assert bmc.ask("GET", SYSTEM).body["AssetTag"] == "a"


def test_what_is_known_already_is_not_sent_again(bmc: Asker) -> None:
    seen = bmc.ask("GET", SYSTEM).headers["ETag"]
    again = bmc.ask("GET", SYSTEM, headers={"If-None-Match": seen})
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"AssetTag": "kept?", "Nonsense": 1}, "PropertyUnknown"),
        ({"AssetTag": "kept?", "SerialNumber": "X"}, "PropertyNotWritable"),
        ({"AssetTag": 7}, "PropertyValueTypeError"),
        ({"AssetTag": "kept?", "Boot": {"Nonsense": 1}}, "PropertyUnknown"),
        ({"AssetTag": "kept?", "PowerRestorePolicy": "Sometimes"}, "PropertyValueNotInList"),
        ({"@odata.id": "/elsewhere"}, "NoOperation"),
    ],
)
def test_a_change_is_made_whole_or_not_at_all(bmc: Asker, change: dict[str, Any], key: str) -> None:
    before = bmc.ask("GET", SYSTEM).body
    answer = bmc.ask("PATCH", SYSTEM, change)
    assert (answer.status, answer.key) == (400, key)
    assert bmc.ask("GET", SYSTEM).body == before


@pytest.mark.parametrize(
    ("headers", "body", "status", "key"),
    [
        ({"Content-Type": "text/plain"}, b"AssetTag: a", 415, "UnrecognizedRequestBody"),
        ({}, b"{", 400, "MalformedJSON"),
        ({}, b"[]", 400, "MalformedJSON"),
        ({"OData-Version": "4.1"}, b"{}", 412, "PreconditionFailed"),
    ],
)
def test_what_is_not_spoken_is_refused(
    bmc: Asker, headers: dict[str, str], body: bytes, status: int, key: str
) -> None:
    answer = bmc.ask("PATCH", SYSTEM, body, headers=headers)
    assert (answer.status, answer.key) == (status, key)


def test_query_parameters_of_odata_are_refused_and_others_passed_over(bmc: Asker) -> None:
    answer = bmc.ask("GET", f"{SYSTEM}?$expand=.")
    assert (answer.status, answer.key) == (501, "QueryParameterUnsupported")
    assert bmc.ask("GET", f"{SYSTEM}?rack=7").status == 200


def test_collections_count_what_comes_and_goes(bmc: Asker) -> None:
    def count(path: str) -> int:
        body = bmc.ask("GET", path).body
        assert len(body["Members"]) == body["Members@odata.count"]
        return int(body["Members@odata.count"])

    account = bmc.add_reader()
    session = bmc.log_in(READER).headers["Location"]
    assert (count(ACCOUNTS), count(SESSIONS)) == (2, 1)
    assert bmc.ask("GET", session).body["UserName"] == READER[0]
    assert bmc.ask("DELETE", account).status == 204
    assert (count(ACCOUNTS), count(SESSIONS)) == (1, 0)
    assert bmc.ask("GET", SYSTEM, login=READER).status == 401


def test_members_of_a_collection_take_a_post_too(bmc: Asker) -> None:
    account = {"UserName": "ops", "Password": "s3cret-Enough", "RoleId": "Operator"}
    assert bmc.ask("POST", f"{ACCOUNTS}/Members", account).status == 201


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", SYSTEM, {"AssetTag": "mine"}),
        ("POST", f"{MANAGER}/Actions/Manager.Reset", {"ResetType": "ForceRestart"}),
        ("GET", f"{ACCOUNTS}/1", None),
        ("PATCH", f"{ACCOUNTS}/1", {"Password": "s3cret-Enough"}),
        ("PATCH", f"{ACCOUNTS}/2", {"RoleId": "Administrator"}),
        ("DELETE", f"{ACCOUNTS}/1", None),
        ("DELETE", f"{ACCOUNTS}/2", None),
        ("POST", ACCOUNTS, {"UserName": "x", "Password": "s3cret-Enough", "RoleId": "Administrator"}),
    ],
)
def test_who_may_only_read_changes_nothing_and_sees_no_other_account(
    bmc: Asker, method: str, path: str, body: object
) -> None:
    bmc.add_reader()
    assert bmc.ask("GET", SYSTEM, login=READER).status == 200
    answer = bmc.ask(method, path, body, login=READER)
    assert (answer.status, answer.key) == (403, "InsufficientPrivilege")


def test_everybody_may_see_the_own_account_and_change_its_password(bmc: Asker) -> None:
    account = bmc.add_reader()
    assert bmc.ask("GET", account, login=READER).status == 200
    assert bmc.ask("PATCH", account, {"Password": "another-one-1"}, login=READER).status == 200
    assert bmc.log_in(READER).status == 401
    assert bmc.log_in((READER[0], "another-one-1")).status == 201


def test_an_account_links_to_the_role_it_has(bmc: Asker) -> None:
    account = bmc.add_reader()
    bmc.ask("PATCH", account, {"RoleId": "Operator"})
    shown = bmc.ask("GET", account).body
    role = bmc.ask("GET", shown["Links"]["Role"]["@odata.id"]).body
    assert (shown["RoleId"], role["RoleId"]) == ("Operator", "Operator")


def test_nobody_logs_in_to_an_account_that_is_locked(bmc: Asker) -> None:
    account = bmc.add_reader()
    bmc.ask("PATCH", account, {"Locked": True})
    assert bmc.log_in(READER).status == 401
    bmc.ask("PATCH", account, {"Locked": False})
    assert bmc.log_in(READER).status == 201


def test_an_update_that_is_pushed_in_another_form_is_refused(bmc: Asker) -> None:
    answer = bmc.ask("POST", f"{UPDATE}/push", {"UpdateFile": "x"})
    assert (answer.status, answer.key) == (415, "UnrecognizedRequestBody")


def test_a_password_that_must_be_changed_opens_nothing_else(bmc: Asker) -> None:
    account = bmc.add_reader(PasswordChangeRequired=True)
    assert bmc.log_in(READER).body["@Message.ExtendedInfo"][0]["MessageId"].endswith("PasswordChangeRequired")
    refused = bmc.ask("GET", SYSTEM, login=READER)
    assert (refused.status, refused.key) == (403, "PasswordChangeRequired")
    assert bmc.ask("PATCH", account, {"Password": "another-one-1"}, login=READER).status == 200
    assert bmc.ask("GET", SYSTEM, login=(READER[0], "another-one-1")).status == 200


def test_a_session_ends_when_it_is_deleted_and_when_nobody_uses_it(bmc: Asker) -> None:
    silicon = bmc.machine.silicon
    silicon.now = lambda: 1000.0
    tokens = [bmc.log_in().headers["X-Auth-Token"] for _ in range(2)]

    def is_open(token: str) -> bool:
        return bmc.ask("GET", SYSTEM, login=None, headers={"X-Auth-Token": token}).status == 200

    assert [is_open(token) for token in tokens] == [True, True]
    assert bmc.ask("DELETE", f"{SESSIONS}/1").status == 204
    assert [is_open(token) for token in tokens] == [False, True]
    silicon.now = lambda: 1601.0
    assert not is_open(tokens[1])
    assert bmc.ask("GET", SESSIONS).body["Members"] == []


def test_an_account_that_cannot_be_made_leaves_nothing_behind(bmc: Asker) -> None:
    account = {"UserName": "ops", "Password": "short", "RoleId": "Operator"}
    assert bmc.ask("POST", ACCOUNTS, account).key == "PropertyValueFormatError"
    assert bmc.ask("POST", ACCOUNTS, {"UserName": "ops"}).key == "CreateFailedMissingReqProperties"
    assert (
        bmc.ask("POST", ACCOUNTS, {**account, "Password": "s3cret-Enough", "UserName": "labadmin"}).status
        == 400
    )
    assert bmc.ask("GET", ACCOUNTS).body["Members@odata.count"] == 1


def test_a_service_with_slots_creates_and_deletes_no_accounts() -> None:
    with serve(RedfishSpec(tls=False, slots=4)) as machine:
        bmc = Asker(machine)
        assert bmc.ask("GET", ACCOUNTS).headers["Allow"] == "GET, HEAD"
        assert bmc.ask("DELETE", f"{ACCOUNTS}/3").status == 405


def test_every_link_of_the_tree_leads_somewhere(bmc: Asker) -> None:
    tree = bmc.machine.tree
    found: set[str] = set()

    def walk(value: object) -> None:
        if isinstance(value, dict):
            found.update([value["@odata.id"]] if "@odata.id" in value else [])
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(list(tree.values()))
    assert found <= {*tree, ROOT.rstrip("/")}
    assert len(found) > 25


def test_what_an_earlier_release_left_is_served_with_what_was_configured() -> None:
    """0.1.0 kept resources without `@odata.type`, and sessions as the names of their users."""
    silicon = Silicon(SiliconSpec(), tools=[RedfishTool()])
    start_redfish(silicon, RedfishSpec())
    state = find_state(silicon)
    for path, body in state["tree"].items():
        state["tree"][path] = {key: value for key, value in body.items() if key != "@odata.type"}
    for role in ("Administrator", "Operator", "ReadOnly"):
        del state["tree"][f"{ROOT}AccountService/Roles/{role}"]["AssignedPrivileges"]
    for key in ("jobs", "on_reset", "slots"):
        del state[key]
    account = {"@odata.id": f"{ACCOUNTS}/2", "Id": "2", "Name": "User Account", "UserName": "ops"}
    state["tree"][f"{ACCOUNTS}/2"] = {**account, "RoleId": "Operator", "Enabled": True, "Locked": False}
    state["passwords"][f"{ACCOUNTS}/2"] = "s3cret-Enough"
    state["tree"][SYSTEM]["PowerRestorePolicy"] = "AlwaysOn"
    state["sessions"] = {"0123": "labadmin"}
    start_redfish(silicon, RedfishSpec())
    tree = find_state(silicon)["tree"]
    assert tree[SYSTEM]["PowerRestorePolicy"] == "AlwaysOn"
    assert tree[ACCOUNTS]["Members@odata.count"] == 2

    def ask(**files: bytes) -> int:
        return RedfishTool().run(silicon, ["GET", SYSTEM], files, program="redfish").code

    assert ask(basic=b"ops:s3cret-Enough") == 0
    assert ask(basic=b"labadmin:lab-initial") == 0
    assert ask(token=b"0123") == 401
