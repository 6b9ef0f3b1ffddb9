"""How `raid.mdadm` carries out what is planned of Intel's arrays (IMSM): the container first, then the volume in it.

mdadm starts its monitor for them itself. It writes Intel's metadata, and gives a new drive of the container to the
volume that lacks one.
"""

from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.raid.mdcreate import Create
from bootos.drivers.raid.mdplan import Delete
from bootos.drivers.storage.array import find_array_node, find_home, make_writable, stop_array, stop_arrays_on
from bootos.drivers.storage.device import clear_device, find_node
from bootos.drivers.storage.imsm import is_container, read_subarrays
from bootos.drivers.storage.md import MdstatEntry
from bootos.drivers.storage.mdread import find_free_node, read_detail, read_mdstat
from bootos.drivers.storage.settle import settle

CREATE_TIMEOUT_S = 120.0


def create_volume(machine: Machine, wanted: Create) -> None:
    """Make the container where there is none on these drives, then the volume, then add the hot spares."""
    home = _find_container(machine, wanted.drives)
    if home is None:
        for drive in (*wanted.drives, *wanted.hotspares):
            clear_device(machine, drive)
        node = find_free_node(machine)
        count = f"--raid-devices={len(wanted.drives)}"
        argv = ["mdadm", "--create", node, "--run", "--metadata=imsm", count, *wanted.drives]
        machine.run(argv, timeout_s=CREATE_TIMEOUT_S)
        settle(machine)
    else:
        node = f"/dev/{home.name}"
    machine.run(_create_argv(wanted), timeout_s=CREATE_TIMEOUT_S)
    settle(machine)
    clear_device(machine, find_node(machine, wanted.device))
    there = {member.node for member in home.members} if home is not None else set()
    for drive in wanted.hotspares:
        if drive not in there:
            machine.run(["mdadm", "--manage", node, "--add", drive])


def _find_container(machine: Machine, drives: tuple[str, ...]) -> MdstatEntry | None:
    """The container that runs on these drives, which the plan has found to be what is wanted."""
    for entry in read_mdstat(machine):
        if is_container(entry) and set(drives) <= {member.node for member in entry.members}:
            return entry
    return None


def _create_argv(wanted: Create) -> list[str]:
    # Intel's metadata has no host, no UUID that can be given, and md's bitmap is not for it.
    argv = ["mdadm", "--create", wanted.device, "--run", f"--level={wanted.level}"]
    argv.append(f"--raid-devices={len(wanted.drives)}")
    if wanted.chunk_bytes is not None:
        argv.append(f"--chunk={wanted.chunk_bytes // 1024}")
    if wanted.member_bytes is not None:
        argv.append(f"--size={wanted.member_bytes // 1024}")
    return [*argv, *wanted.drives]


def delete_volume(machine: Machine, unwanted: Delete) -> None:
    """Remove the volume from its container; the last one goes with the container, and so do those that do not run.

    Raises DriverError where others shall stay and mdadm does not show it and them: then nothing was changed.
    """
    node = find_array_node(machine, unwanted.device)
    home = find_home(machine, node) if node is not None else ""
    own = read_detail(machine, node.removeprefix("/dev/")).get("MD_UUID", "") if node and home else ""
    numbers = read_subarrays(machine, unwanted.members) if own else {}
    if unwanted.keeps and not {own, *unwanted.keeps} <= numbers.keys():
        raise DriverError(
            f"array {unwanted.name!r} was not deleted: mdadm does not show it and the others of its container",
            hint="nothing was changed; run the job again",
        )
    if own in numbers and len(numbers) > 1:
        # Nothing may monitor the container meanwhile, so all of its volumes stop. Who reads starts them again.
        for entry in read_mdstat(machine):
            if f"/dev/{entry.container}" == home:
                stop_array(machine, f"/dev/{entry.name}")
        machine.run(["mdadm", f"--kill-subarray={numbers[own]}", home])
    else:
        _wipe(machine, unwanted.members)
    settle(machine)


def _wipe(machine: Machine, members: tuple[str, ...]) -> None:
    stop_arrays_on(machine, members)
    for member in members:
        machine.run(["mdadm", "--zero-superblock", member])
        clear_device(machine, member)


def add_drive(machine: Machine, node: str, drive: str) -> None:
    """Add a drive to the container of a volume. One that has failed and is still in it is taken out before."""
    home = find_home(machine, node)
    for entry in read_mdstat(machine):  # a volume that is read-only is not rebuilt
        if f"/dev/{entry.container}" == home and entry.active:
            make_writable(machine, f"/dev/{entry.name}")
    for entry in read_mdstat(machine):
        if f"/dev/{entry.name}" == home and drive in {member.node for member in entry.members}:
            machine.run(["mdadm", "--manage", home, "--remove", drive])
    clear_device(machine, drive)
    machine.run(["mdadm", "--manage", home, "--add", drive])


def remove_drive(machine: Machine, node: str, drive: str) -> None:
    """Take a hot spare out of the container of a volume."""
    home = find_home(machine, node)
    machine.run(["mdadm", "--manage", home, "--remove", drive])
    machine.run(["mdadm", "--zero-superblock", drive])
