"""The agent's API, over HTTP."""

import json
import re
import stat
import threading
from datetime import timedelta
from typing import Any

import pytest
from serving import INVENTORY, Agent, Running
from sqlalchemy import select

from bootos.server.store.table import Claim, Machine
from bootos.waiting import wait_for

PXE = "DEFAULT a\r\nLABEL a\r\nKERNEL {server}/x\r\nAPPEND sn={sn} mac={mac} keep={this-one} sn={sn}\r\n"
FILE = "01-52-54-00-00-00-02"


def run_job(server: Running, agent: Agent, **more: Any) -> Any:
    server.put_template()
    job = server.create_job(**more)
    order = agent.order()
    assert order["job_id"] == str(job["id"])
    return order


def test_greets_without_a_session(server: Running) -> None:
    answer = server.call("GET", "/api/v2/agent/")
    assert answer.data["protocol"] == 2
    assert server.call("GET", "/api/v2/agent").status == 200


def test_unknown_fields_of_a_newer_agent_are_ignored(server: Running) -> None:
    assert Agent(server, later="x", inventory={**INVENTORY, "later": 1}).register().status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"sn": "x"}',
        b'{"sn": 1, "boot_id": "b", "agent_version": "", "inventory": {}}',
    ],
)
def test_a_malformed_registration_is_refused_in_words(server: Running, body: bytes) -> None:
    answer = server.call("POST", "/api/v2/agent/register", body)
    assert answer.status == 400
    assert answer.data["error"]


@pytest.mark.parametrize("sn", ["", "   ", "a\nb", "x" * 200])
def test_an_unusable_serial_number_is_refused(server: Running, sn: str) -> None:
    assert Agent(server, sn=sn).register().status == 422


def test_a_body_that_is_too_large_is_refused(server: Running) -> None:
    answer = server.call("POST", "/api/v2/agent/register", b'"' + b"x" * (9 * 1024 * 1024) + b'"')
    assert answer.status == 413


def test_calls_without_a_session_are_told_to_register(server: Running) -> None:
    for method, path, body in (
        ("GET", "/order", None),
        ("POST", "/report", {"number": 1, "boot_id": "b"}),
        ("POST", "/mac", {"job_id": "1", "mac": "52:54:00:00:00:02"}),
    ):
        answer = server.call(method, "/api/v2/agent" + path, body, "wrong")
        assert answer.status == 401
        assert answer.data["hint"] == "register again"


def test_an_order_reaches_a_waiting_agent_at_once(server: Running, agent: Agent) -> None:
    server.put_template()
    got: list[Any] = []
    waiter = threading.Thread(target=lambda: got.append(agent.order(20)))
    waiter.start()
    wait_until(server.context.presence.count_polls)
    server.create_job()
    waiter.join(10)  # the poll itself would end after 20 s
    assert [order["template"] for order in got] == [{"name": "t"}]


def test_a_poll_without_work_waits_and_ends_with_204(server: Running, agent: Agent) -> None:
    got: list[Any] = []
    waiter = threading.Thread(target=lambda: got.append(agent.order(1)))
    waiter.start()
    wait_until(server.context.presence.count_polls)
    waiter.join(20)
    assert got == [None]


def test_the_same_session_gets_the_same_order_again(server: Running, agent: Agent) -> None:
    first = run_job(server, agent)
    assert agent.order() == first
    assert first["attempt"] == 1


def test_a_new_boot_gets_the_order_again_with_the_next_attempt(server: Running, agent: Agent) -> None:
    first = run_job(server, agent)
    make_silent(server)
    second = Agent(server, boot_id="boot-2")
    assert second.register().status == 200
    order = second.order()
    assert (order["job_id"], order["attempt"]) == (first["job_id"], 2)
    assert agent.call("GET", "/order").status == 401
    assert server.job(1)["attempt"] == 2


def test_an_agent_that_was_started_again_in_the_same_boot_gets_the_next_attempt(
    server: Running, agent: Agent
) -> None:
    run_job(server, agent)
    assert agent.register().status == 200
    assert agent.order()["attempt"] == 2


def test_a_second_claim_of_an_identity_is_told_on_the_page_of_health(server: Running, agent: Agent) -> None:
    with server.context.store.write() as session:
        session.get_one(Machine, 1).address = "10.9.9.9"  # where the one is that holds it
    assert Agent(server, boot_id="another").register().status == 409
    health = server.operate("GET", "/health")
    assert health["counts"] == {"identity": 1}
    assert "was not taken for SN001" in health["sentences"][0]["detail"]


def test_a_machine_that_returns_to_itself_after_a_power_cut_is_no_sentence_of_health(
    server: Running, agent: Agent
) -> None:
    again = Agent(server, boot_id="boot-2")
    assert (again.register().status, again.register().status) == (409, 409)
    make_silent(server)
    assert again.register().status == 200
    assert server.operate("GET", "/health") == {"counts": {}, "sentences": []}


def test_a_claim_from_the_same_address_that_goes_on_while_the_holder_is_heard_is_told(
    server: Running, agent: Agent
) -> None:
    second = Agent(server, boot_id="boot-2")
    assert second.register().status == 409
    with server.context.store.write() as session:
        claim = session.scalars(select(Claim)).one()
        claim.first_at -= timedelta(seconds=server.context.settings.session_grace_s + 1)
    assert second.register().status == 409
    assert server.operate("GET", "/health")["counts"] == {"identity": 1}


def test_a_second_claim_of_an_identity_is_refused_and_shown(server: Running, agent: Agent) -> None:
    second = Agent(server, sn="sn001", boot_id="boot-2")
    for _ in range(2):
        answer = second.register()
        assert answer.status == 409
        assert 0 < answer.data["retry_after_s"] <= 40
        assert answer.headers["retry-after"]
    machine = server.operate("GET", "/machines/SN001")
    assert [claim["count"] for claim in machine["refused_claims"]] == [2]
    assert agent.order() is None


def test_an_agent_that_reboots_after_its_job_may_come_back_at_once(server: Running, agent: Agent) -> None:
    order = run_job(server, agent)
    assert agent.report(order["job_id"], state="succeeded").status == 200
    assert Agent(server, boot_id="boot-2").register().status == 200


def test_a_job_runs_to_its_end(server: Running, agent: Agent) -> None:
    server.operate("PUT", "/pxe-templates/p", {"content": PXE})
    order = run_job(server, agent, pxe="p")
    steps = [{"id": "plan", "title": "plan", "state": "running"}]
    assert agent.report(order["job_id"], steps=steps).data == {"number": 1, "log_next": 0, "cancel": False}
    assert agent.upload_mac(order["job_id"]).data == {"pxe_file": FILE}
    assert agent.upload_mac(order["job_id"], "52-54-00-00-00-02").data == {"pxe_file": FILE}
    file = server.pxe_directory / FILE
    assert (
        file.read_bytes()
        == (
            f"DEFAULT a\nLABEL a\nKERNEL {server.url}/x\n"
            "APPEND sn=SN001 mac=52:54:00:00:00:02 keep={this-one} sn=SN001"
        ).encode()
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert [path.name for path in server.pxe_directory.iterdir() if "tmp" in path.name] == []
    agent.report(order["job_id"], state="succeeded", steps=steps, inventory=INVENTORY)
    assert server.job(1)["state"] == "installing"
    assert file.exists()
    assert agent.order() is None
    report = {"Sn": "sn001", "Title": "finished", "InstallProgress": 1}
    assert (
        server.call("POST", "/api/osinstall/v1/report/deviceInstallInfo", report).data["Status"] == "success"
    )
    job = server.job(1)
    assert (job["state"], job["message"], job["progress"]) == ("done", "finished", 1)
    assert not file.exists()


def test_a_job_without_a_pxe_template_is_done_when_the_agent_is(server: Running, agent: Agent) -> None:
    order = run_job(server, agent)
    assert agent.upload_mac(order["job_id"]).data == {"pxe_file": ""}
    agent.report(order["job_id"], state="succeeded", message="all steps done")
    job = server.job(1)
    assert (job["state"], job["message"]) == ("done", "all steps done")


def test_a_system_that_does_not_report_keeps_its_pxe_file_until_the_next_job(
    server: Running, agent: Agent
) -> None:
    server.operate("PUT", "/pxe-templates/p", {"content": PXE, "reports": False})
    order = run_job(server, agent, pxe="p")
    agent.upload_mac(order["job_id"])
    agent.report(order["job_id"], state="succeeded")
    assert server.job(1)["state"] == "done"
    assert (server.pxe_directory / FILE).exists()
    server.create_job()
    assert not (server.pxe_directory / FILE).exists()


@pytest.mark.parametrize(("state", "ended"), [("failed", "failed"), ("refused", "refused")])
def test_a_job_that_ends_badly_leaves_no_pxe_file(
    server: Running, agent: Agent, state: str, ended: str
) -> None:
    server.operate("PUT", "/pxe-templates/p", {"content": PXE})
    order = run_job(server, agent, pxe="p")
    agent.upload_mac(order["job_id"])
    agent.report(order["job_id"], state=state, message="no", problems=[{"path": "raid", "message": "why"}])
    job = server.job(1)
    assert (job["state"], job["message"]) == (ended, "no")
    assert job["report"]["problems"][0]["path"] == "raid"
    assert not (server.pxe_directory / FILE).exists()


def test_a_plan_ends_a_job_of_mode_plan_only(server: Running, agent: Agent) -> None:
    order = run_job(server, agent, mode="plan")
    assert order["mode"] == "plan"
    agent.report(order["job_id"], state="succeeded")
    assert server.job(1)["state"] == "running"
    agent.report(order["job_id"], state="planned")
    assert server.job(1)["state"] == "planned"


def test_an_older_report_changes_nothing_but_adds_its_lines(server: Running, agent: Agent) -> None:
    order = run_job(server, agent)
    agent.report(order["job_id"], number=7, steps=[{"id": "a", "title": "new"}])
    late = {"number": 3, "state": "failed", "steps": [{"id": "a", "title": "old"}]}
    answer = agent.report(order["job_id"], **late, log=[{"n": 4, "at": "t", "text": "late"}])
    assert answer.data["number"] == 3
    job = server.job(1)
    assert (job["state"], job["report"]["steps"][0]["title"]) == ("running", "new")
    assert "late" in log_texts(server, 1)


def test_terminal_reports_are_accepted_again(server: Running, agent: Agent) -> None:
    order = run_job(server, agent)
    for number in (5, 5, 6):
        assert agent.report(order["job_id"], number=number, state="failed", message="broken").status == 200
    assert server.job(1)["state"] == "failed"
    assert agent.report(order["job_id"], number=9, state="running").status == 200
    job = server.job(1)
    assert (job["state"], job["report"]["state"]) == ("failed", "failed")


def test_log_lines_are_stored_once(server: Running, agent: Agent) -> None:
    order = run_job(server, agent)
    lines = [{"n": n, "at": "2026-01-01T00:00:00Z", "text": f"line {n}"} for n in (0, 1, 5000000000)]
    assert agent.report(order["job_id"], log=lines[:2]).data["log_next"] == 2
    assert agent.report(order["job_id"], log=lines).data["log_next"] == 5000000001
    assert agent.report(order["job_id"], log=lines[1:]).data["log_next"] == 5000000001
    texts = [text for text in log_texts(server, 1) if text.startswith("line")]
    assert texts == ["line 0", "line 1", "line 5000000000"]


def test_the_report_of_another_machines_job_changes_nothing(server: Running, agent: Agent) -> None:
    order = run_job(server, agent)
    other = Agent(server, sn="OTHER", boot_id="x", inventory={"collected_at": "t"})
    other.register()
    assert other.report(order["job_id"], state="failed").status == 200
    assert server.job(1)["state"] == "running"
    assert other.upload_mac(order["job_id"], "52:54:00:00:00:09").status == 404


def test_a_mac_of_another_machine_is_refused(server: Running, agent: Agent) -> None:
    order = run_job(server, agent)
    agent.upload_mac(order["job_id"])
    other = Agent(server, sn="OTHER", boot_id="x")
    other.register()
    server.create_job(machine="OTHER")
    order = other.order()
    answer = other.upload_mac(order["job_id"])
    assert answer.status == 409
    assert "another machine" in answer.data["error"]


def test_the_mac_that_the_machine_booted_from_is_its_own_after_a_plan_too(server: Running) -> None:
    agent = Agent(server, pxe_mac="52:54:00:00:00:09")  # of a NIC that has no driver
    agent.register()
    order = run_job(server, agent, mode="plan")
    agent.report(order["job_id"], state="planned", inventory=INVENTORY)
    server.create_job()
    order = agent.order()
    assert agent.upload_mac(order["job_id"], "52:54:00:00:00:09").status == 200


def test_a_nic_that_was_taken_out_is_not_shown_after_the_next_report(server: Running, agent: Agent) -> None:
    agent.report(inventory={**INVENTORY, "nics": INVENTORY["nics"][:1]})
    shown = server.operate("GET", "/machines/SN001")["macs"]
    assert [item["mac"] for item in shown] == ["52:54:00:00:00:02"]


@pytest.mark.parametrize(
    "mac", ["", "not a mac", "../../etc/passwd", "01:00:5e:00:00:01", "00:00:00:00:00:00"]
)
def test_what_is_no_mac_address_is_refused(server: Running, agent: Agent, mac: str) -> None:
    order = run_job(server, agent)
    assert agent.upload_mac(order["job_id"], mac).status == 422


def test_no_pxe_file_is_written_for_a_job_that_is_over(server: Running, agent: Agent) -> None:
    server.operate("PUT", "/pxe-templates/p", {"content": PXE})
    order = run_job(server, agent, pxe="p")
    agent.report(order["job_id"], state="failed")
    assert agent.upload_mac(order["job_id"]).status == 409
    assert not (server.pxe_directory / FILE).exists()


def test_an_unsupported_model_is_refused_in_user_mode_and_told_how_to_proceed(server: Running) -> None:
    agent = Agent(server, developer=False)
    assert "is not in the support list" in agent.register().data["message"]
    server.put_template()
    server.create_job()
    assert agent.order() is None
    job = server.job(1)
    assert job["state"] == "refused"
    assert "bootos support add --vendor 'QEMU' --product 'Standard PC (Q35)'" in job["message"]
    assert "DEVELOPER=1" in job["message"]


def test_a_supported_model_is_configured_in_user_mode(server: Running) -> None:
    server.operate("POST", "/support", {"vendor": "qemu", "product": "standard pc*"})
    agent = Agent(server, developer=False)
    assert agent.register().data["message"] == ""
    assert run_job(server, agent)["attempt"] == 1


def test_secrets_reach_the_machine_and_nothing_else(server: Running, agent: Agent) -> None:
    text = "name: s\noob: {users: [{name: ops, password: {secret: oob-ops}}]}\n"
    server.put_template("s", text)
    refused = server.refuse("POST", "/jobs", {"machine": "SN001", "template": "s"})
    assert "oob-ops" in refused.data["problems"][0]["message"]
    server.operate("PUT", "/secrets/oob-ops", {"value": "hunter2-value"})
    server.operate("PUT", "/secrets/other", {"value": "not-for-this-one"})
    server.create_job(template="s")
    order = agent.order()
    assert order["secrets"] == {"oob-ops": "hunter2-value"}
    agent.report(
        order["job_id"],
        state="failed",
        message="ipmitool said hunter2-value",
        steps=[{"id": "x", "title": "hunter2-value"}],
        log=[{"n": 0, "at": "t", "text": "set hunter2-value"}],
    )
    shown = str([server.job(1), server.operate("GET", "/jobs/1/log"), server.operate("GET", "/secrets")])
    shown += str(server.operate("GET", "/audit"))
    assert "hunter2-value" not in shown
    assert "********" in shown
    files = [path for path in server.data.rglob("*") if path.is_file()]
    assert not [path for path in files if b"hunter2-value" in path.read_bytes()]


def test_a_running_job_that_is_cancelled_ends_when_the_agent_has_stopped(
    server: Running, agent: Agent
) -> None:
    order = run_job(server, agent)
    assert server.operate("POST", "/jobs/1/cancel")["state"] == "running"
    assert agent.report(order["job_id"]).data["cancel"] is True
    agent.report(order["job_id"], state="failed", message="stopped")
    assert server.job(1)["state"] == "cancelled"


def test_a_second_cancel_does_not_wait(server: Running, agent: Agent) -> None:
    order = run_job(server, agent)
    server.operate("POST", "/jobs/1/cancel")
    assert server.operate("POST", "/jobs/1/cancel")["state"] == "cancelled"
    assert agent.report(order["job_id"]).data["cancel"] is True
    assert server.refuse("POST", "/jobs/1/cancel").status == 409


def test_a_cancelled_job_is_not_handed_to_the_next_boot(server: Running, agent: Agent) -> None:
    run_job(server, agent)
    server.operate("POST", "/jobs/1/cancel")
    agent.register()
    assert agent.order() is None
    assert server.job(1)["state"] == "cancelled"


def test_many_machines_register_and_report_at_once(server: Running) -> None:
    server.put_template()
    count, failures = 24, []

    def work(number: int) -> None:
        nic = {"name": "eth0", "mac": f"52:54:00:00:01:{number:02x}"}
        agent = Agent(server, sn=f"M{number}", inventory={"collected_at": "t", "nics": [nic]})
        try:
            assert agent.register().status == 200
            server.create_job(machine=f"M{number}")
            order = agent.order(20)
            for n in range(5):
                line = {"n": n, "at": "t", "text": f"M{number} line {n}"}
                assert agent.report(order["job_id"], log=[line]).status == 200
            assert agent.upload_mac(order["job_id"], nic["mac"]).status == 200
            assert agent.report(order["job_id"], state="succeeded").status == 200
        except AssertionError as failure:
            failures.append((number, failure))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    jobs = server.operate("GET", "/jobs")
    assert [job["state"] for job in jobs] == ["done"] * count
    for job in jobs:
        texts = log_texts(server, job["id"])
        assert [text for text in texts if " line " in text] == [f"{job['sn']} line {n}" for n in range(5)]


def test_one_boot_registering_many_times_at_once_is_one_machine(server: Running) -> None:
    agents = [Agent(server) for _ in range(8)]
    threads = [threading.Thread(target=agent.register) for agent in agents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(server.operate("GET", "/machines")) == 1
    assert sum(agent.call("GET", "/order").status == 204 for agent in agents) == 1


def test_a_session_is_random_and_stored_only_as_a_hash(server: Running, agent: Agent) -> None:
    assert re.fullmatch(r"[\w-]{40,}", agent.session)
    files = [path for path in server.data.rglob("*") if path.is_file()]
    assert not [path for path in files if agent.session.encode() in path.read_bytes()]


def log_texts(server: Running, job: int) -> list[str]:
    return [line["text"] for line in server.operate("GET", f"/jobs/{job}/log")]


def make_silent(server: Running) -> None:
    """As if the last boot had not been heard of for an hour."""
    server.context.presence.let_go(1)


def wait_until(condition: Any, deadline_s: float = 10) -> None:
    wait_for(condition, deadline_s, what="the condition", pause_s=0.01)


def test_offers_the_layers_for_some_machines_without_a_session(server: Running) -> None:
    assert server.call("GET", "/api/v2/agent/layers").data == []
    boot_files = server.context.settings.boot_files
    boot_files.mkdir(parents=True, exist_ok=True)
    layer = {"name": "igb", "kind": "modules", "size_bytes": 5, "sha256": "ab", "kernel_release": "6.12"}
    everywhere = {**layer, "name": "tools", "pci_ids": []}
    igb = {**layer, "pci_ids": ["8086:1521"], "modules": {"igb": "5.3.2"}, "replaces": ["kernel/x/igb.ko"]}
    (boot_files / "manifest.json").write_text(json.dumps({"name": "bootos", "layers": [igb, everywhere]}))
    assert server.call("GET", "/api/v2/agent/layers").data == [
        {
            "name": "igb",
            "path": "layers/igb.squashfs",
            "size_bytes": 5,
            "sha256": "ab",
            "pci_ids": ["8086:1521"],
            "kernel_release": "6.12",
            "modules": {"igb": "5.3.2"},
        }
    ]
    (boot_files / "layers").mkdir()
    (boot_files / "layers/igb.squashfs").write_bytes(b"hsqs!")
    assert server.request("GET", "/bootos/layers/igb.squashfs").status == 200
    (boot_files / "manifest.json").write_text("{")
    assert server.call("GET", "/api/v2/agent/layers").data == []
