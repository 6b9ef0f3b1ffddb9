"""The planner of all BIOS drivers, in tables."""

import random

import msgspec
import pytest

from bootos.drivers.bios.attribute_registry import parse_settings
from bootos.drivers.bios.setting import Condition, Lock, SetDetail, Setting, Value, Wanted, find_lock
from bootos.drivers.bios.settingplan import plan_settings
from bootos.drivers.contract import Planned

UNLESS_CUSTOM = Lock(when=(Condition(attribute="SysProfile", value="Custom", comparison="NEQ"),))
SETTINGS = [
    Setting(
        name="ProcCStates",
        type="enum",
        current="Enabled",
        allowed=("Enabled", "Disabled"),
        locks=(UNLESS_CUSTOM,),
    ),
    Setting(name="SysProfile", type="enum", current="PerfOptimized", allowed=("PerfOptimized", "Custom")),
    Setting(
        name="LogicalProc",
        title="Logical Processor",
        type="enum",
        current="Enabled",
        allowed=("Enabled", "Disabled"),
    ),
    Setting(name="AcPwrRcvryUserDelay", type="integer", current=60, minimum=60, maximum=600, step=30),
    Setting(name="AssetTag", current="", maximum=8),
    Setting(name="SystemModelName", current="PowerEdge R650", read_only=True),
    Setting(name="SecureWipe", type="boolean", current=False),
    Setting(
        name="SriovGlobalEnable",
        type="enum",
        current="Disabled",
        pending="Enabled",
        allowed=("Enabled", "Disabled"),
    ),
]


def plan(**wanted: Value) -> Planned:
    wishes = [Wanted(name=name, value=value, path=f"bios.vendor.{name}") for name, value in wanted.items()]
    return plan_settings(SETTINGS, wishes, "bios.test")


def test_a_difference_is_one_action_with_its_diff_and_a_reboot() -> None:
    planned = plan(LogicalProc="Disabled")
    (action,) = planned.actions
    assert action.id == "bios.test:set:LogicalProc"
    assert action.summary == "set LogicalProc (Logical Processor) to Disabled"
    assert [(change.what, change.before, change.after) for change in action.changes] == [
        ("LogicalProc", "Enabled", "Disabled")
    ]
    assert action.reboot
    assert action.path == "bios.vendor.LogicalProc"
    assert planned.problems == []


def test_what_is_as_wanted_needs_nothing_and_says_so() -> None:
    planned = plan(LogicalProc="Enabled", AcPwrRcvryUserDelay=60)
    assert planned.actions == []
    assert planned.notes[:2] == ["LogicalProc is Enabled as wanted", "AcPwrRcvryUserDelay is 60 as wanted"]


def test_what_somebody_else_staged_is_told() -> None:
    others = "SriovGlobalEnable has Enabled pending, which the next start brings in as well"
    assert plan(LogicalProc="Disabled").notes == [others]


def test_a_setting_that_is_pending_as_wanted_still_needs_the_reboot() -> None:
    (action,) = plan(SriovGlobalEnable="Enabled").actions
    assert action.detail == SetDetail(name="SriovGlobalEnable", value="Enabled", staged=True, kind="enum")
    assert action.summary == "restart, so that SriovGlobalEnable becomes Enabled"
    assert action.reboot


def test_a_setting_that_somebody_is_about_to_change_away_is_set_back() -> None:
    (action,) = plan(SriovGlobalEnable="Disabled").actions
    assert action.changes[0].before == "Disabled (Enabled is pending)"
    assert not action.detail.staged


@pytest.mark.parametrize(
    ("wanted", "message", "hint"),
    [
        (
            {"LogicalProcs": "Enabled"},
            "the BIOS of this machine has no setting 'LogicalProcs'",
            "nearest: LogicalProc",
        ),
        ({"LogicalProc": "enabled"}, "LogicalProc does not take 'enabled'", "did you mean 'Enabled'?"),
        (
            {"LogicalProc": True},
            "LogicalProc is no yes/no setting: it cannot be true",
            "it takes: Enabled, Disabled",
        ),
        ({"AcPwrRcvryUserDelay": 30}, "AcPwrRcvryUserDelay cannot be 30", "it takes 60 to 600"),
        (
            {"AcPwrRcvryUserDelay": 100},
            "AcPwrRcvryUserDelay goes in steps of 30 from 60, which 100 is not",
            "",
        ),
        (
            {"AcPwrRcvryUserDelay": "soon"},
            "AcPwrRcvryUserDelay takes a whole number, not 'soon'",
            "60 to 600",
        ),
        (
            {"AssetTag": "longer than it"},
            "AssetTag takes 8 or less characters, and 'longer than it' has 14",
            "",
        ),
        (
            {"SystemModelName": "R1"},
            "SystemModelName is read-only here; it is PowerEdge R650",
            "leave it out",
        ),
        ({"SecureWipe": "maybe"}, "SecureWipe takes true or false, not 'maybe'", ""),
        (
            {"ProcCStates": "Disabled"},
            "ProcCStates cannot be set to Disabled while SysProfile is not Custom",
            "set SysProfile to Custom as well, or leave this out",
        ),
    ],
)
def test_what_cannot_be_is_a_problem_at_its_place(wanted: dict[str, Value], message: str, hint: str) -> None:
    planned = plan(**wanted)
    assert planned.actions == []
    (problem,) = planned.problems
    assert problem.path == f"bios.vendor.{next(iter(wanted))}"
    assert problem.message == message
    assert hint in problem.hint


def test_all_problems_come_at_once() -> None:
    assert len(plan(Nonsense=1, LogicalProc="On", AcPwrRcvryUserDelay=0, SysProfile="Custom").problems) == 3


def test_a_dependency_that_the_template_meets_itself_is_met_and_set_first() -> None:
    planned = plan(ProcCStates="Disabled", SysProfile="Custom")
    assert planned.problems == []
    assert [action.detail.name for action in planned.actions] == ["SysProfile", "ProcCStates"]


def test_what_another_setting_brings_with_it_is_not_set_but_awaited() -> None:
    brings = Lock(when=(Condition(attribute="SysProfile", value="Custom"),), value="Disabled")
    settings = [msgspec.structs.replace(SETTINGS[0], locks=(brings,)), SETTINGS[1]]
    wanted = [
        Wanted(name="ProcCStates", value="Disabled", path="bios.c_states"),
        Wanted(name="SysProfile", value="Custom", path="bios.power_profile"),
    ]
    planned = plan_settings(settings, wanted, "bios.test")
    assert [action.detail.name for action in planned.actions] == ["SysProfile"]
    assert planned.notes == ["ProcCStates becomes Disabled by itself, since SysProfile is Custom"]
    wrong = plan_settings(
        settings, [msgspec.structs.replace(wanted[0], value="Enabled"), wanted[1]], "bios.test"
    )
    assert [problem.message for problem in wrong.problems] == [
        "ProcCStates cannot be set to Enabled while SysProfile is Custom; it is Disabled then"
    ]


@pytest.mark.parametrize("seed", range(60))
def test_a_plan_carried_out_on_a_model_leaves_nothing_to_plan(seed: int) -> None:
    """Random machines and wishes: what is planned brings everything that was not refused, touches nothing else, and
    is never set against a dependency."""
    dice = random.Random(seed)
    words = ("A", "B", "C")
    settings: list[Setting] = []
    for number in range(8):
        others = [setting.name for setting in settings]
        locks: tuple[Lock, ...] = ()
        if others and dice.random() < 0.5:
            condition = Condition(attribute=dice.choice(others), value=dice.choice(words), comparison="NEQ")
            locks = (Lock(when=(condition,)),)
        settings.append(
            Setting(
                name=f"S{number}",
                type="enum",
                current=dice.choice(words),
                pending=dice.choice((None, None, *words)),
                allowed=words,
                read_only=dice.random() < 0.1,
                locks=locks,
            )
        )
    names = dice.sample([setting.name for setting in settings], dice.randint(1, 8))
    wanted = [Wanted(name=name, value=dice.choice(words), path=name) for name in names]
    planned = plan_settings(settings, wanted, "bios.test")
    refused = {problem.path for problem in planned.problems}
    wanted = [want for want in wanted if want.name not in refused]
    planned = plan_settings(settings, wanted, "bios.test")
    while planned.problems:  # without the refused ones, others may miss what they depend on
        refused |= {problem.path for problem in planned.problems}
        wanted = [want for want in wanted if want.name not in refused]
        planned = plan_settings(settings, wanted, "bios.test")
    model = {
        setting.name: setting.current if setting.pending is None else setting.pending for setting in settings
    }
    before = dict(model)
    known = {setting.name: setting for setting in settings}
    for action in planned.actions:
        if not action.detail.staged:
            assert find_lock(known[action.detail.name], model) is None
        model[action.detail.name] = action.detail.value
    assert {name: model[name] for name in model if name not in names} == {
        name: before[name] for name in model if name not in names
    }
    after = [
        msgspec.structs.replace(setting, current=model[setting.name], pending=None) for setting in settings
    ]
    again = plan_settings(after, wanted, "bios.test")
    assert (again.actions, again.problems) == ([], [])


def test_settings_survive_being_saved_and_read_again() -> None:
    again = msgspec.json.decode(msgspec.json.encode(SETTINGS), type=list[Setting])
    assert again == SETTINGS


REGISTRY = {
    "RegistryEntries": {
        "Attributes": [
            {
                "AttributeName": "EmbeddedSata",
                "DisplayName": "Embedded SATA Configuration",
                "Type": "Enumeration",
                "ReadOnly": False,
                "ResetRequired": True,
                "DefaultValue": "Ahci",
                "Value": [{"ValueName": "Ahci"}, {"ValueName": "Raid"}],
            },
            {
                "AttributeName": "BootMode",
                "Type": "Enumeration",
                "Value": [{"ValueName": "Uefi"}, {"ValueName": "LegacyBios"}],
            },
            {"AttributeName": "VlanId", "Type": "Integer", "LowerBound": 0, "UpperBound": 4094},
            {"AttributeName": "AdminPassword", "Type": "Password"},
        ],
        "Dependencies": [
            {
                "DependencyFor": "EmbeddedSata",
                "Type": "Map",
                "Dependency": {
                    "MapFrom": [
                        {
                            "MapFromAttribute": "BootMode",
                            "MapFromCondition": "EQU",
                            "MapFromProperty": "CurrentValue",
                            "MapFromValue": "LegacyBios",
                        }
                    ],
                    "MapToAttribute": "EmbeddedSata",
                    "MapToProperty": "ReadOnly",
                    "MapToValue": True,
                },
            }
        ],
    }
}
ATTRIBUTES = {
    "EmbeddedSata": "Ahci",
    "BootMode": "LegacyBios",
    "VlanId": 0,
    "AdminPassword": None,
    "Serial": "X",
}


def test_what_a_setting_has_already_it_may_have() -> None:
    """A DGX shows a value that its registry does not list, and a GH200 an upper bound of -1."""
    entries = [
        {"AttributeName": "PrmSgxSize", "Type": "Enumeration", "Value": [{"ValueName": "256M"}]},
        {"AttributeName": "BitFadeDelay", "Type": "Integer", "LowerBound": 0, "UpperBound": -1},
    ]
    shown: dict[str, Value] = {"PrmSgxSize": "No valid PRMRR size", "BitFadeDelay": 0}
    settings = parse_settings(shown, {}, {"RegistryEntries": {"Attributes": entries}})
    wanted = [Wanted(name=name, value=value, path=f"bios.vendor.{name}") for name, value in shown.items()]
    planned = plan_settings(settings, wanted, "bios.redfish")
    assert (planned.problems, planned.actions) == ([], [])
    more = [Wanted(name="BitFadeDelay", value=90, path="bios.vendor.BitFadeDelay")]
    assert plan_settings(settings, more, "bios.redfish").problems == []
    odd = [Wanted(name="PrmSgxSize", value="1T", path="bios.vendor.PrmSgxSize")]
    assert plan_settings(settings, odd, "bios.redfish").problems


def test_a_redfish_registry_becomes_types_limits_and_dependencies() -> None:
    settings = {setting.name: setting for setting in parse_settings(ATTRIBUTES, {"VlanId": 12}, REGISTRY)}
    assert set(settings) == {"EmbeddedSata", "BootMode", "VlanId", "Serial"}
    assert settings["EmbeddedSata"].allowed == ("Ahci", "Raid")
    assert settings["VlanId"].pending == 12
    assert (settings["VlanId"].minimum, settings["VlanId"].maximum) == (0, 4094)
    wanted = [Wanted(name="EmbeddedSata", value="Raid", path="bios.vendor.EmbeddedSata")]
    (problem,) = plan_settings(settings.values(), wanted, "bios.redfish").problems
    assert problem.message == "EmbeddedSata cannot be set to Raid while BootMode is LegacyBios"
    both = [*wanted, Wanted(name="BootMode", value="Uefi", path="bios.boot_mode")]
    assert len(plan_settings(settings.values(), both, "bios.redfish").actions) == 2
