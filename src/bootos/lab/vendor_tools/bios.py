"""The BIOS settings of the stand-in hardware, which all stand-ins of BIOS tools share: `silicon.state["bios"]`.

What is set is pending until the machine starts; a setting may be read-only, depend on another one, or be told by the
state to be refused by the firmware at the start (`refused`: it stays as it was).
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from bootos.lab.vendor_tools.silicon import Silicon

KEY = "bios"
SWITCH = ("Enabled", "Disabled")


class Attribute(msgspec.Struct, frozen=True, kw_only=True):
    """An attribute of the stand-in's BIOS. `unless`: attribute and value without which it is read-only."""

    group: str
    value: str | int
    allowed: tuple[str, ...] = ()
    lower: int | None = None
    upper: int | None = None
    read_only: bool = False
    unless: tuple[str, str] | None = None


# Names and values are those of real machines: a PowerEdge R650, a ProLiant DL380 Gen10.
DELL: Mapping[str, Attribute] = {
    "SystemModelName": Attribute(group="SysInformation", value="PowerEdge R650", read_only=True),
    "SystemBiosVersion": Attribute(group="SysInformation", value="1.2.4", read_only=True),
    "MemOpMode": Attribute(
        group="MemSettings", value="OptimizerMode", allowed=("OptimizerMode", "MirrorMode")
    ),
    "NodeInterleave": Attribute(group="MemSettings", value="Disabled", allowed=SWITCH),
    "LogicalProc": Attribute(group="ProcSettings", value="Enabled", allowed=SWITCH),
    "ProcVirtualization": Attribute(group="ProcSettings", value="Disabled", allowed=SWITCH),
    "SubNumaCluster": Attribute(group="ProcSettings", value="Disabled", allowed=SWITCH),
    "BootMode": Attribute(group="BiosBootSettings", value="Uefi", allowed=("Uefi", "Bios")),
    "BootSeqRetry": Attribute(group="BiosBootSettings", value="Enabled", allowed=SWITCH),
    "PxeDev1EnDis": Attribute(group="NetworkSettings", value="Enabled", allowed=SWITCH),
    "SriovGlobalEnable": Attribute(group="IntegratedDevices", value="Disabled", allowed=SWITCH),
    "SysProfile": Attribute(
        group="SysProfileSettings",
        value="PerfPerWattOptimizedDapc",
        allowed=("PerfPerWattOptimizedDapc", "PerfPerWattOptimizedOs", "PerfOptimized", "Custom"),
    ),
    "ProcTurboMode": Attribute(
        group="SysProfileSettings", value="Enabled", allowed=SWITCH, unless=("SysProfile", "Custom")
    ),
    "ProcCStates": Attribute(
        group="SysProfileSettings",
        value="Enabled",
        allowed=("Autonomous", "Enabled", "Disabled"),
        unless=("SysProfile", "Custom"),
    ),
    "AcPwrRcvry": Attribute(group="SysSecurity", value="Last", allowed=("On", "Off", "Last")),
    "AcPwrRcvryUserDelay": Attribute(group="SysSecurity", value=60, lower=60, upper=600),
    "ErrPrompt": Attribute(group="MiscSettings", value="Enabled", allowed=SWITCH),
    "AssetTag": Attribute(group="MiscSettings", value=""),
}
HPE: Mapping[str, Attribute] = {
    "SerialNumber": Attribute(group="", value="LAB00001", read_only=True),
    "ProcVirtualization": Attribute(group="", value="Disabled", allowed=SWITCH),
    "ProcHyperthreading": Attribute(group="", value="Enabled", allowed=SWITCH),
    "IntelProcVtd": Attribute(group="", value="Enabled", allowed=SWITCH),
    "Sriov": Attribute(group="", value="Enabled", allowed=SWITCH),
    "NodeInterleaving": Attribute(group="", value="Disabled", allowed=SWITCH),
    "BootMode": Attribute(group="", value="Uefi", allowed=("Uefi", "LegacyBios")),
    "NicBoot1": Attribute(group="", value="NetworkBoot", allowed=("NetworkBoot", "Disabled")),
    "AutoPowerOn": Attribute(
        group="", value="RestoreLastState", allowed=("AlwaysPowerOn", "AlwaysPowerOff", "RestoreLastState")
    ),
    "WorkloadProfile": Attribute(
        group="",
        value="GeneralPowerEfficientCompute",
        allowed=("GeneralPowerEfficientCompute", "Virtualization-MaxPerformance", "Custom"),
    ),
    "MinProcIdlePower": Attribute(
        group="", value="C6", allowed=("C6", "C1E", "NoCStates"), unless=("WorkloadProfile", "Custom")
    ),
    "ProcTurbo": Attribute(group="", value="Enabled", allowed=SWITCH, unless=("WorkloadProfile", "Custom")),
    "VlanId": Attribute(group="", value=0, lower=0, upper=4094),
    "ServerAssetTag": Attribute(group="", value=""),
}


def read_bios(silicon: Silicon, attributes: Mapping[str, Attribute], version: str) -> dict[str, Any]:
    """The BIOS's part of the state. An attribute that is not in it yet gets its value from `attributes`."""
    bios: dict[str, Any] = silicon.state.setdefault(KEY, {})
    current = bios.setdefault("attributes", {})
    for name, attribute in attributes.items():
        current.setdefault(name, attribute.value)
    bios.setdefault("pending", {})
    bios.setdefault("version", version)
    return bios


def find_fault(
    bios: Mapping[str, Any],
    attributes: Mapping[str, Attribute],
    name: str,
    value: Any,
    staged: Mapping[str, Any],
) -> str | None:
    """Why the firmware does not take the value: `unknown`, `read-only`, `value`; None: it does."""
    attribute = attributes.get(name)
    if attribute is None:
        return "unknown"
    if is_read_only(bios, attribute, staged):
        return "read-only"
    if attribute.allowed and value not in attribute.allowed:
        return "value"
    if attribute.lower is not None and attribute.upper is not None:
        text = str(value)
        if not text.lstrip("-").isdigit() or not attribute.lower <= int(text) <= attribute.upper:
            return "value"
    return None


def is_read_only(bios: Mapping[str, Any], attribute: Attribute, staged: Mapping[str, Any]) -> bool:
    """Whether the attribute cannot be set now: always, or because the attribute it depends on has another value, and no
    pending change sets that value."""
    if attribute.read_only or attribute.unless is None:
        return attribute.read_only
    other, value = attribute.unless
    return bool((bios["attributes"] | bios["pending"] | dict(staged)).get(other) != value)


def start_bios(silicon: Silicon) -> None:
    """The machine starts: pending changes take effect, except those of attributes in the state's `refused`."""
    bios = silicon.state.get(KEY)
    if not bios:
        return
    refused = bios.get("refused", [])
    bios["attributes"] = bios.get("attributes", {}) | {
        name: value for name, value in bios.get("pending", {}).items() if name not in refused
    }
    bios["pending"] = {}
