"""What all firmware drivers read: the parts of a machine that have firmware, and the versions of it."""

import msgspec

from bootos.template.firmware import Component


class Installed(msgspec.Struct, kw_only=True):
    """One part with its firmware. `id` is the same at every reading (`bios`, `nic:0000:3b:00.0`)."""

    component: Component
    id: str
    title: str  # for people: `NIC eth0 (Ethernet Controller X710)`
    version: str | None
    source: str = ""  # where the version was read: DMI, racadm, ethtool
    model: str | None = None
    device: str | None = None
    slot: str | None = None
    target: str | None = None  # the driver's own name for the part: a fwupd device, a Redfish inventory item
    traits: list[str] = []  # properties of the part, in the words of the driver's tool


class FirmwareState(msgspec.Struct, kw_only=True):
    """`begun`: actions that earlier attempts of this job began and did not say to have ended. `obstacle`: why this
    driver can apply nothing here (a missing tool), with `hint`; the versions may be known all the same."""

    installed: list[Installed] = []
    vendor: str | None = None  # the vendor of the machine
    begun: list[str] = []
    programs: list[str] = []  # vendors' programs that this image has
    obstacle: str = ""
    hint: str = ""
