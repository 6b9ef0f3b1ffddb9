"""Tasks of a Redfish service (DSP0266, 12.2): what takes longer than an answer is followed to its end."""

import logging
from typing import Literal

from bootos.drivers.redfish.client import Client
from bootos.drivers.redfish.failure import RedfishError
from bootos.drivers.redfish.reply import Reply, is_scheduled, read_messages, read_task_state, tell_percent
from bootos.waiting import find_within

log = logging.getLogger(__name__)

POLL_S = 2.0  # between two looks at a task
_RUNNING = {"New", "Starting", "Running", "Stopping", "Cancelling", "Interrupted", "Service"}
_WAITING = {"Pending", "Suspended"}  # states of a task that waits for the machine's restart
_GONE = (404, 410)


def wait_for_task(client: Client, reply: Reply, *, what: str, deadline_s: float) -> bool:
    """Follow the task that a request began to its end. Returns whether it waits for the machine's restart to go on.
    Raises RedfishError when it fails or takes too long.

    A task that came with the answer is looked at itself, as its monitor is gone when it has ended, or says less. A
    task that vanishes has ended. Whether it did what was asked is found by reading again."""
    task = str(reply.body.get("@odata.id", "")) if "TaskState" in reply.body else ""
    path = task or reply.location or str(reply.body.get("@odata.id", ""))
    if reply.status != 202 and "TaskState" not in reply.body and not reply.location:
        return False
    if not path:
        raise RedfishError(f"{what}: the service began a task and does not say which")
    state = shown = ""

    def find_end() -> Literal["waits", "ended", ""]:
        nonlocal state, shown
        found = _find_task(client, path)
        if found is None:
            return "ended"
        state, messages, before = read_task_state(found), read_messages(found.body), shown
        parts = (state, tell_percent(found.body), messages[-1] if messages else "")
        shown = " ".join(filter(None, parts))
        if shown != before:
            log.info("%s: %s", what, shown)
        if state in _WAITING or is_scheduled(found.body):
            return "waits"
        if state in _RUNNING:
            return ""
        if state != "Completed" or found.body.get("TaskStatus", "OK") not in ("OK", "Warning", None):
            said = "; ".join(messages) or "it does not say why"
            raise RedfishError(f"{what}: the service's task ended with {state}: {said}")
        return "ended"

    end = find_within(find_end, deadline_s, pause_s=POLL_S, clock=client.clock)
    if not end:
        raise RedfishError(f"{what}: the service's task is still {state} after {deadline_s:g} s ({shown})")
    return end == "waits"


def _find_task(client: Client, path: str) -> Reply | None:
    try:
        return client.get(path, what="follow the task")
    except RedfishError as cause:
        if cause.status in _GONE:
            return None
        raise
