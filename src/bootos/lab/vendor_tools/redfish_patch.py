"""A PATCH of the Redfish service's resources (DSP0266, 7.6): what is changed, what else follows from it, and what is
refused before anything is changed. Called by `redfish`.
"""

from collections.abc import Mapping
from typing import Any

from bootos.lab.vendor_tools import redfish_remote as remote
from bootos.lab.vendor_tools.redfish_account import check_account
from bootos.lab.vendor_tools.redfish_answer import RedfishRefusal
from bootos.lab.vendor_tools.redfish_path import (
    ACCOUNTS,
    ADDRESS,
    BIOS_PENDING,
    MANAGER,
    POWER_POLICIES,
    REGISTRY,
    ROLES,
    SYSTEM,
)
from bootos.lab.vendor_tools.redfish_schema import find_writable
from bootos.lab.vendor_tools.redfish_state import PROGRAM
from bootos.lab.vendor_tools.silicon import Silicon

Tree = dict[str, dict[str, Any]]


def change_resource(
    silicon: Silicon, state: dict[str, Any], path: str, request: dict[str, Any]
) -> dict[str, Any]:
    """Change it whole or not at all, and return it. Raises RedfishRefusal. A knob makes it fail half way."""
    tree = state["tree"]
    wanted = check_change(tree, path, request)
    body: dict[str, Any] = tree[path]
    half = silicon.is_misbehaving("fail-half", PROGRAM, ["PATCH", path])
    if path.startswith(f"{ACCOUNTS}/") and "Password" in wanted:
        state["passwords"][path] = wanted.pop("Password")
    if path.startswith(f"{MANAGER}/EthernetInterfaces/"):
        wanted = _settle_network(wanted)
    for number, (key, value) in enumerate(wanted.items()):
        if half and number >= len(wanted) // 2:
            message = "The operation was stopped by an internal error."
            raise RedfishRefusal(500, message, "InternalError")
        old = body.get(key)
        body[key] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
    if "RoleId" in wanted:
        body["Links"] = {"Role": {"@odata.id": f"{ROLES}/{wanted['RoleId']}"}}
    if path == SYSTEM and "Boot" in wanted:
        remote.aim_boot(silicon, tree)
    return body


def check_change(tree: Tree, path: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """What a PATCH asks for, without annotations. Raises RedfishRefusal for what cannot be."""
    body = tree[path]
    wanted = {key: value for key, value in request.items() if "@" not in key and key != "Oem"}
    if not wanted:
        raise RedfishRefusal(400, "The request holds no property that could be changed.", "NoOperation")
    writable = find_writable(body)
    for key, value in wanted.items():
        if key not in body:
            message = f"The property {key} is not in the list of valid properties for the resource."
            raise RedfishRefusal(400, message, "PropertyUnknown")
        if key not in writable:
            message = f"The property {key} is a read only property and cannot be assigned a value."
            raise RedfishRefusal(400, message, "PropertyNotWritable")
        _check_type(key, value, body[key])
    if path.startswith(f"{ACCOUNTS}/"):
        check_account(tree, path, wanted)
    if path == BIOS_PENDING:
        _check_attributes(tree, wanted["Attributes"])
    if path == SYSTEM:
        remote.check_override(body, wanted)
        policy = wanted.get("PowerRestorePolicy")
        if policy is not None and policy not in POWER_POLICIES:
            message = f"The value {policy} for the property PowerRestorePolicy is not in the list of acceptable values."
            raise RedfishRefusal(400, message, "PropertyValueNotInList")
    return wanted


def _check_type(key: str, value: Any, present: Any) -> None:
    """A value is of the kind of the one that is there, in an object those of its properties that are there."""
    if present is not None and type(value) is not type(present):
        message = f"The value {value} for the property {key} is of another type than the property can have."
        raise RedfishRefusal(400, message, "PropertyValueTypeError")
    if isinstance(present, dict) and key != "Attributes":
        for inner, item in value.items():
            if "@" in inner:
                continue
            if inner not in present:
                message = (
                    f"The property {key}/{inner} is not in the list of valid properties for the resource."
                )
                raise RedfishRefusal(400, message, "PropertyUnknown")
            _check_type(f"{key}/{inner}", item, present[inner])


def _check_attributes(tree: Tree, attributes: Mapping[str, Any]) -> None:
    registry = tree[REGISTRY]["RegistryEntries"]["Attributes"]
    known = {entry["AttributeName"]: entry for entry in registry}
    for name, value in attributes.items():
        entry = known.get(name)
        if entry is None:
            message = f"The property {name} is not in the list of valid properties for the resource."
            raise RedfishRefusal(400, message, "PropertyUnknown")
        if entry.get("ReadOnly"):
            message = f"The property {name} is a read only property and cannot be assigned a value."
            raise RedfishRefusal(400, message, "PropertyNotWritable")
        allowed = [item["ValueName"] for item in entry.get("Value", [])]
        if allowed and value not in allowed:
            message = f"The value {value} for the property {name} is not in the list of acceptable values."
            raise RedfishRefusal(400, message, "PropertyValueNotInList")


def _settle_network(request: dict[str, Any]) -> dict[str, Any]:
    """What an interface shows follows from what it was told."""
    told = dict(request)
    if told.get("DHCPv4", {}).get("DHCPEnabled") is True:
        told["IPv4StaticAddresses"] = []
        told["IPv4Addresses"] = [ADDRESS]
    elif told.get("IPv4StaticAddresses"):
        told["IPv4Addresses"] = [{**told["IPv4StaticAddresses"][0], "AddressOrigin": "Static"}]
    return told
