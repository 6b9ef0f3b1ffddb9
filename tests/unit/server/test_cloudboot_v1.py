"""Cloudboot v1: existing agents and installers, by the letter of the wire."""

import base64
import json
from typing import Any

import pytest
from serving import Agent, Answer, Running

from bootos.server.cloudboot.progress import find_events
from bootos.server.lifecycle import Event, State
from bootos.wire import cloudboot_v1 as v1

API = "/api/osinstall/v1"
FILE = "01-52-54-00-00-00-02"
MAC = "52:54:00:00:00:02"
PRODUCT = {
    "Sn": "SN001",
    "Company": "Dell Inc.",
    "Product": "PowerEdge",
    "ModelName": "R740",
    "Nic": [{"Name": "eth0", "Mac": MAC, "Ip": "10.0.0.9"}],
    "Cpu": {"Model": "Xeon", "Core": "32"},
    "Memory": [{"Name": "DIMM_A1", "Size": "32 GB"}],
    "MemorySum": 64,
    "Disk": [{"Name": "sda", "Size": "4000 GB"}],
    "DiskSum": 4000,
    "IsVm": "No",
}
SCRIPTS = """
name: t
scripts:
  - {name: RAID, scripts: [{name: RAID 1, script: "echo one\\r\\necho <two> <{manage_ip}>\\r\\n"}]}
  - {name: OOB, scripts: []}
"""


def post(server: Running, call: str, body: Any) -> Answer:
    answer = server.call("POST", f"{API}/{call}", body)
    assert answer.status == 200
    return answer


def succeeds(server: Running, call: str, body: Any) -> Any:
    answer = post(server, call, body)
    assert answer.data["Status"] == "success", answer
    return answer.data.get("Content")


def fails(server: Running, call: str, body: Any) -> str:
    answer = post(server, call, body)
    assert answer.data["Status"] == "error", answer
    return str(answer.data["Message"])


def progress(server: Running, value: float, sn: str = "SN001", **more: Any) -> Answer:
    body = {"Sn": sn, "Title": f"at {value}", "InstallProgress": value, **more}
    return post(server, "report/deviceInstallInfo", body)


def queue_job(server: Running, text: str = SCRIPTS, *, asked: bool = True, **more: Any) -> None:
    succeeds(server, "report/deviceProductInfo", PRODUCT)
    server.operate("PATCH", "/machines/SN001/settings", {"manage_ip": "10.0.8.21"})
    server.operate("PUT", "/pxe-templates/p", {"content": "LABEL a\r\nAPPEND sn={sn}", "answer": "a\r\nb"})
    server.put_template("t", text)
    server.create_job(**more)
    if asked:
        succeeds(server, "device/getPrepareInstallInfo", PRODUCT)


def test_of_a_machine_that_is_deleted_nothing_is_kept_in_memory(server: Running) -> None:
    """Whoever registers makes records, and those of silent ones go to make room."""
    succeeds(server, "report/deviceProductInfo", PRODUCT)
    presence = server.context.legacy_presence
    assert presence.last_heard(1, None) is not None
    server.operate("DELETE", "/machines/SN001")
    assert presence.last_heard(1, None) is None


def test_a_report_that_is_refused_is_no_sign_of_life_in_memory_either(server: Running) -> None:
    """It is none in the store: the machine has no job."""
    server.operate("PATCH", "/machines/SN001/settings", {"rack": "r1"})
    assert progress(server, 0.3).data["Status"] == "error"
    assert server.operate("GET", "/machines/SN001")["last_heard_at"] is None
    assert not server.context.legacy_presence.is_heard(1, None)


def test_who_was_refused_is_on_the_health_page_when_the_store_has_the_claim_and_else_not(
    server: Running,
) -> None:
    """The question for scripts ends without any, which takes the claim back."""
    assert Agent(server).register().status == 200
    fails(server, "device/getHardwareBySn", {"Sn": "SN001"})
    assert server.context.health.sentences() == []
    fails(server, "report/deviceInstallInfo", {"Sn": "SN001", "InstallProgress": 0.3})
    assert [said.what for said in server.context.health.sentences()] == ["cloudboot v1"]


def test_a_v1_agent_and_its_installer_take_a_job_to_its_end(server: Running) -> None:
    queue_job(server, pxe="p")
    assert progress(server, 0.1).data["Content"] == {"Result": "true"}
    assert server.job(1)["state"] == "queued"
    assert succeeds(server, "device/isInInstallList", {"sn": "sn001"}) == {"Result": "true"}
    prepared = succeeds(server, "device/getPrepareInstallInfo", {**PRODUCT, "Company": "dell inc."})
    assert prepared == {"IsVerify": "false", "IsSkipHardwareConfig": "false"}
    hardware = succeeds(server, "device/getHardwareBySn", {"SN": " SN001 "})["Hardware"]
    assert base64.b64decode(hardware[0]["Scripts"][0]["Script"]) == b"echo one\necho <two> 10.0.8.21\n"
    assert hardware[1] == {"Name": "OOB", "Scripts": None}
    assert server.job(1)["state"] == "running"
    for value in (0.2, 0.3, 0.32999999999999996, 0.4):
        progress(server, value)
    assert succeeds(server, "report/deviceMacInfo", {"Sn": "SN001", "Mac": MAC.upper()}) == {"Result": "true"}
    assert (server.pxe_directory / FILE).read_text() == "LABEL a\nAPPEND sn=SN001"
    progress(server, 0.45)
    progress(server, 0.5)
    assert server.job(1)["state"] == "installing"
    assert succeeds(server, "device/isInInstallList", {"Sn": "SN001"}) == {"Result": "false"}
    progress(server, 0.6, InstallLog=base64.b64encode(b"partitions\nmade").decode())
    assert server.call("GET", f"{API}/device/getSystemBySn?sn=sn001").data == "a\nb"
    progress(server, 0.99999)
    assert (server.job(1)["state"], server.job(1)["progress"]) == ("installing", 0.9999)
    progress(server, 1)
    job = server.job(1)
    assert (job["state"], job["progress"], job["message"]) == ("done", 1, "at 1")
    assert not (server.pxe_directory / FILE).exists()
    texts = [line["text"] for line in server.operate("GET", "/jobs/1/log")]
    assert "partitions" in texts
    assert progress(server, 0.7).data["Message"] == "该设备不在安装列表里!"


def test_answers_look_as_existing_servers_write_them(server: Running) -> None:
    raw = server.request("POST", f"{API}/device/isInInstallList", {"Sn": "<x>"})
    assert raw.headers["content-type"] == "application/json; charset=utf-8"
    assert raw.data.decode() == (
        '{\n  "Content": {\n    "Result": "false"\n  },\n  "Message": "该设备不在安装列表里",\n  "Status": "success"\n}'
    )
    server.put_template()
    escaped = v1.encode_envelope(v1.Envelope(status="error", message="a<b>&c"))
    assert b"a\\u003cb\\u003e\\u0026c" in escaped
    assert b"Content" not in escaped


def test_unknown_paths_and_wrong_methods_have_their_own_form(server: Running) -> None:
    assert server.call("GET", f"{API}/device/add").data == {"Error": "Resource not found"}
    assert server.call("GET", f"{API}/device/add").status == 404
    assert server.call("GET", API).status == 404
    for method, call in (
        ("GET", "report/deviceMacInfo"),
        ("POST", "device/getNetworkBySn"),
        ("PUT", "device/getSystemBySn"),
    ):
        answer = server.call(method, f"{API}/{call}", b"{}" if method != "GET" else None)
        assert (answer.status, answer.data) == (405, {"Error": "Method not allowed"})


@pytest.mark.parametrize("body", [b"", b"[]", b"{} x", b'"text"', b'{"Sn": 1}', b"{"])
@pytest.mark.parametrize(
    "call",
    [
        "report/deviceProductInfo",
        "device/isInInstallList",
        "device/getPrepareInstallInfo",
        "device/getHardwareBySn",
        "report/deviceInstallInfo",
        "report/deviceMacInfo",
    ],
)
def test_a_malformed_body_is_an_error_with_status_200(server: Running, call: str, body: bytes) -> None:
    assert fails(server, call, body).startswith("参数错误")


def test_missing_parameters_are_named(server: Running) -> None:
    assert fails(server, "report/deviceProductInfo", {"Sn": "x"}) == "SN和厂商名称不能为空!"
    assert fails(server, "device/isInInstallList", {"Sn": None}) == "SN参数不能为空!"
    assert fails(server, "device/isInInstallList", b"null") == "SN参数不能为空!"
    assert fails(server, "device/getPrepareInstallInfo", {"Sn": "x"}) == "SN及厂商信息不能为空!"
    assert fails(server, "report/deviceInstallInfo", {}) == "SN参数不能为空!"
    assert fails(server, "report/deviceInstallInfo", {"Sn": "nobody"}) == "该设备不存在!"
    assert fails(server, "report/deviceMacInfo", {"Sn": "nobody"}) == "SN和Mac参数不能为空!"
    assert fails(server, "report/deviceMacInfo", {"Sn": "nobody", "Mac": MAC}) == "该设备不存在!"
    assert fails(server, "device/getHardwareBySn", {"Sn": "nobody"}) == "record not found"
    assert fails(server, "report/deviceProductInfo", {**PRODUCT, "MemorySum": -1}).startswith("参数错误")


def test_single_quotes_in_names_are_harmless(server: Running) -> None:
    body = {"Sn": "x'y", "Company": "O'Neil", "ModelName": "it's"}
    assert succeeds(server, "device/getPrepareInstallInfo", body)["IsVerify"] == "false"


def test_the_support_list_decides_on_verification(server: Running) -> None:
    server.operate("POST", "/support", {"vendor": "dell*", "product": "r740"})
    assert succeeds(server, "device/getPrepareInstallInfo", PRODUCT)["IsVerify"] == "true"
    skipped = {**PRODUCT, "ModelName": "R640"}
    assert succeeds(server, "device/getPrepareInstallInfo", skipped)["IsVerify"] == "false"


def test_the_inventory_of_a_v1_agent_is_shown_without_guesses(server: Running) -> None:
    succeeds(server, "report/deviceProductInfo", PRODUCT)
    machine = server.operate("GET", "/machines/SN001")
    assert (machine["vendor"], machine["product"], machine["address"]) == ("Dell Inc.", "R740", "10.0.0.9")
    assert machine["protocol"] == 1
    assert machine["inventory"]["cpu"]["cores"] == 32
    assert machine["inventory"]["disks"] == []
    assert "disk sda: 4000 GB" in machine["inventory"]["notes"]


@pytest.mark.parametrize("value", [1.5, -0.5, -2, "0.5"])
def test_progress_that_is_none_is_refused(server: Running, value: Any) -> None:
    queue_job(server)
    assert progress(server, value).data["Status"] == "error"
    assert server.job(1)["state"] == "queued"


@pytest.mark.parametrize("value", [0.2, 0.5, 0.6, 1])
def test_progress_cannot_be_forced_on_a_queued_job(server: Running, value: float) -> None:
    queue_job(server, pxe="p")
    assert progress(server, value).data["Message"] == "该设备不在安装列表里!"
    assert server.job(1)["state"] == "queued"


def test_an_installers_word_needs_a_pxe_file(server: Running) -> None:
    queue_job(server, pxe="p")
    succeeds(server, "device/getHardwareBySn", {"Sn": "SN001"})
    for value in (0.6, 1):
        assert progress(server, value).data["Status"] == "error"
    assert server.job(1)["state"] == "running"
    succeeds(server, "report/deviceMacInfo", {"Sn": "SN001", "Mac": MAC})
    progress(server, 0.7)  # the agent's 0.5 was lost, and v1 agents do not repeat
    assert (server.job(1)["state"], server.job(1)["progress"]) == ("installing", 0.7)
    progress(server, 0.3)
    assert server.job(1)["progress"] == 0.7


def test_a_failure_ends_the_job_and_removes_the_pxe_file(server: Running) -> None:
    queue_job(server, pxe="p")
    succeeds(server, "device/getHardwareBySn", {"Sn": "SN001"})
    succeeds(server, "report/deviceMacInfo", {"Sn": "SN001", "Mac": MAC})
    progress(server, -1)
    assert server.job(1)["state"] == "failed"
    assert not (server.pxe_directory / FILE).exists()


def test_user_mode_ends_as_refused_with_the_way_on(server: Running) -> None:
    queue_job(server)
    progress(server, -1)
    job = server.job(1)
    assert job["state"] == "refused"
    assert "bootos support add" in job["message"]


def test_no_pxe_file_is_made_for_a_machine_without_a_job(server: Running) -> None:
    queue_job(server, pxe="p")
    server.operate("POST", "/jobs/1/cancel")
    assert "该设备不在安装列表里" in fails(server, "report/deviceMacInfo", {"Sn": "SN001", "Mac": MAC})
    assert not (server.pxe_directory / FILE).exists()


@pytest.mark.parametrize("mac", ["not a mac", "x/y", "01-../../x"])
def test_what_is_no_mac_makes_no_file(server: Running, mac: str) -> None:
    queue_job(server, pxe="p")
    fails(server, "report/deviceMacInfo", {"Sn": "SN001", "Mac": mac})
    assert [path.name for path in server.pxe_directory.iterdir()] == ["default"]


def test_another_machines_mac_is_refused(server: Running) -> None:
    queue_job(server, pxe="p")
    succeeds(server, "report/deviceMacInfo", {"Sn": "SN001", "Mac": MAC})
    succeeds(server, "report/deviceProductInfo", {**PRODUCT, "Sn": "SN002", "Nic": []})
    server.put_template("plain")
    server.create_job(machine="SN002", template="plain", pxe="p")
    assert fails(server, "report/deviceMacInfo", {"Sn": "SN002", "Mac": MAC}) == "该MAC地址已被其他设备录入"


def test_a_declarative_template_is_refused_in_words(server: Running) -> None:
    text = "name: t\nraid: {arrays: [{name: os, level: 1, drives: '0,1'}]}\n"
    queue_job(server, text, pxe="p")
    said = fails(server, "device/getHardwareBySn", {"Sn": "SN001"})
    assert "asks for raid" in said
    assert (server.job(1)["state"], server.job(1)["message"]) == ("refused", said)


def test_a_virtual_machine_cannot_go_round_a_declarative_template(server: Running) -> None:
    text = "name: t\nraid: {arrays: [{name: os, level: 1, drives: '0,1'}]}\n"
    queue_job(server, text, pxe="p")
    assert "asks for raid" in fails(server, "report/deviceMacInfo", {"Sn": "SN001", "Mac": MAC})


def test_skipped_hardware_goes_straight_to_the_mac(server: Running) -> None:
    queue_job(server, pxe="p", skip_hardware=True)
    assert succeeds(server, "device/getPrepareInstallInfo", PRODUCT)["IsSkipHardwareConfig"] == "true"
    assert fails(server, "device/getHardwareBySn", {"Sn": "SN001"}) == "record not found"
    succeeds(server, "report/deviceMacInfo", {"Sn": "SN001", "Mac": MAC})
    assert server.job(1)["state"] == "running"


def test_v1_calls_change_nothing_while_a_v2_agent_is_there(server: Running) -> None:
    queue_job(server, pxe="p")
    agent = Agent(server)
    agent.register()
    assert succeeds(server, "device/isInInstallList", {"Sn": "SN001"}) == {"Result": "false"}
    assert fails(server, "device/getHardwareBySn", {"Sn": "SN001"}) == "record not found"
    assert progress(server, -1).data["Status"] == "error"
    fails(server, "report/deviceMacInfo", {"Sn": "SN001", "Mac": MAC})
    fails(server, "report/deviceProductInfo", {**PRODUCT, "Company": "Evil"})
    assert server.operate("GET", "/machines/SN001")["vendor"] == "QEMU"
    order = agent.order()
    assert progress(server, 1).data["Status"] == "error"
    assert (server.job(1)["state"], order["template"]["scripts"][0]["name"]) == ("running", "RAID")


def test_the_network_of_a_machine(server: Running) -> None:
    succeeds(server, "report/deviceProductInfo", PRODUCT)
    server.operate(
        "PATCH",
        "/machines/SN001/settings",
        {"hostname": "h1", "address": "10.77.0.10/24", "vlan": "12", "trunk": "no"},
    )
    path = f"{API}/device/getNetworkBySn?sn=sn001"
    raw = server.request("GET", path)
    assert raw.headers["content-type"] == "text/plain; charset=utf-8"
    assert raw.data.decode() == (
        'HOSTNAME="h1"\nIPADDR="10.77.0.10"\nNETMASK="255.255.255.0"\nVLAN="12"\nTrunk="no"\nHWADDR="52:54:00:00:00:02"'
    )
    said = server.call("GET", path + "&type=json").data
    assert said["Content"]["Hostname"] == "h1"
    assert said["Content"]["HWADDR"] == MAC
    by_mac = server.call("GET", f"{API}/device/getNetworkBySn?sn={MAC}")
    assert 'HOSTNAME="h1"' in by_mac.data


def test_settings_that_a_shell_would_act_on_are_refused(server: Running) -> None:
    succeeds(server, "report/deviceProductInfo", PRODUCT)
    bad = {"hostname": "$(reboot)", "vlan": "`x`", "gateway": "nowhere", "address": "10.0.0.300"}
    answer = server.refuse("PATCH", "/machines/SN001/settings", bad)
    assert {problem["path"] for problem in answer.data["problems"]} == set(bad)


@pytest.mark.parametrize("call", ["getNetworkBySn", "getSystemBySn"])
def test_an_unknown_machine_gets_an_empty_text_or_an_error(server: Running, call: str) -> None:
    raw = server.request("GET", f"{API}/device/{call}?sn=nobody")
    assert (raw.status, raw.data, raw.headers["content-type"]) == (200, b"", "text/plain; charset=utf-8")
    said = server.call("GET", f"{API}/device/{call}?sn=nobody&type=json").data
    assert said["Status"] == "error"
    assert said["Content"] == ""


def test_the_device_row_can_be_read(server: Running) -> None:
    queue_job(server)
    said = server.call("GET", f"{API}/device/getDeviceBySn?sn=SN001").data
    assert (said["Content"]["Sn"], said["Content"]["Status"]) == ("SN001", "pre_install")


@pytest.mark.parametrize(
    ("state", "value", "ran_v1", "installer", "events"),
    [
        (State.QUEUED, 0.1, False, False, []),
        (State.QUEUED, 0.5, False, True, None),
        (State.RUNNING, 0.3, True, False, [Event.WORKED]),
        (State.RUNNING, 0.3, False, False, None),
        (State.RUNNING, 0.5, True, False, [Event.SUCCEEDED]),
        (State.RUNNING, 0.5, True, True, [Event.HANDED_OVER]),
        (State.RUNNING, 1, True, True, [Event.HANDED_OVER, Event.INSTALLED]),
        (State.RUNNING, 1, True, False, None),
        (State.INSTALLING, 0.6, False, True, [Event.INSTALL_WORKED]),
        (State.INSTALLING, 1, False, True, [Event.INSTALLED]),
        (State.INSTALLING, -1, False, True, [Event.INSTALL_FAILED]),
    ],
)
def test_what_a_progress_number_does(
    state: State, value: float, ran_v1: bool, installer: bool, events: list[Event] | None
) -> None:
    assert find_events(state, value, ran_v1=ran_v1, installer_expected=installer) == events


def test_requests_ignore_case_unknown_keys_nulls_and_blanks() -> None:
    body = {"SN": " a ", "TITLE": None, "installprogress": 0.5, "more": [1], "InstallLog": "x"}
    said = v1.read_request(json.dumps(body).encode(), v1.InstallInfo)
    assert (said.sn, said.title, said.install_progress) == ("a", "", 0.5)


def test_the_legacy_api_can_be_off(settings: Any) -> None:
    import msgspec
    from serving import run_in_thread

    server, stop = run_in_thread(msgspec.structs.replace(settings, legacy="off"))
    try:
        assert server.call("POST", f"{API}/device/isInInstallList", {"Sn": "x"}).status == 404
    finally:
        stop()
