"""A machine's saved state: what is planned on it is what is planned on the machine, and the template that describes it
plans nothing there."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from bmcmachine import BmcMachine
from carrying import apply, build_run, plan
from storagemachine import MIB, StorageMachine
from typer.testing import CliRunner

from bootos.cli import build_app
from bootos.drivers.contract import Driver, DriverError, Machine
from bootos.drivers.disk.filesystem import FilesystemDriver
from bootos.drivers.disk.partition import PartitionDriver
from bootos.drivers.oob.ipmi import IpmiDriver
from bootos.drivers.raid.mdadm import MdadmDriver
from bootos.engine.offline import build_offline_run
from bootos.engine.plan import JobPlan, plan_job
from bootos.engine.planhash import hash_plan
from bootos.engine.run import Run
from bootos.engine.savedstate import build_upload, load_saved, read_saved
from bootos.errors import BootosError
from bootos.process import Completed
from bootos.template.check import read_template
from bootos.wire.inventory import Bmc, Cpu, Dimm, Inventory, System
from bootos.wire.saved import SavedState

GIB = 1024**3
SECRETS = {"oob-ops": "pass-word-1", "oob-ADMIN": "ADMIN"}
TEMPLATE: dict[str, Any] = {
    "name": "db",
    "raid": {
        "arrays": [
            {"name": "os", "level": 1, "drives": "0,1", "hotspares": "2"},
            {"name": "data", "level": 5, "drives": "3-5", "strip": "64KiB"},
        ]
    },
    "oob": {
        "network": {"source": "static", "address": "10.0.8.21/24", "gateway": "10.0.8.1"},
        "users": [{"name": "ops", "role": "operator", "password": {"secret": "oob-ops"}}],
    },
    "disks": [{"select": {"array": "os"}, "filesystem": "xfs"}],
}


class Rig:
    """A machine with disks and a BMC."""

    def __init__(self, root: Path) -> None:
        self.storage = StorageMachine(root, {f"sd{letter}": 2048 * MIB for letter in "abcdef"})
        self.bmc = BmcMachine()
        self.machine = Machine(run=self.run, root=root)
        self.drivers: list[Driver] = [MdadmDriver(), IpmiDriver(), PartitionDriver(), FilesystemDriver()]

    def run(self, argv: Sequence[Any], **options: Any) -> Completed:
        runner = self.bmc.run if argv[0] == "ipmitool" else self.storage.run
        return runner(argv, **options)

    @property
    def inventory(self) -> Inventory:
        inventory = self.storage.build_inventory()
        inventory.bmc = Bmc(channel=1)
        inventory.system = System(vendor="Maker [R]", product="Model 1", serial="SN/001")
        inventory.cpu = Cpu(model="CPU (R) 1*", sockets=2, cores=32)
        inventory.memory.total_bytes = 32 * GIB
        inventory.memory.dimms = [
            Dimm(slot="A1", size_bytes=32 * GIB, speed_mts=3200),
            Dimm(slot="A2", size_bytes=0),
        ]
        return inventory

    def build_run(self, document: Any) -> Run:
        return build_run(document, self.machine, self.inventory, SECRETS, drivers=self.drivers)

    def plan(self, document: Any) -> JobPlan:
        plan = plan_job(self.build_run(document))
        assert plan.problems == []
        return plan

    def apply(self, document: Any) -> None:
        apply(document, self.machine, self.inventory, SECRETS, drivers=self.drivers)

    def save(self) -> SavedState:
        """As it comes back from a file."""
        saved = read_saved(self.machine, self.inventory, self.drivers)
        assert saved.unread == {}
        return msgspec.json.decode(msgspec.json.encode(saved), type=SavedState)

    def plan_saved(self, document: Any, saved: SavedState) -> JobPlan:
        return plan_job(build_offline_run(document, saved, SECRETS, self.drivers))


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_a_plan_on_the_saved_state_is_the_plan_on_the_machine(rig: Rig) -> None:
    here, there = rig.plan(TEMPLATE), rig.plan_saved(TEMPLATE, rig.save())
    assert there.problems == []
    assert [action.summary for action in there.actions] == [action.summary for action in here.actions]
    assert len(here.actions) >= 5


def test_the_template_of_a_configured_machine_plans_nothing_there(rig: Rig) -> None:
    rig.apply(TEMPLATE)
    saved = rig.save()
    golden = yaml.safe_load(yaml.safe_dump(saved.template))
    again = yaml.safe_load(yaml.safe_dump(saved.template))
    assert golden["name"] == "golden-SN-001"
    assert read_template(golden)[1] == []
    arrays = {array.pop("name"): array for array in golden["raid"]["arrays"]}
    assert arrays == {
        "os": {"level": 1, "drives": "0,1", "hotspares": "2"},
        "data": {"level": 5, "drives": "3,4,5", "strip": "64KiB"},
    }
    assert golden["oob"]["network"] == TEMPLATE["oob"]["network"]
    assert "store the secret 'oob-ops': bootos secret set oob-ops" in saved.notes
    assert rig.plan(again).actions == []
    assert rig.plan_saved(again, saved).actions == []
    assert rig.plan(TEMPLATE).actions == []


def test_another_machine_with_other_hardware_is_not_what_the_golden_one_expects(
    rig: Rig, tmp_path: Path
) -> None:
    golden = rig.save().template
    inventory = rig.inventory
    inventory.memory.dimms[0].size_bytes = 16 * GIB
    inventory.disks.pop()
    found = plan(golden, rig.machine, inventory, SECRETS, drivers=rig.drivers).problems
    assert {"expect.memory.slots[0]", "expect.disks[0]"} <= {problem.path for problem in found}


def test_on_a_saved_state_passwords_are_not_compared_and_that_is_said(rig: Rig) -> None:
    rig.apply(TEMPLATE)
    plan = rig.plan_saved(TEMPLATE, rig.save())
    assert plan.actions == []
    assert "BMC user 'ops': its password cannot be compared on a saved state" in plan.notes


def test_a_driver_whose_state_is_not_saved_is_told_by_its_name(rig: Rig) -> None:
    saved = rig.save()
    del saved.states["raid.mdadm"]
    with pytest.raises(DriverError, match=r"the saved state has nothing of raid\.mdadm"):
        rig.plan_saved(TEMPLATE, saved)


def test_what_cannot_be_read_is_said_and_the_rest_is_saved(rig: Rig) -> None:
    class Broken(IpmiDriver):
        def read(self, machine: Machine, inventory: Inventory) -> Any:
            raise ValueError("junk")

    saved = read_saved(rig.machine, rig.inventory, [MdadmDriver(), Broken()])
    reason = "a tool said what is not understood: ValueError('junk')"
    assert saved.unread == {"oob.ipmi": f"{IpmiDriver.title}: {reason}"}
    assert list(saved.states) == ["raid.mdadm"]


def test_what_is_uploaded_holds_no_secret_and_is_not_too_large(rig: Rig) -> None:
    saved = rig.save()
    saved.states["oob.ipmi"]["note"] = "the password is pass-word-1"
    saved.states["raid.mdadm"]["notes"] = ["x" * 3_000_000]
    upload = build_upload(saved, tuple(SECRETS.values()))
    assert "pass-word-1" not in json.dumps(upload)
    assert upload["unread"] == {"raid.mdadm": "it is too large to be sent"}
    assert "oob.ipmi" in upload["states"]


def test_a_password_that_is_a_name_too_changes_nothing_that_is_planned_on(rig: Rig) -> None:
    saved = rig.save()
    saved.unread["bios.sum"] = saved.states["oob.ipmi"]["note"] = "ADMIN was refused"
    names = {user["name"] for user in msgspec.to_builtins(saved)["states"]["oob.ipmi"]["users"]}
    assert "ADMIN" in names & set(SECRETS.values())
    uploaded = msgspec.convert(build_upload(saved, tuple(SECRETS.values())), SavedState)
    assert uploaded.unread["bios.sum"] == uploaded.states["oob.ipmi"]["note"] == "******** was refused"
    assert uploaded.template == saved.template
    made = [rig.plan_saved(saved.template, one) for one in (saved, uploaded)]
    assert [plan.problems for plan in made] == [[], []]
    assert [plan.actions for plan in made] == [[], []]


def test_a_file_that_holds_no_machine_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(BootosError, match=r"gone\.json cannot be read: No such file or directory$"):
        load_saved(tmp_path / "gone.json")
    (tmp_path / "text.json").write_text("CLI Version = 7")
    with pytest.raises(BootosError, match="is no capture") as raised:
        load_saved(tmp_path / "text.json")
    assert "bootos machine capture" in str(raised.value.hint)


def test_a_template_is_planned_offline_by_the_command(rig: Rig, tmp_path: Path) -> None:
    saved = tmp_path / "saved.json"
    saved.write_bytes(msgspec.json.encode(rig.save()))
    assert load_saved(saved).inventory.system.serial == "SN/001"
    (tmp_path / "common.yaml").write_text(yaml.safe_dump({"name": "common", "raid": TEMPLATE["raid"]}))
    file = tmp_path / "db.yaml"
    file.write_text('name: db\nbase: common\noob: {users: [{name: "<{who}>", password: {secret: pw}}]}\n')

    def call(*words: str) -> Any:
        argv = ["template", "check", str(file), "--inventory", str(saved), *words]
        return CliRunner().invoke(build_app(argv), argv)

    problem = call()
    assert "<{who}> is not known (--set who=...)" in str(problem.exception)
    shown = call("--set", "who=ops")
    assert shown.exit_code == 0, shown.exception
    assert "the secret 'pw' is not given" in shown.output
    assert "array os" in shown.output
    assert "nothing is destroyed, no reboot inside the job" in shown.output
    told = json.loads(call("--set", "who=ops", "--json").stdout)
    assert told["plan_hash"].startswith("sha256:")
    assert told["actions"][0]["driver"] == "raid.mdadm"
    assert hash_plan([]) != told["plan_hash"]
