"""A BMC's Redfish service over a silicon: sessions, accounts, network, boot settings, BIOS. Firmware: `redfish_update`.

A tool like the others, so that knobs, state and restarts work alike: a request is `redfish METHOD PATH`. What it serves
is the tree of resources in `redfish_state`, begun by `redfish_tree`; a PATCH changes it by the rules of DSP0266.
"""

import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from bootos.lab.vendor_tools import redfish_remote as remote
from bootos.lab.vendor_tools.redfish_answer import RedfishRefusal, build_error, build_reply
from bootos.lab.vendor_tools.redfish_state import PROGRAM, find_state
from bootos.lab.vendor_tools.redfish_tree import (
    ACCOUNTS,
    BIOS,
    BIOS_PENDING,
    MANAGER,
    ROOT,
    SESSIONS,
    SYSTEM,
    TASKS,
    UPDATE,
)
from bootos.lab.vendor_tools.redfish_update import (
    begin_update,
    fetch_image,
    move_task,
    parse_multipart,
    run_staged,
)
from bootos.lab.vendor_tools.silicon import Output, Silicon

STATUS = {0: 200, 1: 500}  # the HTTP status of the exit codes that the knobs give
PUSH = f"{UPDATE}/push"
_OPEN = {ROOT.rstrip("/"), "/redfish"}
_RESETS = ("GracefulRestart", "ForceRestart")


class RedfishTool:
    """See `silicon.Tool`. `files`: body, type, if-match, token, basic of a request; an output has its headers there."""

    names: tuple[str, ...] = (PROGRAM,)

    def run(
        self, silicon: Silicon, argv: Sequence[str], files: Mapping[str, bytes], *, program: str
    ) -> Output:
        """See `Tool.run`; `argv` is the method and the path of a request, the output its answer."""
        method, path = argv[0], argv[1].rstrip("/")
        state = find_state(silicon)
        try:
            if state["deaf"] > 0:
                state["deaf"] -= 1
                raise RedfishRefusal(503, "The service is starting.")
            user = _find_user(state, files)
            is_login = method == "POST" and path == SESSIONS
            if user is None and path not in _OPEN and not is_login:
                raise RedfishRefusal(401, "The account is not known, or its password is wrong.")
            return _answer(silicon, state, method, path, files)
        except RedfishRefusal as refused:
            return build_error(refused)

    def on_boot(self, silicon: Silicon) -> None:
        """The machine starts: pending BIOS settings and firmware take effect."""
        if PROGRAM not in silicon.state:
            return
        state = find_state(silicon)
        current, pending = state["tree"][BIOS]["Attributes"], state["tree"][BIOS_PENDING]["Attributes"]
        changed = [name for name, value in pending.items() if current.get(name) != value]
        for number, name in enumerate(changed):
            if silicon.is_misbehaving("ignore", PROGRAM, ["boot", name]):
                continue
            if silicon.is_misbehaving("fail-half", PROGRAM, ["boot", "bios"]) and number >= len(changed) // 2:
                break
            current[name] = pending[name]
        state["tree"][BIOS_PENDING]["Attributes"] = dict(current)
        run_staged(silicon, state)
        state["boots"] += 1


def _find_user(state: dict[str, Any], files: Mapping[str, bytes]) -> str | None:
    token = files.get("token", b"").decode()
    if token:
        name: str | None = state["sessions"].get(token)
        return name
    user, _, password = files.get("basic", b"").decode().partition(":")
    return user if user and _is_right(state, user, password) else None


def _is_right(state: dict[str, Any], user: str, password: str) -> bool:
    for path, body in state["tree"].items():
        if path.startswith(f"{ACCOUNTS}/") and body["UserName"] == user and body["Enabled"]:
            return hmac.compare_digest(state["passwords"].get(path, "").encode(), password.encode())
    return False


def _answer(
    silicon: Silicon, state: dict[str, Any], method: str, path: str, files: Mapping[str, bytes]
) -> Output:
    tree = state["tree"]
    if method == "GET":
        if path.startswith(f"{TASKS}/"):
            move_task(silicon, state, path)
        if path == "/redfish":
            return build_reply({"v1": ROOT})
        body = tree.get(path) if path != ROOT.rstrip("/") else tree[ROOT]
        if body is None:
            raise RedfishRefusal(404, f"The resource at {path} was not found.")
        if path == SYSTEM:
            body["PowerState"] = "On" if silicon.chassis.is_on() else "Off"
        return build_reply(body, etag=_make_etag(body))
    if method == "DELETE":
        return _delete(state, path)
    if path == PUSH and method == "POST":
        parts = parse_multipart(files["type"].decode(), files["body"])
        return begin_update(state, parts.get("UpdateFile", b""), _parse_json(parts["UpdateParameters"]))
    request = _parse_json(files["body"])
    if method == "POST":
        return _post(silicon, state, path, request)
    if method != "PATCH" or path not in tree:
        raise RedfishRefusal(405 if path in tree else 404, f"{method} {path} is not possible.")
    match = files.get("if-match", b"").decode()
    if match and match != _make_etag(tree[path]):
        raise RedfishRefusal(412, "The ETag supplied did not match the ETag of the resource.")
    return _patch(silicon, state, path, request)


def _post(silicon: Silicon, state: dict[str, Any], path: str, request: dict[str, Any]) -> Output:
    if path == SESSIONS:
        user, password = str(request.get("UserName")), str(request.get("Password"))
        if not _is_right(state, user, password):
            raise RedfishRefusal(401, "The account is not known, or its password is wrong.")
        token = secrets.token_hex(16)
        state["sessions"][token] = user
        state["count"] += 1
        where = f"{SESSIONS}/{state['count']}"
        body = {"@odata.id": where, "Id": str(state["count"]), "Name": "Session", "UserName": user}
        state["tree"][where] = body
        return build_reply(body, status=201, headers={"X-Auth-Token": token, "Location": where})
    if path == ACCOUNTS:
        return _create_account(silicon, state, request)
    if path == f"{MANAGER}/Actions/Manager.Reset":
        if request.get("ResetType") not in _RESETS:
            raise RedfishRefusal(400, "The value of ResetType is not in the list of allowable values.")
        state["resets"] += 1
        state["sessions"] = {}
        state["deaf"] = state["reset_requests"]
        return Output(code=204)
    if path == f"{UPDATE}/Actions/UpdateService.SimpleUpdate":
        return begin_update(state, fetch_image(str(request.get("ImageURI", ""))), request)
    if path in remote.ACTIONS:
        return remote.ACTIONS[path](silicon, state["tree"], request)
    raise RedfishRefusal(404, f"{path} takes no POST.")


def _create_account(silicon: Silicon, state: dict[str, Any], request: dict[str, Any]) -> Output:
    tree = state["tree"]
    if any(not body.get("UserName") for path, body in tree.items() if path.startswith(f"{ACCOUNTS}/")):
        raise RedfishRefusal(405, "Accounts are created by changing a free one.")
    if any(body.get("UserName") == request.get("UserName") for body in tree.values()):
        raise RedfishRefusal(400, "The requested resource already exists.")
    number = 1 + max(int(path.rpartition("/")[2]) for path in tree if path.startswith(f"{ACCOUNTS}/"))
    path = f"{ACCOUNTS}/{number}"
    account = {"UserName": "", "RoleId": "ReadOnly", "Enabled": True, "Locked": False, "Password": None}
    tree[path] = {"@odata.id": path, "Id": str(number), "Name": "User Account", **account}
    tree[ACCOUNTS]["Members"].append({"@odata.id": path})
    _patch(silicon, state, path, request)
    return build_reply(tree[path], status=201, headers={"Location": path})


def _patch(silicon: Silicon, state: dict[str, Any], path: str, request: dict[str, Any]) -> Output:
    tree = state["tree"]
    body = tree[path]
    half = silicon.is_misbehaving("fail-half", PROGRAM, ["PATCH", path])
    if path.startswith(f"{ACCOUNTS}/"):
        _check_account(tree, request)
        if request.get("Password"):
            state["passwords"][path] = str(request["Password"])
        request = {key: value for key, value in request.items() if key not in ("Password", "Oem")}
    if path in (BIOS, BIOS_PENDING):
        request = {key: value for key, value in request.items() if key != "@Redfish.SettingsApplyTime"}
        if path == BIOS:
            raise RedfishRefusal(405, "The settings are changed at the settings resource.")
        _check_attributes(tree, request)
    if path.startswith(f"{MANAGER}/EthernetInterfaces/"):
        request = _settle_network(body, request)
    if path == SYSTEM:
        remote.check_override(body, request)
    for number, (key, value) in enumerate(request.items()):
        if key not in body:
            raise RedfishRefusal(
                400, f"The property {key} is not in the list of valid properties for the resource."
            )
        if half and number >= len(request) // 2:
            raise RedfishRefusal(500, "The operation was stopped by an internal error.")
        body[key] = (
            {**body[key], **value} if isinstance(body[key], dict) and isinstance(value, dict) else value
        )
    if path == SYSTEM and "Boot" in request:
        remote.aim_boot(silicon, tree)
    return build_reply(body, etag=_make_etag(body))


def _check_account(tree: dict[str, Any], request: dict[str, Any]) -> None:
    roles = {body["RoleId"] for path, body in tree.items() if "/Roles/" in path}
    if "RoleId" in request and request["RoleId"] not in roles:
        raise RedfishRefusal(400, f"The value {request['RoleId']} for the property RoleId is not acceptable.")
    password = request.get("Password")
    if password is not None and len(str(password)) < 8:
        raise RedfishRefusal(400, "The password does not meet the minimum length of 8 characters.")


def _check_attributes(tree: dict[str, Any], request: dict[str, Any]) -> None:
    registry = tree[f"{ROOT}Registries/BiosAttributeRegistry/registry"]["RegistryEntries"]["Attributes"]
    known = {entry["AttributeName"]: entry for entry in registry}
    for name, value in request.get("Attributes", {}).items():
        entry = known.get(name)
        if entry is None:
            raise RedfishRefusal(
                400, f"The property {name} is not in the list of valid properties for the resource."
            )
        if entry.get("ReadOnly"):
            raise RedfishRefusal(
                400, f"The property {name} is a read only property and cannot be assigned a value."
            )
        allowed = [item["ValueName"] for item in entry.get("Value", [])]
        if allowed and value not in allowed:
            raise RedfishRefusal(
                400, f"The value {value} for the property {name} is not in the list of acceptable values."
            )


def _settle_network(body: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """What an interface shows follows from what it was told."""
    told = dict(request)
    if "DHCPv4" in told and told["DHCPv4"].get("DHCPEnabled") is True:
        told["IPv4StaticAddresses"] = []
        lease = {"Address": "10.0.9.99", "SubnetMask": "255.255.255.0", "Gateway": "10.0.9.1"}
        told["IPv4Addresses"] = [{**lease, "AddressOrigin": "DHCP"}]
    elif told.get("IPv4StaticAddresses"):
        told["IPv4Addresses"] = [{**told["IPv4StaticAddresses"][0], "AddressOrigin": "Static"}]
    return told


def _delete(state: dict[str, Any], path: str) -> Output:
    if not path.startswith(f"{SESSIONS}/") or path not in state["tree"]:
        raise RedfishRefusal(405 if path in state["tree"] else 404, f"{path} cannot be deleted.")
    del state["tree"][path]
    return Output(code=204)


def _make_etag(body: dict[str, Any]) -> str:
    return f'"{hash(json.dumps(body, sort_keys=True)) & 0xFFFFFFFFFFFF:012x}"'


def _parse_json(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data or b"{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise RedfishRefusal(400, "The request body submitted was malformed JSON.")
    return value
