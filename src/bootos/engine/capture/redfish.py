"""Resources of a Redfish service: a directory of files (as DMTF's mockups), one JSON of path -> resource, a list of
resources, or a single one. What leads to them and is not among them is put in its place: collections, links.
"""

from typing import Any

from bootos.drivers.redfish.kept import normalize_path
from bootos.engine.capture.excerpt import tell_first
from bootos.engine.capture.scene import Scene, build_driver
from bootos.engine.capture.source import RawFile, is_json, read_values
from bootos.wire.inventory import Inventory

ROOT = "/redfish/v1"
ACCESS = {"address": "https://kept.invalid", "user": "nobody", "password": "nobody"}
_ODATA = "@odata.id"
MOST_PARTS = 32  # of a path
_NAMED = 3  # of files that are none
# Where a resource lies that does not say it, by the beginning of its @odata.type.
_USUAL = {
    "#Bios.": f"{ROOT}/Systems/1/Bios",
    "#ComputerSystem.": f"{ROOT}/Systems/1",
    "#Manager.": f"{ROOT}/Managers/1",
    "#UpdateService.": f"{ROOT}/UpdateService",
    "#AccountService.": f"{ROOT}/AccountService",
    "#AttributeRegistry.": f"{ROOT}/Registries/{{Id}}/{{Id}}.json",
    "#MessageRegistryFile.": f"{ROOT}/Registries/{{Id}}",
    "#ManagerAccount.": f"{ROOT}/AccountService/Accounts/{{Id}}",
    "#SoftwareInventory.": f"{ROOT}/UpdateService/FirmwareInventory/{{Id}}",
    "#EthernetInterface.": f"{ROOT}/Managers/1/EthernetInterfaces/{{Id}}",
    "#Chassis.": f"{ROOT}/Chassis/1",
    "#ServiceRoot.": ROOT,
}
_COLLECTIONS = (
    "systems", "managers", "chassis", "registries", "accounts", "roles", "firmwareinventory", "softwareinventory",
    "ethernetinterfaces",
)  # fmt: skip

# What the link to a resource is called, however its path is written (`/BIOS` of DMTF's mockups, `/bios` of iLO 4).
_KEYS = {
    key.lower(): key
    for key in (
        "Systems", "Managers", "Chassis", "Registries", "AccountService", "Accounts", "Roles", "UpdateService",
        "FirmwareInventory", "SoftwareInventory", "EthernetInterfaces", "Bios", "SecureBoot", "BootOptions", "Power",
        "NetworkProtocol", "HostInterfaces",
    )
}  # fmt: skip


def build_scene(files: list[RawFile]) -> Scene:
    """What the service of these resources is."""
    resources: dict[str, dict[str, Any]] = {}
    notes: list[str] = []
    others: list[str] = []  # a mockup has schemas and a text for readers beside its resources
    strangers: list[str] = []  # schemas may be JSON as well
    for file in files:
        if not is_json(file.text):
            others.append(file.name)
            continue
        told_before = len(notes)
        values = read_values([file], "a GET of the resource", notes)
        found = dict(pair for _, value in values for pair in _find_resources(value, file.name))
        if not found and len(notes) == told_before:
            strangers.append(file.name)
        resources |= found
    if others:
        notes.append(f"No JSON, and not read: {tell_first(others, _NAMED)}.")
    if strangers:
        notes.append(f"No resource of Redfish: {tell_first(strangers, _NAMED)}.")
    whole = complete(resources, notes) if resources else {}
    kept = _Kept({normalize_path(path): body for path, body in whole.items()})
    return Scene(
        drivers=[
            build_driver(where)
            for where in (
                "bios.redfish:BiosRedfishDriver",
                "oob.redfish:RedfishDriver",
                "firmware.redfish:FirmwareRedfishDriver",
            )
        ]
        if resources
        else [],
        document={"name": "capture", "oob": {"power_policy": "last", "redfish": ACCESS}},
        resources=kept if resources else None,
        notes=notes,
        finish=lambda inventory, states: [*_add_system(inventory, whole), *_tell_missing(kept)],
    )


class _Kept(dict[str, Any]):
    """Resources by path, and which ones were asked for that are not there."""

    def __init__(self, resources: dict[str, Any]) -> None:
        super().__init__(resources)
        self.missing: dict[str, None] = {}

    def get(self, path: str, otherwise: Any = None) -> Any:
        if path not in self:
            self.missing.setdefault(path)
        return super().get(path, otherwise)


def _tell_missing(kept: _Kept) -> list[str]:
    """The first of those that are linked and not among the files."""
    return [f"Not among the resources: {tell_first(kept.missing)}."] if kept.missing else []


def _find_resources(value: Any, name: str) -> list[tuple[str, dict[str, Any]]]:
    """(path, resource) of everything in a JSON value."""
    if isinstance(value, list):
        return [pair for item in value for pair in _find_resources(item, name)]
    if not isinstance(value, dict):
        return []
    paths = {key: item for key, item in value.items() if key.startswith("/") and isinstance(item, dict)}
    if paths:
        return [(key.rstrip("/") or key, item) for key, item in paths.items()]
    if path := str(value.get(_ODATA) or ""):
        return [(path.rstrip("/"), value)]
    kind = str(value.get("@odata.type") or "")
    for begin, place in _USUAL.items():
        if kind.startswith(begin):
            return [(place.replace("{Id}", str(value.get("Id") or "1")), value)]
    folder = name.rpartition("/")[0]
    if folder.startswith("redfish/"):
        return [(f"/{folder}", value)]
    if isinstance(value.get("Attributes"), dict):
        return [(_USUAL["#Bios."], value)]
    if isinstance(value.get("RegistryEntries"), dict):
        return [(_USUAL["#AttributeRegistry."].replace("{Id}", str(value.get("Id") or "1")), value)]
    members = value.get("Members")
    return _find_resources(members, name) if isinstance(members, list) else []


def complete(resources: dict[str, dict[str, Any]], notes: list[str]) -> dict[str, dict[str, Any]]:
    """The resources, with those above them that are missing, so that each can be reached from the root."""
    whole = dict(resources)
    lower = {normalize_path(path): path for path in whole}
    made, linked = set[str](), set[str]()

    def find(path: str, key: str) -> dict[str, Any]:
        place = lower.setdefault(key, path)
        if place not in whole:
            whole[place] = {_ODATA: place}
            made.add(key)
        return whole[place]

    if not any(path.startswith(f"{ROOT}/systems/") for path in lower):
        notes.append("No system is among the resources.")
        find(f"{ROOT}/Systems/1", f"{ROOT}/systems/1")
    for path in sorted(whole, key=len):
        parts = path.split("/", MOST_PARTS)
        if len(parts) > MOST_PARTS:
            continue
        here, key = path, normalize_path(path)
        for count in range(len(parts) - 1, 2, -1):
            if key in linked:
                break
            linked.add(key)
            above = "/".join(parts[:count])
            key = normalize_path(above)
            _link(find(above, key), above, here, parts[count], is_made=key in made)
            here = above
    find(ROOT, ROOT)
    return whole


def _link(body: dict[str, Any], above: str, here: str, name: str, *, is_made: bool) -> None:
    """Have a resource lead to the one below it, where it does not yet and may: what was there says enough itself."""
    link = {_ODATA: here}
    if above.rpartition("/")[2].lower() in _COLLECTIONS:
        if is_made:
            body.setdefault("Members", [])
        members = body.get("Members")
        if isinstance(members, list) and is_made:
            members.append(link)
    elif is_made:
        body.setdefault(_KEYS.get(name.lower(), name), link)


def _add_system(inventory: Inventory, resources: dict[str, dict[str, Any]]) -> list[str]:
    """Who the machine is and what its BMC runs, as the service says: the inventory of a machine has it from SMBIOS and
    IPMI."""
    for path, body in resources.items():
        kind = str(body.get("@odata.type") or "")
        if kind.startswith("#ComputerSystem.") and inventory.system.product is None:
            inventory.system.vendor = _read_text(body, "Manufacturer")
            inventory.system.product = _read_text(body, "Model")
            inventory.system.serial = _read_text(body, "SerialNumber")
            inventory.bios.version = _read_text(body, "BiosVersion")
        if (
            kind.startswith("#Manager.")
            and path.count("/") == ROOT.count("/") + 2
            and inventory.bmc is not None
        ):
            inventory.bmc.firmware = inventory.bmc.firmware or _read_text(body, "FirmwareVersion")
    return []


def _read_text(body: dict[str, Any], key: str) -> str | None:
    value = body.get(key)
    return value.strip() or None if isinstance(value, str) else None
