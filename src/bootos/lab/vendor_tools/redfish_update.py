"""Firmware by Redfish: an image becomes a task. Each reading of the task carries it on; at its end the new firmware
runs, at once or after the next start. Called by `redfish`.
"""

import json
import urllib.request
from typing import Any

from bootos.lab.loopback import HOST_ADDRESS, LOOPBACK
from bootos.lab.vendor_tools.redfish_answer import RedfishRefusal, build_message, build_reply
from bootos.lab.vendor_tools.redfish_path import INVENTORY, MANAGER, SYSTEM, TASKS
from bootos.lab.vendor_tools.redfish_schema import build_type
from bootos.lab.vendor_tools.redfish_state import PROGRAM
from bootos.lab.vendor_tools.redfish_tree import count_members
from bootos.lab.vendor_tools.silicon import Output, Silicon


def fetch_image(uri: str) -> bytes:
    """What SimpleUpdate names. A guest's address of the host is the host's own here. Raises RedfishRefusal."""
    uri = uri.replace(f"//{HOST_ADDRESS}:", f"//{LOOPBACK}:")
    try:
        with urllib.request.urlopen(uri, timeout=30) as response:
            image: bytes = response.read()
    except (OSError, ValueError) as error:
        raise RedfishRefusal(400, f"Unable to download the image from {uri}: {error}") from None
    return image


def begin_update(state: dict[str, Any], image: bytes, request: dict[str, Any]) -> Output:
    """The task of an update. An image's first line says what it is: {"component": "BIOS", "version": "2.2.0"}.

    Raises RedfishRefusal for what is no image, or not one for this machine."""
    try:
        head = json.loads(image.partition(b"\n")[0])
        target, version = f"{INVENTORY}/{head['component']}", str(head["version"])
    except (ValueError, KeyError, TypeError):
        raise RedfishRefusal(400, "The image is not a firmware package of this machine.") from None
    if target not in state["tree"]:
        raise RedfishRefusal(400, f"The image is for {head['component']}, which this machine does not have.")
    wanted = [str(item) for item in request.get("Targets") or []]
    if wanted and target not in wanted:
        raise RedfishRefusal(400, f"The image is not for {', '.join(wanted)}.")
    state["count"] += 1
    number = str(state["count"])
    path = f"{TASKS}/{number}"
    part = str(head["component"])
    state["jobs"][path] = {"target": target, "version": version, "on_reset": part in state["on_reset"]}
    state["tree"][path] = {
        "@odata.id": path,
        "@odata.type": build_type("Task"),
        "Id": number,
        "Name": f"Update of {part}",
        "TaskState": "New",
        "TaskStatus": "OK",
        "TaskMonitor": f"{path}/Monitor",
        "PercentComplete": 0,
        "Messages": [],
    }
    count_members(state["tree"], TASKS)
    return build_reply(state["tree"][path], status=202, headers={"Location": f"{path}/Monitor"})


def watch_task(silicon: Silicon, state: dict[str, Any], path: str) -> Output:
    """What a task's monitor answers (DSP0266, 14.4): the task until it ends, then how the request ended."""
    move_task(silicon, state, path)
    task = state["tree"][path]
    if task["TaskState"] == "Exception":
        raise RedfishRefusal(500, task["Messages"][-1]["Message"], "OperationFailed")
    if task["TaskState"] == "Completed":
        return Output(code=204)
    return build_reply(task, status=202, headers={"Location": f"{path}/Monitor"})


def move_task(silicon: Silicon, state: dict[str, Any], path: str) -> None:
    """Carry a task on, as it is read: it is half done after the first reading, and done after the second."""
    task = state["tree"].get(path)
    job = state["jobs"].get(path)
    if task is None or job is None or task["TaskState"] not in ("New", "Running"):
        return
    task["TaskState"] = "Running"
    task["PercentComplete"] += 50
    if silicon.is_misbehaving("fail-half", PROGRAM, ["task", job["target"]]):
        text = "The update was stopped: the image could not be verified."
        task["Messages"].append(
            {**build_message("OperationFailed", text), "MessageId": "Update.1.0.VerificationFailed"}
        )
        task["TaskState"], task["TaskStatus"] = "Exception", "Critical"
        return
    if task["PercentComplete"] < 100:
        return
    task["TaskState"] = "Pending" if job["on_reset"] else "Completed"
    if silicon.is_misbehaving("ignore", PROGRAM, ["task", job["target"]]):
        return
    if job["on_reset"]:
        state["staged"][job["target"]] = job["version"]
    else:
        _set_version(state, job["target"], job["version"])


def run_staged(silicon: Silicon, state: dict[str, Any]) -> None:
    """The machine starts: the firmware that waits for a start runs."""
    for path, version in state["staged"].items():
        if not silicon.is_misbehaving("ignore", PROGRAM, ["boot", path]):
            _set_version(state, path, version)
    state["staged"] = {}


def _set_version(state: dict[str, Any], path: str, version: str) -> None:
    """A component runs another firmware now."""
    state["tree"][path]["Version"] = version
    if path.endswith("/BIOS"):
        state["tree"][SYSTEM]["BiosVersion"] = version
    if path.endswith("/BMC"):
        state["tree"][MANAGER]["FirmwareVersion"] = version


def parse_multipart(content_type: str, data: bytes) -> dict[str, bytes]:
    """The parts of multipart/form-data by their names."""
    boundary = content_type.partition("boundary=")[2].strip('"').encode()
    parts: dict[str, bytes] = {"UpdateParameters": b"{}"}
    for part in data.split(b"--" + boundary)[1:-1] if boundary else ():
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = head.partition(b'name="')[2].partition(b'"')[0].decode()
        parts[name] = content.removesuffix(b"\r\n")
    return parts
