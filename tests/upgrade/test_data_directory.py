"""Yesterday's data directory with today's server: what is in it is there, and goes on."""

import json
import lzma
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from serving import INVENTORY, Agent, Running, run_in_thread
from v1_agent import Installer, V1Agent

from bootos.server.lifecycle import MachineState, State
from bootos.server.settings import Settings

HERE = Path(__file__).parent
KNOWN: dict[str, Any] = json.loads((HERE / "data.json").read_text())
VIEWS: dict[str, Any] = json.loads(lzma.decompress((HERE / "data.views.json.xz").read_bytes()))
PUBLIC_URL = "http://10.0.0.1:8083"  # the address in the PXE files
PXE_FILES = "tftp/pxelinux.cfg/"
# Keys of the API's answers that are not compared: they depend on the time, or on images outside the directory.
PASSING = {"state", "last_heard_at", "was_default"}
INSTALLER_FILE = "01-52-54-00-00-07-01"


def read_files() -> dict[str, bytes]:
    """The files of the data directory by their path in it."""
    with tarfile.open(HERE / "data.tar.xz") as archive:
        found = {}
        for member in archive:
            file = archive.extractfile(member)
            if file is not None:
                found[member.name] = file.read()
        return found


def open_settings(data: Path) -> Settings:
    """Machines that come for the first time are taken for what they say."""
    return Settings(
        data=data,
        port=0,
        boot_files=data.parent / "no-image",
        tftp=False,
        poll_s=2,
        public_url=PUBLIC_URL,
        legacy="open",
        enrol="open",
        plain_secrets=True,
    )


def unpack(root: Path) -> Path:
    """The data directory as yesterday's server left it."""
    with tarfile.open(HERE / "data.tar.xz") as archive:
        archive.extractall(root / "data", filter="data")
    return root / "data"


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Today's server on it, for tests that only look."""
    running, stop = run_in_thread(open_settings(unpack(tmp_path_factory.mktemp("untouched"))))
    yield running
    stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Today's server on it; each test works with machines of its own."""
    running, stop = run_in_thread(open_settings(unpack(tmp_path_factory.mktemp("working"))))
    yield running
    stop()


class Yesterday(Agent):
    """An agent that registered with yesterday's server, and goes on with its session."""

    def __init__(self, server: Running, sn: str) -> None:
        said = KNOWN["sessions"][sn]
        super().__init__(server, sn, said["boot_id"])
        self.session, self.number = said["session"], said["number"]


def boot_again(server: Running, sn: str, mac: str = "52:54:00:00:99:01", **more: Any) -> Agent:
    """The next boot of a machine, with an agent of today; its last one is silent for long."""
    system = {"vendor": "Dell Inc.", "product": "PowerEdge R740", "serial": sn}
    inventory = {**INVENTORY, "system": system, "nics": [{"name": "eth0", "mac": mac}]}
    server.context.presence.let_go(server.operate("GET", f"/machines/{sn}")["id"])
    agent = Agent(server, sn, f"{sn}-boot-again", inventory=inventory, **more)
    assert agent.register().status == 200
    return agent


def find_missing(before: Any, now: Any, path: str = "") -> list[str]:
    """What was there before and is not, or is another one; more may be there now."""
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            said
            for name in before
            if name not in PASSING
            for said in find_missing(before[name], now.get(name), f"{path}.{name}")
        ]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = zip(before, now, strict=True)
        return [
            said for number, pair in enumerate(pairs) for said in find_missing(*pair, f"{path}[{number}]")
        ]
    return [] if before == now else [f"{path}: {before!r} was there, {now!r} is"]


def job_of(sn: str) -> int:
    return int(KNOWN["jobs"][sn])


def test_the_directory_is_small_and_holds_each_state() -> None:
    assert (HERE / "data.tar.xz").stat().st_size < 300_000
    assert {job["state"] for job in VIEWS["/jobs?limit=1000"]} == set(State)
    assert {machine["state"] for machine in VIEWS["/machines"]} == set(MachineState) - {
        MachineState.NEW,
        MachineState.DOUBTED,
    }


def test_the_api_shows_everything_that_was_there(untouched: Running) -> None:
    missing = []
    for path, before in VIEWS.items():
        now = untouched.operate("GET", path)
        if path == "/images":
            now = [row for row in now if row["version"] != "local"]
        missing += find_missing(before, now, path)
    # a plan that was approved is not offered for approval again
    assert missing == ["/jobs/4.can_approve: True was there, False is"]


def test_the_database_as_it_was_is_beside_the_new_one(untouched: Running, tmp_path: Path) -> None:
    (tmp_path / "bootos.db").write_bytes(read_files()["bootos.db"])
    (copy,) = untouched.data.glob("bootos.db.before-*")
    dumps = []
    for file in (tmp_path / "bootos.db", copy):
        with closing(sqlite3.connect(f"file:{file}?immutable=1", uri=True)) as database:
            dumps.append(list(database.iterdump()))
    assert dumps[0] == dumps[1] != []


def test_the_pages_show_it(untouched: Running) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = urlencode({"token": untouched.context.operator_token, "next": "/"}).encode()
    cookie = untouched.request("POST", "/login", body, form).headers["set-cookie"].partition(";")[0]
    paths = {
        "/": "UPRUN01",
        "/jobs": "UPINST1",
        "/templates": "whole",
        "/support": "PowerEdge R7*",
        "/audit": "job",
    }
    paths |= {f"/machines/{machine['sn']}": machine["sn"] for machine in VIEWS["/machines"]}
    paths |= {f"/jobs/{job['id']}": job["sn"] for job in VIEWS["/jobs?limit=1000"]}
    for path, word in paths.items():
        answer = untouched.request("GET", path, headers={"Cookie": cookie, "Accept": "text/html"})
        assert answer.status == 200, path
        assert word in answer.data.decode(), path


def test_boot_files_are_what_they_were(untouched: Running) -> None:
    """By TFTP and by HTTP; the operator's own lines in the default file are in what iPXE and GRUB read, too."""
    for name, content in read_files().items():
        if name.startswith("tftp/") and "/.pinned/" not in name:
            assert (untouched.data / name).read_bytes() == content, name
            answer = untouched.request("GET", f"/bootos/netboot/{name.removeprefix('tftp/')}")
            assert (answer.status, answer.data) == (200, content), name
        if name.startswith("images/") and name.endswith(("vmlinuz", "initrd.img")):
            answer = untouched.request("GET", f"/bootos/{name}")
            assert (answer.status, answer.data) == (200, content), name
    default = (untouched.pxe_directory / "default").read_text()
    assert "KERNEL memtest86+" in default
    assert "getSystemBySn?sn=UPINST1" in (untouched.pxe_directory / INSTALLER_FILE).read_text()
    image = (untouched.data / "images" / KNOWN["images"][0] / "vmlinuz").read_bytes()
    assert untouched.request("GET", "/bootos/vmlinuz").data == image


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    data = unpack(tmp_path)
    for _ in range(2):
        running, stop = run_in_thread(open_settings(data))
        before = {job["id"]: job["state"] for job in running.operate("GET", "/jobs?limit=1000")}
        stop()
        assert before == {job["id"]: job["state"] for job in VIEWS["/jobs?limit=1000"]}
    for name, content in read_files().items():
        if name.startswith(PXE_FILES):
            assert (data / name).read_bytes() == content, name


def test_the_session_of_a_running_job_goes_on(server: Running) -> None:
    number, agent = job_of("UPRUN01"), Yesterday(server, "UPRUN01")
    assert agent.order()["job_id"] == str(number)  # the same session, so the same attempt
    assert agent.order()["attempt"] == 1
    assert agent.report(number, state="running").data["cancel"] is False
    assert agent.upload_mac(number, "52:54:00:00:04:01").data == {"pxe_file": "01-52-54-00-00-04-01"}
    assert "getSystemBySn?sn=UPRUN01" in (server.pxe_directory / "01-52-54-00-00-04-01").read_text()
    assert agent.report(number, state="succeeded").status == 200
    assert server.job(number)["state"] == "installing"
    Installer(server.url, sn="UPRUN01").install()
    assert server.job(number)["state"] == "done"


def test_a_job_that_reboots_inside_goes_on_in_the_next_boot(server: Running) -> None:
    number = job_of("UPBOOT1")
    agent = boot_again(server, "UPBOOT1", developer=True)
    order = agent.order()
    assert (order["job_id"], order["attempt"]) == (str(number), 2)
    assert order["earlier_boot_id"] == KNOWN["sessions"]["UPBOOT1"]["boot_id"]
    assert "rebooting" in order["earlier"].values()
    agent.report(number, state="succeeded")
    assert server.job(number)["state"] == "done"


def test_a_machine_that_lost_its_power_begins_the_next_attempt(tmp_path: Path) -> None:
    running, stop = run_in_thread(open_settings(unpack(tmp_path)))
    order = boot_again(running, "UPRUN01", developer=True).order()
    stop()
    assert (order["job_id"], order["attempt"]) == (str(job_of("UPRUN01")), 2)
    assert "done" in order["earlier"].values()


def test_a_cancel_that_was_asked_for_is_told(server: Running) -> None:
    number, agent = job_of("UPSTOP1"), Yesterday(server, "UPSTOP1")
    assert agent.report(number, state="running").data["cancel"] is True
    agent.report(number, state="failed", message="cancelled")
    assert server.job(number)["state"] == "cancelled"


def test_an_installing_job_ends_with_the_installers_report(server: Running) -> None:
    number, installer = job_of("UPINST1"), Installer(server.url, sn="UPINST1")
    assert installer.read("getSystemBySn").startswith("#platform=x86")
    installer.install()
    assert (server.job(number)["state"], server.job(number)["progress"]) == ("done", 1)
    assert not (server.pxe_directory / INSTALLER_FILE).exists()


def test_the_approved_job_is_handed_out_with_its_approval(server: Running) -> None:
    number = job_of("UPAPPRO")
    plan = server.job(server.job(number)["plan_job"])
    order = boot_again(server, "UPAPPRO", developer=True).order()
    assert (order["job_id"], order["mode"]) == (str(number), "apply")
    assert order["approved"]["plan_hash"] == plan["report"]["plan_hash"] != ""
    planned = [action["id"] for step in plan["report"]["steps"] for action in step["actions"]]
    assert [action["id"] for action in order["approved"]["actions"]] == planned != []


def test_a_plan_of_yesterday_can_be_approved(server: Running) -> None:
    job = server.operate("POST", f"/jobs/{job_of('UPPLAN1')}/approve")
    assert (job["state"], job["sn"]) == ("queued", "UPPLAN1")
    assert boot_again(server, "UPPLAN1", developer=True).order()["approved"]


def test_secrets_bases_and_values_of_a_machine_reach_it(server: Running) -> None:
    order = boot_again(server, "UPNODE1", developer=True).order()
    assert order["secrets"] == {"oob-ops": "correct horse battery"}
    assert order["template"]["raid"]["arrays"][0]["name"] == "os"
    assert order["template"]["oob"]["network"] == {
        "source": "static",
        "address": "10.0.8.21/24",
        "gateway": "10.0.8.1",
    }


def test_a_machine_that_never_came_gets_its_job(server: Running) -> None:
    assert boot_again(server, "UPQUEUE").order()["job_id"] == str(job_of("UPQUEUE"))


def test_pins_hold_for_the_next_boots(server: Running) -> None:
    """Of the machine, with a NIC that it did not have, and of the model."""
    boot_again(server, "UPWAIT1", "52:54:00:00:99:02")
    pinned = server.pxe_directory / "01-52-54-00-00-99-02"
    assert f"/bootos/images/{KNOWN['images'][1]}/vmlinuz" in pinned.read_text()
    system = {"vendor": "HPE", "product": "ProLiant DL380", "serial": "NEW"}
    nics = [{"name": "eth0", "mac": "52:54:00:00:99:03"}]
    Agent(server, "NEW", "boot-1", inventory={**INVENTORY, "system": system, "nics": nics}).register()
    assert server.operate("GET", "/machines/NEW")["next_image"] == KNOWN["images"][1]


def test_a_certificate_of_yesterday_is_kept(server: Running) -> None:
    certificates = server.job(job_of("UPERASE"))["report"]["certificates"]
    assert [item["sha256"] for item in certificates] == [KNOWN["certificate"]]


def test_jobs_of_v1_agents_go_on(server: Running) -> None:
    agent = V1Agent(server.url, "SNV1RUN", "52:54:00:00:21:01")
    agent.report(0.4, "硬件配置结束", "")
    assert agent.post("report/deviceMacInfo", {"Sn": agent.sn, "Mac": agent.mac})["Status"] == "success"
    agent.report(0.5, "系统开始重启", "")
    number = job_of("SNV1RUN")
    assert server.job(number)["state"] == "installing"
    Installer(server.url, sn="SNV1RUN").install()
    assert server.job(number)["state"] == "done"


def test_a_waiting_v1_agent_gets_its_job(server: Running) -> None:
    agent = V1Agent(server.url, "SNV1QUE", "52:54:00:00:22:01", developer=True)
    assert agent.poll()
    assert agent.carry_out()
    assert agent.scripts == ["echo made"]
    assert server.job(job_of("SNV1QUE"))["state"] == "installing"


def test_a_machine_of_yesterday_can_be_deleted(server: Running) -> None:
    server.operate("DELETE", "/machines/UPDONE1")
    assert server.refuse("GET", "/machines/UPDONE1").status == 404
    assert not (server.pxe_directory / "01-52-54-00-00-08-01").exists()
