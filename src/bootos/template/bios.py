"""The `bios` section: settings of the BIOS, by names that mean the same on every vendor's machines.

Which attribute of which vendor a name means is data of the drivers (`drivers/bios/names/`), not of the template.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from bootos.template.value import Secret

Switch = Literal["enabled", "disabled"]
RawValue = str | int | bool


class Bios(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is left out is not touched. `vendor`: settings by the vendor's own names and values."""

    virtualization: Switch | None = None  # VT-x, SVM
    iommu: Switch | None = None  # VT-d, AMD-Vi, SMMU
    sriov: Switch | None = None
    hyperthreading: Switch | None = None
    numa: Switch | None = None  # enabled: a node for each socket; disabled: memory is interleaved over them
    sub_numa: Switch | None = None  # several nodes in a socket: SNC, NPS
    c_states: Switch | None = None
    turbo: Switch | None = None
    power_profile: Literal["performance", "balanced", "powersave", "custom"] | None = None
    power_restore: Literal["on", "off", "last"] | None = None  # when mains power comes back
    memory_mode: Literal["independent", "mirror", "spare"] | None = None
    above_4g: Switch | None = None
    boot_mode: Literal["uefi", "legacy", "dual"] | None = None  # dual: either, as the boot entry asks
    secure_boot: Switch | None = None
    tpm: Switch | None = None
    pxe_nic: Switch | None = None  # boot from the first network port
    error_prompt: Switch | None = None  # whether an error during the start waits for a key
    vendor: dict[Annotated[str, Meta(min_length=1)], RawValue] = {}
    password: Secret | None = None  # the password of the BIOS setup, where one is set
    driver: str | None = None


NEUTRAL_NAMES = tuple(
    field for field in Bios.__struct_fields__ if field not in ("vendor", "password", "driver")
)


def find_wanted(bios: Bios) -> dict[str, str]:
    """The neutral settings that the section asks for, by name."""
    return {name: getattr(bios, name) for name in NEUTRAL_NAMES if getattr(bios, name) is not None}
