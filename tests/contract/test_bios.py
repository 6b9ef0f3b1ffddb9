"""BIOS drivers over the lab's stand-ins: plan, apply, start the machine, read again; and everything that goes wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from carrying import build_run
from siliconmachine import SiliconMachine

from bootos.drivers.bios.ilorest import IlorestDriver
from bootos.drivers.bios.onecli import OnecliDriver
from bootos.drivers.bios.racadm import RacadmDriver
from bootos.drivers.bios.section import BiosState
from bootos.drivers.bios.sum import SumDriver
from bootos.drivers.bios.vendor_tool import VendorTool
from bootos.drivers.contract import Batch, DriverError, Exporter
from bootos.engine.apply import apply_job
from bootos.engine.offline import build_offline_run
from bootos.engine.plan import JobPlan, plan_job
from bootos.engine.savedstate import read_saved
from bootos.engine.watcher import StepFailed
from bootos.lab.vendor_tools.ilorest import Ilorest
from bootos.lab.vendor_tools.onecli import Onecli
from bootos.lab.vendor_tools.racadm import Racadm
from bootos.lab.vendor_tools.silicon import Knob, SiliconSpec, Tool
from bootos.lab.vendor_tools.sum import Sum
from bootos.process import ToolError
from bootos.wire.inventory import Inventory, System

WANTED: dict[str, Any] = {"virtualization": "enabled", "c_states": "disabled", "power_profile": "custom"}
KINDS: dict[str, tuple[type[VendorTool], Callable[[], Tool], str, dict[str, Any]]] = {
    "racadm": (
        RacadmDriver,
        Racadm,
        "Dell Inc.",
        {"ProcVirtualization": "Enabled", "ProcCStates": "Disabled", "SysProfile": "Custom"},
    ),
    "ilorest": (
        IlorestDriver,
        Ilorest,
        "HPE",
        {"ProcVirtualization": "Enabled", "MinProcIdlePower": "NoCStates", "WorkloadProfile": "Custom"},
    ),
    "onecli": (
        OnecliDriver,
        Onecli,
        "LENOVO",
        {
            "Processors.IntelVirtualizationTechnology": "Enable",
            "Processors.CStates": "Disable",
            "OperatingModes.ChooseOperatingMode": "Custom Mode",
        },
    ),
    "sum": (
        SumDriver,
        Sum,
        "Supermicro",
        {
            "Intel Virtualization Technology": "Enable",
            "CPU C6 report": "Disable",
            "Power Technology": "Custom",
        },
    ),
}
SHOWS_PENDING = ("racadm", "ilorest")  # the other tools show what is stored, or the values of the last start
TELLS_READ_ONLY = {"racadm": "SystemModelName", "ilorest": "SerialNumber"}


class Bench:
    """A driver, its stand-in, and a machine."""

    def __init__(self, root: Path, kind: str, *knobs: Knob) -> None:
        driver, tool, vendor, self.after = KINDS[kind]
        self.box = SiliconMachine(root, SiliconSpec(knobs=knobs), tools=[tool()])
        self.driver = driver(find_program=lambda program: program if program == kind else None)
        self.inventory = Inventory(collected_at="2024-01-01T00:00:00Z", system=System(vendor=vendor))
        self.secrets: dict[str, str] = {}

    def read(self) -> BiosState:
        return self.driver.read(self.box.machine, self.inventory)

    def plan(self, **bios: Any) -> JobPlan:
        document = {"name": "t", "bios": bios}
        self.run = build_run(document, self.box.machine, self.inventory, self.secrets, drivers=[self.driver])
        return plan_job(self.run)

    def apply(self, planned: JobPlan) -> None:
        """The part of the job of the last plan before its restart."""
        waiting = apply_job(self.run, planned)
        assert [action.id for action in waiting] == [action.id for action in planned.actions]

    @property
    def bios(self) -> dict[str, Any]:
        state: dict[str, Any] = self.box.silicon.state["bios"]
        return state


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_settings_are_planned_set_and_found_after_the_start(tmp_path: Path, kind: str) -> None:
    bench = Bench(tmp_path, kind)
    planned = bench.plan(**WANTED)
    assert len(planned.actions) == 3
    assert all(action.reboot for action in planned.actions)
    bench.apply(planned)
    if kind in SHOWS_PENDING:
        waiting = bench.plan(**WANTED)
        assert [action.id for action in waiting.actions] == [action.id for action in planned.actions]
        assert all(action.detail.staged for action in waiting.actions)
    bench.box.silicon.boot()
    assert {name: bench.bios["attributes"][name] for name in bench.after} == bench.after
    again = bench.plan(**WANTED)
    assert (again.actions, again.problems) == ([], [])


def test_what_is_staged_already_is_not_set_twice(tmp_path: Path, kind: str) -> None:
    bench = Bench(tmp_path, kind)
    bench.apply(bench.plan(**WANTED))
    bench.apply(bench.plan(**WANTED))
    bench.box.silicon.boot()
    assert bench.plan(**WANTED).actions == []


def test_reading_and_planning_change_nothing(tmp_path: Path, kind: str) -> None:
    bench = Bench(tmp_path, kind)
    bench.plan(**WANTED)
    assert bench.bios["pending"] == {}
    assert not {"set", "rawpatch", "batch", "ChangeBiosCfg"} & {
        word for call in bench.box.calls for word in call
    }


def test_a_dependency_is_found_while_planning(tmp_path: Path, kind: str) -> None:
    bench = Bench(tmp_path, kind)
    (problem,) = bench.plan(c_states="disabled").problems
    assert problem.path == "bios.c_states"
    assert "cannot be set to" in problem.message
    assert f" while {list(bench.after)[2]} is" in problem.message


def test_unknown_read_only_and_impossible_settings_are_all_told(tmp_path: Path, kind: str) -> None:
    bench = Bench(tmp_path, kind)
    name = next(iter(bench.after))
    wrong = name.replace("z", "s")
    fixed = TELLS_READ_ONLY.get(kind)
    raw = {wrong: "Enabled"} | ({fixed: "X"} if fixed else {})
    found = bench.plan(vendor=raw, error_prompt="enabled", tpm="enabled").problems
    places = {problem.path: problem for problem in found}
    assert f"nearest: {name}" in places[f"bios.vendor.{wrong}"].hint
    assert "shows no setting that is known to mean this" in places["bios.tpm"].message
    if fixed:
        assert "is read-only here" in places[f"bios.vendor.{fixed}"].message


def test_a_neutral_and_a_raw_wish_that_differ_are_a_contradiction(tmp_path: Path, kind: str) -> None:
    bench = Bench(tmp_path, kind)
    name, value = next(iter(bench.after.items()))
    other = {"Enabled": "Disabled", "Enable": "Disable"}[value]
    (problem,) = bench.plan(virtualization="enabled", vendor={name: other}).problems
    assert problem.path == f"bios.vendor.{name}"
    assert f"and bios.virtualization for {value}" in problem.message
    agreed = bench.plan(virtualization="enabled", vendor={name: value})
    assert [action.detail.name for action in agreed.actions] == [name]


def test_what_is_exported_plans_nothing_when_it_comes_back(tmp_path: Path, kind: str) -> None:
    bench = Bench(tmp_path, kind)
    bench.apply(bench.plan(**WANTED))
    bench.box.silicon.boot()
    exported = bench.driver.export(bench.read())["bios"]
    assert exported["virtualization"] == "enabled"
    assert exported["c_states"] == "disabled"
    assert exported["power_profile"] == "custom"
    again = bench.plan(**exported)
    assert (again.actions, again.problems) == ([], [])


def test_a_setting_that_the_firmware_drops_at_the_start_is_planned_again_under_its_name(
    tmp_path: Path, kind: str
) -> None:
    bench = Bench(tmp_path, kind)
    planned = bench.plan(virtualization="enabled")
    bench.apply(planned)
    bench.bios["refused"] = [next(iter(bench.after))]
    bench.box.silicon.boot()
    assert [action.id for action in bench.plan(virtualization="enabled").actions] == [planned.actions[0].id]


SET = {"racadm": "set *", "ilorest": "rawpatch", "onecli": "batch", "sum": "changebioscfg"}


@pytest.mark.parametrize("misbehaviour", ["ignore", "fail-half", "junk", "wrong-exit"])
def test_a_tool_that_misbehaves_is_a_failure_that_names_the_setting(
    tmp_path: Path, kind: str, misbehaviour: Any
) -> None:
    """At once, or after the start by planning again what was said to be done."""
    bench = Bench(tmp_path, kind)
    planned = bench.plan(**WANTED)
    bench.box.silicon.knobs.append(Knob(tool=kind, when=SET[kind], kind=misbehaviour))
    if (kind, misbehaviour) == ("sum", "ignore"):
        bench.apply(planned)
        bench.box.silicon.boot()
        assert [action.id for action in bench.plan(**WANTED).actions] == [
            action.id for action in planned.actions
        ]
        return
    with pytest.raises(StepFailed) as caught:
        bench.apply(planned)
    assert any(name in caught.value.message for name in bench.after)


def test_racadm_leaves_nothing_half_set_behind(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "racadm")
    planned = bench.plan(**WANTED)
    bench.box.silicon.knobs.append(Knob(tool="racadm", when="set *proccstates", kind="fail-half"))
    with pytest.raises(StepFailed, match="ProcCStates"):
        bench.apply(planned)
    assert bench.bios["pending"] == {}
    assert bench.box.silicon.state["racadm"]["jobs"] == []


def test_a_job_that_was_not_scheduled_is_no_success(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "racadm")
    planned = bench.plan(**WANTED)
    bench.box.silicon.knobs.append(Knob(tool="racadm", when="jobqueue create", kind="junk"))
    with pytest.raises(StepFailed, match="did not schedule the job for"):
        bench.apply(planned)


def test_another_job_for_the_bios_is_not_trampled_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "racadm")
    bench.apply(bench.plan(virtualization="enabled"))
    with pytest.raises(StepFailed) as caught:
        bench.apply(bench.plan(hyperthreading="disabled"))
    assert "LogicalProc cannot be set: the job JID_" in caught.value.message
    assert "jobqueue delete -i JID_" in caught.value.hint


def test_a_tool_that_hangs_is_ended(tmp_path: Path, kind: str) -> None:
    bench = Bench(tmp_path, kind, Knob(tool=kind, kind="hang"))
    with pytest.raises(ToolError, match="took longer than"):
        bench.read()


def test_a_tool_that_prints_junk_has_no_settings(tmp_path: Path, kind: str) -> None:
    bench = Bench(tmp_path, kind, Knob(tool=kind, kind="junk"))
    with pytest.raises(DriverError):
        bench.read()


def test_the_vendor_decides_and_a_missing_tool_is_named(kind: str) -> None:
    driver, _, vendor, _ = KINDS[kind]
    ours = Inventory(collected_at="2024-01-01T00:00:00Z", system=System(vendor=vendor))
    other = Inventory(collected_at="2024-01-01T00:00:00Z", system=System(vendor="QEMU"))
    here, absent = (
        driver(find_program=lambda program: "/usr/bin/x"),
        driver(find_program=lambda program: None),
    )
    found, missing = here.match(ours), absent.match(ours)
    assert here.match(other) is None
    assert found is not None
    assert missing is not None
    assert found.priority > missing.priority
    assert kind in missing.reason
    assert "not in this image" in missing.reason


def test_the_drivers_are_batches_and_exporters(kind: str) -> None:
    driver = KINDS[kind][0]()
    assert isinstance(driver, Batch)
    assert isinstance(driver, Exporter)


def test_the_password_of_the_setup_is_asked_for_and_not_logged(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "ilorest")
    asked = {"virtualization": "enabled", "password": {"secret": "setup"}}
    assert [problem.path for problem in bench.plan(**asked).problems] == ["bios.password"]
    bench.secrets = {"setup": "hunter2"}
    planned = bench.plan(**asked)
    bench.apply(planned)
    assert "--biospassword=hunter2" in [word for call in bench.box.calls for word in call]
    assert "hunter2" not in str(planned)


def test_a_saved_state_is_planned_on_where_the_tool_is_not(tmp_path: Path, kind: str) -> None:
    bench = Bench(tmp_path, kind)
    saved = read_saved(bench.box.machine, bench.inventory, [bench.driver])
    document = {"name": "t", "bios": WANTED}
    plan = plan_job(build_offline_run(document, saved, {}))
    assert plan.problems == []
    assert [action.id for action in plan.actions] == [action.id for action in bench.plan(**WANTED).actions]
    bench.apply(bench.plan(**WANTED))
    bench.box.silicon.boot()
    golden = read_saved(bench.box.machine, bench.inventory, [bench.driver])
    assert golden.template["bios"]["c_states"] == "disabled"
    again = plan_job(build_offline_run({"name": "t", "bios": golden.template["bios"]}, golden, {}))
    assert (again.actions, again.problems) == ([], [])
