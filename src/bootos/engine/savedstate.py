"""Saves what the drivers read: for the server, and to plan where the machine is not (`offline`).

Called by the agent at the end of a job, and by `bootos-agent state`. It changes nothing, and what it cannot read it
says: it never fails a job.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from bootos import __version__
from bootos.drivers.calling import read_state
from bootos.drivers.contract import Driver, Machine
from bootos.drivers.registry import match_drivers
from bootos.engine.export import build_template
from bootos.errors import MISREADINGS, BootosError
from bootos.masking import Masker
from bootos.wire.inventory import Inventory
from bootos.wire.saved import FREE_TEXT, MOST_BYTES, SavedState

log = logging.getLogger(__name__)


def read_saved(machine: Machine, inventory: Inventory, drivers: Sequence[Driver] | None = None) -> SavedState:
    """Read the machine with the driver that would be chosen for each section."""
    saved = SavedState(
        saved_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        agent_version=__version__,
        inventory=inventory,
    )
    states: list[tuple[Driver, Any]] = []
    with machine.looking():
        for driver in choose_readers(inventory, drivers):
            try:
                state = read_state(driver, machine, inventory)
                saved.states[driver.name] = msgspec.to_builtins(state, enc_hook=leave_out)
                states.append((driver, state))
            except (BootosError, *MISREADINGS) as cause:
                log.warning("the state of %s is not saved: %s", driver.name, cause)
                saved.unread[driver.name] = str(cause) or type(cause).__name__
    saved.template, saved.notes = build_template(inventory, states)
    return saved


def choose_readers(inventory: Inventory, drivers: Sequence[Driver] | None = None) -> list[Driver]:
    """The drivers with the highest priority for each section. Others are not asked, since they may have to log on
    somewhere to read."""
    best: dict[str, tuple[int, list[Driver]]] = {}
    for chosen in match_drivers(inventory, drivers):
        driver = chosen.driver
        match = driver.match(inventory)
        priority = match.priority if match is not None else 0
        known, found = best.get(driver.section, (priority, []))
        if priority > known:
            known, found = priority, []
        best[driver.section] = (known, [*found, driver] if priority == known else found)
    return [driver for _, found in best.values() for driver in found]


def leave_out(value: Any) -> Any:
    """Leave out what cannot be saved: functions by which a driver asks its hardware."""
    if callable(value):
        return None
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a {type(value).__name__} cannot be saved")


def build_upload(saved: SavedState, secrets: tuple[str, ...]) -> dict[str, Any]:
    """For the server: no secrets in what people read, and not too large."""
    while len(msgspec.json.encode(saved)) > MOST_BYTES and saved.states:
        largest = max(saved.states, key=lambda name: len(msgspec.json.encode(saved.states[name])))
        del saved.states[largest]
        saved.unread[largest] = "it is too large to be sent"
    plain: dict[str, Any] = Masker(secrets).plain(msgspec.to_builtins(saved), keys=FREE_TEXT)
    return plain


def load_saved(path: Path) -> SavedState:
    """A file that `bootos-agent state` or `bootos machine state` wrote, or an inventory alone. Raises BootosError."""
    try:
        value = msgspec.json.decode(path.read_bytes())
        if isinstance(value, dict) and "inventory" not in value:
            return SavedState(saved_at="", inventory=msgspec.convert(value, Inventory))
        return msgspec.convert(value, SavedState)
    except OSError as cause:
        raise BootosError(f"{path} cannot be read: {cause.strerror}") from cause
    except (RecursionError, msgspec.MsgspecError) as cause:
        raise BootosError(
            f"{path} holds no saved state and is no capture: {cause}",
            hint="bootos machine capture MACHINE FILE writes a capture, bootos machine state MACHINE the other",
        ) from cause
