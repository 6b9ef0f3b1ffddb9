"""`oob.redfish` against a lab machine's Redfish service: real HTTP and TLS on the loopback."""

import logging
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from handclock import StillClock
from redfishmachine import RedfishMachine, serve

from bootos.drivers.contract import DriverError, Forecast
from bootos.drivers.oob.redfish import RedfishDriver
from bootos.drivers.oob.redfishstate import State
from bootos.engine.watcher import StepFailed
from bootos.lab.vendor_tools.redfish_path import ACCOUNTS, MANAGER, ROOT, SYSTEM
from bootos.lab.vendor_tools.redfish_spec import RedfishSpec
from bootos.wire.inventory import System

STATIC = {"source": "static", "address": "10.0.8.21/24", "gateway": "10.0.8.1", "vlan": 7}
OPS = {"name": "ops", "role": "operator", "password": {"secret": "oob-ops"}}
ETH0 = f"{MANAGER}/EthernetInterfaces/eth0"


@pytest.fixture
def bmc() -> Iterator[RedfishMachine]:
    with serve() as machine:
        yield machine


@pytest.fixture
def slots() -> Iterator[RedfishMachine]:
    with serve(RedfishSpec(slots=4)) as machine:
        yield machine


def build_driver(timeout_s: float = 20.0) -> RedfishDriver:
    clock = StillClock(pace=10)
    return RedfishDriver(timeout_s=timeout_s, clock=clock)


def test_everything_is_set_and_then_nothing_is_planned(bmc: RedfishMachine) -> None:
    template = bmc.build(
        {
            "oob": {
                "network": STATIC,
                "users": [OPS],
                "power_policy": "on",
                "boot_device": "pxe",
                "boot_order": ["*pxe*"],
            }
        }
    )
    bmc.apply(build_driver(), template)
    eth0, system = bmc.tree[ETH0], bmc.tree[SYSTEM]
    assert eth0["IPv4Addresses"][0]["Address"] == "10.0.8.21"
    assert eth0["VLAN"] == {"VLANEnable": True, "VLANId": 7}
    assert bmc.tree[f"{ACCOUNTS}/2"]["UserName"] == "ops"
    assert bmc.tree[f"{ACCOUNTS}/2"]["RoleId"] == "Operator"
    assert bmc.state["passwords"][f"{ACCOUNTS}/2"] == "s3cret-Enough"
    assert system["PowerRestorePolicy"] == "AlwaysOn"
    assert (system["Boot"]["BootSourceOverrideTarget"], system["Boot"]["BootSourceOverrideEnabled"]) == (
        "Pxe",
        "Continuous",
    )
    assert system["Boot"]["BootOrder"] == ["Boot0002", "Boot0001", "Boot0003"]


@pytest.mark.parametrize("strange", [None, 7, {"@odata.id": "/x"}, ["Boot0004"]])
def test_a_boot_order_with_entries_that_are_no_names_is_not_changed(
    bmc: RedfishMachine, strange: Any
) -> None:
    order = bmc.tree[SYSTEM]["Boot"]["BootOrder"]
    before = [*order, strange]
    bmc.tree[SYSTEM]["Boot"]["BootOrder"] = before
    template = bmc.build({"oob": {"boot_order": ["*pxe*"], "power_policy": "on"}})
    (problem,) = bmc.plan(build_driver(), template).problems
    assert (problem.path, "entries that are no names" in problem.message) == ("oob.boot_order", True)
    bmc.apply(build_driver(), bmc.build({"oob": {"power_policy": "on"}}))
    assert bmc.tree[SYSTEM]["Boot"]["BootOrder"] == before


def test_no_session_is_left_open(bmc: RedfishMachine) -> None:
    bmc.apply(build_driver(), bmc.build({"oob": {"power_policy": "off"}}))
    assert not [path for path in bmc.tree if path.startswith(f"{ROOT}SessionService/Sessions/")]


def test_dhcp_is_asked_for(bmc: RedfishMachine) -> None:
    bmc.apply(build_driver(), bmc.build({"oob": {"network": STATIC}}))
    bmc.apply(build_driver(), bmc.build({"oob": {"network": {"source": "dhcp", "vlan": 0}}}))
    assert bmc.tree[ETH0]["DHCPv4"] == {"DHCPEnabled": True}
    assert bmc.tree[ETH0]["VLAN"]["VLANEnable"] is False


def test_with_fixed_slots_a_free_one_is_named_and_the_first_never(slots: RedfishMachine) -> None:
    template = slots.build({"oob": {"users": [OPS, {**OPS, "name": "guest", "role": "user"}]}})
    slots.apply(build_driver(), template)
    names = [slots.tree[f"{ACCOUNTS}/{number}"]["UserName"] for number in range(1, 5)]
    assert names == ["", "labadmin", "ops", "guest"]
    full = slots.build({"oob": {"users": [OPS, {**OPS, "name": "third"}]}})
    assert "no free slot" in str(slots.plan(build_driver(), full).problems)


def test_a_wrong_password_is_found_by_logging_on_and_asked_for_once(bmc: RedfishMachine) -> None:
    driver, template = build_driver(), bmc.build({"oob": {"users": [OPS]}})
    bmc.apply(driver, template)
    bmc.state["passwords"][f"{ACCOUNTS}/2"] = "somebody-else"
    before = len(bmc.silicon.calls)
    planned = bmc.plan(driver, template)
    assert [change.what for change in planned.actions[0].changes] == ["BMC user ops password"]
    logins = sum(
        call == ("redfish", "POST", f"{ROOT}SessionService/Sessions") for call in bmc.silicon.calls[before:]
    )
    bmc.plan(driver, template)
    again = sum(
        call == ("redfish", "POST", f"{ROOT}SessionService/Sessions") for call in bmc.silicon.calls[before:]
    )
    assert (logins, again) == (2, 3)  # the driver's account logs on twice, the user's once
    bmc.apply(driver, template)


def test_the_password_of_the_account_it_is_logged_on_with_can_be_changed(bmc: RedfishMachine) -> None:
    users = [{"name": "labadmin", "password": {"secret": "oob-ops"}}]
    template = bmc.build({"oob": {"users": users}})
    bmc.apply(build_driver(), template)
    assert bmc.state["passwords"][f"{ACCOUNTS}/1"] == "s3cret-Enough"


def test_other_users_are_disabled_but_not_the_one_that_is_logged_on(bmc: RedfishMachine) -> None:
    bmc.apply(build_driver(), bmc.build({"oob": {"users": [OPS]}}))
    admin = {"name": "labadmin", "password": {"secret": "oob-admin"}}
    bmc.apply(build_driver(), bmc.build({"oob": {"users": [admin], "other_users": "disable"}}))
    assert bmc.tree[f"{ACCOUNTS}/2"]["Enabled"] is False
    boss = {"name": "boss", "password": {"secret": "oob-ops"}}
    planned = bmc.plan(build_driver(), bmc.build({"oob": {"users": [boss], "other_users": "disable"}}))
    assert "'labadmin'" in str(planned.problems)


def test_a_reset_is_waited_for_and_everything_read_again(bmc: RedfishMachine) -> None:
    template = bmc.build({"oob": {"power_policy": "on", "reset": True}})
    bmc.apply(build_driver(), template)
    assert (bmc.state["resets"], bmc.state["deaf"]) == (1, 0)


def test_a_service_of_another_machine_is_not_touched(bmc: RedfishMachine) -> None:
    bmc.inventory.system = System(serial="OTHER1", uuid="11111111-2222-3333-4444-555555555555")
    with pytest.raises(DriverError, match="manages another machine: Virtual Bare Metal LAB0001"):
        bmc.plan(build_driver(), bmc.build({"oob": {"power_policy": "on"}}))


def test_without_an_account_the_words_to_add_are_told(bmc: RedfishMachine) -> None:
    template = bmc.build({"oob": {"power_policy": "on"}})
    del template["oob"]["redfish"]
    planned = bmc.plan(build_driver(), template)
    assert planned.problems[0].path == "oob.redfish.user"
    assert "redfish: {user: NAME, password: {secret: NAME}}" in planned.problems[0].hint


def test_a_wrong_account_is_told_and_never_shown(
    bmc: RedfishMachine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bmc.secrets["oob-admin"] = "Not-The-Password"
    with pytest.raises(DriverError, match="refuses 'labadmin'") as caught:
        bmc.plan(build_driver(), bmc.build({"oob": {"power_policy": "on"}}))
    assert "Not-The-Password" not in caplog.text + str(caught.value) + repr(caught.value.__cause__)


def test_no_password_is_logged(bmc: RedfishMachine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bmc.apply(build_driver(), bmc.build({"oob": {"users": [OPS]}}))
    assert not any(secret in caplog.text for secret in bmc.secrets.values())


@pytest.mark.parametrize(
    ("access", "hint"),
    [
        ({"fingerprint": None}, "fingerprint pins this one"),
        ({"fingerprint": "ab" * 32}, "another certificate than oob.redfish.fingerprint says"),
    ],
)
def test_a_certificate_that_is_not_trusted_is_refused(bmc: RedfishMachine, access: Any, hint: str) -> None:
    with pytest.raises(DriverError) as caught:
        bmc.plan(build_driver(), bmc.build({"oob": {"power_policy": "on", "redfish": access}}))
    assert hint in caught.value.hint


def test_any_certificate_is_taken_when_the_template_says_so_and_the_log_tells(
    bmc: RedfishMachine, caplog: pytest.LogCaptureFixture
) -> None:
    template = bmc.build({"oob": {"power_policy": "on", "redfish": {"fingerprint": None, "verify": False}}})
    bmc.apply(build_driver(), template)
    assert "certificate is not checked" in caplog.text


@pytest.mark.parametrize(
    ("when", "oob", "name"),
    [
        ("PATCH *eth0", {"network": STATIC}, "BMC address"),
        (f"POST {ACCOUNTS}", {"users": [OPS]}, "BMC user ops"),
        (f"PATCH {SYSTEM}", {"power_policy": "off"}, "power policy"),
        (f"PATCH {SYSTEM}", {"boot_device": "pxe"}, "boot device"),
        (f"PATCH {SYSTEM}", {"boot_order": ["*shell"]}, "boot order"),
    ],
)
def test_what_is_accepted_but_not_applied_is_planned_again_by_name(
    bmc: RedfishMachine, when: str, oob: Any, name: str
) -> None:
    bmc.misbehave("ignore", when)
    with pytest.raises(StepFailed, match=rf"reported success, but .*{name}[^:]*: "):
        bmc.apply(build_driver(), bmc.build({"oob": oob}))


def test_a_service_that_hangs_ends_with_the_deadline(bmc: RedfishMachine) -> None:
    template = bmc.build({"oob": {"power_policy": "on"}})
    bmc.misbehave("hang", f"PATCH {SYSTEM}")
    with pytest.raises(StepFailed, match=r"set the power policy: on.*does not answer"):
        bmc.apply(build_driver(timeout_s=2.0), template)


def test_junk_instead_of_a_resource_takes_away_what_depends_on_it_alone(bmc: RedfishMachine) -> None:
    bmc.misbehave("junk", f"GET {MANAGER}")
    template = {"oob": {"power_policy": "on", "network": {"source": "dhcp"}}}
    planned = bmc.plan(build_driver(), bmc.build(template))
    assert [problem.path for problem in planned.problems] == ["oob.network"]
    assert [note for note in planned.notes if note.startswith(f"{MANAGER}: ") and "makes no sense" in note]


def test_an_error_half_way_names_the_account_and_what_the_service_said(bmc: RedfishMachine) -> None:
    template = bmc.build({"oob": {"users": [{**OPS, "name": "labadmin", "role": "user", "enabled": False}]}})
    bmc.misbehave("fail-half", f"PATCH {ACCOUNTS}/1")
    with pytest.raises(StepFailed, match=r"change BMC user labadmin.*500.*stopped by an internal error"):
        bmc.apply(build_driver(), template)


def test_what_was_done_and_said_to_have_failed_is_a_failure_and_done_the_next_time(
    bmc: RedfishMachine,
) -> None:
    template = bmc.build({"oob": {"power_policy": "on"}})
    bmc.misbehave("wrong-exit", f"PATCH {SYSTEM}")
    with pytest.raises(StepFailed, match="set the power policy: on"):
        bmc.apply(build_driver(), template)
    assert bmc.plan(build_driver(), template).actions == []


def test_a_resource_that_changed_meanwhile_is_read_again(bmc: RedfishMachine) -> None:
    bmc.apply(build_driver(), bmc.build({"oob": {"power_policy": "on"}}))
    patched = [call for call in bmc.silicon.calls if call[1] == "PATCH"]
    assert patched == [("redfish", "PATCH", SYSTEM)]


def test_a_state_survives_being_saved(bmc: RedfishMachine) -> None:
    driver = build_driver()
    run = bmc.build_run(driver, bmc.build({"oob": {"network": STATIC, "users": [OPS]}}))
    assert run.template is not None
    state = driver.read(bmc.machine, bmc.inventory)
    saved = msgspec.json.decode(msgspec.json.encode(state), type=State)
    assert saved == state
    ids = [action.id for action in driver.plan(saved, run.template, bmc.secrets, Forecast()).actions]
    assert ids == ["oob.redfish:user:ops", "oob.redfish:lan"]


def test_what_only_ipmi_can_is_refused_by_name(bmc: RedfishMachine) -> None:
    planned = bmc.plan(build_driver(), bmc.build({"oob": {"lan": "disabled", "event_log": "clear"}}))
    assert [problem.path for problem in planned.problems] == ["oob.lan", "oob.event_log"]


def test_plain_http_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with serve(RedfishSpec(tls=False)) as bmc:
        bmc.apply(build_driver(), bmc.build({"oob": {"boot_device": "disk"}}))
    assert "nothing is encrypted" in caplog.text
