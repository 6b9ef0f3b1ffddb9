"""firmware.package against the lab's packages, by the agent's engine, with the reboots in between."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from carrying import Recorder, build_run, carry_through
from handclock import StillClock
from siliconmachine import SiliconMachine

from bootos.drivers.contract import Driver
from bootos.drivers.firmware.package import PackageDriver
from bootos.engine.plan import JobPlan, plan_job
from bootos.engine.run import NO_PAST, Past, Run
from bootos.engine.watcher import StepFailed
from bootos.lab.vendor_tools.firmware_package import (
    FirmwarePackage,
    build_package,
    list_history,
    read_version,
)
from bootos.lab.vendor_tools.silicon import Knob, SiliconSpec
from bootos.wire.inventory import Bios, Bmc, Inventory, System
from bootos.wire.v2 import StepState

INVENTORY = Inventory(
    collected_at="2024-01-01T00:00:00Z",
    system=System(vendor="Dell Inc.", product="PowerEdge R740"),
    bios=Bios(version="2.2.11"),
    bmc=Bmc(firmware="3.0.0"),
)


class Bench:
    """A machine with BIOS 2.2.11 and BMC 3.0.0, packages for it, and the engine."""

    def __init__(self, root: Path, *, has_tool: bool = True) -> None:
        state = {"bios": {"version": "2.2.11"}, "firmware": {"versions": {"bmc": "3.0.0"}}}
        self.root = root
        self.here = SiliconMachine(root, SiliconSpec(state=state), tools=(FirmwarePackage(),))
        self.watch = Recorder()
        self.reboots = 0
        self.has_tool = has_tool
        self.clock = StillClock()

    @property
    def driver(self) -> Driver:
        def find(name: str) -> str | None:
            return name if self.has_tool and name == "firmware-versions" else None

        return PackageDriver(find, clock=self.clock)

    def build_hop(self, component: str, version: str, base: str = "", **more: Any) -> dict[str, Any]:
        path = self.root / "packages" / f"{component.upper()}_{version}.BIN"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(build_package(component, version, base))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return {"version": version, "package": f"file://{path}", "sha256": digest, **more}

    def build_item(self, component: str, version: str, base: str = "", **more: Any) -> dict[str, Any]:
        return {"component": component, **self.build_hop(component, version, base), **more}

    def build_chain(self, **more: Any) -> dict[str, Any]:
        hops = [
            self.build_hop("bios", "2.19.1", "2.10.0", **{"from": ">=2.10.0"}),
            self.build_hop("bios", "2.10.0", **{"from": ">=2.0.0"}),
        ]
        return {"component": "bios", "version": "2.19.1", "packages": hops, **more}

    def plan(self, *items: dict[str, Any]) -> JobPlan:
        return plan_job(self.build_run(*items))

    def build_run(self, *items: dict[str, Any], past: Past = NO_PAST) -> Run:
        document = {"name": "t", "firmware": list(items)}
        return build_run(
            document,
            self.here.machine,
            INVENTORY,
            drivers=[self.driver],
            watcher=self.watch,
            past=past,
        )

    def carry_out(self, *items: dict[str, Any]) -> list[str]:
        """The whole job; returns the ids in the order they were done."""

        def start(past: Past, recorder: Recorder) -> Run:
            self.watch = recorder
            return self.build_run(*items, past=past)

        return carry_through(start, self.reboot)

    def reboot(self) -> None:
        self.reboots += 1
        self.here.silicon.boot()

    def read_bios(self) -> str:
        return read_version(self.here.silicon, "bios")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_bios_goes_two_hops_with_a_reboot_after_each_and_the_second_job_plans_nothing(bench: Bench) -> None:
    item = bench.build_chain()
    assert [action.id for action in bench.plan(item).actions] == [
        "firmware.package:bios:2.10.0",
        "firmware.package:bios:2.19.1",
    ]
    assert bench.carry_out(item) == ["firmware.package:bios:2.10.0", "firmware.package:bios:2.19.1"]
    assert list_history(bench.here.silicon) == ["2.10.0", "2.19.1"]
    assert bench.reboots == 2
    assert bench.plan(item).actions == []
    assert list((bench.root / "run/bootos/firmware").iterdir()) == []


def test_the_bmc_comes_first_and_needs_no_reboot(bench: Bench) -> None:
    chain = bench.build_chain()
    hops = [bench.build_hop("bmc", "5.0.0", "4.0.0", **{"from": "4.0.0"}), bench.build_hop("bmc", "4.0.0")]
    bmc = {"component": "bmc", "version": "5.0.0", "packages": hops}
    done = bench.carry_out(chain, bmc)
    assert [id.split(":", 1)[1] for id in done] == ["bmc:4.0.0", "bmc:5.0.0", "bios:2.10.0", "bios:2.19.1"]
    assert bench.reboots == 2
    assert list_history(bench.here.silicon, "bmc") == ["4.0.0", "5.0.0"]


def test_a_downgrade_is_forced_by_the_package_too(bench: Bench) -> None:
    item = bench.build_item("bios", "2.1.0", allow_downgrade=True)
    bench.carry_out(item)
    assert bench.read_bios() == "2.1.0"
    assert [words[1:] for words in bench.here.calls if words[0].endswith(".BIN")] == [["-q", "-f"]]


def test_a_package_with_another_sha256_is_not_run(bench: Bench) -> None:
    item = {**bench.build_item("bios", "2.10.0"), "sha256": "0" * 64}
    with pytest.raises(StepFailed, match="has sha256"):
        bench.carry_out(item)
    assert not any(words[0].endswith(".BIN") for words in bench.here.calls)
    assert list((bench.root / "run/bootos/firmware").iterdir()) == []


def test_the_packages_words_are_in_the_message_when_it_refuses(bench: Bench) -> None:
    item = bench.build_item("bios", "2.19.1", "2.10.0")
    with pytest.raises(StepFailed, match=r"BIOS to 2\.19\.1.*exit code 4.*prerequisite version 2\.10\.0"):
        bench.carry_out(item)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("hang", r"BIOS to 2\.10\.0: the package did not end by itself"),
        ("fail-half", r"BIOS to 2\.10\.0: the Dell Update Package ended with exit code 1.*failed at 50 %"),
    ],
)
def test_a_package_that_misbehaves_fails_the_job_by_component_and_version(
    bench: Bench, kind: Any, message: str
) -> None:
    bench.here.silicon.knobs.append(Knob(tool="lab-firmware-package", kind=kind))
    with pytest.raises(StepFailed, match=message):
        bench.carry_out(bench.build_chain())
    assert bench.watch.actions == {"firmware.package:bios:2.10.0": StepState.FAILED}
    bench.reboot()
    assert bench.read_bios() == "2.2.11"


@pytest.mark.parametrize("kind", ["ignore", "junk"])
def test_a_package_that_says_yes_and_does_nothing_is_found_out_after_the_reboot(
    bench: Bench, kind: Any
) -> None:
    bench.here.silicon.knobs.append(Knob(tool="lab-firmware-package", kind=kind))
    with pytest.raises(StepFailed, match=r"did not take: BIOS: 2\.2\.11 -> 2\.10\.0"):
        bench.carry_out(bench.build_chain())
    assert bench.reboots == 1


def test_an_exit_code_that_says_failed_is_believed(bench: Bench) -> None:
    bench.here.silicon.knobs.append(Knob(tool="lab-firmware-package", kind="wrong-exit"))
    with pytest.raises(StepFailed, match=r"BMC to 4\.0\.0: the Dell Update Package ended with exit code 1"):
        bench.carry_out(bench.build_item("bmc", "4.0.0"))


def test_an_exit_code_that_forgets_the_reboot_does_no_harm(bench: Bench) -> None:
    bench.here.silicon.knobs.append(Knob(tool="lab-firmware-package", kind="wrong-exit", times=1))
    bench.carry_out(bench.build_chain())
    assert bench.read_bios() == "2.19.1"


def test_a_bmc_that_keeps_its_old_version_is_named(bench: Bench) -> None:
    bench.here.silicon.knobs.append(Knob(tool="lab-firmware-package", kind="ignore"))
    with pytest.raises(
        StepFailed, match=r"BMC to 4\.0\.0: the package reported success, but BMC has 3\.0\.0"
    ):
        bench.carry_out(bench.build_item("bmc", "4.0.0"))
    assert bench.clock.now_s == 600


def test_a_bmc_that_is_away_with_its_new_firmware_is_waited_for(bench: Bench) -> None:
    """Ten minutes at most, in steps of ten seconds."""
    bench.here.silicon.knobs.append(Knob(tool="lab-firmware-package", kind="ignore"))

    class Restarting(StillClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if self.now_s == 590:
                bench.here.silicon.state["firmware"]["versions"]["bmc"] = "4.0.0"

    bench.clock = Restarting()
    assert bench.carry_out(bench.build_item("bmc", "4.0.0")) == ["firmware.package:bmc:4.0.0"]
    assert bench.clock.now_s == 590


def cut(bench: Bench, item: dict[str, Any], before: Callable[[], None]) -> JobPlan:
    """The power fails while the package runs: the next attempt knows that the action had begun."""
    before()
    bench.reboot()
    bench.here.machine.begun = frozenset({"firmware.package:bios:2.10.0"})
    return bench.plan(item)


def test_a_power_cut_with_the_flash_staged_is_no_loss(bench: Bench) -> None:
    item = bench.build_chain()
    action = bench.plan(item).actions[0]
    plan = cut(bench, item, lambda: bench.driver.apply(bench.here.machine, action, {}))
    assert [action.id for action in plan.actions] == ["firmware.package:bios:2.19.1"]


def test_a_power_cut_before_it_was_staged_is_repeated_where_the_vendor_says_so(bench: Bench) -> None:
    item = bench.build_chain()
    assert cut(bench, item, lambda: None).actions[0].id.endswith("2.10.0")
    bench.carry_out(item)
    assert bench.read_bios() == "2.19.1"


def test_a_power_cut_stops_the_job_where_nobody_says_that_it_is_safe(bench: Bench) -> None:
    item = bench.build_chain(format="plain", options=["-q"], reboot_codes=[2])
    (problem,) = cut(bench, item, lambda: None).problems
    assert problem.path == "firmware[0].resume"
    assert "BIOS to 2.10.0 was cut off" in problem.message
    bench.carry_out({**item, "resume": True})
    assert bench.read_bios() == "2.19.1"


def test_without_a_vendors_tool_the_versions_are_those_of_the_inventory(tmp_path: Path) -> None:
    bench = Bench(tmp_path, has_tool=False)
    plan = bench.plan(bench.build_chain())
    assert plan.actions[0].changes[0].before == "2.2.11"


def test_formats_that_do_not_fit_are_problems_of_the_plan(bench: Bench) -> None:
    unknown = bench.plan(bench.build_item("bios", "2.10.0", format="nobodys"))
    assert [problem.path for problem in unknown.problems] == ["firmware[0].format"]
    item = bench.build_item("bios", "2.10.0", format="supermicro-bios")
    (missing,) = bench.plan(item).problems
    assert "saa or sum, which is not in this image" in missing.message
    hpe = {**bench.build_item("bmc", "4.0.0"), "package": "https://h/CP012345.scexe"}
    assert "nobody knows how this package of Dell Inc." in bench.plan(hpe).problems[0].message
