"""The Redfish drivers on trees of resources that real services showed (`golden/drivers/redfish.trees`)."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import pytest
from redfishtree import TreeService, serve_tree

from bootos.drivers.oob.redfish import RedfishDriver


class Serve(Protocol):
    def __call__(self, name: str, vendor: str = "") -> TreeService: ...


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as stack:

        def start(name: str, vendor: str = "") -> TreeService:
            service = stack.enter_context(serve_tree(name))
            service.set_vendor(vendor)
            return service

        yield start


def build_user(**more: Any) -> dict[str, Any]:
    return {"name": "deploy", "password": {"secret": "oob-ops"}, **more}


def test_a_service_without_accounts_is_a_problem_of_the_template(serve: Serve) -> None:
    """The account service is linked and answers 404."""
    planned = serve("no-accounts").plan(RedfishDriver(), {"oob": {"users": [build_user()]}})
    assert [(problem.path, problem.message) for problem in planned.problems] == [
        ("oob.users", "this Redfish service shows no accounts")
    ]
    assert planned.actions == []


def test_an_account_that_shows_ilos_privileges_alone_is_an_administrator_by_them(serve: Serve) -> None:
    planned = serve("ilo5-account-without-role").plan(RedfishDriver(), {"oob": {"users": [build_user()]}})
    assert (planned.problems, planned.actions) == ([], [])
    assert "BMC user 'deploy' is as wanted" in planned.notes


def test_the_role_of_such_an_account_is_changed_by_its_privileges(serve: Serve) -> None:
    service = serve("ilo5-account-without-role")
    service.keeps = True
    template = {"oob": {"users": [build_user(role="user")]}}
    service.apply(RedfishDriver(), template)
    ((method, path, body),) = service.changes
    assert (method, path) == ("PATCH", "/redfish/v1/AccountService/Accounts/1")
    assert sorted(body) == ["Oem"]
    privileges = body["Oem"]["Hpe"]["Privileges"]
    assert [name for name, has in privileges.items() if has] == ["LoginPriv"]
    assert service.plan(RedfishDriver(), template).actions == []


def test_such_an_account_cannot_be_disabled_and_that_is_said(serve: Serve) -> None:
    template = {"oob": {"users": [build_user(enabled=False)]}}
    (problem,) = serve("ilo5-account-without-role").plan(RedfishDriver(), template).problems
    assert problem.path == "oob.users[0].enabled"


def test_lenovos_power_policy_is_found_at_the_power_of_the_chassis(serve: Serve) -> None:
    service = serve("lenovo-power-restore")
    service.keeps = True
    planned = service.plan(RedfishDriver(), {"oob": {"power_policy": "last"}})
    assert (planned.problems, planned.actions) == ([], [])
    assert "the power policy is as wanted" in planned.notes
    template = {"oob": {"power_policy": "on"}}
    service.apply(RedfishDriver(), template)
    assert service.changes == [
        ("PATCH", "/redfish/v1/Chassis/1/Power", {"Oem": {"Lenovo": {"PowerRestorePolicy": "AlwaysOn"}}})
    ]
    assert service.plan(RedfishDriver(), template).actions == []
