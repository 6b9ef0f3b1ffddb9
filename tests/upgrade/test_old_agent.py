"""Yesterday's agents with today's server: what they said is said again, and what they read of the answers is what they
read then."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from recording import ANSWERS, TYPES, Call, list_flows, read_calls
from serving import Running, run_in_thread
from sqlalchemy import select

from bootos.server.settings import Settings
from bootos.server.store.table import Job, Machine
from bootos.wire import v2

# Keys of answers that are not compared: random ones, the time, the release, and what no agent ever read.
DRAWN = {"session", "server", "retry_after_s"}
UNREAD = {"verified", "poll_timeout_s"}
ENDS = {
    "v1-original": ["refused", "done", "installing"],
    "v1-ours": ["done"],
    "v2-apply": ["done"],
    "v2-attempts": ["done"],
    "v2-cancel": ["cancelled"],
    "v2-plan": ["planned", "done"],
    "v2-reboot": ["done"],
    "v2-refusals": ["refused", "done", "refused"],
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    """With the settings that yesterday's had."""
    running, stop = run_in_thread(
        Settings(
            data=tmp_path / "data",
            port=0,
            boot_files=tmp_path / "no-image",
            tftp=False,
            legacy="open",
            poll_s=2,
            enrol="open",
            plain_secrets=True,
            public_url="http://10.0.0.1:8083",
        )
    )
    (running.data / "files/post.sh").write_text("#!/bin/sh\necho post\n")
    yield running
    stop()


class Replay:
    """Says to a server what was said before, each session in the place of the recorded one."""

    def __init__(self, server: Running) -> None:
        self.server = server
        self._sessions: dict[str, str] = {}
        self._refused = False  # whether the last registration was refused

    def say(self, call: Call) -> tuple[int, str]:
        """The status and the text of the answer."""
        headers = dict(call.headers)
        if call.who == "operator":
            headers["Authorization"] = f"Bearer {self.server.context.operator_token}"
        elif call.session in self._sessions:
            headers["Authorization"] = f"Bearer {self._sessions[call.session]}"
        is_registration = call.path.endswith("/register")
        if is_registration and call.status == 200 and self._refused:
            self._make_silent()
        path = call.path
        if call.status == 204:
            # the recorded poll had no order, so the wait is left out
            path = path.replace("wait_s=25", "wait_s=0")
        answer = self.server.request(call.method, path, call.body.encode() or None, headers)
        text = answer.data.decode()
        if is_registration:
            self._refused = answer.status == 409
        if is_registration and answer.status == 200:
            self._sessions[call.read_answer()["session"]] = json.loads(text)["session"]
        return answer.status, text

    def _make_silent(self) -> None:
        """The boot that holds the identity was not heard of for a long time."""
        with self.server.context.store.read() as session:
            numbers = list(session.scalars(select(Machine.id)))
        for number in numbers:
            self.server.context.presence.let_go(number)


def read_as_yesterday(call: Call, status: int, text: str) -> Any:
    """What yesterday's agent reads of an answer, without what differs from one run to the next."""
    if not call.path.startswith(v2.PREFIX):
        return read_v1(text)
    if status == 204:
        return None
    model = ANSWERS[call.place.removeprefix(v2.PREFIX)] if status < 400 else TYPES["Refusal"]
    value = msgspec.to_builtins(msgspec.json.decode(text, type=model))
    if isinstance(value, dict):
        value = {name: field for name, field in value.items() if name not in DRAWN | UNREAD}
    return value


def read_v1(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, dict) and isinstance(value.get("Content"), dict):
        value["Content"] = {
            name: field for name, field in value["Content"].items() if name not in ("CreatedAt", "UpdatedAt")
        }
    return value


@pytest.mark.parametrize("flow", [*list_flows("v2"), *list_flows("v1")])
def test_the_recorded_agent_reads_what_it_read_from_its_own_server(flow: str, server: Running) -> None:
    replay, calls = Replay(server), read_calls(flow)
    for number, call in enumerate(calls):
        status, text = replay.say(call)
        about = f"{flow}, call {number}: {call.method} {call.path}"
        assert status == call.status, f"{about}: {text}"
        if call.who == "agent":
            said, known = (
                read_as_yesterday(call, status, text),
                read_as_yesterday(call, call.status, call.answer),
            )
            if call.place.endswith("/getDeviceBySn"):
                said["Content"] = {name: said["Content"].get(name) for name in known["Content"]}
            assert said == known, about
    jobs = server.operate("GET", "/jobs")
    assert [job["state"] for job in reversed(jobs)] == ENDS[flow]


def test_the_recordings_hold_what_agents_say() -> None:
    """Each call of the protocol, both modes, a second attempt, a refusal, a cancel."""
    calls = [call for flow in list_flows("v2") for call in read_calls(flow)]
    agents = [call for call in calls if call.who == "agent" and call.path.startswith(v2.PREFIX)]
    assert {call.place.removeprefix(v2.PREFIX) for call in agents} == set(ANSWERS)
    assert {200, 204, 401, 409} <= {call.status for call in agents}
    orders = [call.read_answer() for call in agents if call.place.endswith("/order") and call.status == 200]
    assert {order["mode"] for order in orders} == {"apply", "plan"}
    assert {order["attempt"] for order in orders} == {1, 2}
    assert any(order["approved"] for order in orders)
    assert any(order["skip_hardware"] for order in orders)
    said = [json.loads(call.body) for call in agents if call.place.endswith("/report")]
    assert {report["state"] for report in said} == {"running", "planned", "succeeded", "failed", "refused"}
    assert any(call.answer.find('"cancel":true') > 0 for call in agents if call.place.endswith("/report"))


def test_an_order_that_yesterdays_agent_cannot_decode_is_not_sent_to_it(server: Running) -> None:
    """The mode `rescue` of a release to come: the recorded agent would wait for ever, as it gives up such an answer."""
    replay = Replay(server)
    calls = read_calls("v2-refusals")
    order = next(call for call in calls if call.place.endswith("/order") and call.status == 200)
    future = json.dumps({**order.read_answer(), "mode": "rescue"})
    with pytest.raises(msgspec.ValidationError, match="rescue"):
        read_as_yesterday(order, 200, future)
    for call in calls:
        if call.place.endswith("/order"):
            break
        replay.say(call)
    with server.context.store.write() as session:
        session.scalars(select(Job)).one().mode = "rescue"
    status, text = replay.say(call)
    assert read_as_yesterday(call, status, text) is None
    (job,) = server.operate("GET", "/jobs")
    assert (job["state"], "'rescue'" in job["message"]) == ("refused", True)
