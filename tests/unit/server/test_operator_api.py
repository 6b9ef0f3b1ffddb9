"""The operator's API: who may call it, what it refuses and why."""

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from serving import Agent, Running

BAD = """
name: wrong
raid:
  clear: true
  arrays:
    - {name: os, level: 5, drives: "0,1"}
    - {name: os, level: 1, drives: "x"}
nonsense: 1
"""


def test_every_call_needs_the_token(server: Running) -> None:
    for method, path in (("GET", "/machines"), ("POST", "/jobs"), ("PUT", "/secrets/x"), ("GET", "/audit")):
        assert server.call(method, "/api/operator" + path).status == 401
        assert server.call(method, "/api/operator" + path, token="x" * 43).status == 403


def test_the_files_with_secrets_are_private(server: Running) -> None:
    for name in ("operator.token", "secret.key"):
        assert stat.S_IMODE((server.data / name).stat().st_mode) == 0o600


def test_a_template_is_stored_only_when_it_is_right_and_all_mistakes_are_told(server: Running) -> None:
    answer = server.refuse("PUT", "/templates/wrong", {"text": BAD, "format": "yaml"})
    assert answer.status == 422
    paths = {problem["path"] for problem in answer.data["problems"]}
    assert {"nonsense", "raid.arrays[0].drives", "raid.arrays[1].drives"} <= paths
    assert server.operate("GET", "/templates") == []
    checked = server.operate("POST", "/templates/check", {"text": BAD, "format": "yaml"})
    assert (checked["ok"], checked["name"]) == (False, "wrong")


@pytest.mark.parametrize(
    ("text", "format"), [("{", "json"), ("a: [", "yaml"), ("= 1", "toml"), ("- 1", "yaml"), ("", "yaml")]
)
def test_what_cannot_be_parsed_is_a_problem_too(server: Running, text: str, format: str) -> None:
    checked = server.operate("POST", "/templates/check", {"text": text, "format": format})
    assert not checked["ok"]
    assert checked["problems"]


def test_a_template_has_versions_and_a_job_keeps_its_own(server: Running) -> None:
    server.put_template("t", "name: t\n")
    server.put_template("t", "name: t\n")
    assert server.operate("GET", "/templates/t")["version"] == 1
    server.create_job()
    server.put_template("t", "name: t\ndescription: newer\n")
    assert server.operate("GET", "/templates/t")["version"] == 2
    server.operate("DELETE", "/templates/t")
    job = server.job(1)
    assert (job["template_version"], job["template_text"]) == (1, "name: t\n")
    assert Agent(server).register().status == 200


def test_a_templates_own_name_counts(server: Running) -> None:
    answer = server.refuse("PUT", "/templates/other", {"text": "name: t\n", "format": "yaml"})
    assert answer.data["problems"][0]["path"] == "name"


def test_a_job_may_wait_for_a_machine_that_was_never_seen(server: Running) -> None:
    server.put_template()
    assert server.create_job(machine="NEW-1")["state"] == "queued"
    assert server.operate("GET", "/machines/new-1")["state"] == "expected"
    agent = Agent(server, sn="new-1")
    agent.register()
    assert agent.order()["job_id"] == "1"


def test_a_second_active_job_is_refused_clearly(server: Running) -> None:
    server.put_template()
    server.create_job()
    answer = server.refuse("POST", "/jobs", {"machine": "sn001", "template": "t"})
    assert answer.status == 409
    assert "job 1 is queued" in answer.data["error"]
    assert "bootos job cancel 1" in answer.data["hint"]


@pytest.mark.parametrize(
    "body",
    [
        {"machine": "x"},
        {"machine": "x", "template": "t", "mode": "destroy"},
        {"machine": "x", "template": "t", "surprise": 1},
        {"machine": "", "template": "t"},
        {"machine": "x", "template": "none"},
        {"machine": "x", "template": "t", "pxe": "none"},
    ],
)
def test_a_job_that_cannot_be_is_refused_and_enrols_nothing(server: Running, body: Any) -> None:
    server.put_template()
    assert server.refuse("POST", "/jobs", body).data["error"]
    assert server.operate("GET", "/machines") == []


def test_missing_settings_for_script_placeholders_are_a_problem(server: Running) -> None:
    server.put_template(
        "t", "name: t\nscripts: [{name: a, scripts: [{name: b, script: 'x <{manage_ip}>'}]}]\n"
    )
    answer = server.refuse("POST", "/jobs", {"machine": "SN001", "template": "t"})
    assert "manage_ip" in answer.data["problems"][0]["message"]


def test_a_password_that_is_written_out_is_not_stored(server: Running) -> None:
    users = "[{name: a, password: {secret: x}}, {name: b, password: hunter2}]"
    answer = server.refuse(
        "PUT", "/templates/t", {"text": f"name: t\noob: {{users: {users}}}\n", "format": "yaml"}
    )
    assert [problem["path"] for problem in answer.data["problems"]] == ["oob.users[1].password"]
    assert "hunter2" not in str(answer.data)


def test_pxe_templates_are_checked(server: Running) -> None:
    answer = server.refuse("PUT", "/pxe-templates/p", {"content": "APPEND {serial} ${variable}"})
    assert [problem["message"] for problem in answer.data["problems"]] == ["{serial} is no placeholder"]
    assert server.refuse("PUT", "/pxe-templates/p", {"content": " "}).status == 422
    assert server.refuse("PUT", "/pxe-templates/..%2fx", {"content": "x"}).status >= 400


def test_support_list_lines_come_and_go(server: Running) -> None:
    line = server.operate("POST", "/support", {"vendor": " Dell  Inc. ", "product": "R7*"})
    assert line["vendor"] == "Dell Inc."
    assert server.refuse("POST", "/support", {"vendor": "Dell Inc.", "product": "R7*"}).status == 409
    assert server.refuse("POST", "/support", {"vendor": "", "product": "*"}).status == 422
    server.operate("DELETE", f"/support/{line['id']}")
    assert server.operate("GET", "/support") == []
    assert server.refuse("DELETE", "/support/99").status == 404


def test_secret_values_are_never_returned(server: Running) -> None:
    server.operate("PUT", "/secrets/a", {"value": "very-secret"})
    assert [row["name"] for row in server.operate("GET", "/secrets")] == ["a"]
    assert server.call("GET", "/api/operator/secrets/a", token=server.context.operator_token).status == 405
    assert "very-secret" not in str(server.operate("GET", "/audit"))
    server.operate("DELETE", "/secrets/a")
    assert server.operate("GET", "/secrets") == []


def test_deleting_a_machine_removes_its_jobs_and_pxe_file(server: Running) -> None:
    server.put_template()
    server.operate("PUT", "/pxe-templates/p", {"content": "x"})
    server.create_job(pxe="p")
    agent = Agent(server)
    agent.register()
    order = agent.order()
    assert agent.upload_mac(order["job_id"]).data["pxe_file"]
    server.operate("DELETE", "/machines/SN001")
    assert [path.name for path in server.pxe_directory.iterdir()] == ["default"]
    assert agent.call("GET", "/order").status == 401
    assert server.operate("GET", "/jobs") == []
    assert Agent(server, boot_id="again").register().status == 200


def test_every_change_is_in_the_audit_log(server: Running) -> None:
    server.put_template()
    server.create_job()
    server.operate("POST", "/jobs/1/cancel")
    actions = [row["action"] for row in server.operate("GET", "/audit")]
    assert actions == ["job.cancel", "job.create", "template.put"]


def test_the_events_of_a_job_end_with_it(server: Running) -> None:
    server.put_template()
    server.create_job()
    server.operate("POST", "/jobs/1/cancel")
    token = {"Authorization": f"Bearer {server.context.operator_token}"}
    text = server.request("GET", "/api/operator/jobs/1/events", headers=token).data.decode()
    events = [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]
    assert events[-2:] == ["job", "end"]
    assert events.count("line") == len(server.operate("GET", "/jobs/1/log"))
    later = server.request("GET", "/api/operator/jobs/1/events?after=999", headers=token).data.decode()
    assert "event: line" not in later


def test_jobs_can_be_listed_by_machine_and_state(server: Running) -> None:
    server.put_template()
    server.create_job(machine="A")
    server.create_job(machine="B")
    server.operate("POST", "/jobs/1/cancel")
    assert [job["sn"] for job in server.operate("GET", "/jobs?state=queued")] == ["B"]
    assert [job["id"] for job in server.operate("GET", "/jobs?machine=a")] == [1]
    assert server.operate("GET", "/jobs?machine=B&state=cancelled") == []


def test_the_api_describes_itself(server: Running) -> None:
    assert "/api/operator/jobs" in json.loads(server.call("GET", "/schema/openapi.json").data)["paths"]


def test_the_page_of_the_api_has_each_call_of_the_operator_and_no_other(server: Running) -> None:
    prefix = "/api/operator"
    served = {
        (
            method.upper(),
            re.sub(r"\{\w+\}", "X", path.removeprefix(prefix)),
            frozenset(part["name"] for part in call.get("parameters", ()) if part["in"] == "query"),
        )
        for path, methods in json.loads(server.call("GET", "/schema/openapi.json").data)["paths"].items()
        for method, call in methods.items()
        if path.startswith(prefix)
    }
    page = (Path(__file__).parents[3] / "docs/api.md").read_text()
    told = set()
    for cell in re.findall(
        r"^\| (`.*?`) \|", page.partition("## Operator API")[2].partition("\n## ")[0], re.M
    ):
        methods: list[str] = []
        for method, path, query in re.findall(
            r"\b(GET|POST|PUT|PATCH|DELETE)\b|(/[\w/.-]+)(?:\?([\w=&]+))?", cell
        ):
            if method:
                methods.append(method)
            else:
                names = frozenset(re.findall(r"(\w+)=", query))
                told |= {(each, re.sub(r"/[A-Z]+\b", "/X", path), names) for each in methods}
                methods = []
    assert served - told == set()
    assert told - served == set()


@pytest.mark.parametrize(
    ("driver", "problems", "notes"),
    [
        ("raid.mdadm", [], []),
        ("bios.racadm", [("raid.driver", "'bios.racadm' is no driver for raid")], []),
        ("raid.megarad", [], [("raid.driver", "no driver of BootOS is called 'raid.megarad'")]),
    ],
)
def test_a_named_driver_is_judged_as_far_as_the_server_knows_drivers(
    server: Running, driver: str, problems: list[tuple[str, str]], notes: list[tuple[str, str]]
) -> None:
    text = f"name: t\nraid: {{clear: true, driver: {driver}}}\n"
    checked = server.operate("POST", "/templates/check", {"text": text})
    for found, wanted in ((checked["problems"], problems), (checked["notes"], notes)):
        assert [(item["path"], item["message"].partition(":")[0]) for item in found] == wanted
        assert all("known: raid.mdadm, raid.megaraid" in item["hint"] for item in found)
    assert checked["ok"] is not bool(problems)


def test_a_job_with_a_driver_that_the_server_does_not_know_says_so_in_its_log(server: Running) -> None:
    agent = Agent(server, drivers=["raid.acme"])
    agent.register()
    for name, is_said in (("raid.acme", False), ("raid.megarad", True)):
        server.put_template(name, f"name: {name}\nraid: {{clear: true, driver: {name}}}\n")
        job = server.create_job(template=name)
        log = server.request(
            "GET",
            f"/api/operator/jobs/{job['id']}/log.txt",
            headers={"Authorization": f"Bearer {server.context.operator_token}"},
        ).data.decode()
        assert ("raid.driver: no driver of BootOS is called" in log) is is_said
        server.operate("POST", f"/jobs/{job['id']}/cancel")


def test_a_driver_that_a_machines_value_names_is_looked_at_when_the_job_is_made(server: Running) -> None:
    Agent(server).register()
    text = "name: t\nvariables: {card: bios.racadm}\nraid: {clear: true, driver: '<{card}>'}\n"
    server.put_template("t", text)
    answer = server.refuse("POST", "/jobs", {"machine": "SN001", "template": "t"})
    assert "raid.driver" in str(answer.data)
