"""Captures that operators ask machines for: by command, by API and on the page; from agents that can, and others."""

import base64
import gzip
import inspect
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browsing import form_token, log_in, read, send
from captured import MACHINES, NAMES
from serving import Agent, Running
from typer.testing import CliRunner, Result

from bootos.agent.session.capturing import Capturer
from bootos.cli import build_app
from bootos.engine.capture.replayed import read_file
from bootos.hardware.capture import pack_capture, read_capture
from bootos.process import KILL_S
from bootos.server.command.machine import capture_machine
from bootos.server.limit import LIMITS

ABLE = ["mode:capture"]
PACKED = pack_capture(read_capture(MACHINES / f"{NAMES[-1]}.json"))


def upload(agent: Agent, data: bytes = PACKED, error: str = "") -> int:
    body = {"data": base64.b64encode(data).decode(), "error": error}
    return agent.server.call("POST", "/api/v2/agent/capture", body, token=agent.session).status


def ask(server: Running) -> dict[str, object]:
    answer: dict[str, object] = server.operate("POST", "/machines/SN001/capture")
    return answer


def test_why_there_is_no_capture_has_as_many_characters_as_is_said_and_not_one_more(server: Running) -> None:
    agent = Agent(server, abilities=ABLE)
    agent.register()
    for letters in (LIMITS.note_letters, LIMITS.note_letters + 1):
        ask(server)
        assert upload(agent, b"", error="x" * letters) == 200
        assert server.operate("GET", "/machines/SN001/capture")["error"] == "x" * LIMITS.note_letters


def test_an_able_agent_is_asked_and_its_capture_is_kept(server: Running) -> None:
    agent = Agent(server, abilities=ABLE)
    agent.register()
    assert agent.order() is None
    assert ask(server)["asked_at"]
    order = agent.order()
    assert order["mode"] == "capture"
    assert order["job_id"].startswith("capture:")
    assert upload(agent) == 200
    assert agent.order() is None
    view = server.operate("GET", "/machines/SN001/capture")
    assert (view["asked_at"], view["error"], view["reason"], view["size_bytes"]) == (
        None,
        "",
        "",
        len(PACKED),
    )
    file = server.operate("GET", "/machines/SN001/capture/file")
    assert base64.b64decode(file["data"]) == PACKED


@pytest.mark.parametrize("abilities", [None, [], ["mode:rescue"]])
def test_an_agent_that_cannot_is_not_asked_and_the_reason_is_said(
    server: Running, abilities: list[str] | None
) -> None:
    more: dict[str, Any] = {} if abilities is None else {"abilities": abilities}
    agent = Agent(server, **more)
    agent.register()
    answer = server.refuse("POST", "/machines/SN001/capture")
    assert answer.status == 409
    assert "its agent (test) does not know captures" in answer.data["error"]
    assert agent.order() is None
    page = read(server, "/machines/id:1", log_in(server))
    assert "A capture cannot be taken: its agent (test) does not know captures" in page
    assert "Take a capture" not in page


def test_a_job_comes_before_a_capture(server: Running) -> None:
    agent = Agent(server, abilities=ABLE)
    agent.register()
    server.put_template()
    server.create_job(mode="plan")
    ask(server)
    order = agent.order()
    assert order["mode"] == "plan"
    agent.report(order["job_id"], state="planned")
    assert agent.order()["mode"] == "capture"


def test_what_nobody_asked_for_is_refused(server: Running) -> None:
    agent = Agent(server, abilities=ABLE)
    agent.register()
    assert upload(agent) == 409
    ask(server)
    assert upload(agent) == 200
    assert upload(agent) == 409


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"<script>", gzip.compress(b"x", 0) + bytes(LIMITS.capture_bytes)], ids=len
)
def test_what_is_no_capture_or_too_large_is_refused_and_still_wanted(server: Running, data: bytes) -> None:
    agent = Agent(server, abilities=ABLE)
    agent.register()
    ask(server)
    assert upload(agent, data) in (400, 413)
    assert agent.order()["mode"] == "capture"


def test_a_stranger_uploads_nothing(server: Running) -> None:
    agent = Agent(server, abilities=ABLE)
    agent.register()
    ask(server)
    body = {"data": base64.b64encode(PACKED).decode()}
    assert server.call("POST", "/api/v2/agent/capture", body, token="guessed").status == 401


def test_the_page_has_a_button_and_the_newest_capture(server: Running) -> None:
    agent = Agent(server, abilities=ABLE)
    agent.register()
    headers = log_in(server)
    page = read(server, "/machines/id:1", headers)
    assert "Take a capture" in page
    status, location = send(server, "/machines/id:1/capture", headers, form_token=form_token(page))
    assert (status, location.partition("#")[2]) == (303, "capture")
    assert "the agent takes it when no job runs" in read(server, "/machines/id:1", headers)
    assert agent.order()["mode"] == "capture"
    assert upload(agent) == 200
    assert "/capture.json.gz" in read(server, "/machines/id:1", headers)
    answer = server.request("GET", "/machines/id:1/capture.json.gz", headers=headers)
    assert answer.data == PACKED
    assert answer.headers["content-disposition"] == 'attachment; filename="capture-SN001.json.gz"'
    assert server.request("GET", "/machines/id:1/capture.json.gz").status == 303


Bootos = Callable[..., Result]


@pytest.fixture
def bootos(server: Running) -> Bootos:
    def call(*words: str) -> Result:
        environment = {
            "BOOTOS_SERVER": server.operator_url,
            "BOOTOS_DATA": str(server.data),
            "COLUMNS": "200",
        }
        return CliRunner(env=environment).invoke(build_app(words), list(words))

    return call


def answer_once(agent: Agent, data: bytes = PACKED, error: str = "") -> threading.Thread:
    """An agent that waits for the wish, and answers it."""

    def work() -> None:
        while (order := agent.order(wait_s=5)) is None:
            pass
        assert order["mode"] == "capture"
        upload(agent, data, error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_the_command_writes_the_file(server: Running, bootos: Bootos, tmp_path: Path) -> None:
    agent = Agent(server, abilities=ABLE)
    agent.register()
    thread = answer_once(agent)
    result = bootos("machine", "capture", "SN001", str(tmp_path / "a.json.gz"), "--timeout", "60")
    thread.join(60)
    assert result.exit_code == 0, (result.output, result.exception)
    assert (tmp_path / "a.json.gz").read_bytes() == PACKED
    last = bootos(
        "machine", "capture", "SN001", str(tmp_path / "b.json.gz"), "--last", "--anonymous", "--json"
    )
    assert last.exit_code == 0, (last.output, last.exception)
    assert json.loads(last.output)["sn"] == "SN001"
    hidden = read_file(tmp_path / "b.json.gz")
    assert hidden.is_anonymous


def test_the_command_says_why_there_is_none(server: Running, bootos: Bootos) -> None:
    agent = Agent(server, abilities=ABLE)
    agent.register()
    thread = answer_once(agent, b"", "the tools are gone")
    result = bootos("machine", "capture", "SN001", "--timeout", "60")
    thread.join(60)
    assert "the tools are gone" in str(result.exception)
    last = bootos("machine", "capture", "SN001", "--last")
    assert str(last.exception) == "there is no capture of machine SN001: the tools are gone"


def test_the_last_one_is_written_and_why_there_is_no_newer_one_is_said(
    server: Running, bootos: Bootos, tmp_path: Path
) -> None:
    agent = Agent(server, abilities=ABLE)
    agent.register()
    for data, error in ((PACKED, ""), (b"", "the tools are gone")):
        ask(server)
        assert upload(agent, data, error) == 200
    words = ("machine", "capture", "SN001", str(tmp_path / "a.json.gz"), "--last")
    result = bootos(*words)
    assert result.exit_code == 0, (result.output, result.exception)
    assert (tmp_path / "a.json.gz").read_bytes() == PACKED
    assert "a newer one was asked for, and was not taken: the tools are gone" in result.output
    assert json.loads(bootos(*words, "--json").output)["error"] == "the tools are gone"


def test_the_command_waits_longer_than_the_agent_may_take() -> None:
    asked = inspect.signature(capture_machine).parameters["timeout_s"].default
    taken = inspect.signature(Capturer).parameters["deadline_s"].default
    assert asked >= taken + KILL_S + 30  # what is killed is waited for; then a poll, and 2 MB on their way
