"""Whoever knows a machine's serial number gets nothing of its job by Cloudboot v1, and does nothing to it: by default
v1 is for confirmed machines with a job, for the address that asked first, and for installers with the job's token."""

import re
from typing import Any

import pytest
from serving import INVENTORY, Agent, Running
from sqlalchemy import select
from v1_agent import Installer, V1Agent

from bootos.server.store.table import Boot, Job

OWN, OTHER, THIRD = "127.0.0.1", "127.0.0.66", "127.0.0.67"
FILE = "01-52-54-00-00-00-02"
PASSWORD = "calvin99"
SCRIPTS = f"""
name: t
scripts:
  - {{name: OOB, scripts: [{{name: user, script: "echo oob.sh -u root -p {PASSWORD} >/dev/null"}}]}}
"""
ANSWER = "rootpw --iscrypted $6$salt$hash"
CONTENT = "LABEL a\nAPPEND ks={server}/api/osinstall/v1/device/getSystemBySn?sn={sn} hostname={hostname}"


@pytest.fixture
def server(default_server: Running) -> Running:
    """A server with the policy that is there when nobody says another."""
    default_server.operate("POST", "/support", {"vendor": "*", "product": "*"})
    default_server.operate("PUT", "/pxe-templates/p", {"content": CONTENT, "answer": ANSWER})
    default_server.put_template("t", SCRIPTS)
    return default_server


def confirm(server: Running, sn: str = "SN001") -> None:
    """An operator has said that this is the machine."""
    server.operate("POST", "/confirm", [{"machine": sn}])


def boot(server: Running, **more: Any) -> V1Agent:
    """A confirmed machine whose v1 agent waits for a job."""
    agent = V1Agent(server.url, **more)
    agent.boot()
    confirm(server, agent.sn)
    return agent


def install(server: Running) -> V1Agent:
    """Such a machine, whose installer is at work."""
    agent = boot(server)
    server.create_job(pxe="p")
    assert agent.carry_out()
    assert server.job(1)["state"] == "installing"
    return agent


def read_token(server: Running) -> str:
    """What the machine's PXE file says."""
    found = re.search(r"token=([0-9a-f]+)", (server.pxe_directory / FILE).read_text())
    assert found is not None
    return found[1]


def send_all(agent: V1Agent) -> list[str]:
    """What a v1 client can send, in every order that does something; the scripts that it was given."""
    given = []
    for _ in range(2):
        assert not agent.poll()
        agent.post("device/getPrepareInstallInfo", {"Sn": agent.sn, "Company": "x", "ModelName": "y"})
        said = agent.post("device/getHardwareBySn", {"Sn": agent.sn})
        given += [str(said["Content"])] if said["Status"] == "success" else []
        assert agent.post("report/deviceMacInfo", {"Sn": agent.sn, "Mac": agent.mac})["Status"] == "error"
        for progress in (0.1, 0.5, 0.6, 0.99, 1, -1):
            assert agent.report(progress, "forged", "forged")["Status"] == "error", progress
        agent.boot()
    return given


def read_log(server: Running) -> str:
    return "\n".join(line["text"] for line in server.operate("GET", "/jobs/1/log"))


def check_untouched(server: Running, state: str) -> None:
    job = server.job(1)
    assert (job["state"], job["attempt"]) == (state, 0 if state == "queued" else 1)
    assert "forged" not in read_log(server)


def test_a_machine_that_nobody_confirmed_gets_no_order_and_is_shown_as_new(server: Running) -> None:
    agent = V1Agent(server.url)
    agent.boot()
    server.create_job(pxe="p")
    assert send_all(agent) == []
    check_untouched(server, "queued")
    assert not (server.pxe_directory / FILE).exists()
    machine = server.operate("GET", "/machines/SN001")
    assert machine["product"] == "PowerEdge R740"
    confirm(server)
    assert agent.poll()
    assert agent.carry_out()


@pytest.mark.parametrize("how", ["row", "rule"])
def test_a_v1_agent_that_waits_goes_on_when_a_list_or_a_rule_comes_that_has_its_machine(
    server: Running, how: str
) -> None:
    """It tells what it is once in a boot."""
    agent = V1Agent(server.url)
    agent.boot()
    server.create_job(pxe="p")
    assert not agent.poll()
    if how == "row":
        server.operate("POST", "/import", [{"sn": "SN001", "mac": agent.mac}])
    else:
        server.operate("POST", "/enrol-rules", {"vendor": "Dell", "lasts": "2h"})
    assert server.operate("GET", "/machines/SN001")["confirmed_by"] == {"row": "import"}.get(how, how)
    assert agent.poll()
    assert agent.carry_out()


def test_who_knows_a_serial_number_alone_marks_no_job_failed_or_done(server: Running) -> None:
    agent = boot(server)
    server.create_job(pxe="p")
    assert agent.poll()
    assert send_all(V1Agent(server.url, source=OTHER)) == []
    check_untouched(server, "queued")
    assert agent.carry_out()
    assert send_all(V1Agent(server.url, source=OTHER)) == []
    check_untouched(server, "installing")
    assert server.job(1)["progress"] == 0.5
    Installer(server.url).install()
    assert server.job(1)["state"] == "done"


def test_scripts_with_passwords_go_to_the_address_that_asked_first(server: Running) -> None:
    agent = boot(server)
    server.create_job()
    assert agent.poll()
    said = V1Agent(server.url, source=OTHER).post("device/getHardwareBySn", {"Sn": "SN001"})
    assert (said["Status"], PASSWORD in str(said)) == ("error", False)
    assert agent.carry_out()
    assert OWN in read_log(server)


def test_another_address_does_not_take_a_machine_over_while_its_agent_is_heard(server: Running) -> None:
    """It asks before the machine does, between two of its polls."""
    agent = boot(server)
    server.create_job()
    thief = V1Agent(server.url, source=OTHER)
    thief.boot()
    assert not thief.poll()
    assert thief.post("device/getHardwareBySn", {"Sn": "SN001"})["Status"] == "error"
    assert server.operate("GET", "/machines/SN001")["refused_claims"] != []
    assert agent.poll()
    assert agent.carry_out()
    assert agent.scripts != []


def test_a_confirmed_machine_is_not_described_anew_from_another_address(server: Running) -> None:
    boot(server)
    before = server.operate("GET", "/machines/SN001")
    thief = V1Agent(server.url, mac="52:54:00:00:00:66", source=OTHER)
    thief.model = "forged"
    thief.boot()
    after = server.operate("GET", "/machines/SN001")
    for name in ("product", "address", "macs", "inventory"):
        assert after[name] == before[name], name


def test_a_machine_whose_agent_speaks_v2_is_not_taken_over_by_v1_while_it_is_away(server: Running) -> None:
    agent = Agent(server)
    assert agent.register().status == 200
    confirm(server)
    server.create_job(pxe="p")
    with server.context.store.write() as session:
        session.scalars(select(Boot)).one().closing = True  # it reboots
    assert send_all(V1Agent(server.url, source=OTHER)) == []
    check_untouched(server, "queued")
    assert server.operate("GET", "/machines/SN001")["product"] == "Standard PC (Q35)"


def release(server: Running) -> None:
    server.operate("POST", "/machines/SN001/release", {})


def test_a_machine_that_was_taken_from_a_v1_agent_does_not_belong_to_its_address_any_more(
    server: Running,
) -> None:
    """Somebody asked first, and the operator saw it."""
    boot(server)
    server.context.legacy_presence.let_go(1)
    server.create_job(pxe="p")
    thief, agent = V1Agent(server.url, source=OTHER), V1Agent(server.url)
    assert thief.poll()
    assert not agent.poll()
    release(server)
    assert server.context.legacy_presence.bar_left_s(1, OTHER) > 0
    assert send_all(thief) == []
    check_untouched(server, "queued")
    assert f"took the machine from the client at {OTHER}" in read_log(server)
    assert agent.poll()
    assert not thief.poll()
    assert agent.carry_out()
    assert server.operate("GET", "/machines/SN001")["refused_claims"] != []


def test_a_released_machine_whose_address_has_changed_goes_on_with_its_job(server: Running) -> None:
    agent = boot(server)
    server.create_job(pxe="p")
    assert agent.poll()
    moved = V1Agent(server.url, source=OTHER)
    assert not moved.poll()
    release(server)
    assert moved.poll()
    assert moved.carry_out()
    assert server.job(1)["state"] == "installing"


def test_after_a_release_the_address_of_the_agent_reads_no_answer_file(server: Running) -> None:
    install(server)
    token = read_token(server)
    release(server)
    agent, installer = Installer(server.url), Installer(server.url, source=OTHER)
    assert agent.read("getSystemBySn") == ""
    assert agent.report(0.7, "forged", "")["Status"] == "error"
    assert installer.read("getSystemBySn", f"&token={token}") == ANSWER
    installer.install()
    assert server.job(1)["state"] == "done"


def test_a_client_of_v2_at_another_address_does_not_take_a_machine_from_its_v1_agent(server: Running) -> None:
    """Of which no more is known than its MACs."""
    agent = boot(server, source=OTHER)
    server.create_job()
    thief = Agent(server)
    refused = thief.register()
    assert (refused.status, refused.data["retry_after_s"] > 0) == (409, True)
    assert server.operate("GET", "/machines/SN001")["refused_claims"] != []
    assert agent.poll()
    assert agent.carry_out()


@pytest.mark.parametrize("source", [OWN, OTHER])
def test_a_machine_that_boots_another_image_speaks_v2(server: Running, source: str) -> None:
    """At once from the same address, else when its last agent has been silent for a while."""
    boot(server, source=source)
    if source != OWN:
        server.context.legacy_presence.let_go(1)
    assert Agent(server).register().status == 200
    assert server.operate("GET", "/machines/SN001")["protocol"] == 2


def test_a_clone_that_speaks_v2_keeps_no_v1_agent_out(server: Running) -> None:
    agent = boot(server)
    server.create_job(pxe="p")
    server.context.legacy_presence.let_go(1)
    nics = [{"name": "eth0", "mac": "52:54:00:00:00:66"}]
    clone = Agent(server, inventory={**INVENTORY, "nics": nics})
    assert clone.register().status == 200
    assert server.operate("GET", "/machines/SN001")["state"] == "doubted"
    assert clone.order() is None
    agent.boot()
    assert server.operate("GET", "/machines/SN001")["doubt"] == ""
    assert clone.call("GET", "/order?wait_s=0").status == 401
    assert agent.poll()
    assert agent.carry_out()
    assert server.job(1)["state"] == "installing"


@pytest.mark.parametrize("call", ["getSystemBySn", "getNetworkBySn"])
def test_nothing_of_a_queued_machine_is_read(server: Running, call: str) -> None:
    agent = boot(server)
    server.operate("PATCH", "/machines/SN001/settings", {"hostname": "h1", "address": "10.0.0.5/24"})
    server.create_job(pxe="p")
    assert agent.poll()
    for source in (OWN, OTHER):
        installer = Installer(server.url, source=source)
        for more in ("&type=raw", "&token=", f"&token={'0' * 32}"):
            assert installer.read(call, more) == ""
        assert "record not found" in installer.read(call, "&type=json")


def test_an_installer_is_known_by_its_token_or_its_address(server: Running) -> None:
    install(server)
    token = read_token(server)
    other = Installer(server.url, source=OTHER)
    assert other.read("getSystemBySn") == ""
    assert other.read("getSystemBySn", f"&token={token[:-1]}") == ""
    assert other.report(0.7, "forged", "")["Status"] == "error"
    assert Installer(server.url).read("getSystemBySn") == ANSWER
    assert other.read("getSystemBySn", f"&token={token}") == ANSWER
    # its answer file calls on without the token, from where the token came from
    assert other.read("getNetworkBySn").startswith("HWADDR=")
    assert other.report(0.7, "partition", "")["Status"] == "success"
    assert Installer(server.url, source=THIRD).report(0.8, "forged", "")["Status"] == "error"
    Installer(server.url).install()
    assert server.job(1)["state"] == "done"
    for installer in (other, Installer(server.url)):
        assert installer.read("getSystemBySn", f"&token={token}") == ""


def test_an_installer_with_the_address_that_the_operator_set_is_known(server: Running) -> None:
    server.operate("PATCH", "/machines/SN001/settings", {"address": THIRD + "/8"})
    install(server)
    Installer(server.url, source=THIRD).install()
    assert server.job(1)["state"] == "done"


def test_the_installer_of_a_v2_job_is_known_as_well(server: Running) -> None:
    agent = Agent(server)
    agent.register()
    confirm(server)
    number = server.create_job(pxe="p")["id"]
    assert agent.order() is not None
    assert agent.upload_mac(number).status == 200
    assert agent.report(number, state="succeeded").status == 200
    assert server.job(number)["state"] == "installing"
    assert Installer(server.url, source=OTHER).report(1, "forged", "")["Status"] == "error"
    token = read_token(server)
    assert Installer(server.url, source=OTHER).read("getSystemBySn", f"&token={token}") == ANSWER
    Installer(server.url).install()
    assert server.job(number)["state"] == "done"


def test_a_token_is_of_one_job_and_cannot_be_guessed(server: Running) -> None:
    install(server)
    first = read_token(server)
    assert len(first) == 32
    server.operate("POST", "/jobs/1/cancel")
    assert not (server.pxe_directory / FILE).exists()
    with server.context.store.read() as session:
        assert session.get_one(Job, 1).token == ""
    server.create_job(pxe="p")
    agent = V1Agent(server.url)
    assert agent.carry_out()
    assert read_token(server) != first
    assert Installer(server.url, source=OTHER).read("getSystemBySn", f"&token={first}") == ""


def test_the_device_row_is_read_by_who_works_on_its_job(server: Running) -> None:
    install(server)
    assert "installing" in Installer(server.url).read("getDeviceBySn")
    said = Installer(server.url, source=OTHER).read("getDeviceBySn")
    assert "SN001" not in said
    assert "设备不存在!" in said


def test_scripts_that_changed_after_they_were_approved_are_not_sent(server: Running) -> None:
    agent = boot(server)
    server.create_job()
    with server.context.store.write() as session:
        job = session.get_one(Job, 1)
        changed = job.template["scripts"][0]["scripts"][0]["script"] + "; echo forged"
        job.template = {
            **job.template,
            "scripts": [{"name": "OOB", "scripts": [{"name": "user", "script": changed}]}],
        }
    assert agent.poll()
    said = agent.post("device/getHardwareBySn", {"Sn": "SN001"})
    assert said["Status"] == "error"
    assert "OOB - user" in said["Message"]
    assert server.job(1)["state"] == "refused"
    assert "not the one that was approved" in server.job(1)["message"]


def test_progress_goes_forward_only(server: Running) -> None:
    agent = install(server)
    agent.report(0.9, "on", "")
    agent.report(0.2, "back", "")
    assert (server.job(1)["state"], server.job(1)["progress"]) == ("installing", 0.9)
    assert agent.post("device/getHardwareBySn", {"Sn": "SN001"})["Status"] == "error"
    assert not agent.poll()


def test_scripts_that_changed_after_they_were_looked_at_make_no_job(server: Running) -> None:
    boot(server)
    body = {"machine": "SN001", "template": "t"}
    seen = server.operate("POST", "/jobs/scripts", body)
    assert [(script["group"], script["name"]) for script in seen["scripts"]] == [("OOB", "user")]
    assert PASSWORD not in str(seen)
    server.put_template("t", SCRIPTS.replace("echo", "forged"))
    answer = server.refuse("POST", "/jobs", {**body, "scripts_sha256": seen["sha256"]})
    assert answer.status == 409
    assert "not those that were approved" in answer.data["error"]
    server.put_template("t", SCRIPTS)
    job = server.create_job(scripts_sha256=seen["sha256"])
    assert job["scripts_sha256"] == seen["sha256"]
    assert [script["sha256"] for script in job["scripts"]] == [script["sha256"] for script in seen["scripts"]]
