"""What all firmware drivers read: the parts of a machine that have firmware, and the versions of it."""

import msgspec

from bootos.template.firmware import Component


class Installed(msgspec.Struct, kw_only=True):
    """One part with its firmware. `id` is the same at every reading (`bios`, `nic:0000:3b:00.0`)."""

    component: Component
    id: str
    title: str  # for people: NIC eth0 (Ethernet Controller X710)
    version: str | None
    source: str = ""  # who says so: DMI, racadm, ethtool
    model: str | None = None
    device: str | None = None
    slot: str | None = None
    target: str | None = None  # the driver's own name of it: a fwupd device, a Redfish inventory item
    traits: list[str] = []  # what the driver's tool says of it, in its words


class FirmwareState(msgspec.Struct, kw_only=True):
    """`begun`: actions that earlier attempts of this job began and did not say to have ended. `obstacle`: why this
    driver can apply nothing here (a missing tool), with `hint`; the versions may be known all the same."""

    installed: list[Installed] = []
    vendor: str | None = None  # of the machine
    begun: list[str] = []
    programs: list[str] = []  # vendors' programs that are here
    obstacle: str = ""
    hint: str = ""
