"""The demo's machine, and the names and numbers that its checks compare with."""

from bootos.lab.spec import BmcSpec, DiskSpec, Identity, MachineSpec, NicSpec

SERIAL = "DEMO-0001"
PXE_MAC = "52:54:00:de:00:02"
OTHER_MAC = "52:54:00:de:00:01"
OOB_USER = "ops"
OOB_ADDRESS = ("10.0.9.21", "255.255.255.0", "10.0.9.1")

SPEC = MachineSpec(
    name="demo",
    memory_mib=1024,
    cpus=1,
    identity=Identity(
        vendor="BootOS Lab",
        product="Demo R6",
        version="3",
        serial=SERIAL,
        uuid="de300000-0000-4000-8000-00000000d001",
        asset_tag="RACK-7-U12",
        sku="R6-2",
        family="Demo",
        bios_vendor="BootOS Lab BIOS",
        bios_version="2.19.1",
        bios_date="02/11/2026",
        board_vendor="BootOS Lab",
        board_product="R6 Board",
        board_serial="BRD-0001",
        chassis_vendor="BootOS Lab",
        chassis_serial="CHS-0001",
        dimm_vendor="LabMem",
        dimm_part="LM1G",
        dimm_serial="DIMM0001",
        dimm_speed=3200,
    ),
    disks=(
        DiskSpec(name="a", size_mib=768, bus="virtio", serial="DEMO-VIRTIO-A"),
        DiskSpec(name="b", size_mib=768, bus="virtio", serial="DEMO-VIRTIO-B"),
        DiskSpec(name="c", size_mib=768, bus="nvme", serial="DEMO-NVME-C"),
        DiskSpec(name="d", size_mib=512, bus="nvme", serial="DEMO-NVME-D"),
        DiskSpec(
            name="e",
            size_mib=512,
            bus="sata",
            serial="DEMO-SATA-E",
            wwn="0x5000c500de000005",
            model="LAB HDD",
            rotational=True,
        ),
        DiskSpec(
            name="f",
            size_mib=512,
            bus="sata",
            serial="DEMO-SATA-F",
            wwn="0x5000c500de000006",
            model="LAB HDD",
            rotational=True,
        ),
    ),
    nics=(
        NicSpec(mac=OTHER_MAC, model="e1000e", isolated=True),
        NicSpec(mac=PXE_MAC, model="virtio", boot=True),
    ),
    bmc=BmcSpec(),
)

# What the kernel calls the buses and cards that QEMU was given.
TRANSPORTS = {"virtio": "virtio", "nvme": "nvme", "sata": "sata"}
MODULES = {"e1000e": "e1000e", "virtio": "virtio_net"}

# Each is (name, file system, label, size in MiB); the size None is the rest of the disk.
OS_PARTITIONS = (("efi", "vfat", "EFI", 64), ("boot", "ext4", "boot", 128), ("root", "xfs", "root", None))
DATA_PARTITIONS = (("swap", "swap", "swap", 128), ("data", "btrfs", "data", None))
