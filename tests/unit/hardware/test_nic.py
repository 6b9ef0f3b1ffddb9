from pathlib import Path

import pytest

from bootos.hardware.lldp import parse_networkctl_lldp
from bootos.hardware.nic import (
    Link,
    mark_pxe,
    parse_ethtool_info,
    parse_ethtool_permanent,
    parse_ip_addr,
    read_nics,
)
from bootos.hardware.tree import Tree
from bootos.wire.inventory import LldpNeighbour, Nic

IP_ADDR = """[
{"ifindex":1,"ifname":"lo","link_type":"loopback","address":"00:00:00:00:00:00",
 "addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8,"scope":"host"}]},
{"ifindex":2,"ifname":"eth0","link_type":"ether","address":"02:11:22:33:44:55","permaddr":"52:54:00:AA:00:02",
 "addr_info":[{"family":"inet","local":"10.0.2.15","prefixlen":24,"scope":"global"},
              {"family":"inet6","local":"fe80::5054:ff:feaa:2","prefixlen":64,"scope":"link"}]},
{}]"""


def add_nic(root: Path, name: str, **files: str) -> Path:
    device = root / f"sys/devices/pci0000:00/0000:00:02.0/0000:03:00.{name[-1]}"
    net = device / "net" / name
    net.mkdir(parents=True)
    for file, text in {"address": "52:54:00:AA:00:01", "type": "1", "addr_assign_type": "0", **files}.items():
        (net / file).write_text(text + "\n")
    (net / "device").symlink_to("../..")
    (device / "driver").symlink_to("/sys/bus/pci/drivers/igb")
    (root / "sys/class/net").mkdir(parents=True, exist_ok=True)
    (root / "sys/class/net" / name).symlink_to(
        f"../../devices/pci0000:00/0000:00:02.0/{device.name}/net/{name}"
    )
    return net


def test_a_nic_is_read_from_sysfs(tmp_path: Path) -> None:
    add_nic(tmp_path, "eth0", speed="10000", carrier="1")
    (nic,) = read_nics(Tree(tmp_path))
    assert (nic.mac, nic.permanent_mac) == ("52:54:00:aa:00:01", "52:54:00:aa:00:01")
    assert (nic.speed_mbps, nic.link, nic.driver, nic.pci_address) == (10000, True, "igb", "0000:03:00.0")


def test_a_nic_that_is_down_tells_neither_speed_nor_link(tmp_path: Path) -> None:
    add_nic(tmp_path, "eth0", speed="-1")
    (nic,) = read_nics(Tree(tmp_path))
    assert (nic.speed_mbps, nic.link) == (None, None)


def test_an_address_that_somebody_set_is_not_permanent(tmp_path: Path) -> None:
    add_nic(tmp_path, "eth0", addr_assign_type="3")
    (nic,) = read_nics(Tree(tmp_path))
    assert nic.permanent_mac is None


def test_what_is_no_physical_ethernet_port_is_left_out(tmp_path: Path) -> None:
    bridge = tmp_path / "sys/class/net/br0"
    bridge.mkdir(parents=True)
    (bridge / "address").write_text("52:54:00:00:00:01")
    (bridge / "type").write_text("1")
    function = add_nic(tmp_path, "eth1")
    (function.parent.parent / "physfn").mkdir()
    add_nic(tmp_path, "ib2", type="32")
    assert read_nics(Tree(tmp_path)) == []


def test_addresses_and_the_permanent_mac_come_from_ip() -> None:
    assert parse_ip_addr(IP_ADDR)["eth0"] == Link("52:54:00:aa:00:02", ["10.0.2.15/24"])


def test_ip_of_another_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        parse_ip_addr('Option "-j" is unknown, try "ip -help".')


def test_firmware_is_none_where_the_driver_has_none(golden: Path) -> None:
    assert parse_ethtool_info((golden / "ethtool/info-e1000e.txt").read_text()) == "2.1-0"
    assert parse_ethtool_info((golden / "ethtool/info-virtio.txt").read_text()) is None
    assert parse_ethtool_info("firmware-version: N/A\n") is None


@pytest.mark.parametrize(
    ("text", "mac"),
    [
        ("Permanent address: 52:54:00:AA:00:02\n", "52:54:00:aa:00:02"),
        ("Permanent address: 00:00:00:00:00:00\n", None),
        ("Permanent address: not set\n", None),
        ("", None),
    ],
)
def test_a_permanent_address_of_zeros_is_none(text: str, mac: str | None) -> None:
    assert parse_ethtool_permanent(text) == mac


def test_the_nic_that_booted_is_found_by_present_or_permanent_mac() -> None:
    nics = [
        Nic(name="eth0", mac="02:11:22:33:44:55", permanent_mac="52:54:00:aa:00:02"),
        Nic(name="eth1", mac="52:54:00:aa:00:03"),
    ]
    mark_pxe(nics, "52-54-00-AA-00-02")
    assert [nic.is_pxe for nic in nics] == [True, False]
    mark_pxe(nics, None)
    assert [nic.is_pxe for nic in nics] == [False, False]


def test_the_switch_port_is_read_from_networkd(golden: Path) -> None:
    found = parse_networkctl_lldp((golden / "lldp/networkctl.json").read_text())
    assert found == {
        "eth0": LldpNeighbour(
            chassis_id="44:4c:a8:31:0a:00",
            system_name="tor-a1",
            port_id="Ethernet7",
            port_description="rack-a u12 port 1",
        )
    }


def test_the_vlan_is_read_where_networkd_tells_it() -> None:
    text = '{"Neighbors":[{"InterfaceName":"eth1","Neighbors":[{"PortID":"7","VlanID":100}]}]}'
    assert parse_networkctl_lldp(text) == {"eth1": LldpNeighbour(port_id="7", vlan=100)}


@pytest.mark.parametrize("text", ["", "{}", '{"Neighbors":[]}', "[]"])
def test_no_neighbour_is_no_error(text: str) -> None:
    assert parse_networkctl_lldp(text) == {}
