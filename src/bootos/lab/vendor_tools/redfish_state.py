"""What a lab machine's Redfish service remembers: its resources, passwords, sessions, staged firmware. A part of the
silicon's state, so that it survives a restart.
"""

from typing import Any

import msgspec

from bootos.lab.vendor_tools.redfish_spec import RedfishSpec
from bootos.lab.vendor_tools.redfish_tree import ACCOUNTS, build_tree
from bootos.lab.vendor_tools.silicon import Silicon

PROGRAM = "redfish"  # what the service is called as a tool, and its part of the silicon's state


def start_redfish(silicon: Silicon, spec: RedfishSpec, identity: Any = None) -> None:
    """Give the silicon a service, if it has none yet; `identity` is the lab machine's, in the place of `spec`'s own."""
    if PROGRAM not in silicon.state:
        if identity is not None:
            spec = msgspec.structs.replace(
                spec,
                uuid=identity.uuid,
                serial=identity.serial,
                vendor=identity.vendor,
                product=identity.product,
            )
        tree = build_tree(spec)
        silicon.state[PROGRAM] = {
            "tree": tree,
            "passwords": {f"{ACCOUNTS}/{spec.first_account}": spec.password},
            "sessions": {},
            "versions": {},
            "staged": {},
            "reset_requests": spec.reset_requests,
            "deaf": 0,
            "resets": 0,
            "boots": 0,
            "count": 0,
        }
        silicon.save()


def find_state(silicon: Silicon) -> dict[str, Any]:
    """The service's part of the state."""
    state: dict[str, Any] = silicon.state[PROGRAM]
    return state
