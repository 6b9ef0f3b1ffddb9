"""The hash of a plan: equal when two plans do the same, in the same order. Pure. The agent reports it, an operator
approves it, and the agent compares it before it applies.

Part of it is what an action changes and what that costs: id, changes, destroyed data, reboot. Wording (`summary`) and
estimates are no part of it: a release may change them, and the plan is still the same.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

from bootos.wire.v2 import ActionView


def build_canonical(action: ActionView) -> dict[str, Any]:
    """What counts of an action, as plain values."""
    return {
        "id": action.id,
        "changes": [[change.what, change.before, change.after] for change in action.changes],
        "destroys": sorted(action.destroys),
        "reboot": action.reboot,
    }


def hash_plan(actions: Iterable[ActionView]) -> str:
    """`sha256:` and 64 hexadecimal digits."""
    text = msgspec.json.encode([build_canonical(action) for action in actions], order="sorted")
    return "sha256:" + hashlib.sha256(text).hexdigest()
