"""Which card a machine talks to its server through, with real cards (veth), real DHCP and systemd-networkd."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from netns import SERVER, URL, Site, find_obstacle, wait_for

from bootos.agent.network.link import SWAP_NAME

pytestmark = pytest.mark.skipif(find_obstacle() is not None, reason=str(find_obstacle()))

FIRST, SECOND, THIRD = "52:54:00:00:00:01", "52:54:00:00:00:02", "52:54:00:00:00:03"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


def test_the_card_that_reaches_the_server_is_used_though_another_has_an_address_first(site: Site) -> None:
    wrong = site.add_card("eth0", FIRST, "10.7.0")
    site.add_card("eth1", SECOND, "10.7.1", connected=False)
    right = site.add_card("eth2", THIRD, "10.7.2", server=True)
    site.serve_dhcp(wrong, "10.7.0")
    site.power_on(f"SERVER_ADDR={URL}")
    site.wait_for_line(f"eth0 {FIRST} .* has an address but does not reach {URL}")
    site.serve_dhcp(right, "10.7.2")
    uplink = site.wait_for_uplink()
    assert (uplink["name"], uplink["mac"]) == ("eth2", THIRD)
    assert uplink["address"].startswith("10.7.2.")
    assert site.find_route() == "eth2"
    assert site.read_resolv_conf() == "nameserver 10.7.2.1\n"
    said = site.wait_for_line("eth2 .* reaches .*")[0]
    assert f"eth0 {FIRST} (10.7.0." in said
    assert f"eth1 {SECOND}: link DOWN" in said


def test_the_pxe_card_is_called_eth0_and_the_only_one_that_is_set_up(site: Site) -> None:
    other = site.add_card("eth0", FIRST, "10.7.0")
    pxe = site.add_card("eth1", SECOND, "10.7.1", server=True)
    asked = site.serve_dhcp(other, "10.7.0")
    site.serve_dhcp(pxe, "10.7.1")
    site.power_on(f"SERVER_ADDR={URL} BOOTIF=01-{SECOND.replace(':', '-')}")
    uplink = site.wait_for_uplink()
    assert (uplink["name"], uplink["mac"]) == ("eth0", SECOND)
    assert "DHCPDISCOVER" not in asked.read_text()


def test_commands_that_are_late_are_given_again_and_the_pxe_card_is_still_the_one_that_is_used(
    site: Site,
) -> None:
    other = site.add_card("eth0", FIRST, "10.7.0")
    pxe = site.add_card("eth1", SECOND, "10.7.1", server=True)
    (site.directory / f"root/sys/class/net/{SWAP_NAME}/device").mkdir(parents=True)
    asked = site.serve_dhcp(other, "10.7.0")
    site.serve_dhcp(pxe, "10.7.1")
    site.power_on(f"SERVER_ADDR={URL} BOOTIF=01-{SECOND.replace(':', '-')}", late=True)
    uplink = site.wait_for_uplink()
    assert (uplink["name"], uplink["mac"]) == ("eth0", SECOND)
    assert site.find_route() == "eth0"
    assert FIRST in site.read_in_machine("addr", "show", "dev", "eth1")
    for words in (f"cannot be renamed now: .* {SWAP_NAME} down took", "networkd.service took longer"):
        site.wait_for_line(words)
    assert "DHCPDISCOVER" not in asked.read_text()


def test_when_the_pxe_card_does_not_reach_the_server_all_are_tried_and_it_is_said(site: Site) -> None:
    pxe = site.add_card("eth0", FIRST, "10.7.0")
    right = site.add_card("eth1", SECOND, "10.7.1", server=True)
    site.serve_dhcp(pxe, "10.7.0")
    site.serve_dhcp(right, "10.7.1")
    site.power_on(f"SERVER_ADDR={URL} BOOTIF=01-{FIRST.replace(':', '-')}", alone_s=1)
    assert site.wait_for_uplink()["mac"] == SECOND
    site.wait_for_line(f"eth0 does not reach {URL} after . s; all interfaces are tried now")
    assert site.find_route() == "eth1"


def test_a_switch_port_that_swallows_the_first_seconds_costs_only_a_few_more(site: Site) -> None:
    late = site.add_card("eth0", FIRST, "10.7.0", server=True)
    other = site.add_card("eth1", SECOND, "10.7.1")
    leased = site.serve_dhcp(other, "10.7.1")
    site.power_on(f"SERVER_ADDR={URL}", retry_s=2, first_word_s=2.5)
    site.wait_for_line("waiting for a way to the server: eth0 .*: no DHCP answer")
    site.serve_dhcp(late, "10.7.0")
    assert site.wait_for_uplink(timeout_s=6)["name"] == "eth0"
    # An interface that has its lease keeps it while others are begun anew.
    assert leased.read_text().count("DHCPDISCOVER") == 1


def test_a_static_address_needs_no_dhcp_server_and_is_left_on_the_chosen_card_only(site: Site) -> None:
    site.add_card("eth0", FIRST, "10.7.0")
    site.add_card("eth1", SECOND, "10.7.1", server=True)
    site.power_on(f"SERVER_ADDR={URL} ip=10.7.1.50::10.7.1.1:255.255.255.0:::none:10.7.1.53")
    assert site.wait_for_uplink() == {"name": "eth1", "mac": SECOND, "address": "10.7.1.50"}
    assert site.read_resolv_conf() == "nameserver 10.7.1.53\n"
    wait_for(lambda: "10.7.1.50" not in site.read_in_machine("addr", "show", "dev", "eth0"))


def test_a_server_name_is_asked_of_the_name_servers_of_the_card_it_is_tried_through(site: Site) -> None:
    wrong = site.add_card("eth0", FIRST, "10.7.0")
    right = site.add_card("eth1", SECOND, "10.7.1", server=True)
    site.serve_dhcp(wrong, "10.7.0", "--address=/boot.test/10.7.0.99")
    site.serve_dhcp(right, "10.7.1", f"--address=/boot.test/{SERVER}", "--domain=test")
    site.power_on("SERVER_ADDR=http://boot:8083")
    assert site.wait_for_uplink()["name"] == "eth1"
    assert site.read_resolv_conf() == "search test\nnameserver 10.7.1.1\n"


def test_an_address_that_is_lost_comes_back_and_both_are_said(site: Site) -> None:
    only = site.add_card("eth0", FIRST, "10.7.0", server=True)
    site.serve_dhcp(only, "10.7.0")
    site.power_on(f"SERVER_ADDR={URL}", watch_s=0.2)
    assert site.wait_for_uplink()["name"] == "eth0"
    site.connect(only, up=False)
    site.wait_for_line(f"eth0 {FIRST}: link DOWN")
    site.connect(only)
    site.wait_for_line(f"eth0 {FIRST} has the address 10.7.0.")


def test_a_server_that_has_not_started_is_waited_for_on_the_card_that_gets_to_its_host(site: Site) -> None:
    wrong = site.add_card("eth0", FIRST, "10.7.0")
    right = site.add_card("eth1", SECOND, "10.7.1", server=True)
    site.serve_dhcp(wrong, "10.7.0")
    site.serve_dhcp(right, "10.7.1")
    site.power_on(f"SERVER_ADDR=http://{SERVER}:9", refused_s=1)
    assert site.wait_for_uplink()["name"] == "eth1"
    assert re.search("eth1 .* gets to the host of .*refuses connections to port 9", site.log.read_text())
