"""Stand-in for HPE's ilorest: `rawget` and `rawpatch` of the BIOS resources, as iLO 5 answers them.

The pending settings are a resource of their own, with all attributes; the next start takes them. Shapes follow HPE's
documentation (tests/golden/README.md).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bootos.lab.vendor_tools.bios import HPE, Attribute, find_fault, read_bios, start_bios
from bootos.lab.vendor_tools.silicon import Output, Silicon

KEY = "ilorest"
VERSION = "U30 v2.68 (07/14/2022)"
SYSTEM = "/redfish/v1/systems/1"
REGISTRY = "BiosAttributeRegistryU30.v1_2_68"
STORE = f"/redfish/v1/registrystore/registries/en/{REGISTRY.lower()}"
REPORTED = {  # exit code 37: REST_ILOREST_ILO_ERROR
    "unknown": "The property {name} is not in the list of valid properties for the resource.",
    "read-only": "The property {name} is a read only property and cannot be assigned a value.",
    "value": "The value {value} for the property {name} is not in the list of acceptable values.",
}


class Ilorest:
    """The stand-in of HPE's `ilorest`, for BIOS settings."""

    names: tuple[str, ...] = ("ilorest",)

    def run(
        self, silicon: Silicon, argv: Sequence[str], files: Mapping[str, bytes], *, program: str
    ) -> Output:
        """See `Tool.run`."""
        bios = read_bios(silicon, HPE, VERSION)
        words = [word for word in argv if not word.startswith("--")]
        match words:
            case ["rawget", path]:
                found = build_resource(bios, path)
                if found is None:
                    return Output(code=6, stderr=f"No data was found at {path}\n")
                return Output(stdout=json.dumps(found, indent=2) + "\n")
            case ["rawpatch", file]:
                done = _patch(bios, files.get(file), silicon.is_misbehaving("fail-half", program, argv))
                silicon.state.setdefault(KEY, {})["waits"] = bool(bios["pending"])
                return done
        return Output(code=3, stderr="Invalid command line arguments.\n")

    def on_boot(self, silicon: Silicon) -> None:
        """BIOS settings that wait take effect."""
        if silicon.state.get(KEY, {}).pop("waits", False):  # else the pending settings are another vendor's
            start_bios(silicon)


def build_resource(bios: Mapping[str, Any], path: str) -> dict[str, Any] | None:
    """The resource at a path, in any case and with or without a slash at its end."""
    key = path.lower().rstrip("/")
    if key == SYSTEM:
        return {
            "@odata.id": f"{SYSTEM}/",
            "Bios": {"@odata.id": f"{SYSTEM}/bios/"},
            "BiosVersion": bios["version"],
        }
    if key == f"{SYSTEM}/bios":
        return {
            "@Redfish.Settings": {"SettingsObject": {"@odata.id": f"{SYSTEM}/bios/settings/"}},
            "@odata.id": f"{SYSTEM}/bios/",
            "AttributeRegistry": REGISTRY,
            "Attributes": bios["attributes"],
            "Name": "BIOS Current Settings",
        }
    if key == f"{SYSTEM}/bios/settings":
        attributes = bios["attributes"] | bios["pending"]
        return {
            "@odata.id": f"{SYSTEM}/bios/settings/",
            "Attributes": attributes,
            "Name": "BIOS Pending Settings",
        }
    if key == f"/redfish/v1/registries/{REGISTRY}".lower():
        return {"Location": [{"Language": "en", "Uri": {"extref": STORE}}]}
    return _build_registry() if key == STORE else None


def _build_registry() -> dict[str, Any]:
    dependencies = [
        {
            "Dependency": {
                "MapFrom": [
                    {
                        "MapFromAttribute": attribute.unless[0],
                        "MapFromCondition": "NEQ",
                        "MapFromProperty": "CurrentValue",
                        "MapFromValue": attribute.unless[1],
                    }
                ],
                "MapToAttribute": name,
                "MapToProperty": "ReadOnly",
                "MapToValue": True,
            },
            "DependencyFor": name,
            "Type": "Map",
        }
        for name, attribute in HPE.items()
        if attribute.unless is not None
    ]
    entries = [_build_entry(name, attribute) for name, attribute in HPE.items()]
    return {"Id": REGISTRY, "RegistryEntries": {"Attributes": entries, "Dependencies": dependencies}}


def _build_entry(name: str, attribute: Attribute) -> dict[str, Any]:
    entry: dict[str, Any] = {"AttributeName": name, "ReadOnly": attribute.read_only, "ResetRequired": True}
    entry["DefaultValue"] = attribute.value
    if attribute.allowed:
        values = [{"ValueName": value, "ValueDisplayName": value} for value in attribute.allowed]
        return entry | {"Type": "Enumeration", "Value": values}
    if attribute.lower is not None:
        return entry | {"Type": "Integer", "LowerBound": attribute.lower, "UpperBound": attribute.upper}
    return entry | {"Type": "String", "MinLength": 0, "MaxLength": 32}


def _patch(bios: dict[str, Any], content: bytes | None, half: bool) -> Output:
    try:
        requests = json.loads(content or b"")
    except ValueError:
        return Output(
            code=4, stderr="Invalid file formatting found. Verify the file has a valid JSON format.\n"
        )
    wanted: dict[str, Any] = {}
    for path, body in requests.items():
        if path.lower().rstrip("/") != f"{SYSTEM}/bios/settings":
            return Output(code=63, stderr=f"The resource {path} cannot be changed.\n")
        wanted |= body.get("Attributes", {})
    for name, value in wanted.items():
        fault = find_fault(bios, HPE, name, value, wanted)
        if fault is not None:
            return Output(code=37, stderr=REPORTED[fault].format(name=name, value=value) + "\n")
    kept = dict(list(wanted.items())[: len(wanted) // 2]) if half else wanted
    bios["pending"] |= kept
    said = "One or more properties were changed and will not take effect until system is reset.\n"
    return Output(stdout=said)
