"""The inventory: a machine's hardware information, one typed model for agent, server and API.

Sizes are bytes, clocks are MHz, link speeds are Mb/s, times are UTC. Nothing is guessed: what the hardware
does not tell is None (or an empty list), never a made-up value. `bootos-agent inventory --json` prints it;
`docs/inventory.schema.json` is its published JSON Schema. Unknown fields are ignored when decoding, so a
newer agent can talk to an older server.
"""

from enum import StrEnum
from typing import Literal

import msgspec


class System(msgspec.Struct, kw_only=True):
    """SMBIOS type 1 (DMTF DSP0134)."""

    vendor: str | None = None
    product: str | None = None
    version: str | None = None
    serial: str | None = None
    uuid: str | None = None
    sku: str | None = None
    family: str | None = None


class Board(msgspec.Struct, kw_only=True):
    """SMBIOS type 2."""

    vendor: str | None = None
    product: str | None = None
    version: str | None = None
    serial: str | None = None
    asset_tag: str | None = None


class Chassis(msgspec.Struct, kw_only=True):
    """SMBIOS type 3."""

    vendor: str | None = None
    type: str | None = None
    serial: str | None = None
    asset_tag: str | None = None


class Bios(msgspec.Struct, kw_only=True):
    """SMBIOS type 0, and how this boot was made."""

    vendor: str | None = None
    version: str | None = None
    date: str | None = None
    boot_mode: Literal["bios", "uefi"] | None = None
    secure_boot: bool | None = None


class Cpu(msgspec.Struct, kw_only=True):
    """All processors; `flags` are only those that decide what can run (vmx, svm, aes, avx2, avx512f, ...)."""

    model: str | None = None
    vendor: str | None = None
    architecture: str | None = None
    sockets: int | None = None
    cores: int | None = None  # of the whole machine
    threads: int | None = None  # of the whole machine
    max_mhz: int | None = None
    microcode: str | None = None
    flags: list[str] = []


class Dimm(msgspec.Struct, kw_only=True):
    """SMBIOS type 17. An empty slot has size_bytes 0."""

    slot: str
    bank: str | None = None
    size_bytes: int | None = None
    type: str | None = None
    persistent: bool = False  # NVDIMM, Intel Optane: no main memory
    speed_mts: int | None = None  # what the module can do
    configured_speed_mts: int | None = None  # what it runs at
    ranks: int | None = None
    vendor: str | None = None
    part: str | None = None
    serial: str | None = None


class Memory(msgspec.Struct, kw_only=True):
    """`total_bytes` is the sum of the DIMMs that are main memory, where known; `usable_bytes` is what the kernel
    has."""

    total_bytes: int | None = None
    usable_bytes: int | None = None
    dimms: list[Dimm] = []


class PciDevice(msgspec.Struct, kw_only=True):
    """`kernel_module` is the one bound; None means none found: the device is not usable in this image."""

    address: str  # 0000:03:00.0
    vendor_id: str  # four hexadecimal digits
    device_id: str
    subsystem_vendor_id: str | None = None
    subsystem_device_id: str | None = None
    class_id: str  # six hexadecimal digits
    vendor: str | None = None
    device: str | None = None
    subsystem: str | None = None  # the card's name, where pci.ids knows it
    class_name: str | None = None
    kernel_module: str | None = None
    # True for classes that are of no use without a kernel module (network, storage, ...). If `kernel_module` is None
    # then, the image lacks a driver.
    needs_module: bool = False


class LldpNeighbour(msgspec.Struct, kw_only=True):
    """IEEE 802.1AB: which switch port this NIC is plugged into."""

    chassis_id: str | None = None
    system_name: str | None = None
    port_id: str | None = None
    port_description: str | None = None
    vlan: int | None = None


class Nic(msgspec.Struct, kw_only=True):
    """A physical network interface."""

    name: str
    mac: str  # lower case, colons
    permanent_mac: str | None = None
    driver: str | None = None  # kernel module
    firmware: str | None = None
    speed_mbps: int | None = None
    link: bool | None = None
    pci_address: str | None = None
    model: str | None = None
    addresses: list[str] = []  # 10.0.2.15/24
    is_pxe: bool = False
    lldp: LldpNeighbour | None = None


class DiskType(StrEnum):
    HDD = "hdd"
    SSD = "ssd"
    NVME = "nvme"
    VIRTUAL = "virtual"  # a logical drive of a RAID controller, or a virtio disk
    UNKNOWN = "unknown"


class Health(msgspec.Struct, kw_only=True):
    """SMART (ATA, SCSI) or the NVMe health log. `passed` None: the disk does not tell."""

    passed: bool | None = None
    temperature_celsius: int | None = None
    power_on_hours: int | None = None
    percentage_used: int | None = None  # of the endurance the maker promises; can be over 100
    # NVMe: media errors; ATA: offline uncorrectable sectors; SCSI: what could not be read, written or verified
    media_errors: int | None = None
    reallocated_sectors: int | None = None  # ATA; SCSI: grown defects
    pending_sectors: int | None = None  # ATA


class Disk(msgspec.Struct, kw_only=True):
    """A whole disk. `index` is its place in the drive numbering of templates (`0`, `1,2`, `3-5`, `6-`):
    all disks ordered by path of attachment (PCI address, then port/LUN/namespace), counted from 0."""

    index: int
    name: str  # sda
    path: str  # /dev/sda
    by_path: str | None = None  # pci-0000:00:1f.2-ata-1
    model: str | None = None
    vendor: str | None = None
    serial: str | None = None
    wwn: str | None = None
    size_bytes: int
    logical_sector_bytes: int = 512
    physical_sector_bytes: int = 512
    type: DiskType = DiskType.UNKNOWN
    transport: str | None = None  # sata, sas, nvme, virtio, usb, ...
    rotational: bool | None = None
    firmware: str | None = None
    removable: bool = False
    read_only: bool = False
    health: Health | None = None


class RaidDrive(msgspec.Struct, kw_only=True):
    """A physical drive behind a RAID controller, or a member of an md array."""

    id: str  # enclosure:slot, or the device path for md
    model: str | None = None
    serial: str | None = None
    size_bytes: int | None = None
    type: DiskType = DiskType.UNKNOWN
    state: str | None = None


class RaidArray(msgspec.Struct, kw_only=True):
    """An array; level is SNIA's number as text: "0", "1", "5", "6", "10"."""

    name: str
    level: str
    size_bytes: int | None = None
    state: str | None = None
    path: str | None = None
    uuid: str | None = None  # as the controller writes it
    drives: list[str] = []  # RaidDrive.id
    hotspares: list[str] = []


class RaidController(msgspec.Struct, kw_only=True):
    """A hardware RAID controller, an HBA with its drives (no driver), or Linux md (driver `raid.mdadm`)."""

    name: str
    driver: str
    model: str | None = None
    firmware: str | None = None
    serial: str | None = None
    pci_address: str | None = None
    arrays: list[RaidArray] = []
    drives: list[RaidDrive] = []


class RedfishInterface(msgspec.Struct, kw_only=True):
    """A Redfish host interface (SMBIOS type 42, DMTF DSP0270): the BMC's service on a network link inside the machine.

    `mac`, `usb_id` (`046b:ffb0`) and `pci_address` say which network interface of this machine the link is."""

    service_address: str | None = None  # None: it comes by DHCP
    service_port: int | None = None
    service_netmask: str | None = None
    vlan: int | None = None
    host_source: Literal["static", "dhcp", "auto", "host"] | None = None
    host_address: str | None = None
    host_netmask: str | None = None
    mac: str | None = None
    usb_id: str | None = None
    pci_address: str | None = None
    bootstrap: bool = False  # the BMC gives out temporary accounts over IPMI


class Bmc(msgspec.Struct, kw_only=True):
    """The out-of-band controller, read over the local interface (IPMI KCS)."""

    vendor: str | None = None
    firmware: str | None = None
    ipmi_version: str | None = None
    channel: int | None = None
    mac: str | None = None
    source: Literal["static", "dhcp", "bios", "other"] | None = None
    address: str | None = None
    netmask: str | None = None
    gateway: str | None = None
    vlan: int | None = None
    suite_0_open: bool = False  # cipher suite 0 may be used, which asks for no password
    redfish: RedfishInterface | None = None

    @property
    def may_speak_ipmi(self) -> bool:
        """False of a BMC of which only its Redfish host interface was seen."""
        return self.redfish is None or self.ipmi_version is not None


class Tpm(msgspec.Struct, kw_only=True):
    version: str | None = None  # "1.2" or "2.0"
    vendor: str | None = None


class Gpu(msgspec.Struct, kw_only=True):
    pci_address: str
    vendor: str | None = None
    model: str | None = None
    kernel_module: str | None = None


Kind = Literal["serial", "uuid", "board", "mac"]
"""What a machine can be known by, the best first."""


class Identity(msgspec.Struct, kw_only=True):
    """What the machine is known by: the first that its firmware was told. `former`: what stands in the firmware in the
    place of a serial number or UUID and is none, by which an earlier release may have known the machine."""

    name: str = ""
    by: Kind | None = None
    former: list[str] = []


class Inventory(msgspec.Struct, kw_only=True):
    """Everything above, and when it was read. `notes` are plain sentences about what could not be read."""

    schema: int = 1
    collected_at: str
    hostname: str | None = None
    kernel: str | None = None
    identity: Identity | None = None
    system: System = msgspec.field(default_factory=System)
    board: Board = msgspec.field(default_factory=Board)
    chassis: Chassis = msgspec.field(default_factory=Chassis)
    bios: Bios = msgspec.field(default_factory=Bios)
    cpu: Cpu = msgspec.field(default_factory=Cpu)
    memory: Memory = msgspec.field(default_factory=Memory)
    pci: list[PciDevice] = []
    nics: list[Nic] = []
    disks: list[Disk] = []
    raid: list[RaidController] = []
    bmc: Bmc | None = None
    tpm: Tpm | None = None
    gpus: list[Gpu] = []
    virtual: str | None = None  # the hypervisor's name; None on physical machines
    notes: list[str] = []
