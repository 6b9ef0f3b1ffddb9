"""Drives are erased by what they can do, read back, and certified; a drive that lies gets no certificate."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from carrying import apply, plan
from drivetools import GOLDEN, Drive, DriveMachine
from handclock import StillClock
from storagemachine import MIB

from bootos.drivers.contract import Driver, Machine
from bootos.drivers.erase.certificate import is_sealed
from bootos.drivers.erase.erase import EraseDriver
from bootos.drivers.registry import Chosen
from bootos.engine.apply import apply_job
from bootos.engine.plan import JobPlan, plan_job
from bootos.engine.run import Run
from bootos.engine.watcher import StepFailed, Watcher
from bootos.wire.inventory import Inventory
from bootos.wire.v2 import StepState

HDPARM = (GOLDEN / "hdparm-sandisk-extreme.txt").read_text()
FROZEN = (GOLDEN / "hdparm-frozen.txt").read_text()
OPCODES = (GOLDEN / "sg-opcodes-seagate-st10000nm0226.txt").read_text()
NVME = (GOLDEN / "nvme-id-ctrl-wdc-sn730.json").read_text()
NO_SANITIZE = NVME.replace('"sanicap": 1610612739', '"sanicap": 0')
NO_SECURITY = HDPARM.replace("\t\tsupported\n", "").replace("\t\tsupported: enhanced erase\n", "")


def template(**more: Any) -> Any:
    return {"name": "t", "erase": [{"select": {"drives": 0}, "confirm": "lose-all-data", **more}]}


class Bench:
    """One job on one machine; its certificates."""

    def __init__(self, fake: DriveMachine, *, owner: str = "SN001 7", **more: Any) -> None:
        self.fake = fake
        self.certificates: list[dict[str, Any]] = []
        self.machine = Machine(
            run=fake.run, root=fake.root, owner=owner, record=self.certificates.append, **more
        )
        self.driver = EraseDriver(StillClock())

    def plan(self, wanted: Any) -> JobPlan:
        return plan(wanted, self.machine, self.fake.build_inventory(), drivers=[self.driver])

    def apply(self, wanted: Any) -> None:
        for action in apply(wanted, self.machine, self.fake.build_inventory(), drivers=[self.driver]):
            assert action.destroys
            assert action.allowed == "erase[0].confirm"


def bench(tmp_path: Path, name: str = "sda", **drive: Any) -> Bench:
    return Bench(DriveMachine(tmp_path, {name: Drive(**drive)}))


@pytest.mark.parametrize(
    ("name", "drive", "method", "variant"),
    [
        ("nvme0n1", {"id_ctrl": NVME}, "nvme-sanitize", "block"),
        ("nvme0n1", {"id_ctrl": NO_SANITIZE}, "nvme-format", "user-data"),
        ("sda", {"hdparm": HDPARM}, "ata-sanitize", "block"),
        (
            "sda",
            {"hdparm": HDPARM.replace("SANITIZE feature", "NO feature")},
            "ata-security-erase",
            "enhanced",
        ),
        ("sda", {"sg_opcodes": OPCODES}, "scsi-sanitize", "crypto"),
        ("sda", {}, "overwrite", "host"),
        ("vda", {}, "overwrite", "host"),
    ],
)
def test_the_strongest_method_that_the_drive_has_is_taken(
    name: str, drive: dict[str, Any], method: str, variant: str, tmp_path: Path
) -> None:
    run = bench(tmp_path, name, **drive)
    run.apply(template())
    (certificate,) = run.certificates
    assert (certificate["method"]["method"], certificate["method"]["variant"]) == (method, variant)
    assert certificate["verification"]["result"] == "passed"
    assert len(certificate["verification"]["positions"]) > 200
    assert certificate["drive"]["serial"] == "SER0"
    assert is_sealed(certificate)
    assert b"precious" not in run.fake._file(f"/dev/{name}").read_bytes()
    assert run.plan(template()).actions == [], "the job has its certificate"
    assert Bench(run.fake, owner="SN001 8").plan(template()).actions, "another job erases again"


def test_a_certificate_is_of_a_drive_and_not_of_its_place(tmp_path: Path) -> None:
    """A drive that takes the place of the erased one, while the job goes on, is not taken for it."""
    run = bench(tmp_path)
    run.apply(template())
    inventory = run.fake.build_inventory()
    machine = Machine(
        run=run.fake.run, root=tmp_path, owner="SN001 7", done=frozenset({"disk.erase:erase:SER0"})
    )
    assert plan(template(), machine, inventory, drivers=[run.driver]).actions == []
    inventory.disks[0].serial = "ANOTHER"
    (action,) = plan(template(), machine, inventory, drivers=[run.driver]).actions
    assert "everything on /dev/sda (drive 0, serial ANOTHER)" in action.destroys[0]


def test_the_certificate_does_not_pass_for_another_one(tmp_path: Path) -> None:
    run = bench(tmp_path)
    run.apply(template(passes=2))
    certificate = run.certificates[0]
    assert len(certificate["method"]["commands"]) == 2
    assert not is_sealed({**certificate, "drive": {**certificate["drive"], "serial": "OTHER"}})


@pytest.mark.parametrize(
    ("name", "drive"),
    [
        ("nvme0n1", {"id_ctrl": NVME}),
        ("nvme0n1", {"id_ctrl": NO_SANITIZE}),
        ("sda", {"hdparm": HDPARM}),
        ("sda", {"sg_opcodes": OPCODES}),
    ],
)
def test_a_drive_that_says_it_is_erased_and_is_not_gets_no_certificate(
    name: str, drive: dict[str, Any], tmp_path: Path
) -> None:
    run = bench(tmp_path, name, lies=True, **drive)
    with pytest.raises(StepFailed, match=r"not proven to be erased: .* still hold what was written before"):
        run.apply(template())
    assert run.certificates == []
    assert run.plan(template()).actions, "it is still to be erased"


@pytest.mark.parametrize(("name", "drive"), [("nvme0n1", {"id_ctrl": NVME}), ("sda", {"hdparm": HDPARM})])
def test_a_sanitize_that_fails_fails_the_job(name: str, drive: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="sanitize failed"):
        bench(tmp_path, name, fails=True, **drive).apply(template())


def test_a_security_erase_that_fails_leaves_no_password_behind(tmp_path: Path) -> None:
    run = bench(tmp_path, hdparm=HDPARM, fails=True)
    with pytest.raises(StepFailed, match="security-erase"):
        run.apply(template(method="ata-security-erase"))
    assert run.fake.drives["/dev/sda"].password == ""


def test_a_sanitize_that_goes_on_after_a_power_cut_is_waited_for(tmp_path: Path) -> None:
    fake = DriveMachine(tmp_path, {"nvme0n1": Drive(id_ctrl=NVME, left=5)})
    run = Bench(fake, begun=frozenset({"disk.erase:erase:SER0"}))
    run.apply(template())
    assert run.certificates[0]["method"]["resumed"] is True
    assert not [call for call in fake.calls if call[:2] == ["nvme", "sanitize"]]


def test_a_password_that_an_earlier_attempt_set_is_taken_away_by_the_erase(tmp_path: Path) -> None:
    fake = DriveMachine(tmp_path, {"sda": Drive(hdparm=HDPARM, password="BootOS")})
    wanted = template(method="ata-security-erase")
    assert "password" in Bench(fake).plan(wanted).problems[0].message
    other = Bench(fake, begun=frozenset({"disk.erase:erase:SER7", "disk.erase:erase:/dev/sda"}))
    assert other.plan(wanted).problems, "another drive was begun, under whatever name"
    Bench(fake, begun=frozenset({"disk.erase:erase:SER0"})).apply(wanted)
    assert fake.drives["/dev/sda"].password == ""


def test_a_frozen_drive_is_a_problem_with_a_way_out(tmp_path: Path) -> None:
    run = bench(tmp_path, hdparm=FROZEN)
    (problem,) = run.plan(template()).problems
    assert problem.path == "erase[0].method"
    assert "frozen" in problem.message
    assert "power the drive off and on" in problem.hint
    assert run.plan(template(method="overwrite")).problems == []


def test_a_method_that_the_drive_does_not_have_is_a_problem(tmp_path: Path) -> None:
    (problem,) = bench(tmp_path, hdparm=NO_SECURITY).plan(template(method="ata-security-erase")).problems
    assert "it has ata-sanitize, overwrite" in problem.message


def test_another_namespace_of_the_drive_is_not_erased_in_passing(tmp_path: Path) -> None:
    run = Bench(DriveMachine(tmp_path, {name: Drive(id_ctrl=NVME) for name in ("nvme0n1", "nvme0n2")}))
    (problem,) = run.plan(template(method="nvme-sanitize")).problems
    assert "it would erase /dev/nvme0n2 as well" in problem.message
    run.apply(template())
    assert run.certificates[0]["method"]["method"] == "nvme-format"
    assert b"precious" in run.fake._file("/dev/nvme0n2").read_bytes()


def test_reading_everything_back_finds_one_block_that_was_left(tmp_path: Path) -> None:
    run = bench(tmp_path)
    run.apply(template(verify="full"))
    found = run.certificates[0]["verification"]
    assert (found["kind"], found["found"]) == ("full", {"stamp": 4096})


def test_what_is_lost_is_named_and_nothing_happens_without_the_word(tmp_path: Path) -> None:
    run = bench(tmp_path)
    run.fake.put("/dev/sda", "xfs", "precious")
    (action,) = run.plan(template()).actions
    assert 'xfs file system "precious" on /dev/sda' in action.destroys
    from bootos.template.check import read_template

    _, problems = read_template({"name": "t", "erase": [{"select": {"drives": 0}}]})
    assert [problem.path for problem in problems] == ["erase[0].confirm"]


BOTH = {
    "name": "t",
    "erase": [{"select": {"drives": number}, "confirm": "lose-all-data"} for number in (0, 1)],
}


def test_an_erase_that_an_earlier_attempt_ended_is_not_done_again(tmp_path: Path) -> None:
    fake = DriveMachine(tmp_path, {"sda": Drive()})
    (action,) = Bench(fake).plan(template()).actions
    # the certificate was lost with the reboot
    run = Bench(fake, done=frozenset({action.id}))
    planned = run.plan(template())
    assert (planned.actions, planned.problems) == ([], [])
    assert "erased by this job" in planned.notes[0]


def test_another_drive_under_the_name_of_an_erased_one_is_erased_in_the_next_boot(tmp_path: Path) -> None:
    run = bench(tmp_path)
    (action,) = run.plan(template()).actions
    machine = Machine(run=run.fake.run, root=tmp_path, owner="SN001 7", done=frozenset({action.id}))
    inventory = run.fake.build_inventory()
    inventory.disks[0].serial, inventory.disks[0].wwn = "ANOTHER", "0x5000000000009999"
    (other,) = plan(template(), machine, inventory, drivers=[run.driver]).actions
    assert (action.id, other.id) == ("disk.erase:erase:SER0", "disk.erase:erase:ANOTHER")


def test_drives_that_change_their_names_are_known_in_the_next_boot(tmp_path: Path) -> None:
    """sda and sdb have changed places: the erased one is not erased again, the other one is."""
    fake = DriveMachine(tmp_path, {"sda": Drive(), "sdb": Drive()})
    (action,) = Bench(fake).plan(template()).actions
    machine = Machine(run=fake.run, root=fake.root, owner="SN001 7", done=frozenset({action.id}))
    inventory = fake.build_inventory()
    one, other = inventory.disks
    one.serial, other.serial = other.serial, one.serial
    one.wwn, other.wwn = other.wwn, one.wwn
    planned = plan(BOTH, machine, inventory, drivers=[EraseDriver(StillClock())])
    assert [action.id for action in planned.actions] == ["disk.erase:erase:SER1"]
    assert planned.notes == [
        "/dev/sdb (drive 1, serial SER0) was erased by this job, which has its certificate"
    ]


@pytest.mark.parametrize("transport", [None, "usb"])
def test_a_drive_that_nothing_tells_from_another_is_erased_again_in_the_next_boot(
    transport: str | None, tmp_path: Path
) -> None:
    """A drive without serial number and world wide name, or whose serial number may be that of a USB bridge."""
    run = bench(tmp_path)

    def build() -> Inventory:
        inventory = run.fake.build_inventory()
        (disk,) = inventory.disks
        disk.wwn, disk.transport = None, transport
        disk.serial = disk.serial if transport == "usb" else None
        return inventory

    (action,) = plan(template(), run.machine, build(), drivers=[run.driver]).actions
    machine = Machine(run=run.fake.run, root=tmp_path, owner="SN001 7", done=frozenset({action.id}))
    (again,) = plan(template(), machine, build(), drivers=[run.driver]).actions
    assert again.id == action.id == "disk.erase:erase:/dev/sda"


def test_a_serial_number_that_two_drives_have_proves_nothing(tmp_path: Path) -> None:
    """The sanitizing of one is not taken for that of the other; they are told apart by their world wide names."""
    fake = DriveMachine(tmp_path, {"nvme0n1": Drive(id_ctrl=NVME), "nvme1n1": Drive(id_ctrl=NVME)})
    inventory = fake.build_inventory()
    for disk in inventory.disks:
        disk.serial = "CLONE"
    machine = Machine(run=fake.run, root=tmp_path, owner="SN001 7")
    drivers: list[Driver] = [EraseDriver(StillClock())]
    (action,) = apply(template(), machine, inventory, drivers=drivers)
    (other,) = plan(BOTH, machine, inventory, drivers=drivers).actions
    names = ["disk.erase:erase:0x5000000000000000", "disk.erase:erase:0x5000000000000001"]
    assert [action.id, other.id] == names


def test_an_id_that_names_the_kernels_device_proves_nothing(tmp_path: Path) -> None:
    """As an agent before 0.2.0 told the server; the drive may have another name since."""
    run = Bench(DriveMachine(tmp_path, {"sda": Drive()}), done=frozenset({"disk.erase:erase:/dev/sda"}))
    assert [action.id for action in run.plan(template()).actions] == ["disk.erase:erase:SER0"]


def plug(root: Path, name: str, wwn: str, sectors: int = 16 * 2048) -> None:
    """Let the kernel show a drive of this world wide name, in place of one that has the name now."""
    device = root / f"sys/devices/pci0000:00/0000:00:09.0/virtio9/block/{name}"
    device.mkdir(parents=True, exist_ok=True)
    (device / "size").write_text(f"{sectors}\n")
    (device / "wwid").write_text(f"naa.{wwn}\n")
    block = root / "sys/block"
    block.mkdir(parents=True, exist_ok=True)
    if not (block / name).exists():
        (block / name).symlink_to(device)


class Meanwhile(Watcher):
    """Something happens to the second drive while the first one is erased, which takes hours."""

    def __init__(self, happen: Callable[[], None]) -> None:
        self._happen = happen

    def set_action(self, step_id: str, action_id: str, state: StepState) -> None:
        if (action_id, state) == ("disk.erase:erase:SER0", StepState.DONE):
            self._happen()


def erase_both(tmp_path: Path, happen: Callable[[DriveMachine], None]) -> tuple[Bench, str]:
    """Erase two drives; returns the bench, and why the second was not erased."""
    fake = DriveMachine(tmp_path, {"vda": Drive(), "vdb": Drive()})
    plug(tmp_path, "vdb", "5000000000000001")
    found = Bench(fake)
    run = Run(
        BOTH,
        found.machine,
        fake.build_inventory(),
        watcher=Meanwhile(lambda: happen(fake)),
        choose=lambda inventory, template: ([Chosen(driver=found.driver, reason="test")], []),
    )
    with pytest.raises(StepFailed) as caught:
        apply_job(run, plan_job(run))
    assert fake._file("/dev/vdb").read_bytes() == b"precious" * (2 * MIB)
    assert [certificate["drive"]["path"] for certificate in found.certificates] == ["/dev/vda"]
    return found, str(caught.value)


def test_a_drive_that_was_exchanged_while_another_was_erased_is_not_erased(tmp_path: Path) -> None:
    _, why = erase_both(tmp_path, lambda fake: plug(fake.root, "vdb", "5000c500aaaaaaaa"))
    assert "/dev/vdb is another drive than when it was planned: wwn 0x5000c500aaaaaaaa" in why


def test_a_drive_that_was_mounted_while_another_was_erased_is_not_erased(tmp_path: Path) -> None:
    def mount(fake: DriveMachine) -> None:
        fake.devices["/dev/vdb"].mountpoint = "/mnt"

    _, why = erase_both(tmp_path, mount)
    assert "/dev/vdb was taken into use: it is mounted on /mnt" in why
