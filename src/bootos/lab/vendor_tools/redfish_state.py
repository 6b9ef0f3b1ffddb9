"""What a lab machine's Redfish service remembers: its resources, passwords, sessions, staged firmware. A part of the
silicon's state, so that it survives a restart.
"""

from typing import Any

import msgspec

from bootos.lab.vendor_tools.redfish_path import ACCOUNTS, ROOT
from bootos.lab.vendor_tools.redfish_spec import RedfishSpec
from bootos.lab.vendor_tools.redfish_tree import build_account, build_tree, count_members
from bootos.lab.vendor_tools.silicon import Silicon

PROGRAM = "redfish"  # what the service is called as a tool, and its part of the silicon's state
_KEPT = ("passwords", "staged", "deaf", "resets", "boots", "count")
_RENEWED = ("@odata.id", "Actions", "AttributeRegistry", "Links", "Registry")


def start_redfish(silicon: Silicon, spec: RedfishSpec, identity: Any = None) -> None:
    """Give the silicon a service, if it has none yet; `identity` is the lab machine's, in the place of `spec`'s own."""
    if identity is not None:
        spec = msgspec.structs.replace(
            spec,
            uuid=identity.told_uuid,
            serial=identity.serial,
            vendor=identity.vendor,
            product=identity.product,
        )
    tree = build_tree(spec)
    fresh = {
        "tree": tree,
        "passwords": {f"{ACCOUNTS}/{spec.first_account}": spec.password},
        "sessions": {},  # by token: the session's path, and when it was used last
        "jobs": {},  # by the path of an update's task: what it is to bring
        "staged": {},
        "on_reset": [part.id for part in spec.components if part.on_reset],
        "slots": spec.slots,
        "reset_requests": spec.reset_requests,
        "deaf": 0,
        "resets": 0,
        "boots": 0,
        "count": 0,
    }
    kept = silicon.state.get(PROGRAM)
    if kept is not None and "@odata.type" not in kept["tree"].get(ROOT, {}):
        silicon.state[PROGRAM] = _renew(fresh, kept)
    elif kept is None:
        silicon.state[PROGRAM] = fresh
    silicon.save()


def _renew(fresh: dict[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """The state that an earlier release left, with what that did not have: schemas, roles' privileges, more
    resources. What was configured stays; sessions and tasks, which tell less than they have to, are over."""
    tree: dict[str, Any] = fresh["tree"]
    for path, body in kept["tree"].items():
        if path.startswith(f"{ACCOUNTS}/"):
            tree[path] = {
                **build_account(path),
                **body,
                "Links": build_account(path, role=body["RoleId"])["Links"],
            }
        elif path in tree and "Members" not in body:
            tree[path] |= {key: body[key] for key in body if key in tree[path] and key not in _RENEWED}
    count_members(tree, ACCOUNTS)
    return {**fresh, **{key: kept[key] for key in _KEPT}}


def find_state(silicon: Silicon) -> dict[str, Any]:
    """The service's part of the state."""
    state: dict[str, Any] = silicon.state[PROGRAM]
    return state
