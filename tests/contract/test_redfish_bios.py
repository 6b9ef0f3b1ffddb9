"""`bios.redfish` against a lab machine's Redfish service; a restart of the machine is `RedfishTool.on_boot`."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from redfishmachine import RedfishMachine, serve

from bootos.drivers.bios.redfish import BiosRedfishDriver, RedfishBiosState
from bootos.drivers.contract import Forecast
from bootos.engine.apply import apply_job
from bootos.engine.plan import plan_job
from bootos.engine.watcher import StepFailed
from bootos.lab.vendor_tools.redfish_path import BIOS, BIOS_PENDING
from bootos.lab.vendor_tools.redfish_spec import RedfishSpec

WANTED = {
    "vendor": {"ProcVirtualization": "Enabled", "SriovGlobalEnable": "Enabled", "LogicalProc": "Disabled"}
}


@pytest.fixture
def bmc() -> Iterator[RedfishMachine]:
    with serve(RedfishSpec(tls=False)) as machine:
        yield machine


def stage(driver: BiosRedfishDriver, bmc: RedfishMachine, bios: dict[str, Any]) -> dict[str, Any]:
    """The part of a job before its restart."""
    template = bmc.build({"bios": bios})
    run = bmc.build_run(driver, template)
    made = plan_job(run)
    assert made.problems == []
    assert [action.id for action in apply_job(run, made)] == [action.id for action in made.actions]
    return template


def restart(bmc: RedfishMachine) -> None:
    bmc.silicon.boot()


def test_settings_are_staged_in_one_request_and_there_after_the_restart(bmc: RedfishMachine) -> None:
    driver = BiosRedfishDriver()
    template = stage(driver, bmc, WANTED)
    assert [call for call in bmc.silicon.calls if call[1] == "PATCH"] == [("redfish", "PATCH", BIOS_PENDING)]
    assert bmc.tree[BIOS]["Attributes"]["ProcVirtualization"] == "Disabled"
    restart(bmc)
    assert bmc.tree[BIOS]["Attributes"]["ProcVirtualization"] == "Enabled"
    assert bmc.plan(driver, template).actions == []


def test_neutral_names_become_the_vendors(bmc: RedfishMachine) -> None:
    bmc.inventory.system.vendor = "Dell Inc."
    driver = BiosRedfishDriver()
    template = stage(
        driver, bmc, {"virtualization": "enabled", "sriov": "enabled", "hyperthreading": "disabled"}
    )
    restart(bmc)
    attributes = bmc.tree[BIOS]["Attributes"]
    found = [attributes[name] for name in ("ProcVirtualization", "SriovGlobalEnable", "LogicalProc")]
    assert found == ["Enabled", "Enabled", "Disabled"]
    assert bmc.plan(driver, template).actions == []


def test_the_registry_finds_all_mistakes_while_planning(bmc: RedfishMachine) -> None:
    vendor = {
        "ProcVirtualization": "Maybe",
        "SystemServiceTag": "X",
        "ProcVirtualisation": "Enabled",
        "ProcCStates": "Disabled",
    }
    planned = bmc.plan(BiosRedfishDriver(), bmc.build({"bios": {"vendor": vendor}}))
    said = " | ".join(str(problem) for problem in planned.problems)
    assert "does not take 'Maybe'" in said
    assert "SystemServiceTag is read-only" in said
    assert "no setting 'ProcVirtualisation'" in said
    assert "ProcCStates cannot be set to Disabled while SysProfile is PerfPerWattOptimizedDapc" in said


def test_a_setting_is_free_when_what_locks_it_changes_too(bmc: RedfishMachine) -> None:
    driver = BiosRedfishDriver()
    template = stage(driver, bmc, {"vendor": {"SysProfile": "Custom", "ProcCStates": "Disabled"}})
    restart(bmc)
    assert bmc.plan(driver, template).actions == []


def test_what_is_pending_already_needs_only_the_restart(bmc: RedfishMachine) -> None:
    driver = BiosRedfishDriver()
    template = stage(driver, bmc, WANTED)
    before = len(bmc.silicon.calls)
    planned = bmc.plan(driver, template)
    assert all(action.detail.staged and action.reboot for action in planned.actions)
    stage(driver, bmc, WANTED)
    assert not [call for call in bmc.silicon.calls[before:] if call[1] == "PATCH"]


def test_a_setting_the_bios_does_not_take_over_is_planned_again_by_name(bmc: RedfishMachine) -> None:
    bmc.misbehave("ignore", "boot LogicalProc")
    driver = BiosRedfishDriver()
    template = stage(driver, bmc, WANTED)
    restart(bmc)
    assert [action.id for action in bmc.plan(driver, template).actions] == ["bios.redfish:set:LogicalProc"]


def test_a_bios_that_takes_half_of_them_over_is_found_out(bmc: RedfishMachine) -> None:
    bmc.misbehave("fail-half", "boot bios")
    driver = BiosRedfishDriver()
    template = stage(driver, bmc, WANTED)
    restart(bmc)
    left = [action.id.rpartition(":")[2] for action in bmc.plan(driver, template).actions]
    assert 0 < len(left) < 3
    assert set(left) < set(WANTED["vendor"])


def test_a_service_that_stages_nothing_fails_before_the_restart(bmc: RedfishMachine) -> None:
    bmc.misbehave("ignore", f"PATCH {BIOS_PENDING}")
    with pytest.raises(
        StepFailed, match=r"did not take: .*ProcVirtualization \(wanted Enabled, it will be Disabled\)"
    ):
        stage(BiosRedfishDriver(), bmc, WANTED)


@pytest.mark.parametrize(
    ("kind", "said"), [("hang", "does not answer"), ("junk", "makes no sense"), ("wrong-exit", "refused it")]
)
def test_a_service_that_breaks_names_the_settings(bmc: RedfishMachine, kind: str, said: str) -> None:
    bmc.misbehave(kind, f"PATCH {BIOS_PENDING}")
    with pytest.raises(StepFailed, match=rf"set .*ProcVirtualization.*{said}"):
        stage(BiosRedfishDriver(timeout_s=2.0 if kind == "hang" else 30.0), bmc, WANTED)


def test_a_state_survives_being_saved_and_can_be_planned_on_elsewhere(bmc: RedfishMachine) -> None:
    driver = BiosRedfishDriver()
    run = bmc.build_run(driver, bmc.build({"bios": WANTED}))
    assert run.template is not None
    saved = msgspec.json.decode(
        msgspec.json.encode(driver.read(bmc.machine, bmc.inventory)), type=RedfishBiosState
    )
    assert len(driver.plan(saved, run.template, {}, Forecast()).actions) == 3


def test_without_an_account_the_words_are_told(bmc: RedfishMachine) -> None:
    template = bmc.build({"bios": WANTED})
    del template["oob"]["redfish"]
    assert [problem.path for problem in bmc.plan(BiosRedfishDriver(), template).problems] == [
        "oob.redfish.user"
    ]
