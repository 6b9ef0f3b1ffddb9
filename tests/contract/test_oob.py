from typing import Any

import carrying
import pytest
from bmcmachine import BmcMachine
from handclock import StillClock

from bootos.drivers.contract import Action
from bootos.drivers.oob.ipmi import IpmiDriver
from bootos.engine.plan import JobPlan
from bootos.wire.inventory import Bmc, Inventory

INVENTORY = Inventory(collected_at="2024-01-01T00:00:00Z", bmc=Bmc())
SECRETS = {"oob-ops": 'it\'s "#1" \\o/'}


def build_driver() -> IpmiDriver:
    clock = StillClock()
    return IpmiDriver(clock=clock)


def build(**oob: Any) -> dict[str, Any]:
    return {"name": "t", "oob": oob}


def plan(driver: IpmiDriver, bmc: BmcMachine, template: dict[str, Any], **secrets: str) -> JobPlan:
    return carrying.plan(template, bmc.machine, INVENTORY, SECRETS | secrets, drivers=[driver])


def apply(driver: IpmiDriver, bmc: BmcMachine, template: dict[str, Any], **secrets: str) -> list[Action]:
    return carrying.apply(template, bmc.machine, INVENTORY, SECRETS | secrets, drivers=[driver])


STATIC = {"source": "static", "address": "10.0.8.21/24", "gateway": "10.0.8.1"}
OPS = {"name": "ops", "password": {"secret": "oob-ops"}}


def test_address_and_administrator_are_set_and_then_nothing_is_planned() -> None:
    bmc = BmcMachine()
    template = build(network=STATIC, users=[OPS])
    done = apply(build_driver(), bmc, template)
    assert [action.id for action in done] == ["oob.ipmi:lan", "oob.ipmi:user:ops"]
    assert bmc.lan == {
        "source": "static",
        "ipaddr": "10.0.8.21",
        "netmask": "255.255.255.0",
        "gateway": "10.0.8.1",
    }
    user = bmc.users[3]
    assert (user.name, user.privilege, user.enabled, user.messaging) == ("ops", 4, True, True)
    assert user.password.rstrip(b"\0").decode() == SECRETS["oob-ops"]
    assert plan(build_driver(), bmc, template).actions == []


def test_no_password_is_in_a_command_line_a_plan_or_a_note() -> None:
    bmc, driver = BmcMachine(), build_driver()
    template = build(users=[OPS, {"name": "plain", "password": "open-sesame"}])
    shown = repr([part.planned for part in plan(driver, bmc, template).drivers])
    assert "BMC user plain" in shown
    apply(driver, bmc, template)
    for secret in (SECRETS["oob-ops"], "open-sesame", b"open-sesame".hex(" ")):
        assert secret not in shown
        assert secret not in repr(bmc.calls)
    assert "0x6f 0x70 0x65 0x6e" not in repr(bmc.calls)


def test_an_existing_user_keeps_its_slot_and_gets_the_new_password() -> None:
    bmc, driver = BmcMachine(), build_driver()
    apply(driver, bmc, build(users=[OPS]))
    done = apply(driver, bmc, build(users=[OPS]), **{"oob-ops": "another one"})
    assert [(change.what, change.before) for change in done[0].changes] == [
        ("BMC user ops password", "another one")
    ]
    assert bmc.users[3].password.rstrip(b"\0") == b"another one"


def test_a_password_of_more_than_16_bytes_is_stored_as_20() -> None:
    bmc = BmcMachine()
    apply(build_driver(), bmc, build(users=[{"name": "ops", "password": "seventeen bytes!!"}]))
    assert len(bmc.users[3].password) == 20


def test_a_bmc_that_confirms_any_password_gets_it_set_once_in_a_job() -> None:
    bmc, driver = BmcMachine(confirms=False), build_driver()
    apply(driver, bmc, build(users=[OPS]))
    planned = plan(build_driver(), bmc, build(users=[OPS]))
    assert [change.before for change in planned.actions[0].changes] == [
        "unknown: this BMC cannot confirm one"
    ]


@pytest.mark.parametrize(
    ("role", "privilege"), [("administrator", 4), ("operator", 3), ("user", 2), ("none", 15)]
)
def test_roles_are_privilege_limits(role: str, privilege: int) -> None:
    bmc = BmcMachine()
    apply(build_driver(), bmc, build(users=[OPS | {"role": role}]))
    assert bmc.users[3].privilege == privilege


def test_a_user_can_be_disabled_without_a_password() -> None:
    bmc = BmcMachine()
    done = apply(build_driver(), bmc, build(users=[{"name": "ADMIN", "enabled": False}]))
    assert [(c.before, c.after) for c in done[0].changes] == [("enabled", "disabled")]
    assert bmc.users[2].password.startswith(b"ADMIN")


def test_dhcp_leaves_the_address_alone_and_a_vlan_can_be_taken_away() -> None:
    bmc, driver = BmcMachine(), build_driver()
    apply(driver, bmc, build(network=STATIC | {"vlan": 12}))
    assert bmc.vlan == "12"
    apply(driver, bmc, build(network={"source": "dhcp", "vlan": 0}))
    assert (bmc.lan["source"], bmc.vlan) == ("dhcp", "Disabled")


def test_a_cold_reset_comes_last_only_after_a_change_and_waits_for_the_bmc() -> None:
    bmc, driver = BmcMachine(), build_driver()
    template = build(network=STATIC, reset=True)
    done = apply(driver, bmc, template)
    assert [action.id for action in done] == ["oob.ipmi:lan", "oob.ipmi:reset"]
    assert (bmc.resets, bmc.deaf) == (1, 0)


def test_mistakes_that_only_the_machine_shows_come_together() -> None:
    bmc = BmcMachine(slots=3)
    users = [
        {"name": "ops", "password": {"secret": "missing"}},
        {"name": "new"},
        {"name": "ghost", "password": {"secret": "long"}},
    ]
    found = plan(build_driver(), bmc, build(users=users), long="x" * 21)
    assert [(problem.path, problem.message) for problem in found.problems] == [
        ("oob.users[0].password", "the secret 'missing' has no value"),
        ("oob.users[1]", "there is no free slot for 'new': all of the BMC's users are named"),
        ("oob.users[2].password", "is longer than 20 bytes, the most that IPMI can hold"),
        ("oob.users[2]", "there is no free slot for 'ghost': all of the BMC's users are named"),
    ]


def test_a_new_user_needs_a_password() -> None:
    found = plan(build_driver(), BmcMachine(), build(users=[{"name": "new"}]))
    assert [problem.path for problem in found.problems] == ["oob.users[0].password"]


@pytest.mark.parametrize(
    ("lan", "network"),
    [
        ({"source": "static"}, None),  # the state of a new BMC: a template may not ask for 0.0.0.0
        ({"source": "dhcp"}, {"source": "dhcp"}),
        (
            {"source": "static", "ipaddr": "10.0.8.21", "netmask": "255.255.255.0", "gateway": "10.0.8.1"},
            STATIC,
        ),
    ],
)
def test_what_is_exported_may_stand_in_a_template(
    lan: dict[str, str], network: dict[str, str] | None
) -> None:
    bmc, driver = BmcMachine(), build_driver()
    bmc.lan |= lan
    exported = driver.export(driver.read(bmc.machine, INVENTORY))["oob"]
    assert exported.get("network") == network
    planned = plan(driver, bmc, build(**exported), **{"oob-ADMIN": "ADMIN"})
    assert (planned.problems, planned.actions) == ([], [])
