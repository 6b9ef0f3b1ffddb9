"""What is kept of a run in developer mode, and the line of the support list made from it."""

import json
from pathlib import Path
from typing import Any

import pytest
from serving import INVENTORY, Agent, Running
from typer.testing import CliRunner, Result

from bootos.cli import build_app
from bootos.errors import BootosError

TEMPLATE = "name: t\nraid: {arrays: [{name: os, level: 1, drives: '0,1'}]}\noob: {reset: true}\n"
BEFORE = {**INVENTORY, "bios": {"version": "U30 v2.36 (07/16/2020)"}, "bmc": {"firmware": "1.5"}}


def bootos(server: Running, *words: str) -> Result:
    environment = {"BOOTOS_SERVER": server.operator_url, "BOOTOS_DATA": str(server.data), "COLUMNS": "200"}
    return CliRunner(env=environment).invoke(build_app(words), list(words))


def good(result: Result) -> str:
    assert result.exit_code == 0, (result.output, result.exception)
    return str(result.output)


def run_job(server: Running, state: str = "succeeded", *, developer: bool = True, **job: Any) -> None:
    agent = Agent(server, developer=developer, inventory=BEFORE)
    assert agent.register().status == 200
    server.put_template("t", TEMPLATE)
    server.create_job(**job)
    order = agent.order()
    after = {**BEFORE, "bios": {"version": "U30 v2.40 (10/26/2020)"}}
    line = {"n": 0, "at": "2026-01-01T00:00:00Z", "text": "the array os was made"}
    agent.report(order["job_id"], state=state, message="it broke", inventory=after, log=[line])


def test_a_model_is_added_with_one_command_after_a_run_in_developer_mode(
    server: Running, tmp_path: Path
) -> None:
    run_job(server)
    shown = good(bootos(server, "job", "evidence", "1"))
    assert "U30 v2.36 (07/16/2020)" in shown
    assert "bootos support add --from-job 1" in shown
    good(bootos(server, "job", "evidence", "1", "-o", str(tmp_path / "e.json")))
    evidence = json.loads((tmp_path / "e.json").read_text())
    assert evidence["inventory_before"]["bios"]["version"] == "U30 v2.36 (07/16/2020)"
    assert evidence["inventory_now"]["bios"]["version"] == "U30 v2.40 (10/26/2020)"
    assert "the array os was made" in [line["text"] for line in evidence["log"]]
    assert evidence["report"]["state"] == "succeeded"
    assert good(bootos(server, "support", "add", "--from-job", "1")) == (
        "line 1: QEMU / Standard PC (Q35), BIOS >=U30-v2.36-07-16-2020, BMC >=1.5; allows raid, oob\n"
    )
    assert server.operate("GET", "/support")[0]["note"] == "from job 1"
    assert server.operate("GET", "/machines/SN001")["supported"]
    agent = Agent(server, sn="SN002", developer=False, inventory={**BEFORE, "bios": {"version": "U30 v2.10"}})
    agent.register()
    server.create_job(machine="SN002")
    assert agent.order() is None
    assert "asks for BIOS >=U30-v2.36" in server.job(2)["message"]


def test_what_the_evidence_says_can_be_overridden(server: Running) -> None:
    run_job(server)
    words = ("--bios", "U30*", "--bmc", "", "--allow", "raid", "--alias", "Bochs", "--json")
    line = json.loads(good(bootos(server, "support", "add", "--from-job", "1", *words)))
    assert (line["bios"], line["bmc"], line["allow"], line["aliases"]) == ("U30*", "", ["raid"], ["Bochs"])


def refused(result: Result) -> BootosError:
    assert result.exit_code != 0
    assert isinstance(result.exception, BootosError), result.output
    return result.exception


def test_a_job_that_failed_adds_nothing_unless_it_is_forced(server: Running) -> None:
    run_job(server, "failed")
    error = refused(bootos(server, "support", "add", "--from-job", "1"))
    assert "job 1 is failed: it broke" in str(error)
    assert "--force" in error.hint
    assert "allows raid, oob" in good(bootos(server, "support", "add", "--from-job", "1", "--force"))
    assert server.operate("GET", "/support")[0]["note"] == "from job 1, which is failed"


def test_a_job_in_user_mode_has_no_evidence(server: Running) -> None:
    server.operate("POST", "/support", {"vendor": "qemu", "product": "*"})
    run_job(server, developer=False)
    assert not server.job(1)["developer"]
    for words in (("support", "add", "--from-job", "1"), ("job", "evidence", "1")):
        assert "job 1 has no evidence" in str(refused(bootos(server, *words)))


@pytest.mark.parametrize(
    ("job", "said"), [({"mode": "plan"}, "configured nothing"), ({"skip_hardware": True}, "no evidence")]
)
def test_a_job_that_configured_nothing_shows_nothing(server: Running, job: dict[str, Any], said: str) -> None:
    run_job(server, "planned" if "mode" in job else "succeeded", **job)
    answer = server.refuse("POST", "/support/from-job", {"job": 1, "force": True})
    assert said in answer.data["error"]


def test_a_job_that_runs_still_shows_nothing_yet(server: Running) -> None:
    run_job(server, "running")
    assert server.refuse("POST", "/support/from-job", {"job": 1, "force": True}).status == 409


def test_the_evidence_is_of_the_first_attempt(server: Running) -> None:
    agent = Agent(server, inventory=BEFORE)
    agent.register()
    server.put_template("t", TEMPLATE)
    server.create_job()
    agent.order()
    again = Agent(server, inventory={**BEFORE, "bios": {"version": "later"}})
    again.register()
    assert again.order()["attempt"] == 2
    assert server.operate("GET", "/jobs/1/evidence")["model"]["bios"] == "U30 v2.36 (07/16/2020)"


def test_wrong_usage_is_said_before_anything_is_asked(server: Running) -> None:
    assert bootos(server, "support", "add", "--from-job", "1", "--vendor", "x").exit_code == 2
    assert bootos(server, "support", "add", "--vendor", "x", "--product", "y", "--force").exit_code == 2
    assert "vendor: is empty" in str(refused(bootos(server, "support", "add")))
