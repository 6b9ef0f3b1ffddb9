"""A machine's state in one document: inventory, what each driver read, and the template that describes it.

The agent makes it (`bootos-agent state`, and with the last report of a job), the server keeps the newest of each
machine, `bootos template check --inventory` plans on it.
"""

from typing import Any

import msgspec

from bootos.wire.inventory import Inventory

FREE_TEXT = frozenset(
    {"hint", "message", "note", "notes", "obstacle", "reason", "summary", "text", "trouble", "unread"}
)
"""The fields of a saved state that a person reads: there, and nowhere else in it, agent and server mask secrets. All
others are planned on, and a user `ADMIN` whose password is `ADMIN` must be found. Drivers read no secrets."""
MOST_BYTES = 2 * 1024 * 1024  # the largest state that an agent may upload


class SavedState(msgspec.Struct, kw_only=True):
    """`states` by the name of the driver; `unread`: drivers whose state is not here, and why. `template` describes the
    machine as it is (golden machine), as far as drivers can say it; `notes` are about what it leaves open."""

    schema: int = 1
    saved_at: str
    agent_version: str = ""
    inventory: Inventory
    states: dict[str, Any] = {}
    unread: dict[str, str] = {}
    template: dict[str, Any] = {}
    notes: list[str] = []
