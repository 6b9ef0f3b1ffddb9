"""Two clients with one identity: the second gets nothing and is shown."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from browsing import FORM, form_token, log_in, read
from serving import INVENTORY, Agent, Running
from typer.testing import CliRunner
from v1_agent import V1Agent

from bootos.cli import build_app
from bootos.server.store.table import Claim, read_clock

SECRET = "name: t\noob: {users: [{name: ops, password: {secret: pw}}]}\n"


def start_secret_job(server: Running) -> None:
    server.operate("PUT", "/secrets/pw", {"value": "very-secret"})
    server.put_template("t", SECRET)
    server.create_job()


def read_claims(server: Running) -> Any:
    return server.operate("GET", "/machines/SN001")["refused_claims"]


def make_silent(server: Running) -> None:
    """As if the session's agent had last been heard an hour ago."""
    server.context.presence.let_go(1)


def test_a_second_v2_client_gets_no_order_and_no_secret(server: Running, agent: Agent) -> None:
    start_secret_job(server)
    second = Agent(server, sn="sn001", boot_id="boot-2")
    answer = second.register()
    assert answer.status == 409
    assert 0 < answer.data["retry_after_s"] <= 40
    for method, path, body in (
        ("GET", "/order?wait_s=0", None),
        ("POST", "/report", {"number": 1, "boot_id": "boot-1", "job_id": "1", "state": "failed"}),
        ("POST", "/mac", {"job_id": "1", "mac": "52:54:00:00:00:02"}),
    ):
        said = second.call(method, path, body)
        assert said.status == 401
        assert "very-secret" not in str(said)
    assert agent.order()["secrets"] == {"pw": "very-secret"}
    assert server.job(1)["state"] == "running"
    assert [(claim["boot_id"], claim["count"]) for claim in read_claims(server)] == [("boot-2", 1)]


def test_a_v1_client_gets_nothing_of_a_v2_agents_machine(server: Running, agent: Agent) -> None:
    server.put_template(
        "t", "name: t\nscripts: [{name: a, scripts: [{name: b, script: 'oob.sh -p hunter2'}]}]\n"
    )
    server.create_job()
    claimant = V1Agent(server.url, developer=True)
    claimant.boot()
    assert not claimant.poll()
    for call in ("device/getPrepareInstallInfo", "device/getHardwareBySn", "report/deviceMacInfo"):
        body = {"Sn": "SN001", "Company": "x", "ModelName": "y", "Mac": claimant.mac}
        assert "hunter2" not in str(claimant.post(call, body))
    assert claimant.report(-1, "forced", "")["Status"] == "error"
    assert (server.job(1)["state"], server.operate("GET", "/machines/SN001")["vendor"]) == ("queued", "QEMU")
    assert agent.order()["job_id"] == "1"
    assert [(claim["boot_id"], claim["count"]) for claim in read_claims(server)] == [("cloudboot v1", 6)]


def test_a_claim_is_shown_everywhere_until_it_is_acknowledged(server: Running, agent: Agent) -> None:
    second = Agent(server, boot_id="boot-2")
    second.register()
    environment = {"BOOTOS_SERVER": server.operator_url, "BOOTOS_DATA": str(server.data), "COLUMNS": "200"}
    runner = CliRunner(env=environment)
    shown = runner.invoke(build_app(["machine"]), ["machine", "show", "SN001"]).output
    assert "Another client claimed this machine's identity and was refused" in shown
    assert "boot-2" in shown
    headers = log_in(server)
    assert "1 refused" in read(server, "/", headers)
    page = read(server, "/machines/SN001", headers)
    assert "Another client claimed" in page
    line = server.operate("GET", "/audit")[0]
    assert (line["action"], line["subject"], line["actor"]) == ("machine.claim", "SN001", "a client")
    form = urlencode({"form_token": form_token(page)}).encode()
    answer = server.request("POST", "/machines/SN001/acknowledge", form, {**headers, **FORM})
    assert (answer.status, answer.headers["location"]) == (303, "/machines/id:1")
    assert "Another client claimed" not in read(server, "/machines/SN001", headers)
    assert read_claims(server) == []
    second.register()
    assert [claim["count"] for claim in read_claims(server)] == [2]
    assert runner.invoke(build_app(["machine"]), ["machine", "acknowledge", "sn001"]).exit_code == 0
    assert server.operate("GET", "/machines")[0]["claims"] == 0
    actions = [row["action"] for row in server.operate("GET", "/audit")]
    assert actions == ["machine.acknowledge", "machine.claim", "machine.acknowledge", "machine.claim"]


def test_an_old_claim_is_shown_no_more(server: Running, agent: Agent) -> None:
    Agent(server, boot_id="boot-2").register()
    with server.context.store.write() as session:
        session.get_one(Claim, 1).last_at = read_clock() - timedelta(days=8)
    assert read_claims(server) == []


def test_a_client_that_claims_on_and_on_fills_neither_table_nor_audit_log(
    server: Running, agent: Agent
) -> None:
    for number in range(30):
        assert Agent(server, boot_id=f"other-{number}").register().status == 409
    assert len(read_claims(server)) == 20
    assert len(server.operate("GET", "/audit")) <= 21


def test_a_machine_that_lost_power_comes_back_by_itself_and_leaves_no_alarm(
    server: Running, agent: Agent
) -> None:
    start_secret_job(server)
    assert agent.order()["attempt"] == 1
    again = Agent(server, boot_id="boot-2")
    assert again.register().status == 409
    make_silent(server)
    assert again.register().status == 200
    assert (again.order()["attempt"], again.order()["secrets"]) == (2, {"pw": "very-secret"})
    assert agent.call("GET", "/order?wait_s=0").status == 401
    assert read_claims(server) == []


def test_the_way_back_after_a_power_cut_is_short(server: Running, agent: Agent) -> None:
    assert agent.order() is None
    left_s = Agent(server, boot_id="boot-2").register().data["retry_after_s"]
    assert left_s <= server.context.settings.session_grace_s == 40


def test_a_claim_leaves_the_machine_as_it_is(server: Running, agent: Agent) -> None:
    evil = {**INVENTORY, "system": {"vendor": "Evil", "product": "E1", "serial": "SN001"}}
    assert Agent(server, boot_id="boot-2", inventory=evil).register().status == 409
    assert server.operate("GET", "/machines/SN001")["vendor"] == "QEMU"
