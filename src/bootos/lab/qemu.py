"""The command line of QEMU for a machine: pure, from the specification and the paths of one run.

Called by `machine.Machine`; starts nothing and touches no file.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import msgspec

from bootos.lab.backplane import BUS, build_block_node, build_device
from bootos.lab.qemu_option import build_option, quote
from bootos.lab.sideband import FROM_GUEST, TO_GUEST, TO_NETWORK
from bootos.lab.smbios import build_tables
from bootos.lab.spec import DiskSpec, KernelBoot, MachineSpec, NicSpec
from bootos.lab.vendor_tools.silicon import VirtualDrive

PROGRAM = "qemu-system-x86_64"
VIRTUAL_CD = "virtual-cd"  # QEMU's name of the drive that a BMC has
CAPTURE_BYTES = 320  # of each packet: headers, a TFTP request or the first lines of an HTTP request

_NIC_DEVICES = {
    "e1000": "e1000",
    "e1000e": "e1000e",
    "virtio": "virtio-net-pci",
    "vmxnet3": "vmxnet3",
    "rtl8139": "rtl8139",
}
_SCSI_DEVICES = {
    "virtio": "virtio-scsi-pci",
    "megasas": "megasas",
    "megasas-gen2": "megasas-gen2",
    "mptsas1068": "mptsas1068",
}
_FIRST, _USUAL = 0, 1  # boot indices: of the BMC's choice, and of the device that the specification names
_ONBOARD_SATA_PORTS = 6  # the ICH9 of a q35 machine has six


class RunPaths(msgspec.Struct, frozen=True, kw_only=True):
    """The files and sockets of one run, `sideband` a directory of sockets. Empty text: not used."""

    serial_socket: str
    qmp_socket: str
    kcs_socket: str = ""
    sideband: str = ""
    tftp_root: str = ""
    capture: str = ""
    disks: dict[str, str] = {}
    uefi_code: str = ""
    uefi_variables: str = ""
    host_interface: str = ""
    tap: str = ""
    medium: str = ""
    virtual_medium: str = ""
    boot_target: str = ""


# The cache of translated code is small (64 MiB). With the default (up to 1 GiB) QEMU holds twice the memory, and after
# a reset the boot loader is slow: each page that it writes to may have translations that must be dropped.
TCG = "tcg,thread=multi,tb-size=64"


def build_argv(
    spec: MachineSpec, paths: RunPaths, *, accelerator: str, drives: Mapping[Path, VirtualDrive] | None = None
) -> list[str]:
    """The whole command line. Raises nothing: `spec` was checked. `drives` are the virtual drives there are by file."""
    machine = "q35,graphics=off" if spec.display == "none" else "q35"
    machine += ",smm=on" if spec.firmware == "uefi-secure" else ""
    argv = [PROGRAM, "-name", spec.name, "-nodefaults", "-display", "none", "-machine", machine]
    argv += ["-accel", TCG if accelerator == "tcg" else accelerator]
    argv += ["-cpu", spec.cpu_model, "-smp", str(spec.cpus), "-m", str(spec.memory_mib)]
    argv += ["-vga", "none" if spec.display == "none" else "std"]
    if spec.clock:
        argv += ["-rtc", f"base={spec.clock}"]
    if spec.reboot == "exit":
        argv += ["-action", "reboot=shutdown"]
    argv += build_tables(spec.identity)
    if paths.host_interface:
        argv += ["-smbios", f"file={quote(paths.host_interface)}"]
    argv += [
        "-chardev",
        f"socket,id=serial0,path={quote(paths.serial_socket)}",
        "-serial",
        "chardev:serial0",
    ]
    argv += [
        "-chardev",
        f"socket,id=qmp0,path={quote(paths.qmp_socket)}",
        "-mon",
        "chardev=qmp0,mode=control",
    ]
    argv += _firmware_argv(spec, paths)
    for index, nic in enumerate(spec.nics):
        argv += _nic_argv(spec, nic, index, paths)
    argv += _disk_argv(spec, paths)
    argv += _medium_argv(spec, paths)
    argv += _virtual_cd_argv(spec, paths)
    for device, index in find_boot_order(spec, paths.boot_target).items():
        argv += ["-set", f"device.{device}.bootindex={index}"] if index == _FIRST else []
    argv += _silicon_argv(spec, drives or {})
    if spec.bmc is not None and paths.kcs_socket:
        argv += ["-chardev", f"socket,id=ipmi0,path={quote(paths.kcs_socket)},reconnect=1"]
        argv += ["-device", "ipmi-bmc-extern,id=bmc0,chardev=ipmi0", "-device", "isa-ipmi-kcs,bmc=bmc0"]
    argv += ["-device", "virtio-rng-pci"]
    if isinstance(spec.boot, KernelBoot):
        argv += ["-kernel", spec.boot.kernel, "-append", spec.boot.append]
        if spec.boot.initrd:
            argv += ["-initrd", spec.boot.initrd]
    return argv


def find_boot_order(spec: MachineSpec, target: str) -> dict[str, int]:
    """QEMU's boot index of each device that a BMC can choose (`Cd`, `Pxe`, `Hdd`), with `target` as its choice. A
    device that the machine does not have changes nothing. A negative index means that the device has no boot index."""
    if isinstance(spec.boot, KernelBoot):  # QEMU's own loader has the first index, and no other device may
        return {}
    devices = {}
    if has_virtual_cd(spec):
        devices["Cd"] = (VIRTUAL_CD, -1)
    for number, nic in enumerate(spec.nics):
        if nic.boot:
            devices["Pxe"] = (f"nic{number}", _USUAL if spec.boot in ("pxe", "http") else -1)
    if spec.disks:
        devices["Hdd"] = (spec.disks[0].name, -1)
    return {device: _FIRST if name == target else usual for name, (device, usual) in devices.items()}


def has_virtual_cd(spec: MachineSpec) -> bool:
    """Whether the BMC has one."""
    return spec.redfish is not None and spec.redfish.virtual_cd


def _firmware_argv(spec: MachineSpec, paths: RunPaths) -> list[str]:
    if spec.firmware == "bios":
        return []
    argv = [
        "-drive",
        f"if=pflash,unit=0,format=raw,readonly=on,file={quote(paths.uefi_code)}",
        "-drive",
        f"if=pflash,unit=1,format=raw,file={quote(paths.uefi_variables)}",
    ]
    if spec.firmware == "uefi-secure":  # only code in SMM may write the keys of Secure Boot
        argv += ["-global", "driver=cfi.pflash01,property=secure,value=on"]
    if spec.boot == "http":  # else the firmware tries PXE first, and waits for an answer
        for family in ("IPv4", "IPv6"):
            argv += ["-fw_cfg", f"name=opt/org.tianocore/{family}PXESupport,string=n"]
    return argv


def _medium_argv(spec: MachineSpec, paths: RunPaths) -> list[str]:
    """The ISO in a CD drive, or on a stick."""
    if not paths.medium:
        return []
    drive = f"if=none,id=medium,readonly=on,format=raw,file={quote(paths.medium)}"
    if spec.boot == "usb":
        device = [
            "-device",
            "qemu-xhci,id=usb",
            "-device",
            f"usb-storage,bus=usb.0,drive=medium,bootindex={_USUAL}",
        ]
    else:
        device = ["-device", "ahci,id=cd", "-device", f"ide-cd,bus=cd.0,drive=medium,bootindex={_USUAL}"]
    return ["-drive", drive, *device]


def _virtual_cd_argv(spec: MachineSpec, paths: RunPaths) -> list[str]:
    """A USB drive that is there all the time, with or without a medium."""
    if not has_virtual_cd(spec):
        return []
    argv, device = [], f"scsi-cd,id={VIRTUAL_CD},bus=bmc-storage.0"
    if paths.virtual_medium:
        drive = f"if=none,id=virtual-medium,readonly=on,format=raw,file={quote(paths.virtual_medium)}"
        argv, device = ["-drive", drive], f"{device},drive=virtual-medium"
    argv += ["-device", "qemu-xhci,id=bmc-usb", "-device", "usb-bot,id=bmc-storage,bus=bmc-usb.0"]
    return [*argv, "-device", device]


def _nic_argv(spec: MachineSpec, nic: NicSpec, index: int, paths: RunPaths) -> list[str]:
    """One user-mode network per card; only the boot card's has TFTP, an isolated one's has no route to the host."""
    backend = f"user,id=net{index}"
    if nic.boot and paths.tap:
        # Without vnet_hdr=off each frame has virtio's header, also in the capture.
        backend = f"tap,id=net{index},ifname={paths.tap},script=no,downscript=no,vnet_hdr=off"
    elif nic.isolated:
        backend += f",net=10.0.{3 + index}.0/24,restrict=on"
    elif nic.boot and paths.tftp_root:
        backend += f",tftp={quote(paths.tftp_root)},bootfile={quote(spec.bootfile)}"
    device = f"{_NIC_DEVICES[nic.model]},id=nic{index},netdev=net{index},mac={nic.mac}"
    by_network = nic.boot and spec.boot in ("pxe", "http")
    device += f",bootindex={_USUAL}" if by_network else ""
    # UEFI has drivers of its own for these cards. With Secure Boot it refuses the driver in the ROM, which is not
    # signed.
    device += "" if by_network and spec.firmware == "bios" else ",romfile="
    argv = ["-netdev", backend, "-device", device]
    if nic.boot and paths.capture:
        dump = f"filter-dump,id=capture,netdev=net{index},file={quote(paths.capture)},maxlen={CAPTURE_BYTES}"
        argv += ["-object", dump]
    if nic.boot and paths.sideband:
        argv += _sideband_argv(index, paths.sideband)
    return argv


def _sideband_argv(index: int, directory: str) -> list[str]:
    """What the guest sends goes through the BMC; what the BMC sends to the guest comes beside what the network does."""
    argv: list[str] = []
    for name in (FROM_GUEST, TO_NETWORK, TO_GUEST):
        argv += ["-chardev", f"socket,id={name},path={quote(f'{directory}/{name}')},reconnect=1"]
    redirector = f"filter-redirector,netdev=net{index}"
    argv += ["-object", f"{redirector},id=sideband-rx,queue=rx,outdev={FROM_GUEST},indev={TO_NETWORK}"]
    return [*argv, "-object", f"{redirector},id=sideband-tx,queue=tx,indev={TO_GUEST}"]


def _disk_argv(spec: MachineSpec, paths: RunPaths) -> list[str]:
    argv: list[str] = []
    sata = 0
    if any(disk.bus == "scsi" for disk in spec.disks):
        argv += ["-device", f"{_SCSI_DEVICES[spec.scsi_controller]},id=scsi"]
    for slot, disk in enumerate(spec.disks):
        file = quote(paths.disks[disk.name])
        drive = f"if=none,id=drive-{disk.name},file={file},format={disk.format}"
        # What was written to a raw file is in the host's page cache even when QEMU is killed, so syncs are not needed.
        drive += (
            ",cache=unsafe,discard=unmap,detect-zeroes=unmap" if disk.format == "raw" else ",cache=writeback"
        )
        argv += ["-drive", drive]
        if disk.bus == "sata":
            if sata >= _ONBOARD_SATA_PORTS and (sata - _ONBOARD_SATA_PORTS) % _ONBOARD_SATA_PORTS == 0:
                argv += ["-device", f"ahci,id=ahci{sata // _ONBOARD_SATA_PORTS}"]
            argv += ["-device", _sata_device(disk, sata)]
            sata += 1
        elif disk.bus == "scsi":
            argv += ["-device", _scsi_device(disk)]
        else:
            # A disk can be removed from a running machine only when it has a root port of its own.
            argv += ["-device", f"pcie-root-port,id=port-{disk.name},chassis={slot + 1},slot={slot + 1}"]
            argv += _pci_disk_argv(disk)
    return argv


def _silicon_argv(spec: MachineSpec, drives: Mapping[Path, VirtualDrive]) -> list[str]:
    """A device that does nothing for each controller (`layer` gives it a face), a virtio HBA for virtual drives."""
    if spec.silicon is None:
        return []
    argv = ["-device", f"virtio-scsi-pci,id={BUS}"]
    for _ in spec.silicon.controllers:
        argv += ["-device", "pci-testdev"]
    for path, drive in drives.items():
        argv += ["-blockdev", json.dumps(build_block_node(drive, path))]
        argv += ["-device", json.dumps(build_device(drive))]
    return argv


def _sata_device(disk: DiskSpec, port: int) -> str:
    controller, number = divmod(port, _ONBOARD_SATA_PORTS)
    bus = f"ide.{number}" if controller == 0 else f"ahci{controller}.{number}"
    return build_option(
        "ide-hd",
        id=disk.name,
        drive=f"drive-{disk.name}",
        bus=bus,
        serial=disk.serial,
        wwn=disk.wwn,
        model=disk.model,
        rotation_rate=7200 if disk.rotational else 1,
    )


def _scsi_device(disk: DiskSpec) -> str:
    return build_option(
        "scsi-hd",
        id=disk.name,
        drive=f"drive-{disk.name}",
        bus="scsi.0",
        serial=disk.serial,
        wwn=disk.wwn,
        product=disk.model[:16],
        rotation_rate=7200 if disk.rotational else 1,
    )


def _pci_disk_argv(disk: DiskSpec) -> list[str]:
    port, drive = f"port-{disk.name}", f"drive-{disk.name}"
    if disk.bus == "virtio":
        return [
            "-device",
            build_option("virtio-blk-pci", id=disk.name, drive=drive, bus=port, serial=disk.serial),
        ]
    serial = disk.serial or disk.name  # QEMU does not start an nvme device without a serial number
    return ["-device", build_option("nvme", id=disk.name, drive=drive, bus=port, serial=serial)]
