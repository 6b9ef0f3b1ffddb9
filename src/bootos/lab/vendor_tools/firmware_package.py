"""A vendor's firmware package as it runs in a lab machine: a file made for a component, a version, and the oldest one
that it may be applied on. It behaves as a Dell Update Package does: its options, its exit codes, and a BIOS that is
flashed at the next start. What it wrote is in the silicon under `firmware`; the version of the BIOS is under `bios`.

Knobs: with `fail-half` it dies in the middle and the flash stays broken until the machine starts, from the old version.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bootos.lab.vendor_tools.script import PAYLOAD, build_script
from bootos.lab.vendor_tools.silicon import Output, Silicon

PROGRAM = "lab-firmware-package"
# This program tells which versions the machine has: its SMBIOS tables do not change while QEMU runs.
VERSIONS = "firmware-versions"
_AT_ONCE = ("bmc",)  # takes effect at once; the others with the next start of the machine


class Payload(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a package carries. `base`: the oldest version that it may be applied on."""

    component: str
    version: str
    base: str = ""


def build_package(component: str, version: str, base: str = "") -> bytes:
    """The file that a template names as a package."""
    payload = Payload(component=component, version=version, base=base)
    return build_script(PROGRAM, msgspec.json.encode(payload).decode())


def read_version(silicon: Silicon, component: str) -> str:
    """What the machine has; 1.0.0 where nothing else was said."""
    if component == "bios":
        return str(silicon.state.get("bios", {}).get("version", "1.0.0"))
    return str(_get_memory(silicon)["versions"].get(component, "1.0.0"))


def list_history(silicon: Silicon, component: str = "bios") -> list[str]:
    """The versions that were installed since the machine was made, in order."""
    return [entry["version"] for entry in _get_memory(silicon)["history"] if entry["component"] == component]


def _get_memory(silicon: Silicon) -> dict[str, Any]:
    memory: dict[str, Any] = silicon.state.setdefault("firmware", {})
    for key, empty in (("versions", {}), ("pending", {}), ("broken", []), ("history", [])):
        memory.setdefault(key, empty)
    return memory


def _install(silicon: Silicon, component: str, version: str) -> None:
    memory = _get_memory(silicon)
    if component == "bios":
        silicon.state.setdefault("bios", {})["version"] = version
    else:
        memory["versions"][component] = version
    memory["history"].append({"component": component, "version": version})


def _build_key(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


class FirmwarePackage:
    """Exit codes and words as Dell documents them for Linux: 0 done, 2 reboot, 3 same or older, 4 and 5 not for it."""

    names: tuple[str, ...] = (PROGRAM, VERSIONS)

    def run(
        self, silicon: Silicon, argv: Sequence[str], files: Mapping[str, bytes], *, program: str
    ) -> Output:
        """See `Tool.run`."""
        if program == VERSIONS:
            lines = [f"{component} {read_version(silicon, component)}\n" for component in ("bios", "bmc")]
            return Output(stdout="".join(lines))
        payload = msgspec.json.decode(files[PAYLOAD], type=Payload)
        present = read_version(silicon, payload.component)
        head = (
            f"Collecting inventory...\n.\nRunning validation...\n\n{payload.component.upper()}\n\n"
            f"Package version: {payload.version}\nInstalled version: {present}\n"
        )
        if "--version" in argv:
            return Output(stdout=f"Version: {payload.version}\n")
        unknown = [word for word in argv if word not in ("-q", "-f", "-c")]
        if unknown:
            return Output(code=1, stderr=f"Invalid option: {' '.join(unknown)}\n")
        newer = _build_key(payload.version) > _build_key(present)
        if not newer and "-f" not in argv:
            words = "The version of this Update Package is the same as or older than the installed version.\n"
            return Output(code=3, stdout=head + words)
        if newer and payload.base and _build_key(present) < _build_key(payload.base):
            words = f"The prerequisite version {payload.base} is not installed.\n"
            return Output(code=4, stdout=head, stderr=words)
        if "-c" in argv:
            return Output(stdout=head + "The version of this Update Package is newer.\n")
        memory = _get_memory(silicon)
        if silicon.is_misbehaving("fail-half", program, argv):
            memory["broken"].append(payload.component)
            return Output(
                code=1, stdout=head + "Executing update...\n", stderr="The update failed at 50 %.\n"
            )
        if payload.component in _AT_ONCE:
            _install(silicon, payload.component, payload.version)
            return Output(stdout=head + "Executing update...\nThe operation was successful.\n")
        memory["pending"][payload.component] = payload.version
        return Output(code=2, stdout=head + "The system should be restarted for the update to take effect.\n")

    def on_boot(self, silicon: Silicon) -> None:
        """What was staged is flashed. A broken flash starts from its second copy: the old version."""
        memory = _get_memory(silicon)
        memory["broken"].clear()
        for component, version in memory["pending"].items():
            _install(silicon, component, version)
        memory["pending"].clear()
