"""What a lab machine is made of: the typed specification, read from TOML or built in code.

`qemu.build_argv` turns it into a command line, `machine.Machine` runs it. Pure: nothing here touches the host.
"""

import re
import uuid
from pathlib import Path
from typing import Literal

import msgspec

from bootos.document import convert_all, read_document
from bootos.errors import Problem, Problems, ProblemsError
from bootos.lab.vendor_tools.redfish_spec import RedfishSpec
from bootos.lab.vendor_tools.silicon import SiliconSpec

DiskBus = Literal["virtio", "sata", "nvme", "scsi"]
NicModel = Literal["e1000", "e1000e", "virtio", "vmxnet3", "rtl8139"]
ScsiController = Literal["virtio", "megasas", "megasas-gen2", "mptsas1068"]

_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
_WWN = re.compile(r"0x[0-9a-f]{16}")
_SIZE = re.compile(r"(\d+)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
_LEVELS = re.compile(r"[XcuoaO]{15}")
_SUITES = (0, 1, 2, 3, 6, 7, 8, 11, 12)  # those that `ipmi_sim` speaks
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_NAMESPACE = uuid.UUID("b0075000-0000-4000-8000-000000000001")
_CLOCK = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2})?")


class Identity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the machine says it is: SMBIOS types 0 to 4 and 17. Empty text leaves QEMU's own value, but for the UUID:
    that of `told_uuid`."""

    vendor: str = "BootOS Lab"
    product: str = "Virtual Bare Metal"
    version: str = "1"
    serial: str = "LAB0001"
    uuid: str = ""
    asset_tag: str = ""
    sku: str = ""
    family: str = ""
    bios_vendor: str = ""
    bios_version: str = ""
    bios_date: str = ""
    board_vendor: str = ""
    board_product: str = ""
    board_version: str = ""
    board_serial: str = ""
    board_asset_tag: str = ""
    chassis_vendor: str = ""
    chassis_version: str = ""
    chassis_serial: str = ""
    cpu_vendor: str = ""
    cpu_version: str = ""
    dimm_vendor: str = ""
    dimm_part: str = ""
    dimm_serial: str = ""
    dimm_speed: int = 0

    @property
    def told_uuid(self) -> str:
        """`uuid`, else one of the serial number (RFC 9562, version 5), the same each time: no two machines of a server
        may have one UUID."""
        return self.uuid or str(uuid.uuid5(_NAMESPACE, self.serial))


class DiskSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One disk. `path` empty: a new sparse file `<name>.<format>` in the machine's directory.

    `model`, `rotational` and `wwn` (0x and 16 hexadecimal digits) work on sata and scsi.
    """

    name: str
    bus: DiskBus = "virtio"
    size_mib: int = 1024
    serial: str = ""
    wwn: str = ""
    model: str = ""
    rotational: bool = False
    format: Literal["raw", "qcow2"] = "raw"
    path: str = ""


class NicSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One network card. `boot`: it has a PXE ROM and is tried first. `isolated`: it gets an address by DHCP from a
    network of its own without a route to the host, as the wrong one of two cards does."""

    mac: str
    model: NicModel = "virtio"
    boot: bool = False
    connected: bool = True
    isolated: bool = False


class BmcSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The BMC: its first user (id 2, administrator) and what its LAN port is set to before anyone configures it.

    `shares_port`: it is in the network of the machine's boot card, and answers the guest at the address that it was
    given. `maker` is what it calls itself, an IANA number. `cipher_index` says which of its `cipher_levels` is a cipher
    suite's: that of its number, or that of its place in `cipher_suites`."""

    user: str = "labadmin"
    password: str = "lab-initial"
    address: str = "0.0.0.0"
    subnet_mask: str = "0.0.0.0"
    gateway: str = "0.0.0.0"
    source: Literal["static", "dhcp"] = "static"
    mac: str = "52:54:00:b0:0c:01"
    dhcp_address: str = "10.0.9.99"
    reset_s: float = 3.0
    shares_port: bool = True
    maker: int = 0
    cipher_suites: tuple[int, ...] = (1, 2, 3, 6, 7, 8, 11, 12)
    cipher_levels: str = "aaaaaaaaaaaaaaa"
    cipher_index: Literal["number", "place"] = "number"


class KernelBoot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Boot a kernel directly, without PXE (short tests; `append` is the whole command line)."""

    kernel: str
    initrd: str = ""
    append: str = "console=ttyS0,115200"


def boot_image(image: Path, *, append: str) -> KernelBoot:
    """Boot a built image's kernel and initrd directly."""
    return KernelBoot(kernel=str(image / "vmlinuz"), initrd=str(image / "initrd.img"), append=append)


class MachineSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A lab machine. `cpu_model` hides the hypervisor bit by default, so that the guest takes itself for physical.

    One processor by default: emulated ones (tcg) can run a stale translation of code that another is patching, and
    then the guest's kernel dies of an int3 in a static key, about once in thirty boots with two of them. Without
    `cx16` the kernel's allocator keeps off cmpxchg16b, after which an emulated processor can have garbage for its flags
    (a double fault in kmem_cache_alloc, once in some hundred boots).
    `boot`: `pxe` and `http` over the card with `boot = true` (`http` is UEFI HTTP Boot), `cdrom` from `medium`, an ISO
    file, `usb` from the same as a stick. `uefi-secure` has Microsoft's keys enrolled, as servers leave the factory.
    `clock`: what its clock says at each power-on, in UTC, as `2003-01-01` or `2003-01-01T12:00:00`; empty: the time.
    `display`: with `vga` there is a screen for `screendump`, and SeaBIOS and the boot menu leave the serial line.
    """

    name: str = "machine"
    memory_mib: int = 1024
    cpus: int = 1
    cpu_model: str = "max,-hypervisor,-cx16"
    identity: Identity = Identity()
    disks: tuple[DiskSpec, ...] = ()
    nics: tuple[NicSpec, ...] = ()
    scsi_controller: ScsiController = "virtio"
    firmware: Literal["bios", "uefi", "uefi-secure"] = "bios"
    boot: Literal["pxe", "http", "disk", "cdrom", "usb"] | KernelBoot = "pxe"
    medium: str = ""
    bootfile: str = "lpxelinux.0"
    clock: str = ""
    display: Literal["none", "vga"] = "none"
    reboot: Literal["continue", "exit"] = "continue"
    bmc: BmcSpec | None = None
    silicon: SiliconSpec | None = None
    redfish: RedfishSpec | None = None

    @property
    def boot_nic(self) -> NicSpec | None:
        """The card that PXE uses, or None."""
        return next((nic for nic in self.nics if nic.boot), None)


def parse_size_mib(text: str) -> int:
    """`2G`, `512MiB`, `1048576K`, `512` (MiB) as whole MiB. Raises ValueError."""
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is not a size: write 512M or 2G")
    unit = found[2].upper() or "M"
    size_kib = int(found[1]) * {"K": 1, "M": 1024, "G": 1024**2, "T": 1024**3}[unit]
    if size_kib < 1024 or size_kib % 1024:
        raise ValueError(f"{text!r} is not a whole number of MiB")
    return size_kib // 1024


def find_problems(spec: MachineSpec) -> list[Problem]:
    """Everything in `spec` that QEMU could not build, with paths."""
    problems = Problems()
    complain = problems.complain
    if not _NAME.fullmatch(spec.name):
        complain("name", f"{spec.name!r} is not a name", "letters, digits, - and _, a letter first")
    if spec.memory_mib < 64:
        complain("memory_mib", "must be at least 64")
    if spec.cpus < 1:
        complain("cpus", "must be at least 1")
    names: set[str] = set()
    for index, disk in enumerate(spec.disks):
        path = f"disks[{index}]"
        if not _NAME.fullmatch(disk.name):
            complain(
                f"{path}.name", f"{disk.name!r} is not a name", "letters, digits, - and _, a letter first"
            )
        if disk.name in names:
            complain(f"{path}.name", f"{disk.name!r} is used twice")
        names.add(disk.name)
        if disk.size_mib < 1 and not disk.path:
            complain(f"{path}.size_mib", "must be at least 1")
        if disk.wwn and not _WWN.fullmatch(disk.wwn):
            complain(
                f"{path}.wwn", f"{disk.wwn!r} is not a WWN", "0x and 16 hexadecimal digits in lower case"
            )
        # A virtio disk has no WWN. Linux ignores the one of QEMU's nvme controller (NVME_QUIRK_BOGUS_NID).
        if disk.wwn and disk.bus in ("virtio", "nvme"):
            complain(f"{path}.wwn", f"the WWN of a {disk.bus} disk cannot be set", "use sata or scsi")
        if disk.model and disk.bus in ("virtio", "nvme"):
            complain(f"{path}.model", f"the model of a {disk.bus} disk cannot be set", "use sata or scsi")
        if disk.rotational and disk.bus in ("virtio", "nvme"):
            complain(f"{path}.rotational", f"a {disk.bus} disk cannot be rotational", "use sata or scsi")
        limit = {"virtio": 20, "sata": 20, "nvme": 20, "scsi": 36}[disk.bus]
        if len(disk.serial) > limit:
            complain(f"{path}.serial", f"is longer than {limit} characters")
    macs: set[str] = set()
    for index, nic in enumerate(spec.nics):
        if not _MAC.fullmatch(nic.mac):
            complain(
                f"nics[{index}].mac", f"{nic.mac!r} is not a MAC address", "52:54:00:12:34:56, in lower case"
            )
        elif int(nic.mac[:2], 16) & 1:
            complain(f"nics[{index}].mac", f"{nic.mac} is a multicast address", "the first byte must be even")
        if nic.mac in macs:
            complain(f"nics[{index}].mac", f"{nic.mac} is used twice")
        macs.add(nic.mac)
        if nic.boot and nic.isolated:
            complain(f"nics[{index}].isolated", "a card that boots needs its network")
    if spec.bmc is not None and not _LEVELS.fullmatch(spec.bmc.cipher_levels):
        complain(
            "bmc.cipher_levels", f"{spec.bmc.cipher_levels!r} is not 15 levels", "X, c, u, o, a or O each"
        )
    for index, suite in enumerate(spec.bmc.cipher_suites if spec.bmc is not None else ()):
        if suite not in _SUITES:
            listed = ", ".join(str(one) for one in _SUITES)
            complain(f"bmc.cipher_suites[{index}]", f"{suite} is none of the simulator", f"it has {listed}")
    if sum(nic.boot for nic in spec.nics) > 1:
        complain("nics", "more than one card has boot = true")
    if spec.boot in ("pxe", "http") and spec.boot_nic is None:
        complain("nics", f"no card has boot = true, and the machine boots by {str(spec.boot).upper()}")
    if spec.boot == "http" and spec.firmware == "bios":
        complain("boot", "a BIOS cannot boot by HTTP", 'firmware = "uefi"')
    if spec.clock and not _CLOCK.fullmatch(spec.clock):
        complain("clock", f"{spec.clock!r} is not a time", "2003-01-01 or 2003-01-01T12:00:00, in UTC")
    if spec.boot in ("cdrom", "usb") and not spec.medium:
        complain("medium", f"is missing, and the machine boots by {spec.boot}", "bootos image iso makes one")
    return problems


def check_spec(spec: MachineSpec) -> None:
    """Raises ProblemsError with everything wrong in `spec`."""
    if problems := find_problems(spec):
        raise ProblemsError(f"machine {spec.name}", problems)


def read_spec(path: Path) -> MachineSpec:
    """Read a machine from TOML, YAML or JSON. Raises ProblemsError with every mistake, BootosError otherwise."""
    spec, problems = convert_all(read_document(path), MachineSpec)
    if spec is not None:
        problems = [*problems, *find_problems(spec)]
    if problems or spec is None:
        raise ProblemsError(str(path), problems)
    return spec
