"""What a Redfish service does not show is not made up for by the next best thing, and is told."""

from redfishtree import serve_tree

from bootos.drivers.bios.redfish import BiosRedfishDriver
from bootos.drivers.oob.redfish import RedfishDriver
from bootos.wire.inventory import Bmc


def test_a_port_that_cannot_be_read_is_not_mistaken_for_another_one() -> None:
    ports = "/redfish/v1/Managers/1/EthernetInterfaces"
    network = {"oob": {"network": {"source": "static", "address": "192.0.2.9/26"}}}
    with serve_tree("ilo5-account-without-role") as service:
        service.fail(f"{ports}/1", 500, "busy")
        (problem,) = service.plan(RedfishDriver(), network).problems
        assert problem.path == "oob.network"
        assert f"{ports}/1 cannot be read" in problem.message
        service.inventory.bmc = Bmc(mac="02:00:00:00:00:02")
        planned = service.plan(RedfishDriver(), network)
        assert planned.problems == []
        assert [action.detail.path for action in planned.actions] == [f"{ports}/2"]


def test_bios_settings_that_cannot_be_asked_for_are_told_with_the_reason() -> None:
    bios = "ftp://elsewhere/Bios"
    with serve_tree("supermicro-x13-bios") as service:
        service.find("/redfish/v1/Systems/1")["Bios"] = {"@odata.id": bios}
        (problem,) = service.plan(BiosRedfishDriver(), {"bios": {"turbo": "enabled"}}).problems
    assert problem.message.startswith("the Redfish service of this machine shows no BIOS settings: ")
    assert f"no address of a service: {bios}" in problem.message
