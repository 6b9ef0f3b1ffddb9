"""Plans that operators approve, and a server that carries out nothing else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import form_token, log_in, read, send
from serving import Agent, Running, build_settings, run_in_thread

ACTION = {
    "id": "raid.mdadm:create:os",
    "driver": "raid.mdadm",
    "summary": "create array os",
    "changes": [{"what": "array os", "before": "", "after": "RAID 1"}],
    "destroys": ["ext4 file system on /dev/sda1"],
    "reboot": True,
    "estimate_s": 300.0,
}
STEPS = [{"id": "raid.mdadm", "title": "Software RAID", "actions": [ACTION]}]


def plan(server: Running, agent: Agent, **more: Any) -> int:
    """A job whose plan was made; returns its id."""
    server.put_template()
    job = server.create_job(mode="plan", reboot=False)
    agent.order()
    report = {"state": "planned", "steps": STEPS, "plan_hash": "sha256:abc", **more}
    assert agent.report(job["id"], **report).status == 200
    return int(job["id"])


def refuse_approval(server: Running, planned: int) -> str:
    answer = server.refuse("POST", f"/jobs/{planned}/approve")
    assert answer.status == 409
    return str(answer.data["error"])


def test_an_approved_plan_becomes_an_order_that_names_it(server: Running, agent: Agent) -> None:
    planned = plan(server, agent)
    server.put_template("t", "name: t\ndescription: changed since\n")
    made = server.operate("POST", f"/jobs/{planned}/approve")
    assert (made["mode"], made["plan_job"], made["template_version"]) == ("apply", planned, 1)
    order = agent.order()
    assert order["mode"] == "apply"
    assert order["template"] == {"name": "t"}, "the plan's own copy, not the newer template"
    assert order["reboot"] is False
    assert order["approved"]["plan_hash"] == "sha256:abc"
    assert order["approved"]["actions"][0]["destroys"] == ACTION["destroys"]
    line = server.operate("GET", "/audit")[0]
    assert (line["action"], line["subject"]) == ("job.approve", str(planned))
    assert "1 action(s) that destroy 1 thing(s), sha256:abc" in line["detail"]


def test_a_password_that_is_also_a_name_does_not_change_what_was_planned(
    server: Running, agent: Agent
) -> None:
    """ADMIN with the password ADMIN: what programs compare stays as the agent sent it."""
    server.operate("PUT", "/secrets/pw", {"value": "ADMIN"})
    server.put_template("s", "name: s\noob: {users: [{name: ADMIN, password: {secret: pw}}]}\n")
    job = server.create_job(template="s", mode="plan")
    agent.order()
    action = {
        **ACTION,
        "id": "oob.ipmi:user:ADMIN",
        "driver": "oob.ipmi",
        "summary": "set the password to ADMIN",
    }
    steps = [{"id": "oob.ipmi", "title": "BMC", "actions": [action]}]
    sealed = {"certificate": "bootos-erase", "drive": {"model": "ADMIN 7"}, "sha256": "00"}
    report = {"state": "planned", "steps": steps, "plan_hash": "sha256:ADMIN", "certificates": [sealed]}
    agent.report(job["id"], **report)
    made = server.operate("POST", f"/jobs/{job['id']}/approve")
    (approved,) = agent.order()["approved"]["actions"]
    assert (approved["id"], approved["summary"]) == ("oob.ipmi:user:ADMIN", "set the password to ********")
    assert server.job(job["id"])["report"]["certificates"] == [sealed]
    agent.report(
        made["id"], state="running", steps=[{**steps[0], "actions": [{**action, "state": "running"}]}]
    )
    assert server.job(made["id"])["report"]["steps"][0]["actions"][0]["id"] == "oob.ipmi:user:ADMIN"


def test_only_a_made_plan_with_a_hash_can_be_approved(server: Running, agent: Agent) -> None:
    server.put_template()
    applying = server.create_job()["id"]
    answer = server.refuse("POST", f"/jobs/{applying}/approve")
    assert (answer.status, answer.data["error"]) == (
        409,
        f"job {applying} is no plan: it applies its template",
    )
    server.operate("POST", f"/jobs/{applying}/cancel")
    planned = plan(server, agent, plan_hash="")
    assert "gave its plan no hash" in server.refuse("POST", f"/jobs/{planned}/approve").data["error"]
    waiting = server.create_job(mode="plan")["id"]
    assert "it is queued" in server.refuse("POST", f"/jobs/{waiting}/approve").data["error"]


def test_a_plan_cannot_be_approved_while_the_machine_has_a_job(server: Running, agent: Agent) -> None:
    planned = plan(server, agent)
    server.create_job()
    assert "has an active job" in server.refuse("POST", f"/jobs/{planned}/approve").data["error"]


def test_a_plan_is_approved_on_its_page(server: Running, agent: Agent) -> None:
    planned = plan(server, agent)
    cookie = log_in(server)
    page = read(server, f"/jobs/{planned}", cookie)
    assert "1 action, 1 thing destroyed, reboots inside the job, about 5 min." in page
    assert "about 5 min, needs a reboot" in page
    status, location = send(server, f"/jobs/{planned}/approve", cookie, form_token=form_token(page))
    assert (status, location) == (303, f"/jobs/{planned + 1}")
    assert f'<a href="/jobs/{planned}">job {planned}</a>' in read(server, location, cookie)
    assert send(server, f"/jobs/{planned}/approve", cookie)[0] == 403


def test_an_approved_plan_is_offered_again_only_when_it_came_to_no_good_end(
    server: Running, agent: Agent
) -> None:
    planned = plan(server, agent)
    cookie = log_in(server)
    made = server.operate("POST", f"/jobs/{planned}/approve")["id"]
    page = read(server, f"/jobs/{planned}", cookie)
    assert "Approve and carry out" not in page
    assert f'<a href="/jobs/{made}">job {made}</a> carries this plan out' in page
    server.operate("POST", f"/jobs/{made}/cancel")
    assert "Approve and carry out" in read(server, f"/jobs/{planned}", cookie)
    again = server.operate("POST", f"/jobs/{planned}/approve")["id"]
    assert (
        refuse_approval(server, planned)
        == f"the plan of job {planned} was approved already: job {again} is queued"
    )
    agent.order()
    agent.report(again, state="succeeded")
    assert server.job(again)["state"] == "done"
    assert "Approve and carry out" not in read(server, f"/jobs/{planned}", cookie)
    assert (server.job(planned)["approved_job"], server.job(planned)["can_approve"]) == (again, False)
    assert (
        refuse_approval(server, planned)
        == f"the plan of job {planned} was approved already: job {again} is done"
    )


def test_a_page_that_was_open_before_approves_no_plan_twice(server: Running, agent: Agent) -> None:
    planned = plan(server, agent)
    cookie = log_in(server)
    token = form_token(read(server, f"/jobs/{planned}", cookie))
    made = server.operate("POST", f"/jobs/{planned}/approve")["id"]
    agent.order()
    agent.report(made, state="succeeded")
    assert send(server, f"/jobs/{planned}/approve", cookie, form_token=token)[0] == 409
    assert [job["id"] for job in server.operate("GET", "/jobs")] == [made, planned]


@pytest.fixture
def strict_server(tmp_path: Path) -> Iterator[Running]:
    settings = build_settings(tmp_path, require_approval=True)
    running, stop = run_in_thread(settings)
    yield running
    stop()


def test_where_approval_is_required_nothing_is_applied_directly(strict_server: Running) -> None:
    agent = Agent(strict_server)
    agent.register()
    planned = plan(strict_server, agent)
    answer = strict_server.refuse("POST", "/jobs", {"machine": "SN001", "template": "t"})
    assert (answer.status, answer.data["error"]) == (403, "this server carries out approved plans only")
    cookie = log_in(strict_server)
    page = read(strict_server, "/machines/SN001", cookie)
    fields = {"form_token": form_token(page), "template": "t", "mode": "apply"}
    assert send(strict_server, "/machines/SN001/jobs", cookie, **fields)[0] == 403
    assert strict_server.operate("POST", f"/jobs/{planned}/approve")["state"] == "queued"


def test_the_newest_state_of_a_machine_is_kept_and_its_template_offered(
    server: Running, agent: Agent
) -> None:
    assert "there is no saved state" in server.refuse("GET", "/machines/SN001/state").data["error"]
    server.operate("PUT", "/secrets/pw", {"value": "very-secret"})
    server.put_template("s", "name: s\noob: {users: [{name: ops, password: {secret: pw}}]}\n")
    job = server.create_job(template="s", mode="plan")
    agent.order()
    saved = {
        "saved_at": "2026-01-01T00:00:00Z",
        "states": {"oob.ipmi": {"note": "very-secret"}},
        "template": {"name": "golden-SN001"},
        "notes": ["store the secret"],
    }
    agent.report(job["id"], state="planned", saved=saved)
    kept = server.operate("GET", "/machines/SN001/state")
    assert kept["states"] == {"oob.ipmi": {"note": "********"}}
    exported = server.operate("GET", "/machines/SN001/template")
    assert (exported["template"], exported["notes"]) == ({"name": "golden-SN001"}, ["store the secret"])
    assert "saved" not in server.job(job["id"])["report"]
    agent.report(None, saved={"states": {"x": "y" * 5_000_000}})
    assert server.operate("GET", "/machines/SN001/state") == kept, "too large: the last good one stays"


def test_a_password_that_is_a_name_too_stays_a_name_in_the_saved_state(server: Running, agent: Agent) -> None:
    server.operate("PUT", "/secrets/pw", {"value": "ADMIN"})
    server.put_template("s", "name: s\noob: {users: [{name: ADMIN, password: {secret: pw}}]}\n")
    job = server.create_job(template="s", mode="plan")
    agent.order()
    users = [{"slot": 2, "name": "ADMIN", "note": "ADMIN is its password"}]
    said = {
        "saved_at": "2026-01-01T00:00:00Z",
        "states": {"oob.ipmi": {"users": users}},
        "unread": {"bios.sum": "sum: ADMIN was refused"},
        "template": {"name": "golden-SN001", "oob": {"users": [{"name": "ADMIN"}]}},
        "notes": ["ADMIN has no role"],
    }
    agent.report(job["id"], state="planned", saved=said)
    kept = server.operate("GET", "/machines/SN001/state")
    masked = {"slot": 2, "name": "ADMIN", "note": "******** is its password"}
    assert kept["states"] == {"oob.ipmi": {"users": [masked]}}
    assert kept["unread"] == {"bios.sum": "sum: ******** was refused"}
    exported = server.operate("GET", "/machines/SN001/template")
    assert (exported["template"], exported["notes"]) == (said["template"], ["******** has no role"])
