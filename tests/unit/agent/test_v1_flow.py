"""The whole flow against a server that speaks Cloudboot v1 only: what it is told, in order, whatever goes wrong."""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import pytest
import urllib3
from peer import Peer
from v1_server import V1Server, encode

from bootos.agent.cloudboot.client import V1Client
from bootos.agent.cloudboot.flow import Timing, work_v1
from bootos.agent.host.cmdline import Cmdline
from bootos.agent.host.host import Host
from bootos.agent.search import speaks_v1, wait_for_server
from bootos.agent.sequence import run_pre_hook
from bootos.agent.session.client import Client, Refused
from bootos.drivers.contract import Machine
from bootos.wire.inventory import Identity, Inventory

MACHINE = Path(__file__).parents[2] / "golden/hardware/machines/server-six-disks.inventory.json"
MAC = "52:54:00:aa:00:01"
LIST, REPORT = "device/isInInstallList", "report/deviceInstallInfo"
PRODUCT, PREPARE = "report/deviceProductInfo", "device/getPrepareInstallInfo"
HARDWARE, UPLOAD = "device/getHardwareBySn", "report/deviceMacInfo"


class Ended(BaseException):
    """Ends the agent's thread: at the reboot, as that ends the agent, or at the end of a test."""


class Http(urllib3.PoolManager):
    """The agent's way out, which a test can close."""

    closed = False

    def request(self, *arguments: Any, **options: Any) -> Any:
        if self.closed:
            raise Ended
        return super().request(*arguments, **options)


class Running:
    """The agent at work in a thread; `rebooted` when it came to the reboot."""

    def __init__(self, host: Host, timing: dict[str, Any]) -> None:
        self.rebooted = threading.Event()
        self._stays = timing.pop("stays", False)  # the reboot does not happen
        self._http = Http(retries=False)
        client = V1Client(host.server_addr, timeout_s=timing.pop("timeout_s", 5.0), http=self._http)
        quick = {"interval_s": 0.05, "first_pause_s": 0.01, "longest_pause_s": 0.05, "farewell_s": 5.0}
        self._arguments = (host, client, Timing(**{**quick, **timing}), self._reboot)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _reboot(self) -> None:
        self.rebooted.set()
        if not self._stays:
            raise Ended

    def _work(self) -> None:
        with contextlib.suppress(Ended):
            work_v1(*self._arguments)

    def stop(self) -> None:
        self._http.closed = True
        self._thread.join(60)
        assert not self._thread.is_alive()

    def wait_for_reboot(self) -> None:
        assert self.rebooted.wait(90)  # a machine that does much else takes its time


@pytest.fixture
def peer() -> Iterator[V1Server]:
    running = V1Server()
    yield running
    running.close()


@pytest.fixture
def host(tmp_path: Path, peer: V1Server, caplog: pytest.LogCaptureFixture) -> Host:
    caplog.set_level(logging.INFO, "bootos")
    host = Host(Machine(root=tmp_path), "boot-1")
    host.cmdline = Cmdline(server_addr=peer.url, pxe_mac=MAC)
    host.inventory = msgspec.json.decode(MACHINE.read_bytes(), type=Inventory)
    return host


@pytest.fixture
def start(host: Host) -> Iterator[Callable[..., Running]]:
    agents: list[Running] = []

    def start(**timing: Any) -> Running:
        agents.append(Running(host, timing))
        return agents[-1]

    yield start
    for agent in agents:
        agent.stop()


def group(name: str, *scripts: str) -> dict[str, Any]:
    listed = [{"Name": f"{name} {n}", "Script": encode(text)} for n, text in enumerate(scripts, 1)]
    return {"Name": name, "Scripts": listed or None}


def test_the_whole_flow_in_the_documented_order(start: Callable[..., Running], peer: V1Server) -> None:
    peer.hardware = [
        group("RAID", "echo one", "echo two >&2"),
        group("OOB", "printf 'a\\r\\n' | wc -c\r\nexit 0\r\n"),
        group("BIOS"),
    ]
    peer.queue()
    start().wait_for_reboot()
    assert [report[:2] for report in peer.reports] == [
        (0.1, "进入bootos"),
        (0.15, "配置查询"),
        (0.2, "获取硬件配置"),
        (0.3, "开始硬件配置"),
        (0.32999999999999996, "RAID - RAID 1"),
        (0.32999999999999996, "RAID - RAID 2"),
        (0.32999999999999996, "RAID 配置完成"),
        (0.36, "OOB - OOB 1"),
        (0.36, "OOB 配置完成"),
        (0.39, "BIOS 配置完成"),
        (0.4, "硬件配置结束"),
        (0.45, "生成PXE文件"),
        (0.5, "系统开始重启"),
    ]
    logs = {title: text for _, title, text in peer.reports}
    assert logs["进入bootos"] == "正常进入bootos"
    assert (logs["RAID - RAID 1"], logs["RAID - RAID 2"], logs["OOB - OOB 1"]) == ("one", "two", "3")
    asked = [path for path in peer.calls if path != REPORT]
    assert asked == [PRODUCT, LIST, PREPARE, HARDWARE, UPLOAD]
    assert peer.bodies[PREPARE] == [
        {"Sn": "7XK2P03", "Company": "dell inc.", "Product": "PowerEdge", "ModelName": "PowerEdge R740"}
    ]
    assert peer.macs == [MAC]


def test_more_than_ten_groups_stay_at_three_tenths(start: Callable[..., Running], peer: V1Server) -> None:
    peer.hardware = [group(f"G{n}") for n in range(11)]
    peer.queue()
    start().wait_for_reboot()
    assert {progress for progress, title, _ in peer.reports if title.endswith("配置完成")} == {0.3}


def test_an_empty_template_goes_through(start: Callable[..., Running], peer: V1Server) -> None:
    peer.hardware = None
    peer.queue()
    start().wait_for_reboot()
    assert peer.titles[-3:] == ["硬件配置结束", "生成PXE文件", "系统开始重启"]


def test_a_failing_script_ends_the_job_with_its_name_status_and_output(
    start: Callable[..., Running], peer: V1Server, host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    script = "echo begin\necho set -u root -p calvin9 >&2\necho calvin9\nfalse\nexit 5"
    peer.hardware = [group("OOB", script, f"touch {host.directory}/second")]
    peer.queue()
    start()
    text = peer.wait_for_report("初始化硬件失败")
    assert text == "OOB - OOB 1: exit status 5\nbegin\nset -u root -p ********\n********"
    assert peer.reports[-1][0] == -1
    assert "calvin9" not in caplog.text
    assert not (host.directory / "second").exists()
    assert peer.macs == []


def test_a_script_that_takes_too_long_is_a_failure(start: Callable[..., Running], peer: V1Server) -> None:
    peer.hardware = [group("RAID", "echo begin; exec tail -f /dev/null")]
    peer.queue()
    start(script_s=0.3)
    text = peer.wait_for_report("初始化硬件失败")
    assert "took longer than 0.3 s" in text
    assert text.endswith("\nbegin")


def test_a_model_that_is_not_in_the_support_list_is_left_alone_in_user_mode(
    start: Callable[..., Running], peer: V1Server, caplog: pytest.LogCaptureFixture
) -> None:
    peer.verified = "false"
    peer.queue()
    start()
    assert "not in the server's support list" in peer.wait_for_report("配置查询失败")
    assert "PowerEdge R740" in caplog.text
    assert HARDWARE not in peer.calls


def test_developer_mode_configures_it_anyway(
    start: Callable[..., Running], peer: V1Server, host: Host
) -> None:
    host.cmdline = msgspec.structs.replace(host.cmdline, developer=True)
    peer.verified = "false"
    peer.hardware = [group("RAID", "true")]
    peer.queue()
    start().wait_for_reboot()
    assert "RAID - RAID 1" in peer.titles


def test_skipping_wins_over_both(start: Callable[..., Running], peer: V1Server) -> None:
    peer.verified, peer.skip = "false", "true"
    peer.queue()
    start().wait_for_reboot()
    assert peer.titles == ["进入bootos", "生成PXE文件", "系统开始重启"]
    assert HARDWARE not in peer.calls


def test_a_virtual_machine_goes_straight_to_its_mac(
    start: Callable[..., Running], peer: V1Server, host: Host
) -> None:
    host.inventory.virtual = "kvm"
    peer.queue()
    start().wait_for_reboot()
    assert peer.titles == ["进入bootos", "生成PXE文件", "系统开始重启"]
    assert PREPARE not in peer.calls


@pytest.mark.parametrize(
    "fault", [500, 404, b"", b"<html>", b"[]", b"null", b'{"Status": 1}', {"Status": "error"}]
)
def test_product_information_is_sent_until_it_is_accepted(
    start: Callable[..., Running], peer: V1Server, fault: Any
) -> None:
    peer.faults[PRODUCT] = [fault, fault, fault]
    start()
    peer.wait_for_calls(LIST)
    assert peer.calls.count(PRODUCT) == 4
    assert peer.calls[-1] == LIST


def test_an_answer_that_never_ends_is_given_up(start: Callable[..., Running], peer: V1Server) -> None:
    peer.faults[PRODUCT] = ["trickle"]
    start(timeout_s=1.5)
    peer.wait_for_calls(LIST)
    assert peer.calls.count(PRODUCT) == 2


def test_the_post_hook_runs_between_the_mac_and_the_last_report(
    start: Callable[..., Running], peer: V1Server, host: Host
) -> None:
    marker = host.machine.root / "post"
    peer.files["/post.sh"] = f'test -s "$RESULT_FILE" && echo "$SN" > {marker}; exit 3'.encode()
    host.cmdline = msgspec.structs.replace(host.cmdline, post=f"{peer.url}/post.sh")
    peer.skip = "true"
    peer.queue()
    start().wait_for_reboot()
    assert marker.read_text() == "7XK2P03\n"
    assert peer.titles[-2:] == ["生成PXE文件", "系统开始重启"]


def test_with_stop_a_failed_pre_hook_is_the_reason_of_a_minus_one_and_is_run_again_in_the_next_job(
    start: Callable[..., Running], peer: V1Server, host: Host
) -> None:
    host.cmdline = msgspec.structs.replace(host.cmdline, pre=f"{peer.url}/pre.sh", pre_on_error="stop")
    run_pre_hook(host)
    peer.skip = "true"
    peer.queue()
    running = start()
    assert f"the PRE hook {peer.url}/pre.sh failed" in peer.wait_for_report("PRE脚本执行失败")
    assert peer.macs == []
    peer.files["/pre.sh"] = b"true"
    peer.queue()
    running.wait_for_reboot()


def test_with_stop_a_failed_post_hook_ends_the_job_and_nothing_reboots(
    start: Callable[..., Running], peer: V1Server, host: Host
) -> None:
    peer.files["/post.sh"] = b"exit 3"
    host.cmdline = msgspec.structs.replace(host.cmdline, post=f"{peer.url}/post.sh", post_on_error="stop")
    peer.skip = "true"
    peer.queue()
    running = start()
    assert "exit code 3" in peer.wait_for_report("POST脚本执行失败")
    assert not running.rebooted.is_set()


NO_CONTENT = {"Status": "success", "Message": "该设备在安装列表里", "Content": ""}


@pytest.mark.parametrize("path", [PRODUCT, REPORT, LIST, PREPARE, HARDWARE, UPLOAD])
@pytest.mark.parametrize("fault", ["hang", 500, b"<html>"])
def test_the_job_outlives_a_fault_in_every_call(
    start: Callable[..., Running], peer: V1Server, path: str, fault: Any
) -> None:
    peer.hardware = [group("RAID", "true")]
    peer.faults[path] = [fault, fault]
    peer.queue()
    start(timeout_s=0.4 if fault == "hang" else 5.0).wait_for_reboot()
    expected = ["进入bootos", "配置查询", "获取硬件配置", "开始硬件配置", "RAID - RAID 1", "RAID 配置完成"]
    titles, macs = peer.titles, peer.macs
    if fault == "hang":  # on a busy host an answer is late, too: what was not answered is said once more
        titles, macs = [title for title, _ in groupby(titles)], sorted(set(macs))
    assert titles == [*expected, "硬件配置结束", "生成PXE文件", "系统开始重启"]
    assert macs == [MAC]


def test_a_message_alone_puts_no_machine_into_the_list(start: Callable[..., Running], peer: V1Server) -> None:
    peer.faults[LIST] = [NO_CONTENT, {"Status": "error", "Message": "x", "Content": {"Result": "true"}}]
    start()
    peer.wait_for_calls(LIST, 4)
    assert PREPARE not in peer.calls


REFUSED = {"Status": "error", "Message": "record not found", "Content": ""}


@pytest.mark.parametrize(
    ("path", "title", "faults"),
    [
        (PREPARE, "配置查询失败", (REFUSED,)),
        (PREPARE, "配置查询失败", (500,) * 5),
        (PREPARE, "配置查询失败", (NO_CONTENT,) * 5),
        (HARDWARE, "获取硬件配置模板失败", (REFUSED,)),
        (HARDWARE, "获取硬件配置模板失败", (500,) * 5),
        (HARDWARE, "获取硬件配置模板失败", (NO_CONTENT,) * 5),
        (UPLOAD, "生成PXE文件失败", (REFUSED,)),
        (UPLOAD, "生成PXE文件失败", (500,) * 5),
    ],
)
def test_a_call_that_cannot_succeed_fails_the_job(
    start: Callable[..., Running], peer: V1Server, path: str, title: str, faults: tuple[Any, ...]
) -> None:
    peer.faults[path] = list(faults)
    peer.queue()
    start()
    peer.wait_for_report(title)
    assert peer.reports[-1][0] == -1


def test_a_script_that_is_not_base64_fails_before_anything_runs(
    start: Callable[..., Running], peer: V1Server, host: Host
) -> None:
    bad = {"Name": "B", "Scripts": [{"Name": "s", "Script": "%%%"}]}
    peer.hardware = [group("A", f"touch {host.directory}/ran"), bad]
    peer.queue()
    start()
    assert "not base64" in peer.wait_for_report("获取硬件配置模板失败")
    assert not (host.directory / "ran").exists()


def test_reports_that_were_lost_are_replayed_in_order(start: Callable[..., Running], peer: V1Server) -> None:
    peer.hardware = [group("RAID", "true"), group("OOB", "true")]
    peer.faults[REPORT] = [500, 500]  # the first one waits, and with it the poll
    peer.queue()
    running = start()
    running.wait_for_reboot()
    assert peer.titles[:2] == ["进入bootos", "配置查询"]
    assert [progress for progress, _, _ in peer.reports] == sorted(report[0] for report in peer.reports)
    assert len(peer.titles) == len(set(peer.titles)) == 11


def test_a_failure_that_could_not_be_reported_does_not_begin_the_job_again(
    start: Callable[..., Running], peer: V1Server, host: Host
) -> None:
    peer.hardware = [group("RAID", f"echo x >> {host.directory}/runs; exit 1")]
    peer.queue()
    start()
    peer.wait_for_report("进入bootos")
    peer.wait_for_report("开始硬件配置")
    peer.faults.setdefault(REPORT, [])[:] = [500] * 6
    peer.wait_for_report("初始化硬件失败")
    polls = peer.calls.count(LIST)
    peer.wait_for_calls(LIST, polls + 3)
    assert (host.directory / "runs").read_text() == "x\n"


def test_a_machine_can_be_queued_again_after_a_failure(
    start: Callable[..., Running], peer: V1Server, host: Host
) -> None:
    peer.hardware = [group("RAID", "exit 1")]
    peer.queue()
    running = start()
    peer.wait_for_report("初始化硬件失败")
    peer.wait_for_calls(LIST, peer.calls.count(LIST) + 2)
    peer.hardware = [group("RAID", "echo better")]
    peer.queue()
    running.wait_for_reboot()
    assert peer.wait_for_report("RAID - RAID 1") == "better"
    assert peer.titles[-1] == "系统开始重启"


def test_a_machine_that_does_not_reboot_is_not_configured_twice(
    start: Callable[..., Running], peer: V1Server, host: Host
) -> None:
    runs = host.machine.root / "runs"
    peer.hardware = [group("RAID", f"echo x >> {runs}")]
    peer.queue()
    start(stays=True).wait_for_reboot()
    peer.wait_for_calls(LIST, peer.calls.count(LIST) + 3)
    assert peer.state == "installing"
    assert runs.read_text() == "x\n"


def test_a_cancelled_job_runs_no_further_script(
    start: Callable[..., Running], peer: V1Server, host: Host
) -> None:
    marker = host.machine.root / "cancelled"
    peer.hardware = [group("RAID", f"until [ -e {marker} ]; do sleep 0.05; done", "echo two")]
    peer.queue()
    running = start()
    peer.wait_for_report("开始硬件配置")
    with peer.changed:
        peer.state = "failure"
    polls = peer.calls.count(LIST)
    marker.touch()
    peer.wait_for_calls(LIST, polls + 3)
    assert peer.titles[-1] == "开始硬件配置"
    assert not running.rebooted.is_set()
    assert peer.macs == []


def test_scripts_are_private_and_have_unix_line_ends(
    start: Callable[..., Running], peer: V1Server, host: Host
) -> None:
    peer.hardware = [group("RAID", "echo a\r\necho b\r\n")]
    peer.queue()
    start().wait_for_reboot()
    (file,) = (host.directory / "scripts").iterdir()
    assert file.read_bytes() == b"echo a\necho b\n"
    assert file.stat().st_mode & 0o777 == 0o700


def test_an_emoji_does_not_reach_the_database(start: Callable[..., Running], peer: V1Server) -> None:
    peer.hardware = [group("RAID \U0001f600", "echo '\U0001f600'")]
    peer.queue()
    start().wait_for_reboot()
    assert peer.wait_for_report("RAID ? - RAID ? 1") == "?"


def test_a_server_of_v1_is_recognised(host: Host, peer: V1Server) -> None:
    assert wait_for_server(host) is None
    assert peer.bodies[LIST] == [{"Sn": "7XK2P03"}]


def test_a_server_of_v2_is_never_asked_for_v1(host: Host) -> None:
    modern = Peer()
    try:
        host.cmdline = msgspec.structs.replace(host.cmdline, server_addr=modern.url)
        assert isinstance(wait_for_server(host), Client)
    finally:
        modern.close()


def test_an_empty_object_is_no_greeting(host: Host, peer: V1Server) -> None:
    peer.greeting = b"{}"  # as a captive portal answers to everything
    assert wait_for_server(host) is None
    peer.faults[LIST] = [b"{}"]
    with pytest.raises(Refused):
        Client(peer.url).greet()
    assert not speaks_v1(host)


def test_a_server_that_speaks_neither_is_waited_for_and_said(
    host: Host, peer: V1Server, caplog: pytest.LogCaptureFixture
) -> None:
    peer.faults[LIST] = [b"<html>welcome</html>"]
    assert wait_for_server(host) is None
    assert "does not speak Cloudboot v1" in caplog.text
    assert "does not speak protocol v2" in caplog.text


def test_a_server_of_v1_is_never_told_a_mac_as_a_serial_number(
    host: Host, peer: V1Server, caplog: pytest.LogCaptureFixture
) -> None:
    host.inventory.identity = Identity(name=MAC, by="mac")
    assert not speaks_v1(host)
    assert peer.calls == []
    assert "has no serial number" in caplog.text
    host.inventory.identity = Identity(name="ZM15S012345", by="board")
    assert speaks_v1(host)


def test_a_server_that_starts_late_is_waited_for(host: Host, peer: V1Server) -> None:
    port = int(peer.url.rpartition(":")[2])
    peer.close()
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(wait_for_server(host)))
    thread.start()
    late = V1Server(port)
    try:
        thread.join(20)
        assert found == [None]
    finally:
        late.close()
