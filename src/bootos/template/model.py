"""The template: what an operator wants a machine to be. Nouns only; how to get there is the drivers' work.

Written as YAML, TOML or JSON. `docs/template.schema.json` is its published JSON Schema. `bootos.template.check`
finds the mistakes that need no machine, drivers those that need one.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bootos.template.bios import Bios
from bootos.template.disk import (
    DiskWanted,
    Encryption,
    Filesystem,
    FilesystemType,
    LogicalVolume,
    Partition,
    Select,
    Table,
    VolumeGroup,
)
from bootos.template.erase import EraseWanted, NamespaceWanted, NvmeWanted
from bootos.template.expect import Expect
from bootos.template.firmware import FirmwarePackage, FirmwareSelect, FirmwareWanted
from bootos.template.oob import Oob, OobNetwork, OobRedfish, OobSol, OobUser
from bootos.template.raid import ArrayWanted, Raid
from bootos.template.script import Script, ScriptGroup
from bootos.template.value import Name, Secret

__all__ = [
    "ArrayWanted",
    "Bios",
    "DiskWanted",
    "Encryption",
    "EraseWanted",
    "Expect",
    "Filesystem",
    "FilesystemType",
    "LogicalVolume",
    "FirmwarePackage",
    "FirmwareSelect",
    "FirmwareWanted",
    "Name",
    "NamespaceWanted",
    "NvmeWanted",
    "Oob",
    "OobNetwork",
    "OobRedfish",
    "OobSol",
    "OobUser",
    "Partition",
    "Raid",
    "Script",
    "ScriptGroup",
    "Secret",
    "Select",
    "Table",
    "Template",
    "VolumeGroup",
]


class Template(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The whole document. `extra` is for drivers of other packages: its key NAME is the section "extra.NAME"."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    description: str = ""
    base: str | list[str] | None = None  # templates it is based on; a later one overrides an earlier one
    # Values of `<{NAME}>`. None: the machine must have a value of its own.
    variables: dict[str, str | int | bool | None] = {}
    expect: Expect | None = None
    firmware: list[FirmwareWanted] = []
    bios: Bios | None = None
    oob: Oob | None = None
    raid: Raid | list[Raid] | None = None  # a list: one section for each of several drivers
    erase: list[EraseWanted] = []
    nvme: list[NvmeWanted] = []
    disks: list[DiskWanted] = []
    volume_groups: list[VolumeGroup] = []
    extra: dict[str, Any] = {}
    scripts: list[ScriptGroup] = []
