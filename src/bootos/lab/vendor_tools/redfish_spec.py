"""What a lab machine's Redfish service is to be: whose login it has, and what differs between makers. Data alone.

Makers differ in their accounts, which are fixed slots or are created, and in what the BIOS and the firmware are.
"""

import msgspec


class BiosAttribute(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`values` empty: a text. `locked_by`: read-only while that attribute has that value."""

    name: str
    value: str | int | bool
    values: tuple[str, ...] = ()
    title: str = ""
    read_only: bool = False
    locked_by: tuple[str, str] | None = None


class Component(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part with firmware. `on_reset`: a new one runs from the next start on."""

    id: str
    name: str
    version: str
    on_reset: bool = False


_ON_OFF = ("Enabled", "Disabled")
BIOS_ATTRIBUTES = (
    BiosAttribute(
        name="ProcVirtualization", value="Disabled", values=_ON_OFF, title="Virtualization Technology"
    ),
    BiosAttribute(name="LogicalProc", value="Enabled", values=_ON_OFF, title="Logical Processor"),
    BiosAttribute(name="SriovGlobalEnable", value="Disabled", values=_ON_OFF, title="SR-IOV Global Enable"),
    BiosAttribute(
        name="SysProfile",
        value="PerfPerWattOptimizedDapc",
        values=("PerfPerWattOptimizedDapc", "PerfOptimized", "Custom"),
        title="System Profile",
    ),
    BiosAttribute(
        name="ProcCStates",
        value="Enabled",
        values=_ON_OFF,
        title="C-States",
        locked_by=("SysProfile", "PerfPerWattOptimizedDapc"),
    ),
    BiosAttribute(name="SystemServiceTag", value="LAB0001", title="System Service Tag", read_only=True),
    BiosAttribute(name="AcPwrRcvryUserDelay", value=60, title="User Defined Delay (60s to 600s)"),
)
COMPONENTS = (
    Component(id="BIOS", name="System BIOS", version="2.1.0", on_reset=True),
    Component(id="BMC", name="Baseboard Management Controller", version="1.10.0"),
)


class RedfishSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`slots` 0: accounts are created by POST; else that many, and the first cannot be used (as with iDRAC).
    `reset_requests`: how many requests go unanswered after a reset of the BMC. `virtual_cd`: the BMC has a virtual CD,
    which the machine sees as a USB drive, empty until a medium is inserted."""

    user: str = "labadmin"
    password: str = "lab-initial"
    slots: int = 0
    tls: bool = True
    address: str = "10.0.9.99"
    uuid: str = "b0075000-0000-4000-8000-000000000001"
    serial: str = "LAB0001"
    vendor: str = "BootOS Lab"
    product: str = "Virtual Bare Metal"
    bios: tuple[BiosAttribute, ...] = BIOS_ATTRIBUTES
    components: tuple[Component, ...] = COMPONENTS
    reset_requests: int = 4
    virtual_cd: bool = False

    @property
    def first_account(self) -> int:
        """The number of the first account that can be used."""
        return 2 if self.slots else 1
