import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from bootos.errors import BootosError
from bootos.lab.qmp import Qmp

EVENT = {"event": "RESET", "data": {"guest": True}, "timestamp": {}}
ANSWERS: dict[str, Any] = {
    "qmp_capabilities": {"return": {}},
    "query-status": {"return": {"status": "running"}},
    "device_del": {"error": {"class": "DeviceNotFound", "desc": "Device 'x' not found"}},
    "system_reset": {"return": {}},
}


def answer(connection: socket.socket) -> None:
    """QEMU's end: a greeting, an answer to each command, an event before the one to a reset."""
    with connection, connection.makefile("rwb") as stream:
        stream.write(json.dumps({"QMP": {"version": {}, "capabilities": []}}).encode() + b"\n")
        stream.flush()
        for line in stream:
            request = json.loads(line)
            if request["execute"] == "quit":
                return
            if request["execute"] == "system_reset":
                stream.write(json.dumps(EVENT).encode() + b"\n")
            stream.write(json.dumps({**ANSWERS[request["execute"]], "id": request["id"]}).encode() + b"\n")
            stream.flush()


@pytest.fixture
def qmp() -> Iterator[Qmp]:
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=answer, args=[theirs], daemon=True)
    thread.start()
    client = Qmp(ours, began=time.monotonic())
    yield client
    client.close()
    thread.join(5)


def test_a_command_returns_its_answer(qmp: Qmp) -> None:
    assert qmp.execute("query-status") == {"status": "running"}


def test_a_refusal_says_qemus_reason(qmp: Qmp) -> None:
    with pytest.raises(BootosError, match="QEMU refused to device_del: Device 'x' not found"):
        qmp.execute("device_del", {"id": "x"})


def test_events_between_answers_are_kept(qmp: Qmp) -> None:
    qmp.execute("system_reset")
    assert qmp.wait_for_event("RESET", 5, guest=True).data == {"guest": True}
    with pytest.raises(BootosError, match="no SHUTDOWN event"):
        qmp.wait_for_event("SHUTDOWN", 0.01)


def test_a_qemu_that_ended_is_told_as_such(qmp: Qmp) -> None:
    with pytest.raises(BootosError, match="it has ended"):
        qmp.execute("quit")
