"""`bios.ilorest`: BIOS settings of HPE servers by ilorest, on the machine itself (CHIF: no network, no login).

ilorest's raw commands carry Redfish: one PATCH of the settings resource holds all changes, and iLO applies them at the
next start. iLOrest user guide: rawget, rawpatch, return codes.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bootos.drivers.bios.attribute_registry import parse_settings
from bootos.drivers.bios.setting import SetDetail, Setting
from bootos.drivers.bios.vendor_tool import VendorTool, make_scratch, quote_output
from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.redfish.reply import read_object, read_objects

SYSTEM = "/redfish/v1/Systems/1/"
TIMEOUT_S = 180.0
MEANINGS = {  # what exit codes mean, where the printed text alone does not help
    28: "a value is not allowed",
    32: "iLO wants a login: its security state does not let the host in",
    34: "the driver for the channel to iLO is missing",
    37: "iLO reported an error",
    66: "iLO denied the access",
    75: "iLO's security state does not let the host in",
}


class IlorestDriver(VendorTool):
    name = "bios.ilorest"
    title = "BIOS settings (HPE ilorest)"
    vendors = ("hpe",)
    programs = ("ilorest",)

    def read_settings(self, machine: Machine, program: str) -> list[Setting]:
        bios = self._get_bios(machine, program)
        pending = self._get(machine, program, find_settings_path(bios))
        registry = self._read_registry(machine, program, str(bios.get("AttributeRegistry") or ""))
        attributes = read_object(bios.get("Attributes"))
        return parse_settings(attributes, read_object(pending.get("Attributes")), registry)

    def set_settings(
        self, machine: Machine, program: str, details: Sequence[SetDetail], password: str
    ) -> None:
        new = {detail.name: detail.value for detail in details if not detail.staged}
        if not new:
            return
        path = find_settings_path(self._get_bios(machine, program))
        file = make_scratch(machine, "rawpatch.json")
        file.write_text(json.dumps({path: {"Attributes": new}}))
        command = [program, "--nologo", "rawpatch", str(file)]
        command += [f"--biospassword={password}"] if password else []
        done = machine.run(command, timeout_s=TIMEOUT_S, check=False, secrets=[password])
        names = ", ".join(f"{name} = {value}" for name, value in new.items())
        if done.returncode != 0:
            raise DriverError(
                f"ilorest could not set {names}: {_explain(done.returncode, quote_output(done))}"
            )

    def _get_bios(self, machine: Machine, program: str) -> dict[str, Any]:
        system = self._get(machine, program, SYSTEM)
        own = read_object(read_object(read_object(system.get("Oem")).get("Hpe")).get("Links"))
        path = _read_path(system.get("Bios")) or _read_path(own.get("Bios")) or f"{SYSTEM}Bios/"
        return self._get(machine, program, path)

    def _read_registry(self, machine: Machine, program: str, name: str) -> dict[str, Any] | None:
        if not name:
            return None
        path = find_registry_path(self._get(machine, program, f"/redfish/v1/Registries/{name}/"))
        return self._get(machine, program, path) if path else None

    def _get(self, machine: Machine, program: str, path: str) -> dict[str, Any]:
        done = machine.run(
            [program, "--nologo", "rawget", path, "--silent"], timeout_s=TIMEOUT_S, check=False
        )
        if done.returncode != 0:
            raise DriverError(
                f"ilorest could not read {path}: {_explain(done.returncode, quote_output(done))}"
            )
        return parse_json(done.stdout, path)


def parse_json(text: str, path: str) -> dict[str, Any]:
    """The JSON of `rawget`; older versions print their name and a line before it."""
    start = text.find("{")
    try:
        found = json.JSONDecoder().raw_decode(text[start:])[0] if start >= 0 else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        shown = " ".join("".join(c if c.isprintable() else "?" for c in text).split())[:200]
        raise DriverError(f"ilorest printed no JSON for {path}: {shown or 'nothing'}")
    return found


def find_settings_path(bios: Mapping[str, Any]) -> str:
    """Where pending settings are, by the Bios resource."""
    settings = read_object(bios.get("@Redfish.Settings")).get("SettingsObject")
    own = _read_path(bios) or f"{SYSTEM}Bios/"
    return _read_path(settings) or f"{own.rstrip('/')}/settings/"


def _read_path(reference: Any) -> str:
    path = read_object(reference).get("@odata.id")
    return path if isinstance(path, str) else ""


def find_registry_path(registry: Mapping[str, Any]) -> str | None:
    """Where the English text of a registry is. `Uri` is a path, or holds it as `extref` (older iLO)."""
    places = read_objects(registry.get("Location"))
    for place in sorted(places, key=lambda place: place.get("Language") != "en"):
        uri = place.get("Uri")
        path = uri.get("extref") if isinstance(uri, dict) else uri
        if path and isinstance(path, str):
            return path
    return None


def _explain(code: int, output: str) -> str:
    meaning = MEANINGS.get(code)
    return f"exit code {code}" + (f" ({meaning})" if meaning else "") + f": {output}"
