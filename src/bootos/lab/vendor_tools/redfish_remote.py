"""What a Redfish service does to its machine from afar: power, the virtual CD, what the next boot is from.

Called by `redfish`, and by `machine.Machine` for what it starts with and when it has. What is remembered is in the tree
of resources; the machine is reached through `Silicon.chassis` only.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bootos.errors import BootosError
from bootos.fetch import FetchError, fetch_into, mask_url
from bootos.lab.vendor_tools.redfish_answer import RedfishRefusal
from bootos.lab.vendor_tools.redfish_path import (
    BOOT_SWITCHES,
    BOOT_TARGETS,
    CD,
    EMPTY_DRIVE,
    RESET_TYPES,
    SYSTEM,
)
from bootos.lab.vendor_tools.silicon import Output, Silicon

Tree = dict[str, dict[str, Any]]

_ISO = "virtual-cd.iso"
_ISO_MARK = (0x8001, b"CD001")  # ECMA-119: the volume descriptors begin in sector 16
_FETCH_S = 600.0
_LONGEST_BYTES = 16 * 2**30


def find_medium(silicon: Silicon, tree: Tree) -> Path | None:
    """The ISO that is in the drive of the virtual CD."""
    return find_iso(silicon) if tree.get(CD, {}).get("Inserted") else None


def find_iso(silicon: Silicon) -> Path:
    """Where an ISO is kept: beside the silicon's state."""
    assert silicon.path is not None, "a virtual CD needs a silicon that is kept in a file"
    return silicon.path.parent / _ISO


def find_boot_target(tree: Tree) -> str:
    """What the next boot is from (`Cd`, `Pxe`, ...); empty: the usual order."""
    boot = tree[SYSTEM]["Boot"]
    target = str(boot["BootSourceOverrideTarget"])
    return "" if boot["BootSourceOverrideEnabled"] == "Disabled" or target == "None" else target


def use_up_override(silicon: Silicon, tree: Tree, chosen_at: float) -> None:
    """The firmware has chosen what it boots from, at this time of `time.monotonic`: an override for one boot is gone,
    but for one that was set after that, which is for the next boot."""
    with silicon.lock:
        boot = tree[SYSTEM]["Boot"]
        if boot["BootSourceOverrideEnabled"] == "Once" and silicon.aimed_at <= chosen_at:
            silicon.chassis.set_boot_device("")
            boot.update(BootSourceOverrideEnabled="Disabled", BootSourceOverrideTarget="None")
            silicon.save()


def check_override(system: dict[str, Any], request: dict[str, Any]) -> None:
    """Raises RedfishRefusal for a boot override that does not exist."""
    boot = request.get("Boot", {})
    if not isinstance(boot, dict):
        raise RedfishRefusal(400, "The value of Boot is not an object.", "PropertyValueTypeError")
    allowed = {"BootSourceOverrideEnabled": BOOT_SWITCHES, "BootSourceOverrideTarget": BOOT_TARGETS}
    for name, values in allowed.items():
        if name in boot and boot[name] not in values:
            message = (
                f"The value {boot[name]} for the property {name} is not in the list of acceptable values."
            )
            raise RedfishRefusal(400, message, "PropertyValueNotInList")


def aim_boot(silicon: Silicon, tree: Tree) -> None:
    """The override was set: a machine that runs follows it at its next reset."""
    silicon.aimed_at = time.monotonic()
    _reach(lambda: silicon.chassis.set_boot_device(find_boot_target(tree)))


def reset_system(silicon: Silicon, tree: Tree, request: dict[str, Any]) -> Output:
    """ComputerSystem.Reset; the answer comes when it is done."""
    chassis = silicon.chassis
    action = "ComputerSystem.Reset"
    _check_parameters(action, request, {"ResetType": RESET_TYPES})
    kind = request.get("ResetType")
    if kind is None:
        raise RedfishRefusal(
            400, f"The action {action} requires the parameter ResetType.", "ActionParameterMissing"
        )
    if kind == "GracefulShutdown" and not chassis.is_on():
        message = f"The system is off, and {kind} needs it on."
        raise RedfishRefusal(409, message, "ChassisPowerStateOnRequired")
    _reach(
        {
            "On": chassis.power_on,
            "ForceOff": chassis.power_off,
            "ForceRestart": chassis.reset if chassis.is_on() else chassis.power_on,
            "GracefulShutdown": chassis.press_power_button,
        }[kind]
    )
    return Output(code=204)


def insert_medium(silicon: Silicon, tree: Tree, request: dict[str, Any]) -> Output:
    """VirtualMedia.InsertMedia: the whole ISO is fetched before the answer."""
    drive = _find_drive(tree)
    action = "VirtualMedia.InsertMedia"
    uri = request.get("Image")
    if not isinstance(uri, str) or not uri:
        raise RedfishRefusal(
            400, f"The action {action} requires the parameter Image, a URI.", "ActionParameterMissing"
        )
    try:
        parts = urlsplit(uri)
    except ValueError:
        parts = urlsplit("")
    protocol = parts.scheme.upper()
    if protocol not in ("HTTP", "HTTPS"):
        message = f"The value {mask_url(uri)} for the parameter Image is not a URI of http or https."
        raise RedfishRefusal(400, message, "ActionParameterValueFormatError")
    known = {
        "Image": (uri,),
        "Inserted": (True,),
        "WriteProtected": (True,),
        "TransferMethod": ("Upload",),
        "TransferProtocolType": (protocol,),
    }
    _check_parameters(action, request, known)
    if drive["Inserted"]:
        message = f"The virtual CD is in use: {drive['Image']} is inserted; eject it first."
        raise RedfishRefusal(409, message, "ResourceInUse")
    path = find_iso(silicon)
    _fetch_iso(uri, path)
    _reach(lambda: silicon.chassis.insert_medium(path))
    name = parts.path.rpartition("/")[2]
    drive.update(
        Image=mask_url(uri), ImageName=name, Inserted=True, ConnectedVia="URI", TransferProtocolType=protocol
    )
    return Output(code=204)


def eject_medium(silicon: Silicon, tree: Tree, request: dict[str, Any]) -> Output:
    """VirtualMedia.EjectMedia; an empty drive stays empty."""
    drive = _find_drive(tree)
    _check_parameters("VirtualMedia.EjectMedia", request, {})
    if drive["Inserted"]:
        _reach(silicon.chassis.eject_medium)
        drive.update(EMPTY_DRIVE)
        find_iso(silicon).unlink(missing_ok=True)
    return Output(code=204)


ACTIONS: dict[str, Callable[[Silicon, Tree, dict[str, Any]], Output]] = {
    f"{SYSTEM}/Actions/ComputerSystem.Reset": reset_system,
    f"{CD}/Actions/VirtualMedia.InsertMedia": insert_medium,
    f"{CD}/Actions/VirtualMedia.EjectMedia": eject_medium,
}


def _find_drive(tree: Tree) -> dict[str, Any]:
    if CD not in tree:
        raise RedfishRefusal(404, f"The resource at {CD} was not found.", "ResourceMissingAtURI")
    return tree[CD]


def _check_parameters(action: str, request: dict[str, Any], known: dict[str, tuple[Any, ...]]) -> None:
    for name, value in request.items():
        if name not in known:
            message = f"The action {action} was submitted with the invalid parameter {name}."
            raise RedfishRefusal(400, message, "ActionParameterUnknown")
        if value not in known[name]:
            allowed = ", ".join(map(str, known[name]))
            message = f"The value {value} for the parameter {name} is not supported; it may be: {allowed}."
            raise RedfishRefusal(400, message, "ActionParameterValueFormatError")


def _reach(act: Callable[[], None]) -> None:
    """Act on the machine. Raises RedfishRefusal with QEMU's words when QEMU refuses."""
    try:
        act()
    except BootosError as error:
        raise RedfishRefusal(500, f"The machine could not be reached: {error}", "InternalError") from error


def _fetch_iso(uri: str, target: Path) -> None:
    """Download it, whole or not at all."""
    fresh = target.with_suffix(".new")
    try:
        with fresh.open("w+b") as file:
            fetch_into(uri, file, most_bytes=_LONGEST_BYTES, timeout_s=_FETCH_S, pauses_s=())
            offset, mark = _ISO_MARK
            file.seek(offset)
            if file.read(len(mark)) != mark:
                message = f"What is at {mask_url(uri)} is not an ISO image."
                raise RedfishRefusal(400, message, "ResourceAtUriInUnknownFormat")
        fresh.replace(target)
    except (FetchError, ValueError) as error:  # ValueError: the URL cannot be asked for
        message = f"The service could not load the medium: {error}"
        raise RedfishRefusal(400, message, "CouldNotEstablishConnection") from error
    finally:
        fresh.unlink(missing_ok=True)
