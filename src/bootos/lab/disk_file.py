"""The file of a machine's disk, made when the machine is switched on for the first time."""

from pathlib import Path

from bootos.errors import BootosError
from bootos.lab.spec import DiskSpec
from bootos.process import run


def create_disk(disk: DiskSpec, path: Path) -> None:
    """Make an empty disk in `path`, sparse; a file that is there stays as it is. Raises BootosError when the
    specification names a file and it does not exist, ToolError when qemu-img fails."""
    if path.exists():
        return
    if disk.path:
        raise BootosError(f"disk {disk.name}: {disk.path} does not exist")
    if disk.format == "raw":
        with path.open("wb") as file:
            file.truncate(disk.size_mib * 1024**2)
    else:
        run(["qemu-img", "create", "-q", "-f", disk.format, path, f"{disk.size_mib}M"])
