"""One IPMI request as the lab's BMC sees it, whichever way it came."""

import msgspec


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One IPMI request of the guest: network function, command and data, at a host monotonic time."""

    at_s: float
    netfn: int
    command: int
    data: bytes
