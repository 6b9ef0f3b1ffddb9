"""`bios.sh`, from its words to what the machine's BIOS is after the next start."""

from pathlib import Path

import pytest
from siliconmachine import SiliconMachine

from bootos.agent.vendor_command.main import run_command
from bootos.drivers.bios.ilorest import IlorestDriver
from bootos.drivers.bios.racadm import RacadmDriver
from bootos.drivers.contract import Driver
from bootos.lab.vendor_tools.ilorest import Ilorest
from bootos.lab.vendor_tools.racadm import Racadm
from bootos.lab.vendor_tools.silicon import Knob, SiliconSpec
from bootos.wire.inventory import Inventory, System

BIOS = "/opt/yunji/osinstall/dell/bios.sh"


class Rack:
    """A machine of one vendor, and the drivers of several."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str], vendor: str = "Dell Inc.") -> None:
        self.box = SiliconMachine(root, SiliconSpec(), tools=[Racadm(), Ilorest()])
        self.capsys = capsys
        self.inventory = Inventory(collected_at="2024-01-01T00:00:00Z", system=System(vendor=vendor))
        self.installed = {"racadm", "ilorest"}

    def call(self, *words: str) -> tuple[int, str]:
        def find(name: str) -> str | None:
            return name if name in self.installed else None

        drivers: list[Driver] = [RacadmDriver(find), IlorestDriver(find)]
        code = run_command(BIOS, words, self.box.machine, lambda: self.inventory, drivers=drivers)
        return code, self.capsys.readouterr().out

    def show(self, name: str) -> str:
        return str(self.box.silicon.state["bios"]["attributes"][name])


@pytest.fixture
def rack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Rack:
    return Rack(tmp_path, capsys)


@pytest.mark.parametrize(
    ("vendor", "name"), [("Dell Inc.", "ProcVirtualization"), ("HPE", "ProcVirtualization")]
)
def test_virtualization_is_set_waits_for_the_start_and_is_then_as_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], vendor: str, name: str
) -> None:
    rack = Rack(tmp_path, capsys, vendor)
    code, said = rack.call("-t", "enable")
    assert code == 0, said
    assert f"done; takes effect with the next reboot: set {name}" in said
    assert rack.show(name) == "Disabled"
    code, said = rack.call("-t", "enable")
    assert code == 0
    assert f"takes effect with the next reboot: restart, so that {name} becomes Enabled" in said
    rack.box.silicon.boot()
    assert rack.show(name) == "Enabled"
    code, said = rack.call("-t", "enable")
    assert (code, said.splitlines()[-1]) == (0, "bios.sh: nothing to do: the machine is as wanted")


def test_c_states_that_a_profile_owns_are_refused_by_the_option(rack: Rack) -> None:
    code, said = rack.call("-t", "enable", "-c", "disable")
    assert code == 1
    assert "-c: ProcCStates cannot be set to Disabled while SysProfile is PerfPerWattOptimizedDapc" in said
    assert said.endswith("bios.sh: refused; nothing was changed\n")
    assert rack.box.silicon.state["bios"]["pending"] == {}


def test_a_plan_changes_nothing(rack: Rack) -> None:
    code, said = rack.call("-t", "enable", "--plan")
    assert (code, rack.box.silicon.state["bios"]["pending"]) == (0, {})
    assert "planned only; nothing was changed" in said


def test_a_missing_tool_is_named(rack: Rack) -> None:
    rack.installed.clear()
    code, said = rack.call("-t", "enable")
    assert code == 1
    assert "racadm or idracadm7 is not in this image, and bios.racadm cannot do without" in said


def test_a_tool_that_only_says_so_is_a_failure(rack: Rack) -> None:
    rack.box.silicon.knobs.append(Knob(tool="racadm", when="set *", kind="ignore"))
    code, said = rack.call("-t", "enable")
    assert code == 1
    assert "ProcVirtualization" in said
