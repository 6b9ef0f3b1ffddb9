"""The web pages: login, forms, escaping."""

import re
from urllib.parse import urlencode

import pytest
from browsing import FORM, form_token, log_in, read, send
from serving import INVENTORY, Agent, Running

EVIL = '<script>alert("x")</script>'


@pytest.mark.parametrize(
    "path", ["/", "/machines/x", "/jobs", "/jobs/1", "/templates", "/support", "/audit", "/parts/machines"]
)
def test_pages_lead_to_the_login(server: Running, path: str) -> None:
    answer = server.request("GET", path)
    assert answer.status == 303
    assert answer.headers["location"].startswith("/login?next=")


def test_a_wrong_token_and_a_forged_cookie_open_nothing(server: Running) -> None:
    status, page = send(server, "/login", {}, token="wrong")
    assert status == 403
    assert "not the operator token" in page
    for cookie in ("9999999999.aa.bb", "x", "9999999999." + "0" * 80):
        assert server.request("GET", "/", headers={"Cookie": f"bootos_session={cookie}"}).status == 303


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_the_login_leads_nowhere_else(server: Running, target: str) -> None:
    status, location = send(server, "/login", {}, token=server.context.operator_token, next=target)
    assert (status, location) == (303, "/")


def test_all_pages_show_what_is_there_and_escape_it(server: Running) -> None:
    system = {"vendor": EVIL, "product": EVIL}
    agent = Agent(
        server, sn=EVIL.replace("/", ""), inventory={**INVENTORY, "system": system, "notes": [EVIL]}
    )
    agent.register()
    server.put_template("t", f"name: t\ndescription: '{EVIL}'\n")
    server.operate("PUT", "/pxe-templates/p", {"content": EVIL, "answer": EVIL})
    server.create_job(machine="id:1", pxe="p")
    order = agent.order()
    action = {"id": "1", "driver": EVIL, "summary": EVIL, "changes": [{"what": EVIL}], "destroys": [EVIL]}
    agent.report(
        order["job_id"],
        state="failed",
        message=EVIL,
        steps=[{"id": "a", "title": EVIL, "message": EVIL, "actions": [action]}],
        problems=[{"path": EVIL, "message": EVIL, "hint": EVIL}],
        hooks=[{"name": "PRE", "url": EVIL, "message": EVIL}],
        log=[{"n": 0, "at": "2026-01-01T00:00:00Z", "text": EVIL, "level": '"><b>'}],
    )
    headers = log_in(server)
    paths = [
        "/",
        "/machines/id:1",
        "/jobs",
        "/jobs/1",
        "/templates",
        "/templates/t",
        "/pxe-templates/p",
        "/audit",
        "/support",
    ]
    for path in [*paths, "/parts/machines", "/parts/jobs/1", f"/?{urlencode({'q': EVIL})}"]:
        page = read(server, path, headers)
        assert "<script>alert" not in page
        assert "<b>" not in page
    job = read(server, "/jobs/1", headers)
    assert job.count("&lt;script&gt;alert") >= 10
    assert "failed" in job


def test_a_job_is_made_and_cancelled_on_the_page(server: Running) -> None:
    Agent(server).register()
    server.put_template()
    headers = log_in(server)
    token = form_token(read(server, "/machines/SN001", headers))
    status, location = send(
        server, "/machines/SN001/jobs", headers, form_token=token, template="t", mode="plan", reboot="yes"
    )
    assert (status, location) == (303, "/jobs/1")
    assert (server.job(1)["mode"], server.job(1)["created_by"]) == ("plan", "web")
    status, page = send(server, "/machines/SN001/jobs", headers, form_token=token, template="t")
    assert status == 409
    assert "has an active job" in page
    assert send(server, "/jobs/1/cancel", headers, form_token=token) == (303, "/jobs/1")
    assert server.job(1)["state"] == "cancelled"


def test_hardware_configuration_can_be_skipped_on_the_page(server: Running) -> None:
    Agent(server).register()
    server.put_template()
    headers = log_in(server)
    token = form_token(read(server, "/machines/SN001", headers))
    fields = {"template": "t", "mode": "apply", "skip_hardware": "yes"}
    assert send(server, "/machines/SN001/jobs", headers, form_token=token, **fields) == (303, "/jobs/1")
    assert server.job(1)["skip_hardware"] is True
    assert "hardware skipped" in read(server, "/jobs/1", headers)


def test_a_model_is_added_on_the_page_of_a_run_in_developer_mode(server: Running) -> None:
    agent = Agent(server)
    agent.register()
    server.put_template("t", "name: t\noob: {reset: true}\n")
    server.create_job()
    order = agent.order()
    headers = log_in(server)
    assert "Add this model" not in read(server, "/jobs/1", headers)
    agent.report(order["job_id"], state="succeeded")
    page = read(server, "/jobs/1", headers)
    assert "Add this model" in page
    assert send(server, "/jobs/1/support", headers, form_token=form_token(page)) == (303, "/support")
    shown = read(server, "/support", headers)
    assert "Standard PC (Q35)" in shown
    assert "from job 1" in shown


def test_a_form_of_another_site_is_refused(server: Running) -> None:
    server.put_template()
    server.create_job()
    headers = log_in(server)
    for fields in ({}, {"form_token": "0" * 64}):
        assert send(server, "/jobs/1/cancel", headers, **fields)[0] == 403
    assert server.job(1)["state"] == "queued"


def test_the_cookie_reads_the_api_but_changes_nothing_there(server: Running) -> None:
    headers = log_in(server)
    assert server.request("GET", "/api/operator/jobs", headers=headers).status == 200
    assert server.request("DELETE", "/api/operator/machines/x", headers=headers).status == 401


def test_after_the_log_out_the_browser_has_no_cookie(server: Running) -> None:
    headers = log_in(server)
    token = form_token(read(server, "/", headers))
    answer = server.request("POST", "/logout", urlencode({"form_token": token}).encode(), {**headers, **FORM})
    assert "Max-Age=0" in answer.headers["set-cookie"]


def test_what_is_not_there_is_said_on_a_page(server: Running) -> None:
    headers = log_in(server)
    for path in ("/jobs/77", "/machines/none", "/nowhere", "/static/x.css"):
        answer = server.request("GET", path, headers=headers)
        assert answer.status == 404
        assert b"<h1>Not possible</h1>" in answer.data


def test_pages_use_nothing_from_elsewhere(server: Running) -> None:
    page = read(server, "/", log_in(server))
    assert re.findall(r'(?:src|href)="(?!/|#)', page) == []
    for name in ("style.css", "live.js"):
        text = server.request("GET", f"/static/{name}").data.decode()
        assert "http" not in text.replace("https://www.w3.org", "")
