"""A capture, understood: the machine that it is of is laid out in a directory, and everything reads it as it did
there."""

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from bootos.drivers.bios.firmware_attributes import FirmwareAttributesDriver
from bootos.drivers.builtin import BUILTIN
from bootos.drivers.contract import Driver, Machine
from bootos.drivers.registry import load_drivers
from bootos.engine.capture.anonymous import disguise
from bootos.engine.capture.source import FAILURES
from bootos.engine.capture.understand import Understood, add_names, make_readable
from bootos.engine.savedstate import load_saved, read_saved
from bootos.errors import BootosError, read_chain
from bootos.hardware.capture import Capture, Replay, build_tree, pack_capture, read_capture, unpack_capture
from bootos.hardware.inventory import collect_inventory
from bootos.hardware.pciids import PLACES
from bootos.wire.inventory import Inventory
from bootos.wire.saved import SavedState


def load_state(path: Path) -> SavedState:
    """The machine in a file: a capture, a saved state, or an inventory. Raises BootosError."""
    try:
        capture = read_capture(path)
    except (OSError, ValueError):
        return load_saved(path)
    return read_captured(capture)


def read_file(path: Path) -> Capture:
    """A capture. Raises BootosError."""
    try:
        return read_capture(path)
    except ValueError as cause:
        hint = "raw outputs of a tool want --tool TOOL"
        raise BootosError(f"{path.name}: {cause}", hint=hint) from cause


def read_captured(capture: Capture) -> SavedState:
    """What the readers and drivers read of the machine. Never raises for what the capture holds."""
    try:
        return _read(capture)
    except BootosError as cause:
        nothing = Inventory(collected_at=capture.taken_at, notes=[f"Nothing is read of it: {_tell(cause)}."])
        return SavedState(
            saved_at=capture.taken_at,
            agent_version=capture.agent_version,
            inventory=nothing,
            notes=list(capture.left_out),
        )


def _read(capture: Capture) -> SavedState:
    """The same. Raises BootosError for a capture that cannot be laid out: what lies there is not to be trusted."""
    with tempfile.TemporaryDirectory(prefix="bootos-capture-") as folder:
        root = Path(folder).resolve()
        notes = list(capture.left_out)
        try:
            build_tree(capture, root)
        except (OSError, ValueError) as cause:
            raise BootosError(f"the files of the capture cannot be laid out: {cause}") from cause
        _add_names(root)
        runner = Replay(capture, root)
        try:
            inventory = collect_inventory(root, runner)
        except FAILURES as cause:
            inventory = Inventory(collected_at="", notes=[f"The inventory is not read: {_tell(cause)}."])
        inventory.collected_at = capture.taken_at
        inventory.cpu.architecture = capture.architecture or None
        if not (root / "proc/sys/kernel/osrelease").exists():
            inventory.kernel = None
        machine = Machine(run=runner, root=root)
        machine.only_looks = True
        try:
            saved = read_saved(machine, inventory, _build_drivers(capture, root))
        except FAILURES as cause:
            saved = SavedState(
                saved_at="", inventory=inventory, notes=[f"The drivers read nothing: {_tell(cause)}."]
            )
    saved.saved_at, saved.agent_version = capture.taken_at, capture.agent_version
    saved.notes = [*notes, *saved.notes]
    return saved


def make_anonymous(data: bytes) -> bytes:
    """A packed capture without what tells whose machine it is. Raises BootosError for what is none, and for one that
    cannot be read: whose machine it is would not be known then."""
    try:
        capture = unpack_capture(data)
    except ValueError as cause:
        raise BootosError(f"the machine sent no capture: {cause}") from cause
    saved = _read(capture)
    return pack_capture(disguise(capture, saved.inventory, saved))


def understand_capture(capture: Capture) -> Understood:
    """The same, to be shown."""
    saved = read_captured(capture)
    reasons: dict[str, list[str]] = {}
    for name, reason in saved.unread.items():
        reasons.setdefault(reason.rstrip("."), []).append(name)
    unread = [f"{', '.join(names)}: {reason}." for reason, names in reasons.items()]
    told = [note for note in saved.notes if not note.endswith("is not exported")]
    found = Understood(
        inventory=saved.inventory,
        states=saved.states,
        unread=saved.unread,
        notes=list(dict.fromkeys([*saved.inventory.notes, *unread, *told])),
        template={
            key: part for key, part in saved.template.items() if key not in ("name", "description", "expect")
        },
    )
    add_names(found)
    return make_readable(found)


def _build_drivers(capture: Capture, root: Path) -> list[Driver]:
    """The installed drivers, as they would be on the machine: with its programs and its sysfs."""
    programs = {output.argv[0].rpartition("/")[2] for output in capture.tools if output.argv}

    def find(name: str) -> str | None:
        return name if name in programs else None

    drivers: list[Driver] = []
    for driver in load_drivers():
        kind: Any = type(driver)
        if isinstance(driver, FirmwareAttributesDriver):
            driver = FirmwareAttributesDriver(root)
        elif hasattr(driver, "_find_program") and any(entry.name == driver.name for entry in BUILTIN):
            driver = kind(find)
        drivers.append(driver)
    return drivers


def _add_names(root: Path) -> None:
    """Names of PCI devices, by this host's list, where the capture has none."""
    if any((root / place).exists() for place in PLACES):
        return
    here = next((Path("/") / place for place in PLACES if (Path("/") / place).is_file()), None)
    if here is not None:
        with suppress(OSError):  # the capture has something else in its place
            (root / PLACES[0]).parent.mkdir(parents=True, exist_ok=True)
            (root / PLACES[0]).symlink_to(here)


def _tell(cause: BaseException) -> str:
    return "; ".join(read_chain(cause)).strip().rstrip(".")[:2000]
