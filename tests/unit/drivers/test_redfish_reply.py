"""What a Redfish service answers, read without a service."""

import pytest

from bootos.drivers.redfish.reply import read_link, read_links


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("/redfish/v1/Systems/1", "/redfish/v1/Systems/1"),
        ("/redfish/v1/Chassis/1/Power#/PowerSupplies/0", "/redfish/v1/Chassis/1/Power#/PowerSupplies/0"),
        (
            "/redfish/v1/Systems/System.Embedded.1(a)%20b?x=y",
            "/redfish/v1/Systems/System.Embedded.1(a)%20b?x=y",
        ),
        ("/redfish/v1/\x1b[2J\n", "/redfish/v1/%1B[2J%0A"),
        ("/redfish/v1/\ud800", r"/redfish/v1/%5Cud800"),
    ],
)
def test_an_address_is_one_whatever_a_service_sends(said: str, address: str) -> None:
    assert read_links([{"@odata.id": said}]) == [address]
    assert read_link({"Systems": {"@odata.id": said}}, "Systems") == address
