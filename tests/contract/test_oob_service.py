"""`oob.ipmi` beyond address and accounts: cipher suites, Serial over LAN, boot device, event log, LAN access."""

from typing import Any

import carrying
import pytest
from bmcmachine import BmcMachine, FakeUser
from test_oob import OPS, STATIC, apply, build, build_driver, plan

from bootos.engine.watcher import StepFailed
from bootos.template.check import read_template
from bootos.wire.inventory import Bios, Bmc, Inventory


def test_only_the_wanted_cipher_suites_stay_allowed_where_place_and_number_are_one() -> None:
    bmc, driver = BmcMachine(), build_driver()
    bmc.suites = "0,1,2,3"
    (action,) = apply(driver, bmc, build(cipher_suites=[3, 1]))
    assert bmc.levels == "XaXaaaaaaaaaaaa"
    assert (action.changes[0].before, action.changes[0].after) == ("0,1,2,3", "1,3")


def test_cipher_suites_are_not_touched_where_their_levels_are_not_certain() -> None:
    bmc, driver = BmcMachine(), build_driver()
    planned = plan(driver, bmc, build(cipher_suites=[17, 3]))
    (problem,) = planned.problems
    assert (problem.path, planned.actions) == ("oob.cipher_suites", [])
    assert "read by their place 1,2,3,6,7,8,11,12,17 may be used now" in problem.message
    assert "cipher_index: number" in problem.hint
    assert not [call for call in bmc.calls if "cipher_privs" in call]


def build_reachable() -> tuple[BmcMachine, dict[str, Any]]:
    """A BMC that its machine reaches, and an account that may log in."""
    bmc = BmcMachine()
    bmc.answers_lan = True
    bmc.lan |= {"source": "static", "ipaddr": "10.0.8.21", "netmask": "255.255.255.0"}
    return bmc, {"users": [OPS]}


def list_logins(bmc: BmcMachine) -> list[str]:
    return [call[call.index("-C") + 1] for call in bmc.calls if "lanplus" in call]


def test_a_maker_tells_whose_level_is_whose_where_the_levels_do_not() -> None:
    bmc, users = build_reachable()
    bmc.suites, bmc.maker, bmc.by_number = "1,2,3,6,7,8,11,12", 47488, True
    (_, action) = apply(build_driver(), bmc, build(cipher_suites=[3], **users))
    assert action.id == "oob.ipmi:ciphers"
    assert bmc.levels == "aXXaaaXXXaaXXaa"
    assert list_logins(bmc) == ["3", "3"]  # before and after


@pytest.mark.parametrize("by_number", [True, False])
def test_a_change_that_would_lock_out_is_taken_back(by_number: bool) -> None:
    """The template says the other index than the BMC has."""
    bmc, users = build_reachable()
    bmc.suites, bmc.by_number = "1,2,3,6,7,8,11,12", by_number
    said = "place" if by_number else "number"
    with pytest.raises(StepFailed, match="could not log in to the BMC"):
        apply(build_driver(), bmc, build(cipher_suites=[3], cipher_index=said, **users))
    assert bmc.levels == "aaaaaaaaaaaaaaa"


def test_a_change_is_taken_back_where_the_bmc_answers_and_nobody_could_log_in_before() -> None:
    """All suites are off: that a login fails before says nothing of the change."""
    bmc, users = build_reachable()
    bmc.suites, bmc.by_number, bmc.levels = "1,2,3,6,7,8,11,12", True, "X" * 15
    with pytest.raises(StepFailed, match=r"could not log in to the BMC at 10\.0\.8\.21: the levels are X"):
        apply(build_driver(), bmc, build(cipher_suites=[3], cipher_index="place", **users))
    assert bmc.levels == "X" * 15
    apply(build_driver(), bmc, build(cipher_suites=[3], cipher_index="number", **users))
    assert bmc.levels == "XXXaXXXXXXXXXXX"


def test_a_suite_of_a_low_level_is_tried_with_that_level() -> None:
    bmc, users = build_reachable()
    bmc.suites, bmc.levels = "0,1,2,3", "XuuaXXXXXXXXXXX"
    apply(build_driver(), bmc, build(cipher_suites=[1, 2], **users))
    assert bmc.levels == "XuuXXXXXXXXXXXX"


def test_a_suite_for_callbacks_proves_nothing_and_a_change_that_leaves_it_alone_is_made_and_said() -> None:
    bmc, users = build_reachable()
    bmc.suites, bmc.levels = "0,1,2,3", "XaacXXXXXXXXXXX"
    template = build(cipher_suites=[3], **users)
    assert any(
        "will not be proven by a login: " in note for note in plan(build_driver(), bmc, template).notes
    )
    apply(build_driver(), bmc, template)
    assert (bmc.levels, list_logins(bmc)) == ("XXXcXXXXXXXXXXX", [])
    apply(build_driver(), bmc, build(cipher_suites=[1, 3], **users))
    assert (bmc.levels, list_logins(bmc)) == ("XaXcXXXXXXXXXXX", ["1", "1"])


def test_a_change_that_cannot_be_taken_back_is_said() -> None:
    bmc, users = build_reachable()
    bmc.suites, bmc.by_number = "1,2,3,6,7,8,11,12", True
    bmc.refused_levels.add("a" * 15)
    with pytest.raises(StepFailed, match="the BMC did not take its levels aaaaaaaaaaaaaaa again"):
        apply(build_driver(), bmc, build(cipher_suites=[3], cipher_index="place", **users))


def test_a_change_whose_proof_does_not_end_is_taken_back() -> None:
    bmc, users = build_reachable()
    bmc.suites, bmc.hangs_after_change = "0,1,2,3", True
    with pytest.raises(StepFailed, match=r"could not log in .* as with 3 before: the levels are a{15} again"):
        apply(build_driver(), bmc, build(cipher_suites=[3], **users))
    assert bmc.levels == "a" * 15


@pytest.mark.parametrize("is_reachable", [True, False])
def test_a_change_that_does_not_end_and_was_made_is_taken_back(is_reachable: bool) -> None:
    bmc, users = build_reachable()
    bmc.suites, bmc.answers_lan = "0,1,2,3", is_reachable
    bmc.late_levels.add("XXXaaaaaaaaaaaa")
    with pytest.raises(StepFailed, match=r"the BMC did not do .*: the levels are a{15} again"):
        apply(build_driver(), bmc, build(cipher_suites=[3], **users))
    assert bmc.levels == "a" * 15


def test_a_login_is_tried_with_suites_that_ipmitool_speaks_the_sound_ones_first() -> None:
    bmc, users = build_reachable()
    bmc.suites, bmc.by_number = "1,2,3,6,7,8,11,12", True
    apply(build_driver(), bmc, build(cipher_suites=[1, 2, 11, 12], cipher_index="number", **users))
    assert list_logins(bmc) == ["3", "2"]


def test_a_change_that_no_login_can_prove_is_made_and_said(caplog: pytest.LogCaptureFixture) -> None:
    bmc, users = build_reachable()
    bmc.answers_lan = False
    bmc.suites = "0,1,2,3"
    template = build(cipher_suites=[3], **users)
    notes = plan(build_driver(), bmc, template).notes
    assert any("if the BMC answers this machine at 10.0.8.21" in note for note in notes)
    apply(build_driver(), bmc, template)
    assert bmc.levels == "XXXaaaaaaaaaaaa"
    assert list_logins(bmc) == ["3"]  # one that is not answered is enough
    assert "was not proven: at 10.0.8.21 it does not answer this machine" in caplog.text


@pytest.mark.parametrize(
    ("network", "suites", "is_proven"),
    [
        (None, [3], True),
        ({"source": "dhcp"}, [3], True),  # it has its address by DHCP already
        (STATIC, [3], True),
        (None, [11, 12], False),  # ipmitool speaks neither
    ],
)
def test_the_plan_says_whether_a_login_will_prove_the_change(
    network: Any, suites: list[int], is_proven: bool
) -> None:
    bmc, users = build_reachable()
    bmc.lan["source"] = "dhcp"
    bmc.suites = "0,1,2,3,4,5,6,7,8,9,10,11,12"
    named = {} if network is None else {"network": network}
    notes = plan(build_driver(), bmc, build(cipher_suites=suites, **named, **users)).notes
    assert any("is proven by a login as ops" in note for note in notes) is is_proven
    assert any("will not be proven by a login" in note for note in notes) is not is_proven


def test_without_a_password_or_an_address_no_login_proves_the_change() -> None:
    bmc, users = build_reachable()
    bmc.suites = "0,1,2,3"
    for named in ({}, {**users, "network": {"source": "dhcp"}}):
        notes = plan(build_driver(), bmc, build(cipher_suites=[3], **named)).notes
        assert any("will not be proven by a login" in note for note in notes)


def test_what_was_printed_is_used_whatever_status_ipmitool_ends_with() -> None:
    bmc = BmcMachine()
    bmc.print_code = 1
    bmc.suites = "0,1,2,3"
    template = build(network=STATIC, cipher_suites=[3])
    apply(build_driver(), bmc, template)
    assert bmc.lan["ipaddr"] == "10.0.8.21"
    assert plan(build_driver(), bmc, template).actions == []


def test_a_cipher_suite_that_the_bmc_has_not_is_said_with_those_it_has() -> None:
    (problem,) = plan(build_driver(), BmcMachine(), build(cipher_suites=[3, 15])).problems
    assert "has no cipher suite 15: it has 1, 2, 3, 6" in problem.message


def test_serial_over_lan_is_set_now_and_for_after_a_restart_of_the_bmc() -> None:
    bmc = BmcMachine()
    (action,) = apply(build_driver(), bmc, build(sol={"enabled": True, "bit_rate": 115200}))
    assert bmc.sol == {"enabled": "true", "volatile": "115.2", "non-volatile": "115.2"}
    assert [change.what for change in action.changes] == [
        "Serial over LAN",
        "SOL bit rate after a restart of the BMC",
    ]


def test_a_bmc_without_serial_over_lan_cannot_switch_it_on_and_has_it_off() -> None:
    bmc = BmcMachine()
    bmc.sol = None
    assert "no Serial over LAN" in plan(build_driver(), bmc, build(sol={"enabled": True})).problems[0].message
    assert plan(build_driver(), bmc, build(sol={"enabled": False})).actions == []


@pytest.mark.parametrize(("boot_mode", "options"), [("uefi", "persistent,efiboot"), ("bios", "persistent")])
def test_a_boot_device_holds_for_every_boot_in_the_mode_of_the_machine(boot_mode: Any, options: str) -> None:
    bmc, driver = BmcMachine(), build_driver()
    inventory = Inventory(collected_at="t", bmc=Bmc(), bios=Bios(boot_mode=boot_mode))
    template = build(boot_device="disk")
    carrying.apply(template, bmc.machine, inventory, drivers=[driver])
    assert bmc.boot == f"disk options={options}"
    assert carrying.plan(template, bmc.machine, inventory, drivers=[driver]).actions == []


def test_the_event_log_is_shown_named_as_lost_and_clear_with_the_entry_that_says_so() -> None:
    bmc, driver = BmcMachine(), build_driver()
    planned = plan(driver, bmc, build(event_log="clear"))
    assert any("Power Supply AC lost" in note for note in planned.notes)
    assert planned.actions[0].destroys == ("1 entries of the BMC's event log",)
    assert planned.actions[0].allowed == "oob.event_log"
    apply(driver, bmc, build(event_log="clear"))
    assert len(bmc.events) == 1


@pytest.mark.parametrize(
    ("deaf", "wanted", "named"),
    [("sol", {"sol": {"enabled": True}}, "Serial over LAN"), ("sel", {"event_log": "clear"}, "event log")],
)
def test_what_was_accepted_and_not_applied_is_planned_again(deaf: str, wanted: Any, named: str) -> None:
    bmc, driver = BmcMachine(), build_driver()
    bmc.deaf_settings.add(deaf)
    with pytest.raises(StepFailed, match=f"reported success, but .*{named}"):
        apply(driver, bmc, build(**wanted))
    assert plan(driver, bmc, build(**wanted)).actions[0].changes[0].what == named


def test_users_that_are_not_named_lose_their_access_after_the_named_ones_have_theirs() -> None:
    bmc = BmcMachine()
    bmc.users[4] = FakeUser(name="guest", privilege=2, messaging=True, enabled=True)
    actions = apply(build_driver(), bmc, build(users=[OPS], other_users="disable"))
    assert [action.id for action in actions] == [
        "oob.ipmi:user:ops",
        "oob.ipmi:disable:ADMIN",
        "oob.ipmi:disable:guest",
    ]
    assert (bmc.users[2].privilege, bmc.users[2].enabled, bmc.users[2].name) == (15, False, "ADMIN")


def test_lan_access_is_closed_last_and_opened_again() -> None:
    bmc, driver = BmcMachine(), build_driver()
    actions = apply(driver, bmc, build(users=[OPS], lan="disabled"))
    assert actions[-1].id == "oob.ipmi:access"
    assert bmc.access == "disabled"
    assert len(apply(driver, bmc, build(network=STATIC, lan="enabled"))) == 1
    assert bmc.access == "always available"


@pytest.mark.parametrize(
    ("oob", "path"),
    [
        ({"cipher_suites": []}, "oob.cipher_suites"),
        ({"cipher_suites": [3, 0]}, "oob.cipher_suites[1]"),
        ({"cipher_suites": [3, 3]}, "oob.cipher_suites[1]"),
        ({"other_users": "disable"}, "oob.other_users"),
        ({"lan": "disabled", "network": STATIC}, "oob.network"),
    ],
)
def test_what_would_lock_everybody_out_or_in_is_a_mistake_of_the_template(oob: Any, path: str) -> None:
    _, problems = read_template({"name": "t", "oob": oob})
    assert [problem.path for problem in problems] == [path]


def test_nothing_is_planned_for_what_the_template_does_not_name() -> None:
    assert plan(build_driver(), BmcMachine(), build(users=[])).actions == []
    assert plan(build_driver(), BmcMachine(), build()).drivers == []
