"""A BMC's Redfish service over a silicon: sessions, accounts, network, boot settings, BIOS. Firmware: `redfish_update`.

A tool like the others, so that knobs, state and restarts work alike: a request is `redfish METHOD PATH`. What it serves
is the tree of resources in `redfish_state`, begun by `redfish_tree`; a PATCH changes it by the rules of DSP0266, whole
or not at all.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from bootos.lab.vendor_tools import redfish_account as account
from bootos.lab.vendor_tools import redfish_remote as remote
from bootos.lab.vendor_tools.redfish_answer import (
    RedfishRefusal,
    build_document,
    build_error,
    build_reply,
    make_etag,
)
from bootos.lab.vendor_tools.redfish_patch import change_resource, check_change
from bootos.lab.vendor_tools.redfish_path import (
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
from bootos.lab.vendor_tools.redfish_schema import (
    build_link,
    build_metadata,
    build_service_document,
    list_methods,
)
from bootos.lab.vendor_tools.redfish_state import PROGRAM, find_state
from bootos.lab.vendor_tools.redfish_update import (
    begin_update,
    fetch_image,
    move_task,
    parse_multipart,
    run_staged,
    watch_task,
)
from bootos.lab.vendor_tools.silicon import Output, Silicon

STATUS = {0: 200, 1: 500}  # the HTTP status of the exit codes that the knobs give
PUSH = f"{UPDATE}/push"
_VERSIONS, _METADATA, _SERVICES = "/redfish", f"{ROOT}$metadata", f"{ROOT}odata"
_OPEN = (_VERSIONS, _METADATA, _SERVICES, ROOT)  # what DSP0266, 13.3.2 shows to everybody
_READ = ("GET", "HEAD")
_RESETS = ("GracefulRestart", "ForceRestart")
_MANAGER_RESET = f"{MANAGER}/Actions/Manager.Reset"
_SIMPLE_UPDATE = f"{UPDATE}/Actions/UpdateService.SimpleUpdate"
_MONITOR = "/Monitor"


class RedfishTool:
    """See `silicon.Tool`. `files`: `body` of a request, its `query`, and of its headers `type` (Content-Type), `basic`,
    `token`, `if-match`, `if-none-match`, `odata-version`; an output has its headers there."""

    names: tuple[str, ...] = (PROGRAM,)

    def run(
        self, silicon: Silicon, argv: Sequence[str], files: Mapping[str, bytes], *, program: str
    ) -> Output:
        """See `Tool.run`; `argv` is the method and the path of a request, the output its answer."""
        method, path = argv[0], _normalize(argv[1])
        state = find_state(silicon)
        try:
            if state["deaf"] > 0:
                state["deaf"] -= 1
                raise RedfishRefusal(503, "The service is starting.", "ServiceTemporarilyUnavailable")
            _check_request(files)
            is_open = (method in _READ and path in _OPEN) or (method == "POST" and path == SESSIONS)
            caller = account.find_caller(silicon, state, files)
            if caller is None and not is_open:
                raise RedfishRefusal(401, "There is no valid session: log in.", "NoValidSession")
            return _answer(silicon, state, caller, method, path, files)
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


def _normalize(path: str) -> str:
    """Two ways to write one path are one: a slash at the end, `Members` of a collection that takes a POST."""
    path = path.rstrip("/")
    if path in (f"{SESSIONS}/Members", f"{ACCOUNTS}/Members"):
        path = path.removesuffix("/Members")
    return ROOT if path == ROOT.rstrip("/") else path


def _check_request(files: Mapping[str, bytes]) -> None:
    """Raises RedfishRefusal for what is asked in a way this service does not speak."""
    version = files.get("odata-version", b"").decode()
    if version not in ("", "4.0"):
        raise RedfishRefusal(412, f"OData-Version {version} is not supported, 4.0 is.", "PreconditionFailed")
    for name, _ in parse_qsl(files.get("query", b"").decode(), keep_blank_values=True):
        if name.startswith("$"):
            message = f"The query parameter {name} is not supported."
            raise RedfishRefusal(501, message, "QueryParameterUnsupported")


def _answer(
    silicon: Silicon,
    state: dict[str, Any],
    caller: str | None,
    method: str,
    path: str,
    files: Mapping[str, bytes],
) -> Output:
    methods = _find_methods(state, path)
    if method not in methods:
        message = f"The HTTP method {method} is not allowed on {path}."
        raise RedfishRefusal(405, message, "OperationNotAllowed", allow=methods)
    is_push = path == PUSH
    request = {} if is_push or method not in ("PATCH", "POST") else _parse_json(files)
    if caller is not None and path not in _OPEN and (method, path) != ("POST", SESSIONS):
        account.check_privilege(state, caller, method, path, request)
    if method in _READ:
        return _get(silicon, state, path, files, methods)
    if is_push:
        kind = files["type"].decode()
        if not kind.startswith("multipart/form-data"):
            message = f"The request is {kind or 'of no type'}, and an update is multipart/form-data."
            raise RedfishRefusal(415, message, "UnrecognizedRequestBody")
        parts = parse_multipart(kind, files["body"])
        return begin_update(state, parts.get("UpdateFile", b""), parse_object(parts["UpdateParameters"]))
    if method == "POST":
        return _post(silicon, state, path, request)
    _check_match(state["tree"][path], files)
    if method == "DELETE":
        if path.startswith(f"{SESSIONS}/"):
            account.remove_session(state, path)
        else:
            account.remove_account(state, caller or "", path)
        return Output(code=204)
    body = change_resource(silicon, state, path, request)
    if path == caller and "Password" in request:
        body["PasswordChangeRequired"] = False
    return build_reply(body)


def _find_methods(state: dict[str, Any], path: str) -> tuple[str, ...]:
    """Raises RedfishRefusal for what is not there."""
    tree = state["tree"]
    if path in _OPEN:
        return _READ
    if path in tree:
        return list_methods(tree[path], has_slots=bool(state["slots"]))
    if path.endswith(_MONITOR) and path.removesuffix(_MONITOR) in state["jobs"]:
        return _READ
    resource, _, action = path.partition("/Actions/")
    if path == PUSH or f"#{action}" in tree.get(resource, {}).get("Actions", {}):
        return ("POST",)
    raise RedfishRefusal(404, f"The resource at the URI {path} was not found.", "ResourceMissingAtURI")


def _get(
    silicon: Silicon, state: dict[str, Any], path: str, files: Mapping[str, bytes], methods: tuple[str, ...]
) -> Output:
    tree = state["tree"]
    if path == _METADATA:
        answer = build_document(build_metadata(tree), "application/xml")
    elif path == _VERSIONS:
        answer = build_document(json.dumps({"v1": ROOT}), "application/json")
    elif path == _SERVICES:
        answer = build_document(json.dumps(build_service_document(tree[ROOT])), "application/json")
    elif path.endswith(_MONITOR):
        return watch_task(silicon, state, path.removesuffix(_MONITOR))
    else:
        if path.startswith(f"{TASKS}/"):
            move_task(silicon, state, path)
        body = tree[path]
        if path == SYSTEM:
            body["PowerState"] = "On" if silicon.chassis.is_on() else "Off"
        answer = build_reply(body)
        if files.get("if-none-match", b"").decode() == answer.files["ETag"]:
            return Output(code=304, files=answer.files)
        answer.files["Link"] = build_link(body)
    answer.files["Allow"] = ", ".join(methods)
    return answer


def _check_match(body: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    wanted = [tag.strip().removeprefix("W/") for tag in files.get("if-match", b"").decode().split(",")]
    if wanted != [""] and "*" not in wanted and make_etag(body) not in wanted:
        message = "The ETag supplied did not match the ETag of the resource."
        raise RedfishRefusal(412, message, "PreconditionFailed")


def _post(silicon: Silicon, state: dict[str, Any], path: str, request: dict[str, Any]) -> Output:
    if path == SESSIONS:
        return account.begin_session(silicon, state, request)
    if path == ACCOUNTS:
        return _create_account(silicon, state, request)
    if path == _MANAGER_RESET:
        if request.get("ResetType") not in _RESETS:
            message = "The value of ResetType is not in the list of allowable values."
            raise RedfishRefusal(400, message, "ActionParameterValueNotInList")
        state["resets"] += 1
        for session in [path for path in state["tree"] if path.startswith(f"{SESSIONS}/")]:
            account.remove_session(state, session)
        state["deaf"] = state["reset_requests"]
        return Output(code=204)
    if path == _SIMPLE_UPDATE:
        if not isinstance(request.get("ImageURI"), str):
            message = "The action UpdateService.SimpleUpdate requires the parameter ImageURI, a URI."
            raise RedfishRefusal(400, message, "ActionParameterMissing")
        return begin_update(state, fetch_image(request["ImageURI"]), request)
    return remote.ACTIONS[path](silicon, state["tree"], request)


def _create_account(silicon: Silicon, state: dict[str, Any], request: dict[str, Any]) -> Output:
    account.check_new_account(request)
    path = account.add_account(state)
    try:
        check_change(state["tree"], path, request)
    except RedfishRefusal:
        account.drop_account(state, path)
        raise
    body = change_resource(silicon, state, path, request)
    return build_reply(body, status=201, headers={"Location": path})


def _parse_json(files: Mapping[str, bytes]) -> dict[str, Any]:
    kind = files.get("type", b"").decode().partition(";")[0].strip().lower()
    if files.get("body") and kind not in ("application/json", ""):
        message = f"The request is {kind}, and this service takes application/json."
        raise RedfishRefusal(415, message, "UnrecognizedRequestBody")
    return parse_object(files.get("body", b""))


def parse_object(data: bytes) -> dict[str, Any]:
    """A JSON object; nothing is an empty one. Raises RedfishRefusal."""
    try:
        value = json.loads(data or b"{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise RedfishRefusal(400, "The request body submitted was malformed JSON.", "MalformedJSON")
    return value
