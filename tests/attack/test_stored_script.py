"""What a machine without a login sends runs in no operator's browser: a real one, logged in, looks at all of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from chromium import chromium, log_in
from playwright.sync_api import BrowserContext, Page
from serving import Agent, Running

from bootos.server.cloudboot.api import build_calls
from bootos.wire import cloudboot_v1 as v1

__all__ = ["chromium"]

MACHINE = Path(__file__).parents[1] / "golden/hardware/machines/server-controllers.inventory.json"
# Makes a job as the operator who looks at it: by the form of the machine's page, with this browser's login.
SCRIPT = """
document.title = 'owned';
fetch('/machines/id:1').then(answer => answer.text()).then(text => {
  const fields = new URLSearchParams({template: 't', mode: 'apply'});
  fields.set('form_token', new DOMParser().parseFromString(text, 'text/html').querySelector('[name=form_token]').value);
  return fetch('/machines/id:1/jobs', {method: 'POST', body: fields});
})
""".replace("\n", " ")
EVIL = f'"\'><b data-owned></b><script>{SCRIPT}</script><img src=/owned onerror="{SCRIPT}"><svg/onload="{SCRIPT}">'
# What a registration with another word is refused for.
KEPT = {"boot_mode", "by", "collected_at", "host_source", "source", "type"}


def spoil(value: Any, key: str = "") -> Any:
    """An inventory whose every text is the attack."""
    if isinstance(value, dict):
        return {name: spoil(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [spoil(item, key) for item in value]
    return EVIL if isinstance(value, str) and key not in KEPT else value


class Looking:
    """A page of the operator's browser, and whether anything of a machine ran in it."""

    def __init__(self, page: Page, server: Running) -> None:
        self.page = page
        self.server = server
        self.asked: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))

    def look(self, path: str) -> str:
        """What is shown at that path, which nothing of the attack may have become a part of."""
        self.page.goto(self.server.find(path))
        assert self.page.title() != "owned", path
        assert self.page.locator("[data-owned]").count() == 0, path
        assert not [url for url in self.asked if url.endswith("/owned")], path
        assert [job["id"] for job in self.server.operate("GET", "/jobs")] == [1], path
        return self.page.locator("body").inner_text()


@pytest.fixture
def looking(server: Running, chromium: BrowserContext) -> Looking:
    return Looking(log_in(chromium, server), server)


@pytest.fixture
def victim(server: Running) -> Agent:
    """The machine that the script makes a job for."""
    victim = Agent(server)
    assert victim.register().status == 200
    server.put_template()
    assert server.operate("GET", "/machines")[0]["id"] == 1
    return victim


@pytest.fixture
def evil(server: Running, victim: Agent) -> Agent:
    """Sends the attack in every text that a v2 agent has, and has done a job in which it says it, too."""
    agent = Agent(
        server,
        sn="EVIL",
        boot_id="boot-evil",
        agent_version=EVIL,
        image_version=EVIL,
        address=EVIL,
        drivers=[EVIL],
        inventory=spoil(json.loads(MACHINE.read_text())),
    )
    assert agent.register().status == 200
    number = server.create_job(machine="EVIL", mode="plan")["id"]
    assert agent.order() is not None
    action = {"id": EVIL, "driver": EVIL, "summary": EVIL, "destroys": [EVIL]}
    report: dict[str, Any] = {
        "state": "failed",
        "message": EVIL,
        "steps": [
            {"id": EVIL, "title": EVIL, "message": EVIL, "actions": [{**action, "changes": [{"what": EVIL}]}]}
        ],
        "problems": [{"path": EVIL, "message": EVIL, "hint": EVIL}],
        "hooks": [{"name": "PRE", "url": EVIL, "message": EVIL}],
        "log": [{"n": 1, "at": "2026-01-01T00:00:00Z", "text": EVIL}],
    }
    assert agent.report(number, **report).status == 200
    return agent


def list_answers(server: Running) -> Iterator[str]:
    """Paths that answer without a login, with what machines said or with words of the path itself."""
    _, gets = build_calls(server.context)
    for call in gets:
        for kind in ("raw", "json"):
            for sn in ("EVIL", "SN-V1", EVIL):
                yield f"{v1.PREFIX}/{call}?sn={quote(sn)}&type={kind}"
    for place in (f"{v1.PREFIX}/", "/api/v2/agent/", "/bootos/", "/bootos/images/", "/grub/", "/"):
        yield place + quote(EVIL, safe="")
    yield f"/api/v2/agent/layers?image={quote(EVIL)}"
    yield f"/api/v2/agent/order?wait_s={quote(EVIL)}"


def test_the_script_would_make_a_job_if_a_browser_ran_it(
    server: Running, victim: Agent, chromium: BrowserContext
) -> None:
    """What the other tests see nothing of is no attack that could not work."""
    page = log_in(chromium, server)
    page.evaluate(SCRIPT)
    assert page.title() == "owned"
    assert [job["sn"] for job in server.operate("GET", "/jobs")] == ["SN001"]


def test_no_answer_to_a_machine_runs_what_a_machine_said(
    server: Running, evil: Agent, looking: Looking
) -> None:
    nics = [{"Name": EVIL, "Mac": EVIL, "Ip": EVIL}]
    body = {
        "Sn": "SN-V1",
        "Company": EVIL,
        "Product": EVIL,
        "ModelName": EVIL,
        "Mac": EVIL,
        "Ip": EVIL,
        "Nic": nics,
    }
    said = server.call("POST", f"{v1.PREFIX}/report/deviceProductInfo", body)
    assert said.data["Status"] == "success"
    for path in list_answers(server):
        looking.look(path)


def test_no_page_runs_what_a_machine_said(server: Running, evil: Agent, looking: Looking) -> None:
    """The texts are shown, as texts."""
    left, seen = ["/", "/machines/id:2"], set()
    while left:
        path = left.pop()
        seen.add(path)
        looking.look(path)
        links = looking.page.eval_on_selector_all(
            "main a[href^='/']", "all => all.map(a => a.getAttribute('href'))"
        )
        left += [link for link in links if link not in seen | set(left) and "." not in link]
    assert {"/", "/machines/id:2", "/jobs/1"} <= seen
    assert "<b data-owned></b><script>" in looking.look("/machines/id:2")
    assert "<b data-owned></b><script>" in looking.look("/jobs/1")
