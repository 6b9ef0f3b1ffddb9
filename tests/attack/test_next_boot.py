"""A machine without a login does not decide what another machine boots next, in either protocol."""

from typing import Any

import pytest
from serving import INVENTORY, Agent, Running

from bootos.wire import cloudboot_v1 as v1

VICTIM_MAC, OWN_MAC = "52:54:00:00:00:02", "52:54:00:00:00:66"
FILE = "01-52-54-00-00-00-02"


def build_inventory(*macs: str) -> dict[str, Any]:
    nics = [{"name": f"eth{number}", "mac": mac} for number, mac in enumerate(macs)]
    return {**INVENTORY, "nics": nics}


class V2Attacker:
    """Registers under a serial number of its own and gets a job that the operator made for it."""

    def __init__(self, server: Running) -> None:
        self.server = server

    def show(self, *macs: str, **more: Any) -> None:
        self.agent = Agent(self.server, sn="EVIL", inventory=build_inventory(*macs), **more)
        assert self.agent.register().status == 200

    def ask_for(self, mac: str) -> bool:
        """Whether the server took the MAC for its next boot."""
        self.job_id = self.agent.order()["job_id"]
        return self.agent.upload_mac(self.job_id, mac).status == 200

    def fail(self) -> None:
        assert self.agent.report(self.job_id, state="failed").status == 200


class V1Attacker:
    """The same by Cloudboot v1."""

    def __init__(self, server: Running) -> None:
        self.server = server

    def call(self, name: str, body: dict[str, Any]) -> bool:
        said = self.server.call("POST", f"{v1.PREFIX}/{name}", {"Sn": "EVIL", "Company": "x", **body})
        return bool(said.data["Status"] == "success")

    def show(self, *macs: str, pxe_mac: str = "") -> None:
        nics = [{"Name": "eth0", "Mac": mac, "Ip": "10.0.0.66"} for mac in macs]
        assert self.call("report/deviceProductInfo", {"Nic": nics, "Mac": pxe_mac})

    def ask_for(self, mac: str) -> bool:
        assert self.call("device/getPrepareInstallInfo", {})
        assert self.call("device/getHardwareBySn", {})
        return self.call("report/deviceMacInfo", {"Mac": mac})

    def fail(self) -> None:
        assert self.call("report/deviceInstallInfo", {"InstallProgress": -1})


Attacker = V1Attacker | V2Attacker


@pytest.fixture(params=[V1Attacker, V2Attacker])
def attacker(server: Running, request: pytest.FixtureRequest) -> Attacker:
    made: Attacker = request.param(server)
    return made


def make_job(server: Running) -> None:
    server.put_template()
    server.operate("PUT", "/pxe-templates/p", {"content": "LABEL a\nAPPEND sn={sn}"})
    server.create_job(machine="EVIL", pxe="p")


def has_pxe_file(server: Running) -> bool:
    return (server.pxe_directory / FILE).exists()


def test_its_own_mac_is_taken(server: Running, attacker: Attacker) -> None:
    """What follows is refused for the MAC, and for nothing else."""
    Agent(server).register()
    attacker.show(OWN_MAC)
    make_job(server)
    assert attacker.ask_for(OWN_MAC)
    assert not has_pxe_file(server)


@pytest.mark.parametrize("shown", [(OWN_MAC,), (OWN_MAC, VICTIM_MAC), (VICTIM_MAC,), ()])
def test_the_mac_of_another_machine_is_refused_also_when_the_attacker_shows_it_too(
    server: Running, attacker: Attacker, shown: tuple[str, ...]
) -> None:
    Agent(server).register()
    attacker.show(*shown)
    make_job(server)
    assert not attacker.ask_for(VICTIM_MAC)
    assert not has_pxe_file(server)


def test_the_mac_of_another_machine_as_its_own_boot_nic_is_refused(
    server: Running, attacker: Attacker
) -> None:
    Agent(server).register()
    attacker.show(OWN_MAC, pxe_mac=VICTIM_MAC)
    make_job(server)
    assert not attacker.ask_for(VICTIM_MAC)
    assert not has_pxe_file(server)


def test_whoever_showed_a_mac_first_does_not_get_it_when_its_owner_has_come(
    server: Running, attacker: Attacker
) -> None:
    attacker.show(OWN_MAC, VICTIM_MAC)
    Agent(server).register()
    make_job(server)
    assert not attacker.ask_for(VICTIM_MAC)
    assert not has_pxe_file(server)


def test_a_mac_that_was_taken_before_its_owner_came_is_not_taken_again(
    server: Running, attacker: Attacker
) -> None:
    attacker.show(VICTIM_MAC)
    make_job(server)
    assert attacker.ask_for(VICTIM_MAC)
    attacker.fail()
    assert not has_pxe_file(server)
    Agent(server).register()
    server.create_job(machine="EVIL", pxe="p")

    attacker.show(VICTIM_MAC)

    assert not attacker.ask_for(VICTIM_MAC)
    assert not has_pxe_file(server)


def test_a_mac_that_its_inventory_does_not_have_is_refused(server: Running, attacker: Attacker) -> None:
    attacker.show(OWN_MAC)
    make_job(server)
    assert not attacker.ask_for(VICTIM_MAC)
    assert not has_pxe_file(server)
