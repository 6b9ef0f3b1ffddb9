"""Who may do what at the Redfish service: log-ins and sessions, accounts and roles, privileges (DSP0266, clause 13).

What is asked of an account follows DMTF's privilege registry (DSP8011). A caller is the path of its account.
"""

import hmac
import secrets
from collections.abc import Mapping
from typing import Any

from bootos.lab.vendor_tools.redfish_answer import RedfishRefusal, build_message, build_reply
from bootos.lab.vendor_tools.redfish_path import ACCOUNTS, MANAGER, ROLES, ROOT, SESSIONS, SHORTEST_PASSWORD
from bootos.lab.vendor_tools.redfish_schema import build_type, find_schema
from bootos.lab.vendor_tools.redfish_tree import build_account, count_members
from bootos.lab.vendor_tools.silicon import Output, Silicon

State = dict[str, Any]

_CONFIGURES = {
    "AccountService": "ConfigureUsers",
    "ManagerAccount": "ConfigureUsers",
    "ManagerAccountCollection": "ConfigureUsers",
    "Session": "ConfigureManager",
    "SessionService": "ConfigureManager",
}


def find_caller(silicon: Silicon, state: State, files: Mapping[str, bytes]) -> str | None:
    """The account that a request is of: by its session's token, else by HTTP basic authentication."""
    token = files.get("token", b"").decode()
    if token:
        return _find_session_owner(silicon, state, token)
    user, _, password = files.get("basic", b"").decode(errors="replace").partition(":")
    return find_account(state, user, password)


def find_account(state: State, user: str, password: str) -> str | None:
    """The account that is logged in to with this password: enabled, with a role that may log in."""
    path = _find_by_name(state, user)
    if path is None or not _may(state["tree"], path, "Login"):
        return None
    known = state["passwords"].get(path, "")
    return path if known and hmac.compare_digest(known.encode(), password.encode()) else None


def _find_by_name(state: State, user: str) -> str | None:
    for path, body in state["tree"].items():
        is_open = path.startswith(f"{ACCOUNTS}/") and body["Enabled"] and not body["Locked"]
        if is_open and user and body["UserName"] == user:
            return str(path)
    return None


def _find_session_owner(silicon: Silicon, state: State, token: str) -> str | None:
    session = state["sessions"].get(token)
    if not isinstance(session, dict) or session["path"] not in state["tree"]:
        return None
    if silicon.now() - session["used"] > state["tree"][f"{ROOT}SessionService"]["SessionTimeout"]:
        remove_session(state, session["path"])
        return None
    session["used"] = silicon.now()
    return _find_by_name(state, state["tree"][session["path"]]["UserName"])


def _may(tree: Mapping[str, Any], account: str, privilege: str) -> bool:
    role = tree.get(f"{ROLES}/{tree[account]['RoleId']}", {})
    return privilege in role.get("AssignedPrivileges", ())


def check_privilege(state: State, caller: str, method: str, path: str, body: Mapping[str, Any]) -> None:
    """Raises RedfishRefusal when the caller may not do this to the resource. `body` is what a PATCH holds."""
    tree = state["tree"]
    schema = find_schema(tree.get(path, {}))
    reads = method in ("GET", "HEAD")
    # its own account may be seen and given another password, its own session ended
    is_own = (path == caller and (reads or (method == "PATCH" and set(body) <= {"Password"}))) or (
        schema == "Session" and tree[path]["UserName"] == tree[caller]["UserName"]
    )
    if tree[caller].get("PasswordChangeRequired") and not is_own:
        message = f"The password of this account must be changed before access is granted: PATCH {caller}."
        raise RedfishRefusal(403, message, "PasswordChangeRequired")
    if is_own and _may(tree, caller, "ConfigureSelf"):
        return
    if reads:
        needed = "ConfigureUsers" if schema == "ManagerAccount" else "Login"
    elif schema in _CONFIGURES:
        needed = _CONFIGURES[schema]
    else:
        needed = "ConfigureManager" if path.startswith(MANAGER) else "ConfigureComponents"
    if not _may(tree, caller, needed):
        message = "There are insufficient privileges for the account to perform the requested operation."
        raise RedfishRefusal(403, message, "InsufficientPrivilege")


def begin_session(silicon: Silicon, state: State, request: Mapping[str, Any]) -> Output:
    """POST to the sessions: log in."""
    for name in ("UserName", "Password"):
        if not isinstance(request.get(name), str):
            message = f"The property {name} is required and must be a string."
            raise RedfishRefusal(400, message, "PropertyMissing")
    account = find_account(state, request["UserName"], request["Password"])
    if account is None:
        message = "The account is not known, or its password is wrong."
        raise RedfishRefusal(401, message, "ResourceAtUriUnauthorized")
    token = secrets.token_hex(16)
    state["count"] += 1
    where = f"{SESSIONS}/{state['count']}"
    state["sessions"][token] = {"path": where, "used": silicon.now()}
    state["tree"][where] = {
        "@odata.id": where,
        "@odata.type": build_type("Session"),
        "Id": str(state["count"]),
        "Name": "User Session",
        "UserName": request["UserName"],
        "Password": None,
    }
    count_members(state["tree"], SESSIONS)
    body = state["tree"][where]
    if state["tree"][account].get("PasswordChangeRequired"):
        text = f"The password of this account must be changed before access is granted: PATCH {account}."
        body = {**body, "@Message.ExtendedInfo": [build_message("PasswordChangeRequired", text)]}
    return build_reply(body, status=201, headers={"X-Auth-Token": token, "Location": where})


def remove_session(state: State, path: str) -> None:
    """Log out."""
    del state["tree"][path]
    known = state["sessions"].items()
    state["sessions"] = {token: one for token, one in known if one["path"] != path}
    count_members(state["tree"], SESSIONS)


def check_new_account(request: Mapping[str, Any]) -> None:
    """Raises RedfishRefusal for an account without what each has to have."""
    for name in ("UserName", "Password", "RoleId"):
        if not request.get(name):
            message = f"The property {name} is required to create an account."
            raise RedfishRefusal(400, message, "CreateFailedMissingReqProperties")


def add_account(state: State) -> str:
    """POST to the accounts: a new one with nothing set yet; returns its path."""
    tree = state["tree"]
    number = 1 + max(int(path.rpartition("/")[2]) for path in tree if path.startswith(f"{ACCOUNTS}/"))
    path = f"{ACCOUNTS}/{number}"
    tree[path] = build_account(path, enabled=True)
    count_members(tree, ACCOUNTS)
    return path


def drop_account(state: State, path: str) -> None:
    """It is gone, with its password."""
    del state["tree"][path]
    state["passwords"].pop(path, None)
    count_members(state["tree"], ACCOUNTS)


def remove_account(state: State, caller: str, path: str) -> None:
    """An account goes, and its sessions with it. Raises RedfishRefusal for the caller's own."""
    tree = state["tree"]
    if path == caller:
        raise RedfishRefusal(
            400, "The account that is logged in cannot be deleted.", "ResourceCannotBeDeleted"
        )
    name = tree[path]["UserName"]
    for other in [other for other in tree if other.startswith(f"{SESSIONS}/")]:
        if tree[other]["UserName"] == name:
            remove_session(state, other)
    drop_account(state, path)


def check_account(tree: Mapping[str, Any], path: str, request: Mapping[str, Any]) -> None:
    """Raises RedfishRefusal for an account that cannot be."""
    roles = [body["RoleId"] for other, body in tree.items() if other.startswith(f"{ROLES}/")]
    if "RoleId" in request and request["RoleId"] not in roles:
        message = (
            f"The value {request['RoleId']} for the property RoleId is not in the list of acceptable values."
        )
        raise RedfishRefusal(400, message, "PropertyValueNotInList")
    password = request.get("Password")
    if "Password" in request and (not isinstance(password, str) or len(password) < SHORTEST_PASSWORD):
        message = f"The password does not meet the minimum length of {SHORTEST_PASSWORD} characters."
        raise RedfishRefusal(400, message, "PropertyValueFormatError")
    name = request.get("UserName")
    others = (body for other, body in tree.items() if other.startswith(f"{ACCOUNTS}/") and other != path)
    if name and any(body["UserName"] == name for body in others):
        message = f"There is an account with the property UserName with the value {name} already."
        raise RedfishRefusal(400, message, "ResourceAlreadyExists")
