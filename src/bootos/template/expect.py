"""The `expect` section: the hardware that must be there before anything is done. Nouns only; `expectcheck` finds
mistakes, the agent's `expectation` compares it with the inventory.

Numbers may be ranges (`2`, `">=2"`, `2-4`, `"64 +-10%"`), texts may hold wildcards (`*Gold 63??*`, case ignored).
What is left out may be anything.
"""

import msgspec

Count = int | str
"""A number or a range of numbers."""


class SystemExpected(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The machine's model, as SMBIOS tells it."""

    vendor: str | None = None  # with wildcards
    product: str | None = None  # with wildcards


class CpuExpected(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The processors, all of the machine's together."""

    count: Count | None = None  # sockets with a processor
    model: str | None = None  # with wildcards
    cores: Count | None = None  # of the whole machine
    threads: Count | None = None  # of the whole machine
    flags: list[str] = []  # each must be there: `vmx`, `avx512f`


class SlotExpected(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One memory slot, or with wildcards in `slot` each of several."""

    slot: str  # as SMBIOS names it: `DIMM_A1`, `A*`
    empty: bool = False  # nothing may be in it
    size: str | None = None  # `32GiB`
    speed: Count | None = None  # MT/s, what the module can do
    configured_speed: Count | None = None  # MT/s, what it runs at
    type: str | None = None  # `DDR4`
    part: str | None = None  # part number, with wildcards
    vendor: str | None = None  # with wildcards


class MemoryExpected(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The memory: as a whole, and slot by slot."""

    total: str | None = None  # `">=256GiB"`, `"256GiB +-5%"`
    modules: Count | None = None  # how many slots are filled
    slots: list[SlotExpected] = []


class DiskExpected(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Disks of one kind, as the kernel shows them (those behind a RAID controller are under `raid`)."""

    count: Count | None = None  # one or more, when left out; 0: there must be none
    size: str | None = None  # `480GB` (within 5 %), `>=1TB`
    type: str | None = None  # `hdd`, `ssd`, `nvme`, `virtual`
    model: str | None = None  # with wildcards
    transport: str | None = None  # `sata`, `sas`, `nvme`
    firmware: str | None = None  # a version range: `>=2.1 <3`


class NicExpected(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Network interfaces of one kind."""

    count: Count | None = None  # one or more, when left out; 0: there must be none
    model: str | None = None  # with wildcards
    module: str | None = None  # the kernel module: `mlx5_core`
    speed: Count | None = None  # of the link: `25Gb/s`, `">=10Gb/s"`; without a link none is known
    link: bool | None = None  # whether there is a carrier
    firmware: str | None = None  # a version range


class RaidExpected(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """RAID controllers of one kind, with the drives behind each."""

    count: Count | None = None  # one or more, when left out; 0: there must be none
    model: str | None = None  # with wildcards
    firmware: str | None = None  # a version range
    drives: Count | None = None  # behind each of them
    drive_size: str | None = None  # of each drive: `1.2TB` (within 5 %), `>=1TB`


class GpuExpected(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Graphics and compute cards of one kind."""

    count: Count | None = None  # one or more, when left out; 0: there must be none
    model: str | None = None  # with wildcards


class FirmwareExpected(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Version ranges: `>=2.19.1`, `>=2.10 <3`, or a pattern `U30*`."""

    bios: str | None = None
    bmc: str | None = None


class Expect(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The hardware that must be there. Checked before any step of a job; with one difference nothing is done."""

    system: SystemExpected | None = None
    cpu: CpuExpected | None = None
    memory: str | MemoryExpected | None = None  # a size is the total
    disks: list[DiskExpected] = []
    nics: list[NicExpected] = []
    raid: list[RaidExpected] = []
    gpus: list[GpuExpected] = []
    firmware: FirmwareExpected | None = None
    boot_mode: str | None = None  # `uefi` or `bios`
    secure_boot: bool | None = None
    tpm: str | None = None  # `2.0`
    bmc: bool | None = None  # whether a BMC answers on the local interface
