from bootos.agent.network.addressing import Addressing, Vlan, Words
from bootos.agent.network.networkfile import (
    Names,
    build_resolv_conf,
    find_named_cards,
    merge_names,
    parse_lease,
    plan_files,
    plan_ports,
)

STATIC = Addressing(address="10.0.0.5/24", gateway="10.0.0.1", nameservers=("10.0.0.2",))


def test_every_card_does_dhcp_with_a_metric_of_its_own() -> None:
    files = plan_files(plan_ports(["eth0", "eth1"], Words()))
    assert "Name=eth0\n" in files["10-bootos-eth0.network"]
    assert "RouteMetric=100\n" in files["10-bootos-eth0.network"]
    assert "RouteMetric=110\n" in files["10-bootos-eth1.network"]


def test_choosing_leaves_the_file_of_the_chosen_card_as_it_was() -> None:
    ports = plan_ports(["eth0", "eth1"], Words())
    before, after = plan_files(ports), plan_files(ports, "eth1")
    assert after["10-bootos-eth1.network"] == before["10-bootos-eth1.network"]
    assert "UseRoutes=no" in after["10-bootos-eth0.network"]
    assert "RouteMetric=2000\n" in after["10-bootos-eth0.network"]


def test_a_card_that_comes_later_changes_no_other_file() -> None:
    before, after = (plan_files(plan_ports(cards, Words())) for cards in (["eth0"], ["eth0", "eth1"]))
    assert after["10-bootos-eth0.network"] == before["10-bootos-eth0.network"]


def test_a_static_address_belongs_to_the_card_it_names() -> None:
    words = Words(addressing=(Addressing(interface="eth1", address="10.0.0.5/24", gateway="10.0.0.1"),))
    files = plan_files(plan_ports(["eth0", "eth1"], words))
    assert "DHCP=ipv4" in files["10-bootos-eth0.network"]
    assert "Address=10.0.0.5/24" in files["10-bootos-eth1.network"]
    assert "Gateway=10.0.0.1" in files["10-bootos-eth1.network"]
    assert find_named_cards(words) == {"eth1"}


def test_a_static_address_without_a_card_stays_on_the_chosen_one_alone() -> None:
    ports = plan_ports(["eth0", "eth1"], Words(addressing=(STATIC,)))
    assert all("Address=10.0.0.5/24" in text for text in plan_files(ports).values())
    after = plan_files(ports, "eth1")
    assert "Address=" not in after["10-bootos-eth0.network"]
    assert "Address=10.0.0.5/24" in after["10-bootos-eth1.network"]


def test_a_vlan_is_tried_on_every_card_and_the_card_itself_has_no_address() -> None:
    ports = plan_ports(["eth0", "eth1"], Words(vlans=(Vlan(id=100),)))
    assert [(port.name, port.card) for port in ports] == [("eth0.100", "eth0"), ("eth1.100", "eth1")]
    files = plan_files(ports)
    assert "VLAN=eth0.100\n" in files["10-bootos-eth0.network"]
    assert "DHCP=no" in files["10-bootos-eth0.network"]
    assert "Kind=vlan\n\n[VLAN]\nId=100\n" in files["10-bootos-eth0.100.netdev"]
    assert "DHCP=ipv4" in files["10-bootos-eth0.100.network"]


def test_a_vlan_and_its_card_may_both_have_addresses() -> None:
    vlan = Vlan(id=100, parent="eth0", name="eth0.100")
    named = (Addressing(interface="eth0"), Addressing(interface="eth0.100", address="10.0.0.5/24"))
    words = Words(addressing=named, vlans=(vlan,))
    assert [port.name for port in plan_ports(["eth0", "eth1"], words)] == ["eth0", "eth0.100", "eth1"]
    assert find_named_cards(words) == {"eth0"}


def test_name_servers_of_the_command_line_come_before_those_of_the_lease() -> None:
    lease = parse_lease("ADDRESS=10.0.2.15\nDNS=10.0.2.3 10.0.0.2\nDOMAINNAME=lab.example\n")
    port = plan_ports(["eth0"], Words(addressing=(STATIC,)))[0]
    names = merge_names(Words(nameservers=("10.9.9.9",)), port, lease)
    assert names == Names(nameservers=("10.9.9.9", "10.0.0.2", "10.0.2.3"), search="lab.example")
    assert build_resolv_conf(names).startswith("search lab.example\nnameserver 10.9.9.9\n")
