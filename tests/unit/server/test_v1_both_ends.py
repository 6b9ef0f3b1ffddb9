"""Our own agent speaking Cloudboot v1 to our own server, as it does where v2 is not let through."""

from pathlib import Path

import msgspec
import pytest
from serving import Running
from v1_agent import Installer

from bootos.agent.cloudboot.client import V1Client
from bootos.agent.cloudboot.flow import Timing, work_v1
from bootos.agent.host.cmdline import Cmdline
from bootos.agent.host.host import Host
from bootos.drivers.contract import Machine
from bootos.wire.inventory import Inventory

MACHINE = Path(__file__).parents[2] / "golden/hardware/machines/server-six-disks.inventory.json"
MAC = "52:54:00:aa:00:01"
SCRIPTS = "name: t\nscripts: [{name: RAID, scripts: [{name: one, script: 'echo made'}]}]\n"


class Rebooted(BaseException):
    """Ends the agent, as its reboot does."""


def reboot() -> None:
    raise Rebooted


def run_until_reboot(server: Running, directory: Path) -> str:
    """One boot of the agent to the end of its job; the machine's serial number."""
    host = Host(Machine(root=directory), "boot-1")
    host.cmdline = Cmdline(server_addr=server.url, pxe_mac=MAC)
    host.inventory = msgspec.json.decode(MACHINE.read_bytes(), type=Inventory)
    server.create_job(machine=host.sn, pxe="p")
    timing = Timing(interval_s=0.05, first_pause_s=0.01, longest_pause_s=0.05, farewell_s=5.0)
    with pytest.raises(Rebooted):
        work_v1(host, V1Client(host.server_addr, timeout_s=20.0), timing, reboot)
    return str(host.sn)


def test_the_whole_flow_twice_in_a_row(server: Running, tmp_path: Path) -> None:
    server.operate("POST", "/support", {"vendor": "Dell", "product": "PowerEdge R740"})
    server.operate("PUT", "/pxe-templates/p", {"content": "LABEL a\nAPPEND sn={sn}"})
    server.put_template("t", SCRIPTS)
    for number in (1, 2):
        sn = run_until_reboot(server, tmp_path / str(number))
        job = server.job(number)
        assert (job["state"], job["attempt"]) == ("installing", 1)
        assert (server.pxe_directory / "01-52-54-00-aa-00-01").read_text() == f"LABEL a\nAPPEND sn={sn}"
        assert "made" in [line["text"] for line in server.operate("GET", f"/jobs/{number}/log")]
        Installer(server.url, sn=sn).install()
        assert server.job(number)["state"] == "done"
        assert [path.name for path in server.pxe_directory.iterdir()] == ["default"]
    assert server.operate("GET", f"/machines/{sn}")["agent_version"].startswith("bootos-agent/")
