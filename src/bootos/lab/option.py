"""The options of `bootos lab run` that make a machine without a file: `--disk virtio:2G`, `--nic e1000e:boot`. Pure."""

from typing import Any, get_args

import typer

from bootos.lab.spec import BmcSpec, DiskBus, DiskSpec, MachineSpec, NicModel, NicSpec, parse_size_mib


def build_spec(*, memory: str, cpus: int, disks: list[str], nics: list[str], bmc: bool) -> MachineSpec:
    """A machine from the words of the command line. Raises BootosError (as wrong usage) for words it cannot read."""
    try:
        return MachineSpec(
            memory_mib=parse_size_mib(memory),
            cpus=cpus,
            disks=tuple(_parse_disk(word, number) for number, word in enumerate(disks)),
            nics=tuple(_parse_nic(word, number, nics) for number, word in enumerate(nics or ["virtio"])),
            bmc=BmcSpec() if bmc else None,
        )
    except ValueError as cause:
        raise typer.BadParameter(str(cause)) from cause


def _choose(word: str, kind: Any) -> Any:
    """The word, when it is one of `kind`, a Literal. Raises ValueError that names them all."""
    if word not in (words := get_args(kind)):
        raise ValueError(f"{word!r} is not one of: {', '.join(words)}")
    return word


def _parse_disk(word: str, number: int) -> DiskSpec:
    bus, _, size = word.partition(":")
    return DiskSpec(
        name=f"disk{number}",
        bus=_choose(bus, DiskBus),
        size_mib=parse_size_mib(size or "1G"),
        serial=f"LAB-DISK-{number}",
    )


def _parse_nic(word: str, number: int, words: list[str]) -> NicSpec:
    model, *marks = word.split(":")
    if unknown := set(marks) - {"boot", "isolated"}:
        raise ValueError(f"{word!r}: {unknown.pop()!r} is not boot or isolated")
    one_boots = any("boot" in other.split(":")[1:] for other in words)
    return NicSpec(
        mac=f"52:54:00:b0:07:{number:02x}",
        model=_choose(model, NicModel),
        boot="boot" in marks or (not one_boots and number == 0),
        isolated="isolated" in marks,
    )
