"""A machine whose texts have line feeds in them writes no line of its own into what a command prints."""

import ast
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from serving import INVENTORY, Agent, Running
from typer.testing import CliRunner, Result

from bootos.cli import build_app
from bootos.engine.watcher import PrintWatcher
from bootos.wire.v2 import StepState

FORGED = "forged line"
EVIL = f"x\n{FORGED}\r\x1b[2J\u2028{FORGED}\u3164"
COMMANDS = Path(__file__).parents[2] / "src/bootos/server/command"

Bootos = Callable[..., Result]


@pytest.fixture
def bootos(server: Running) -> Bootos:
    def call(*words: str) -> Result:
        environment = {
            "BOOTOS_SERVER": server.operator_url,
            "BOOTOS_DATA": str(server.data),
            "COLUMNS": "400",
        }
        return CliRunner(env=environment).invoke(build_app(words), list(words))

    return call


def check_lines(result: Result) -> None:
    """The text is there, and begins no line."""
    shown = result.output
    assert f"x␊{FORGED}␍␛[2J" in shown, (shown, result.exception)
    assert [line for line in shown.splitlines() if line.strip().startswith(FORGED)] == []


@pytest.fixture
def evil(server: Running) -> Agent:
    drive: dict[str, Any] = {"id": "0", "state": EVIL}
    inventory = {
        **INVENTORY,
        "disks": [
            {"index": 0, "path": "/dev/sda", "name": "sda", "model": EVIL, "size_bytes": 1, "type": "ssd"}
        ],
        "raid": [
            {
                "name": EVIL,
                "model": EVIL,
                "driver": "raid.storcli",
                "firmware": EVIL,
                "arrays": [{"id": "0", "name": EVIL, "level": "1", "state": EVIL}],
                "drives": [drive],
            }
        ],
        "notes": [EVIL],
    }
    agent = Agent(server, inventory=inventory, abilities=["mode:capture"])
    answer = agent.register()
    assert answer.status == 200, answer
    return agent


def test_the_machine_that_is_shown_has_its_notes_and_controllers_in_one_line_each(
    evil: Agent, bootos: Bootos
) -> None:
    result = bootos("machine", "show", "SN001")
    check_lines(result)
    for begin in ("note: x␊", "x␊forged line"):
        assert sum(line.startswith(begin) for line in result.output.splitlines()) == 1


def test_a_job_that_is_shown_and_its_log_say_each_thing_in_one_line(
    server: Running, evil: Agent, bootos: Bootos
) -> None:
    server.put_template()
    number = server.create_job(mode="plan")["id"]
    evil.order()
    action = {
        "id": "a",
        "driver": "raid.mdadm",
        "summary": EVIL,
        "changes": [{"what": EVIL, "before": EVIL, "after": EVIL}],
        "destroys": [EVIL],
    }
    steps = [{"id": "a", "title": EVIL, "message": EVIL, "actions": [action]}]
    hooks = [{"name": "PRE", "url": EVIL, "exit_code": None, "message": EVIL}]
    problems = [{"path": EVIL, "message": EVIL, "hint": EVIL}]
    log = [{"n": 0, "at": "2026-01-01T00:00:00Z", "text": f"a\tb {EVIL}"}]
    report = {"state": "failed", "message": EVIL, "steps": steps, "hooks": hooks, "problems": problems}
    assert evil.report(number, log=log, **report).status == 200
    for words in (("show",), ("log",), ("follow",), ("evidence",)):
        check_lines(bootos("job", *words, str(number)))
    assert "a       b x␊" in bootos("job", "log", str(number)).output
    text = server.request(
        "GET",
        f"/api/operator/jobs/{number}/log.txt",
        headers={"Authorization": f"Bearer {server.context.operator_token}"},
    ).data.decode()
    assert [line for line in text.splitlines() if line.startswith(FORGED)] == []
    assert f"x␊{FORGED}" in text


def test_what_is_said_beside_an_exported_template_is_no_part_of_it(
    server: Running, evil: Agent, bootos: Bootos
) -> None:
    server.put_template()
    number = server.create_job(mode="plan")["id"]
    evil.order()
    saved = {
        "saved_at": "2026-01-01T00:00:00Z",
        "states": {},
        "template": {"name": "golden"},
        "notes": [EVIL],
    }
    evil.report(number, state="planned", saved=saved)
    result = bootos("machine", "export-template", "SN001")
    check_lines(result)
    assert yaml.safe_load(result.output) == {"name": "golden"}


def test_why_there_is_no_capture_is_said_in_one_line(server: Running, evil: Agent, bootos: Bootos) -> None:
    def work() -> None:
        while (order := evil.order(wait_s=5)) is None:
            pass
        assert order["mode"] == "capture"
        server.call("POST", "/api/v2/agent/capture", {"data": "", "error": EVIL}, token=evil.session)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    result = bootos("machine", "capture", "SN001", "--timeout", "60")
    thread.join(60)
    assert f"x␊{FORGED}" in str(result.exception)
    assert "\n" not in str(result.exception)


def test_work_by_hand_says_each_thing_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    watcher = PrintWatcher()
    watcher.add_step(EVIL, EVIL)
    watcher.set_step(EVIL, StepState.FAILED, message=EVIL)
    watcher.set_action(EVIL, EVIL, StepState.DONE)
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_every_command_prints_by_output_which_shows_lines() -> None:
    for file in COMMANDS.glob("*.py"):
        tree = ast.parse(file.read_text())
        used = [n.lineno for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr == "console"]
        assert not used or file.name == "option.py", f"{file.name}:{used} must print by Output"
