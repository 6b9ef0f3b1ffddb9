"""Stand-in for Lenovo's OneCLI: `config show`, `config showvalues` and `config batch` of UEFI settings, in band.

It shows what is stored, which the machine takes with its next start. Built after manuals and published programs that
read it: no output of the real tool was found (tests/golden/README.md).
"""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from bootos.lab.vendor_tools.bios import Attribute, find_fault, read_bios, start_bios
from bootos.lab.vendor_tools.silicon import Output, Silicon

KEY = "onecli"
VERSION = "IVE148M-2.61"
SWITCH = ("Enable", "Disable")
MODES = ("Minimal Power", "Efficiency -Favor Performance", "Custom Mode", "Maximum Performance")
SR650: Mapping[str, Attribute] = {
    "OperatingModes.ChooseOperatingMode": Attribute(group="", value=MODES[1], allowed=MODES),
    "Processors.IntelVirtualizationTechnology": Attribute(group="", value="Disable", allowed=SWITCH),
    "Processors.HyperThreading": Attribute(group="", value="Enable", allowed=SWITCH),
    "Processors.CStates": Attribute(
        group="",
        value="Legacy",
        allowed=("Legacy", "Autonomous", "Disable"),
        unless=("OperatingModes.ChooseOperatingMode", "Custom Mode"),
    ),
    "DevicesandIOPorts.SRIOV": Attribute(group="", value="Enable", allowed=SWITCH),
    "BootModes.SystemBootMode": Attribute(group="", value="UEFI Mode", allowed=("UEFI Mode", "Legacy Mode")),
    "SystemRecovery.POSTWatchdogTimerValue": Attribute(group="", value=5, lower=5, upper=20),
}


class Onecli:
    """The stand-in of Lenovo's `onecli`, for BIOS settings."""

    names: tuple[str, ...] = ("onecli",)

    def run(
        self, silicon: Silicon, argv: Sequence[str], files: Mapping[str, bytes], *, program: str
    ) -> Output:
        """See `Tool.run`."""
        bios = read_bios(silicon, SR650, VERSION)
        match [word for word in argv if word != "--nolog"]:
            case ["config", "show"]:
                stored = bios["attributes"] | bios["pending"]
                lines = [f"{name}={stored[name]}" for name in SR650]
                return Output(stdout="\n".join(["IMM.HostName1=node1", *lines, "Success.", ""]))
            case ["config", "showvalues"]:
                lines = [f"{name}={_describe(attribute)}" for name, attribute in SR650.items()]
                return Output(stdout="\n".join([*lines, "Success.", ""]))
            case ["config", "batch", "--file", file]:
                half = silicon.is_misbehaving("fail-half", program, argv)
                done = _run_batch(bios, files.get(file, b"").decode(), half)
                silicon.state.setdefault(KEY, {})["waits"] = bool(bios["pending"])
                return done
        return Output(code=2, stdout="Invalid parameter.\n")

    def on_boot(self, silicon: Silicon) -> None:
        """BIOS settings that wait take effect."""
        if silicon.state.get(KEY, {}).pop("waits", False):  # else the pending settings are another vendor's
            start_bios(silicon)


def _describe(attribute: Attribute) -> str:
    if attribute.lower is not None:
        limits = f"min={attribute.lower} max={attribute.upper} step=1 default={attribute.value}"
        return f"numeric {limits}"
    return "=".join(f"<{word}>" if word == attribute.value else word for word in attribute.allowed)


def _run_batch(bios: dict[str, Any], text: str, half: bool) -> Output:
    """Line by line, as OneCLI does: what comes before a failure is set."""
    said = ""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        words = shlex.split(line)
        if half and number == len(lines) // 2:
            return Output(code=1, stdout=f"{said}The connection to the BMC was lost.\n")
        if len(words) != 3 or words[0] != "set":
            return Output(code=1, stdout=f"{said}Invalid command in the batch file: {line}\n")
        name, value = words[1], words[2]
        if find_fault(bios, SR650, name, value, {}) is not None:
            return Output(code=1, stdout=f"{said}{name}={value}: invalid value, failed to set.\n")
        bios["pending"][name] = int(value) if SR650[name].lower is not None else value
        said += f"{name}={value}\nSuccess.\n"
    return Output(stdout=said)
