"""Intel's arrays (`metadata: imsm`) by `raid.mdadm`, on a machine that remembers: made, degraded, repaired, deleted."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from carrying import apply, plan
from imsmmachine import ImsmMachine
from storagemachine import MIB

from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.raid.mdadm import MdadmDriver
from bootos.drivers.raid.mdimsm import delete_volume
from bootos.engine.capture.lookrunner import LookRunner

PLATFORM = (Path(__file__).parents[1] / "golden/drivers/raid.mdadm/platform/vroc.txt").read_text()
OS = {"name": "os", "level": 1, "drives": "0,1", "metadata": "imsm"}
FORMAT = {"disks": [{"select": {"array": "os"}, "filesystem": {"type": "ext4", "label": "root"}}]}


@pytest.fixture
def fake(tmp_path: Path) -> ImsmMachine:
    return ImsmMachine(tmp_path, {f"sd{letter}": 2048 * MIB for letter in "abcdef"})


def build(*arrays: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "t", "raid": {"arrays": list(arrays), **more.pop("raid", {})}, **more}


def carry(fake: ImsmMachine, template: dict[str, Any]) -> list[str]:
    """Carried out; afterwards, and after a reboot, nothing is planned."""
    inventory = fake.build_inventory()
    done = [action.id for action in apply(template, fake.machine, inventory)]
    for again in (False, True):
        if again:
            fake.restart()
        found = plan(template, fake.machine, inventory)
        assert (found.actions, found.problems) == ([], []), f"after a reboot: {again}"
    return done


def complaints(fake: ImsmMachine, template: dict[str, Any]) -> list[tuple[str, str]]:
    found = plan(template, fake.machine, fake.build_inventory())
    assert found.actions == []
    return [(problem.path, problem.message) for problem in found.problems]


def test_the_container_is_made_first_and_the_array_in_it(fake: ImsmMachine) -> None:
    done = carry(fake, build(OS, **FORMAT))
    assert done == ["raid.mdadm:create:os", "disk.filesystem:make:/dev/md/os"]
    made = [call for call in fake.calls if "--create" in call]
    assert [call[2] for call in made] == ["/dev/md127", "/dev/md/os"]
    (home,) = fake.homes
    assert (home.drives, [volume.name for volume in home.volumes]) == (["/dev/sda", "/dev/sdb"], ["os"])


def test_two_arrays_lie_in_one_container(fake: ImsmMachine) -> None:
    arrays = (
        {"name": "os", "level": 0, "drives": "0-2", "metadata": "imsm", "size": "600MiB"},
        {"name": "data", "level": 5, "drives": "0-2", "metadata": "imsm", "strip": "64KiB"},
    )
    assert carry(fake, build(*arrays)) == ["raid.mdadm:create:os", "raid.mdadm:create:data"]
    (home,) = fake.homes
    assert [(volume.name, volume.level) for volume in home.volumes] == [("os", 0), ("data", 5)]


def test_a_hot_spare_belongs_to_the_container(fake: ImsmMachine) -> None:
    spared = OS | {"hotspares": "4", "size": "512MiB"}
    data = {"name": "data", "level": 1, "drives": "0,1", "metadata": "imsm"}
    assert carry(fake, build(spared, data)) == ["raid.mdadm:create:os", "raid.mdadm:create:data"]
    assert fake.homes[0].drives == ["/dev/sda", "/dev/sdb", "/dev/sde"]
    bare = OS | {"size": "512MiB"}
    assert carry(fake, build(bare, data)) == ["raid.mdadm:remove:os:/dev/sde"]
    assert carry(fake, build(spared, data)) == ["raid.mdadm:add:os:/dev/sde"]


def test_an_array_is_added_to_a_container_that_is_there_without_a_word(fake: ImsmMachine) -> None:
    bare = OS | {"size": "512MiB"}
    carry(fake, build(bare))
    fake.find_volume_named("os").device.signatures = [{"type": "ext4", "label": "kept", "uuid": "1"}]
    data = {"name": "data", "level": 0, "drives": "0,1", "metadata": "imsm"}
    assert carry(fake, build(bare, data)) == ["raid.mdadm:create:data"]
    assert fake.find_volume_named("os").device.signatures[0]["label"] == "kept"


def test_a_new_drive_is_added_to_a_degraded_array_which_is_rebuilt(fake: ImsmMachine) -> None:
    carry(fake, build(OS, **FORMAT))
    fake.replace("/dev/sdb")
    fake.calls.clear()
    found = plan(build(OS, **FORMAT), fake.machine, fake.build_inventory())
    assert [action.id for action in found.actions] == ["raid.mdadm:add:os:/dev/sdb"]
    changing = [call for call in fake.calls if call[0] == "mdadm" and "--assemble" in call]
    assert changing and all("--readonly" in call for call in changing), "reading is read-only"
    assert carry(fake, build(OS, **FORMAT)) == ["raid.mdadm:add:os:/dev/sdb"]
    assert fake.find_volume_named("os").drives == ["/dev/sda", "/dev/sdb"]


def test_a_hot_spare_that_took_over_is_no_difference(fake: ImsmMachine) -> None:
    spared = OS | {"hotspares": "4"}
    carry(fake, build(spared))
    fake.replace("/dev/sdb")
    found = plan(build(spared), fake.machine, fake.build_inventory())
    assert [action.id for action in found.actions] == ["raid.mdadm:add:os:/dev/sdb"]
    carry(fake, build(spared))
    assert fake.find_volume_named("os").drives == ["/dev/sda", "/dev/sde"]
    assert fake.homes[0].drives == ["/dev/sda", "/dev/sde", "/dev/sdb"]


def test_a_drive_that_failed_is_no_hot_spare_and_comes_back_only_with_the_word(fake: ImsmMachine) -> None:
    inventory = fake.build_inventory()
    apply(build(OS), fake.machine, inventory)
    fake.fail("/dev/sdb")
    (complaint,) = complaints(fake, build(OS))
    assert complaint[0] == "raid.arrays[0].drives"
    assert "sdb" in complaint[1] and "member of an Intel firmware RAID" in complaint[1]
    assert carry(fake, build(OS | {"wipe": True})) == ["raid.mdadm:add:os:/dev/sdb"]
    assert fake.find_volume_named("os").drives == ["/dev/sda", "/dev/sdb"]


def test_an_array_is_deleted_only_with_the_word_and_says_what_is_lost(fake: ImsmMachine) -> None:
    carry(fake, build(OS, **FORMAT))
    other = {"name": "new", "level": 1, "drives": "0,1"}
    (complaint,) = complaints(fake, build(other))
    assert complaint[0] == "raid.arrays[0]" and "array 'os' (RAID 1) exists" in complaint[1]
    inventory = fake.build_inventory()
    done = apply(build(other, raid={"clear": True}), fake.machine, inventory)
    assert [action.id for action in done] == ["raid.mdadm:delete:os", "raid.mdadm:create:new"]
    assert done[0].destroys == (
        'md array "os" (RAID 1) on /dev/sda, /dev/sdb',
        'ext4 file system "root" on /dev/md/os',
    )
    assert fake.homes == []


def test_one_of_two_arrays_is_deleted_and_the_other_stays(fake: ImsmMachine) -> None:
    bare = OS | {"size": "512MiB"}
    data = {"name": "data", "level": 1, "drives": "0,1", "metadata": "imsm"}
    carry(fake, build(bare, data))
    assert carry(fake, build(data, raid={"clear": True})) == ["raid.mdadm:delete:os"]
    assert [volume.name for volume in fake.homes[0].volumes] == ["data"]


@pytest.mark.parametrize("hidden", ["both", "sibling", "name"])
def test_the_array_that_stays_is_not_touched_where_mdadm_does_not_show_both(
    fake: ImsmMachine, hidden: str
) -> None:
    bare = OS | {"size": "512MiB"}
    data = {"name": "data", "level": 1, "drives": "0,1", "metadata": "imsm"}
    carry(fake, build(bare, data))
    found = plan(build(data, raid={"clear": True}), fake.machine, fake.build_inventory())
    (action,) = found.actions
    own, sibling = (fake.find_volume_named(name) for name in ("os", "data"))
    assert action.detail.keeps == (sibling.uuid,)
    detail = action.detail
    if hidden == "name":
        detail = msgspec.structs.replace(detail, device="/dev/md/gone")
    elif hidden == "sibling":
        fake.unseen = {sibling.uuid}
    else:
        fake.unseen = {own.uuid, sibling.uuid}
        detail = msgspec.structs.replace(detail, device=f"/dev/{own.node}")  # found without its name
    fake.calls.clear()
    with pytest.raises(DriverError, match="'os' was not deleted"):
        delete_volume(fake.machine, detail)
    assert [volume.name for volume in fake.homes[0].volumes] == ["os", "data"]
    assert all(volume.node for volume in fake.homes[0].volumes)
    assert not [
        call for call in fake.calls if call[0] == "wipefs" or {"--stop", "--zero-superblock"} & {*call}
    ]


def test_one_of_two_arrays_is_not_deleted_while_the_other_is_used(fake: ImsmMachine) -> None:
    bare = OS | {"size": "512MiB"}
    data = {"name": "data", "level": 1, "drives": "0,1", "metadata": "imsm"}
    carry(fake, build(bare, data))
    fake.find_volume_named("data").device.mountpoint = "/mnt"
    ((path, message),) = complaints(fake, build(data, raid={"clear": True}))
    assert path == "raid.clear" and "mounted on /mnt" in message


def test_drives_of_a_container_are_never_free(fake: ImsmMachine) -> None:
    carry(fake, build(OS))
    fake.restart()
    other = {"name": "new", "level": 1, "drives": "1,2"}
    assert [path for path, _ in complaints(fake, build(other))] == ["raid.arrays[0]"]
    disk = {"name": "t", "disks": [{"select": {"drives": 1}, "filesystem": "xfs"}]}
    (complaint,) = complaints(fake, disk)
    assert "member of an Intel firmware RAID on /dev/sdb" in complaint[1]
    found = plan(
        build(OS, {"name": "rest", "level": 5, "drives": "0-"}), fake.machine, fake.build_inventory()
    )
    assert found.actions[0].detail.drives == ("/dev/sdc", "/dev/sdd", "/dev/sde", "/dev/sdf")


def test_both_arrays_of_a_container_count_when_one_of_them_is_used(fake: ImsmMachine) -> None:
    bare = OS | {"size": "512MiB"}
    data = {"name": "data", "level": 1, "drives": "0,1", "metadata": "imsm"}
    carry(fake, build(bare, data))
    plan(build(bare, data), fake.machine, fake.build_inventory())
    fake.find_volume_named("data").device.mountpoint = "/mnt"
    disk = {"name": "t", "disks": [{"select": {"drives": 1}, "wipe": True, "filesystem": "xfs"}]}
    (complaint,) = complaints(fake, disk)
    assert "it is mounted on /mnt" in complaint[1]


def test_a_machine_without_intels_firmware_is_told_so(tmp_path: Path) -> None:
    fake = ImsmMachine(tmp_path, {"sda": 2048 * MIB, "sdb": 2048 * MIB}, forced=False)
    ((path, message),) = complaints(fake, build(OS))
    assert path == "raid.arrays[0].metadata"
    assert message.startswith("this machine has no Intel RAID: mdadm: imsm capabilities not found")
    assert not [call for call in fake.calls if "--create" in call]


def test_what_intels_firmware_cannot_is_a_problem(tmp_path: Path) -> None:
    disks = {f"sd{letter}": 2048 * MIB for letter in "abcd"}
    less = PLATFORM.replace(" raid5", "").replace(" 128k", "")
    fake = ImsmMachine(tmp_path, disks, platform=less, forced=False)
    asked = {"name": "a", "level": 5, "drives": "0-2", "metadata": "imsm", "strip": "128KiB"}
    told = complaints(fake, build(asked))
    assert [path for path, _ in told] == ["raid.arrays[0].level", "raid.arrays[0].strip"]
    assert carry(fake, build(OS)) == ["raid.mdadm:create:os"]


def test_arrays_are_not_lost_where_the_firmware_is_gone(tmp_path: Path) -> None:
    fake = ImsmMachine(tmp_path, {"sda": 2048 * MIB, "sdb": 2048 * MIB}, platform=PLATFORM, forced=False)
    carry(fake, build(OS))
    fake.restart()
    fake.platform = ""
    found = plan(build(OS), fake.machine, fake.build_inventory())
    assert found.actions == []
    assert [problem.path for problem in found.problems] == ["raid.arrays[0]", "raid.arrays[0].metadata"]
    assert any("Intel RAID (IMSM) on /dev/sda, /dev/sdb cannot be started" in note for note in found.notes)
    assert any("it cannot be started" in note for note in found.notes)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", "drives are missing, or were not up to date when the power failed"),
        ("mdadm: failed to add /dev/sda\nmdadm: no array\n", "failed to add /dev/sda; no array"),
    ],
)
@pytest.mark.parametrize("is_container", [True, False])
def test_it_is_told_why_a_container_or_its_array_does_not_start_also_where_mdadm_is_silent(
    fake: ImsmMachine, said: str, told: str, *, is_container: bool
) -> None:
    carry(fake, build(OS))
    fake.restart()
    (home,) = fake.homes
    fake.refused[home.uuid if is_container else home.volumes[0].uuid] = said
    state = MdadmDriver().read(fake.machine, fake.build_inventory())
    title = "Intel RAID (IMSM) on /dev/sda, /dev/sdb" if is_container else "Intel RAID array 'os'"
    assert [note for note in state.notes if "cannot be started" in note] == [
        f"{title} cannot be started: {told}"
    ]
    (array,) = state.arrays
    assert (array.name, array.node, [member.node for member in array.members]) == (
        "os", "", ["/dev/sda", "/dev/sdb"]
    )  # fmt: skip
    (container,) = state.containers
    assert (set(container.members), bool(container.node)) == ({"/dev/sda", "/dev/sdb"}, not is_container)


def test_an_array_of_mds_own_is_as_before_and_says_so_when_intels_is_asked_for(fake: ImsmMachine) -> None:
    plain = {"name": "os", "level": 1, "drives": "0,1"}
    assert carry(fake, build(plain)) == ["raid.mdadm:create:os"]
    assert not fake.homes
    found = plan(build(OS), fake.machine, fake.build_inventory())
    assert found.actions == []
    assert "metadata 1.2, not imsm" in found.notes[0]
    assert carry(fake, build(OS | {"wipe": True})) == ["raid.mdadm:delete:os", "raid.mdadm:create:os"]
    assert fake.homes


def test_an_array_that_is_there_needs_no_metadata_in_the_template(fake: ImsmMachine) -> None:
    carry(fake, build(OS))
    found = plan(build({"name": "os", "level": 1, "drives": "0,1"}), fake.machine, fake.build_inventory())
    assert (found.actions, found.problems) == ([], [])


@pytest.mark.parametrize("is_container_up", [False, True])
def test_a_machine_that_is_only_looked_at_shows_what_does_not_run(
    fake: ImsmMachine, *, is_container_up: bool
) -> None:
    spared = OS | {"hotspares": "4", "size": "512MiB"}
    carry(fake, build(spared))
    fake.restart()
    if is_container_up:
        fake.homes[0].node = "md127"
        fake._tell_mdstat()
    look = LookRunner(fake.run)
    machine = Machine(run=look, root=fake.machine.root)
    machine.only_looks = True
    state = MdadmDriver().read(machine, fake.build_inventory())
    (array,) = state.arrays
    assert (array.name, array.level, array.node, look.refused) == ("os", "1", "", [])
    assert [state.find_container_of(f"/dev/sd{letter}") is not None for letter in "abec"] == [
        True,
        True,
        True,
        False,
    ]
    assert any("does not run, and is not started to be looked at" in note for note in state.notes)


def test_drives_put_into_a_container_by_an_attempt_that_was_cut_off_are_its_own(fake: ImsmMachine) -> None:
    carry(fake, build({"name": "plain", "level": 1, "drives": "4,5"}))
    inventory = fake.build_inventory()
    drives = ("/dev/sda", "/dev/sdb")
    fake.run(["mdadm", "--create", "/dev/md1", "--run", "--metadata=imsm", "--raid-devices=2", *drives])

    def list_actions() -> list[str]:
        return [action.id for action in plan(build(OS), fake.machine, inventory).actions]

    assert list_actions() == ["raid.mdadm:create:os"]
    fake.restart()
    assert complaints(fake, build(OS))[0][0] == "raid.arrays[0].drives"
    fake.machine.begun = frozenset({"raid.mdadm:create:os"})
    assert list_actions() == ["raid.mdadm:create:os"]
    apply(build(OS), fake.machine, inventory)
    assert fake.find_volume_named("os").drives == list(drives)


def test_what_is_exported_plans_nothing_on_the_same_machine(fake: ImsmMachine) -> None:
    spared = OS | {"hotspares": "4", "size": "512MiB"}
    data = {"name": "data", "level": 1, "drives": "0,1", "metadata": "imsm"}
    carry(fake, build(spared, data))
    inventory = fake.build_inventory()
    exported = MdadmDriver().export(MdadmDriver().read(fake.machine, inventory))
    assert [(a["name"], a["metadata"], a.get("hotspares")) for a in exported["raid"]["arrays"]] == [
        ("os", "imsm", "4"),
        ("data", "imsm", None),
    ]
    found = plan({"name": "t", **exported}, fake.machine, inventory)
    assert (found.actions, found.problems) == ([], [])
