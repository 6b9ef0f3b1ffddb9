"""Existing agents and installers against our server: the whole flow, and what hostile or unlucky ones may not do."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from browsing import read_every_page
from serving import Running, run_in_thread
from v1_agent import Installer, V1Agent

API = "/api/osinstall/v1"
FILE = "01-52-54-00-00-00-02"
SCRIPTS = """
name: t
scripts:
  - name: RAID
    scripts:
      - {name: RAID 1, script: "echo one"}
      - {name: RAID 5, script: "echo two <{manage_ip}>"}
  - {name: OOB, scripts: [{name: user, script: "echo oob.sh -u root -p calvin99 >/dev/null"}]}
  - {name: BIOS, scripts: []}
"""
FAILING = """
name: t
scripts:
  - name: OOB
    scripts:
      - {name: user, script: "SECRET_PASS=hunter22x\\necho user is root\\nset -x\\n: oob.sh -p calvin99\\nexit 3"}
"""


@pytest.fixture
def v1(server: Running) -> Running:
    """A server whose list has the double's model, with a PXE template."""
    server.operate("POST", "/support", {"vendor": "Dell", "product": "PowerEdge R7*"})
    server.operate(
        "PUT", "/pxe-templates/p", {"content": "LABEL a\r\nAPPEND sn={sn}", "answer": "answer file"}
    )
    server.put_template("t", SCRIPTS)
    settings = {
        "hostname": "h1",
        "address": "10.77.0.10/24",
        "gateway": "10.77.0.1",
        "manage_ip": "10.0.8.21",
    }
    server.operate("PATCH", "/machines/SN001/settings", settings)
    return server


def read_log(server: Running, job: int) -> str:
    return "\n".join(line["text"] for line in server.operate("GET", f"/jobs/{job}/log"))


def test_the_whole_flow_twice_in_a_row(v1: Running) -> None:
    for number in (1, 2):
        agent = V1Agent(v1.url)
        agent.boot()
        assert not agent.poll()
        v1.create_job(pxe="p")
        assert agent.poll()
        assert agent.carry_out()
        assert agent.calls[:3] == ["deviceProductInfo", "deviceInstallInfo", "isInInstallList"]
        assert [progress for progress, _ in agent.reports] == [
            0.1, 0.15, 0.2, 0.3, 0.32999999999999996, 0.32999999999999996, 0.32999999999999996,
            0.36, 0.36, 0.39, 0.4, 0.45, 0.5,
        ]  # fmt: skip
        assert agent.scripts[1] == "echo two 10.0.8.21"
        assert (v1.pxe_directory / FILE).read_text() == "LABEL a\nAPPEND sn=SN001"
        assert v1.job(number)["state"] == "installing"
        installer = Installer(v1.url)
        assert 'HOSTNAME="h1"\nIPADDR="10.77.0.10"' in installer.read("getNetworkBySn")
        assert installer.read("getSystemBySn") == "answer file"
        installer.install()
        job = v1.job(number)
        assert (job["state"], job["progress"], job["attempt"]) == ("done", 1, 1)
        assert not (v1.pxe_directory / FILE).exists()
        log = read_log(v1, number)
        assert "硬件配置结束 (40.0%)" in log
        assert "partition done" in log
        assert installer.read("getSystemBySn") == ""


def test_a_job_that_failed_can_be_queued_again_and_shows_no_password(v1: Running) -> None:
    agent = V1Agent(v1.url)
    agent.boot()
    v1.put_template("t", FAILING)
    v1.create_job(pxe="p")
    assert agent.poll()
    assert not agent.carry_out()
    job = v1.job(1)
    assert (job["state"], job["message"]) == ("failed", "初始化硬件失败")
    log = read_log(v1, 1)
    assert "exit status 3" in log
    assert "user is root" in log
    pages = read_every_page(v1.operator_url, v1.data)
    assert "/jobs/1" in pages
    assert "/templates/t" in pages
    shown = log + str(job) + str(v1.operate("GET", "/machines/SN001")) + "".join(pages.values())
    assert "calvin99" not in shown
    assert "hunter22x" not in shown
    assert not agent.poll()
    v1.put_template("t", SCRIPTS)
    v1.create_job(pxe="p")
    assert agent.poll()
    assert agent.carry_out()
    assert v1.job(2)["state"] == "installing"


def test_a_virtual_machine_goes_straight_to_its_mac(v1: Running) -> None:
    agent = V1Agent(v1.url, is_vm="Yes")
    agent.boot()
    v1.create_job(pxe="p")
    assert agent.poll()
    assert agent.carry_out()
    assert agent.calls[-3:] == ["deviceMacInfo", "deviceInstallInfo", "deviceInstallInfo"]
    assert v1.job(1)["state"] == "installing"
    assert "without hardware configuration" in read_log(v1, 1)
    Installer(v1.url, sn="52:54:00:00:00:02").install()
    assert v1.job(1)["state"] == "done"


def test_user_mode_is_refused_and_developer_mode_leaves_evidence(v1: Running) -> None:
    v1.operate("DELETE", "/support/1")
    agent = V1Agent(v1.url)
    agent.boot()
    v1.create_job(pxe="p")
    assert agent.poll()
    assert not agent.carry_out()
    job = v1.job(1)
    assert job["state"] == "refused"
    assert "no line is for the vendor Dell Inc." in job["message"]
    assert "bootos support add --vendor 'Dell Inc.' --product 'PowerEdge R740'" in job["message"]
    assert "getHardwareBySn" not in agent.calls
    agent.developer = True
    v1.create_job(pxe="p")
    assert agent.carry_out()
    assert v1.job(2)["developer"]
    assert v1.operate("GET", "/machines/SN001")["developer"]


def test_a_section_that_the_list_does_not_allow_is_refused(v1: Running) -> None:
    v1.operate("DELETE", "/support/1")
    v1.operate("POST", "/support", {"vendor": "Dell", "product": "*", "allow": ["raid"]})
    agent = V1Agent(v1.url)
    agent.boot()
    v1.create_job(pxe="p")
    assert not agent.carry_out()
    assert "asks for scripts" in v1.job(1)["message"]


def test_skipped_hardware_runs_no_script_on_any_model(v1: Running) -> None:
    v1.operate("DELETE", "/support/1")
    agent = V1Agent(v1.url)
    agent.boot()
    v1.create_job(pxe="p", skip_hardware=True)
    assert agent.carry_out()
    assert agent.scripts == []
    assert v1.job(1)["state"] == "installing"


def test_nothing_is_handed_out_to_one_that_did_not_ask_whether_its_model_is_listed(v1: Running) -> None:
    v1.operate("DELETE", "/support/1")
    agent = V1Agent(v1.url)
    agent.boot()
    v1.create_job(pxe="p")
    said = agent.post("device/getHardwareBySn", {"Sn": "SN001"})
    assert said["Status"] == "error"
    assert "no line is for the vendor" in said["Message"]
    assert v1.job(1)["state"] == "queued"


DECLARED = "name: t\nraid: {arrays: [{name: os, level: 1, drives: '0,1'}]}\n" + SCRIPTS.split("name: t\n")[1]


def test_a_declarative_template_is_only_for_an_image_with_our_commands(v1: Running) -> None:
    v1.put_template("t", DECLARED)
    agent = V1Agent(v1.url)
    agent.boot()
    v1.create_job(pxe="p")
    assert not agent.carry_out()
    job = v1.job(1)
    assert job["state"] == "refused"
    assert "which only runs script groups" in job["message"]


def test_our_agent_over_v1_gets_a_declarative_template_as_a_script(v1: Running, tmp_path: Path) -> None:
    stand_in = tmp_path / "bin/bootos-agent"
    stand_in.parent.mkdir()
    stand_in.write_text(f'#!/bin/sh\necho "$1" >{tmp_path}/verb\ncp "$2" {tmp_path}/seen.json\n')
    stand_in.chmod(0o755)
    v1.put_template("t", DECLARED)
    agent = V1Agent(v1.url)
    agent.user_agent = "bootos-agent/0.1.0"
    agent.path = f"{stand_in.parent}:{agent.path}"
    agent.boot()
    assert v1.operate("GET", "/machines/SN001")["agent_version"] == "bootos-agent/0.1.0, cloudboot v1"
    v1.create_job(pxe="p")
    assert agent.carry_out()
    assert (tmp_path / "verb").read_text() == "apply\n"
    document = msgspec.json.decode((tmp_path / "seen.json").read_bytes())
    assert document == {"name": "t", "raid": {"arrays": [{"name": "os", "level": 1, "drives": "0,1"}]}}
    assert len(agent.scripts) == 4
    assert v1.job(1)["state"] == "installing"


def test_secrets_are_given_to_no_v1_agent(v1: Running) -> None:
    v1.operate("PUT", "/secrets/pw", {"value": "very-secret"})
    v1.put_template("t", "name: t\noob: {users: [{name: ops, password: {secret: pw}}]}\n")
    agent = V1Agent(v1.url)
    agent.user_agent = "bootos-agent/0.1.0"
    agent.boot()
    v1.create_job(pxe="p")
    assert not agent.carry_out()
    assert v1.job(1)["state"] == "refused"
    assert "refers to secrets (pw)" in v1.job(1)["message"]


def test_a_list_of_raid_sections_is_given_to_no_v1_agent(v1: Running) -> None:
    """None says whether it knows such a list."""
    v1.put_template("t", "name: t\nraid: [{driver: raid.mvcli, clear: true}]\n")
    agent = V1Agent(v1.url)
    agent.user_agent = "bootos-agent/0.1.0"
    agent.boot()
    v1.create_job(pxe="p")
    assert not agent.carry_out()
    assert v1.job(1)["state"] == "refused"
    assert "in a list of sections under raid" in v1.job(1)["message"]


def test_a_finished_machines_pxe_file_does_not_come_back(v1: Running) -> None:
    agent = V1Agent(v1.url)
    agent.boot()
    v1.create_job(pxe="p")
    agent.carry_out()
    Installer(v1.url).install()
    for body in ({"Sn": "SN001", "Mac": agent.mac}, {"Sn": agent.mac, "Mac": agent.mac}):
        assert agent.post("report/deviceMacInfo", body)["Status"] == "error"
    for progress in (0.1, 0.5, 0.6, 1, -1):
        assert agent.report(progress, "x", "")["Status"] == "error"
    assert agent.post("device/getHardwareBySn", {"Sn": "SN001"})["Status"] == "error"
    assert [path.name for path in v1.pxe_directory.iterdir()] == ["default"]
    assert v1.job(1)["state"] == "done"


def test_an_installation_cannot_be_turned_to_another_mac(v1: Running) -> None:
    agent = V1Agent(v1.url)
    agent.boot()
    v1.create_job(pxe="p")
    agent.carry_out()
    said = agent.post("report/deviceMacInfo", {"Sn": "SN001", "Mac": "52:54:00:99:99:99"})
    assert said["Status"] == "error"
    assert agent.post("report/deviceMacInfo", {"Sn": "SN001", "Mac": agent.mac})["Status"] == "success"
    assert (v1.pxe_directory / FILE).exists()


def test_one_machines_job_makes_no_pxe_file_for_another_machine(v1: Running) -> None:
    V1Agent(v1.url, sn="SN002", mac="52:54:00:00:00:22").boot()
    agent = V1Agent(v1.url)
    agent.boot()
    v1.create_job(pxe="p")
    said = agent.post("report/deviceMacInfo", {"Sn": "SN001", "Mac": "52:54:00:00:00:22"})
    assert said["Message"] == "该MAC地址已被其他设备录入"
    assert [path.name for path in v1.pxe_directory.iterdir()] == ["default"]


def test_progress_never_goes_backwards_nor_round_the_agent(v1: Running) -> None:
    agent = V1Agent(v1.url)
    agent.boot()
    v1.create_job(pxe="p")
    for progress in (0.5, 0.6, 1):
        assert agent.report(progress, "forced", "")["Status"] == "error"
    assert v1.job(1)["state"] == "queued"
    agent.carry_out()
    installer = Installer(v1.url)
    installer.report(0.8, "on", "")
    installer.report(0.2, "back", "")
    assert (v1.job(1)["state"], v1.job(1)["progress"]) == ("installing", 0.8)


def test_what_anybody_may_send_is_cut_and_does_not_hold_the_server_up(v1: Running) -> None:
    agent = V1Agent(v1.url)
    agent.boot()
    v1.create_job(pxe="p")
    agent.carry_out()
    for hostile in ("oob.sh -a " * 300_000, "x -p " * 500_000, "-p\n" * 500_000):
        agent.report(0.6, "t" * 100_000, hostile)  # it waits 30 s for an answer
    lines = v1.operate("GET", "/jobs/1/log?limit=5000")
    assert max(len(line["text"]) for line in lines) <= 8192
    assert "t" * 256 not in str(lines)


def test_a_machine_without_a_job_gets_nothing(v1: Running) -> None:
    agent = V1Agent(v1.url)
    agent.boot()
    assert not agent.poll()
    for call, body in (
        ("device/getHardwareBySn", {"Sn": "SN001"}),
        ("report/deviceMacInfo", {"Sn": "SN001", "Mac": agent.mac}),
    ):
        assert agent.post(call, body)["Status"] == "error"
    assert Installer(v1.url).read("getSystemBySn") == ""


def test_switched_off_it_answers_in_its_own_form(settings: Any) -> None:
    server, stop = run_in_thread(msgspec.structs.replace(settings, legacy="off"))
    try:
        for method, call in (("POST", "device/isInInstallList"), ("GET", "device/getNetworkBySn?sn=x")):
            answer = server.call(method, f"{API}/{call}", {"Sn": "x"} if method == "POST" else None)
            assert answer.status == 404
            assert answer.data == {"Error": "Cloudboot v1 is switched off on this server"}
        assert server.operate("GET", "/machines") == []
        assert server.call("GET", "/api/v2/agent/").status == 200
    finally:
        stop()
