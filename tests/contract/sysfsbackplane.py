"""Virtual drives of a stand-in controller as the kernel shows them below an injected root."""

from pathlib import Path

from bootos.lab.vendor_tools.silicon import VirtualDrive


class SysfsBackplane:
    """Virtual drives appear in sysfs, as the kernel shows SCSI disks."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.count = 0
        self.names: dict[str, str] = {}

    def plug(self, drive: VirtualDrive) -> None:
        taken = self.names.values()
        name = next(f"sd{letter}" for letter in "abcdefghijklmnop" if f"sd{letter}" not in taken)
        device = (
            self.root / "sys/devices/pci0000:00/0000:00:02.0/host0" / f"target0:0:{self.count}"
            / f"0:0:{self.count}:0"
        )  # fmt: skip
        block = device / "block" / name
        (block / "queue").mkdir(parents=True)
        (self.root / "sys/block").mkdir(parents=True, exist_ok=True)
        (self.root / "sys/block" / name).symlink_to(block)
        (block / "device").symlink_to(device)
        (block / "size").write_text(f"{drive.size_bytes // 512}\n")
        (block / "dev").write_text(f"8:{16 * self.count}\n")
        (device / "wwid").write_text(f"naa.{drive.wwn.removeprefix('0x')}\n")
        (device / "model").write_text(drive.model)
        (device / "vendor").write_text(drive.vendor)
        serial = drive.serial.encode()
        (device / "vpd_pg80").write_bytes(bytes([0, 0x80]) + len(serial).to_bytes(2, "big") + serial)
        self.names[drive.name] = name
        self.count += 1

    def unplug(self, name: str) -> None:
        (self.root / "sys/block" / self.names.pop(name)).unlink()
