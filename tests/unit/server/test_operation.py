"""Pages and operator API are two faces of one operation: what it does, answers and notes is the same by both."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from serving import Agent, Running

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Browser:
    """A person at the pages."""

    def __init__(self, server: Running) -> None:
        self.server = server
        body = urlencode({"token": server.context.operator_token}).encode()
        cookie = server.request("POST", "/login", body, FORM).headers["set-cookie"]
        self.headers = {"Cookie": cookie.partition(";")[0], "Accept": "text/html"}

    def press(self, page: str, path: str, **fields: str) -> None:
        """Send the form to `path` as the page has it."""
        text = self.server.request("GET", page, headers=self.headers).data.decode()
        found = re.search(r'name="form_token" value="(\w+)"', text)
        assert found is not None, text
        body = urlencode({"form_token": found[1], **fields}).encode()
        answer = self.server.request("POST", path, body, {**self.headers, **FORM})
        assert answer.status == 303, answer.data


def press_create(browser: Browser) -> None:
    browser.press("/machines/SN001", "/machines/SN001/jobs", template="t", mode="apply", reboot="yes")


def press_cancel(browser: Browser) -> None:
    browser.press("/jobs/1", "/jobs/1/cancel")


def press_approve(browser: Browser) -> None:
    browser.press("/jobs/1", "/jobs/1/approve")


def press_acknowledge(browser: Browser) -> None:
    browser.press("/machines/SN001", "/machines/SN001/acknowledge")


def press_support(browser: Browser) -> None:
    browser.press("/jobs/1", "/jobs/1/support")


def prepare_nothing(server: Running, agent: Agent) -> None:
    """The agent has registered, and waits."""


def prepare_job(server: Running, agent: Agent) -> None:
    server.create_job()


def prepare_plan(server: Running, agent: Agent) -> None:
    server.create_job(mode="plan")
    order = agent.order()
    assert agent.report(order["job_id"], state="planned", plan_hash="sha256:ab").status == 200


def prepare_claim(server: Running, agent: Agent) -> None:
    assert Agent(server, boot_id="boot-2").register().status == 409


def prepare_evidence(server: Running, agent: Agent) -> None:
    server.put_template("t", "name: t\nraid: {clear: true}\n")
    server.create_job()
    order = agent.order()
    assert agent.report(order["job_id"], state="succeeded").status == 200


@pytest.mark.parametrize(
    ("prepare", "call", "press", "action"),
    [
        (prepare_nothing, ("/jobs", {"machine": "SN001", "template": "t"}), press_create, "job.create"),
        (prepare_job, ("/jobs/1/cancel", None), press_cancel, "job.cancel"),
        (prepare_plan, ("/jobs/1/approve", None), press_approve, "job.approve"),
        (prepare_claim, ("/machines/SN001/acknowledge", None), press_acknowledge, "machine.acknowledge"),
        (prepare_evidence, ("/support/from-job", {"job": 1}), press_support, "support.add"),
    ],
    ids=["create", "cancel", "approve", "acknowledge", "support"],
)
def test_a_button_and_a_call_do_and_note_the_same(
    server: Running,
    prepare: Callable[[Running, Agent], None],
    call: tuple[str, Any],
    press: Callable[[Browser], None],
    action: str,
) -> None:
    def observe(act: Callable[[], object]) -> dict[str, Any]:
        server.put_template()
        agent = Agent(server)
        assert agent.register().status == 200
        prepare(server, agent)
        act()
        rows = {
            "audit": [row for row in server.operate("GET", "/audit") if row["action"] == action],
            "jobs": server.operate("GET", "/jobs"),
            "support": server.operate("GET", "/support"),
            "claims": [row["claims"] for row in server.operate("GET", "/machines")],
        }
        server.empty()
        return rows

    by_call = observe(lambda: server.operate("POST", *call))
    by_button = observe(lambda: press(Browser(server)))
    assert len(by_call["audit"]) == 1
    assert forget_moments(by_call) == forget_moments(by_button)


def forget_moments(value: Any) -> Any:
    """Plain values without the times, and without who a job says that it was made by: that names the face."""
    if isinstance(value, dict):
        names = [name for name in value if not (name == "at" or name.endswith("_at") or name == "created_by")]
        return {name: forget_moments(value[name]) for name in names}
    return [forget_moments(item) for item in value] if isinstance(value, list) else value


def test_a_job_says_who_made_it_and_the_audit_log_from_where(server: Running, agent: Agent) -> None:
    server.put_template()
    press_create(Browser(server))
    assert server.job(1)["created_by"] == "web"
    line = server.operate("GET", "/audit")[0]
    assert (line["action"], line["actor"], line["address"]) == ("job.create", "operator", "127.0.0.1")
    headers = {"Authorization": f"Bearer {server.context.operator_token}", "X-Bootos-Actor": "kim"}
    assert server.request("POST", "/api/operator/jobs/1/cancel", None, headers).status == 200
    assert server.operate("GET", "/audit")[0]["actor"] == "kim"
