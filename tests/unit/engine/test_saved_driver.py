"""What the drivers read of every golden output is planned on after it was JSON, as a saved state and a capture are."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from capturetable import list_goldens, show

from bootos.drivers.contract import Machine
from bootos.drivers.registry import load_drivers
from bootos.engine.offline import SavedDriver, refuse_to_run
from bootos.wire.saved import SavedState

NOWHERE = Machine(run=refuse_to_run, root=Path("/nonexistent"))
DRIVERS = {driver.name: driver for driver in load_drivers()}


def take_apart(state: Any) -> Any:
    """The state as JSON has it: with keys that are texts."""
    return json.loads(msgspec.json.encode(state))


@pytest.mark.parametrize(("name", "tool"), list(list_goldens()))
def test_what_was_read_is_the_same_after_it_was_saved(name: str, tool: str) -> None:
    found = show(name, tool)
    saved = msgspec.json.decode(
        msgspec.json.encode(SavedState(saved_at="", inventory=found.inventory, states=found.states)),
        type=SavedState,
    )
    for driver_name, state in found.states.items():
        read = SavedDriver(DRIVERS[driver_name], saved).read(NOWHERE, saved.inventory)
        assert isinstance(read, DRIVERS[driver_name].state_type)
        assert take_apart(read) == take_apart(state)
