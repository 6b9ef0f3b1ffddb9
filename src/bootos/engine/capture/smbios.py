"""The SMBIOS table of a machine: as the kernel has it, dumped by dmidecode, or as its text."""

from typing import Any

from bootos.engine.capture.scene import Scene
from bootos.engine.capture.source import RawFile
from bootos.hardware.dmitext import build_table
from bootos.wire.inventory import Inventory


def build_dmidecode(files: list[RawFile]) -> Scene:
    """`dmidecode --dump-bin FILE`, the kernel's own tables, or dmidecode's text."""
    table, notes = b"", []
    for file in files:
        data = file.data
        is_binary = b"\0" in data[:4096] and not data.startswith((b"\xff\xfe", b"\xfe\xff"))
        found = data if is_binary else build_table(file.text)
        if not found:
            notes.append(f"{file.name}: it is neither an SMBIOS table nor dmidecode's text of one.")
        table = max(table, found, key=len)
    return Scene(
        files={"sys/firmware/dmi/tables/DMI": table} if table else {}, notes=notes, finish=_drop_unknown
    )


def _drop_unknown(inventory: Inventory, states: dict[str, Any]) -> list[str]:
    """The table does not say how the machine was started, nor what its kernel drives."""
    inventory.bios.boot_mode = inventory.bios.secure_boot = None
    told = [note for note in inventory.notes if note.startswith("SMBIOS lists a BMC")]
    inventory.notes = [note for note in inventory.notes if note not in told]
    return ["SMBIOS lists a BMC."] if told else []
