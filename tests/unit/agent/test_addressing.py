import pytest

from bootos.agent.host.cmdline import parse_cmdline
from bootos.agent.network.addressing import Addressing, Vlan, Words

STATIC = Addressing(address="10.0.0.5/24", gateway="10.0.0.1")


def read(text: str) -> Words:
    cmdline = parse_cmdline(f"SERVER_ADDR=http://a {text}")
    assert cmdline.problems == ()
    return cmdline.network


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("ip=dhcp", Addressing()),
        ("ip=on", Addressing()),
        ("ip=eth1:dhcp", Addressing(interface="eth1")),
        (":::::eth1:dhcp", Addressing(interface="eth1")),
        ("10.0.0.5::10.0.0.1:255.255.255.0:node7:eth0:none", "eth0"),
        ("10.0.0.5::10.0.0.1:24:node7:eth0:off", "eth0"),
        ("10.0.0.5:10.0.0.9:10.0.0.1:255.255.255.0", None),  # what PXELINUX writes for IPAPPEND 1
    ],
)
def test_reads_the_forms_of_the_kernel_and_of_dracut(word: str, wanted: Addressing | str | None) -> None:
    found = read(word if word.startswith("ip=") else f"ip={word}").addressing[0]
    if not isinstance(wanted, Addressing):
        wanted = Addressing(interface=wanted, address=STATIC.address, gateway=STATIC.gateway)
    assert found == wanted


def test_name_servers_come_after_the_method_and_by_their_own_word() -> None:
    words = read("ip=10.0.0.5:::24::eth0:none:10.0.0.2:10.0.0.3 nameserver=10.0.0.4")
    assert words.addressing[0].nameservers == ("10.0.0.2", "10.0.0.3")
    assert words.nameservers == ("10.0.0.4",)


def test_dracut_may_put_an_mtu_where_others_have_name_servers() -> None:
    assert read("ip=10.0.0.5:::24::eth0:none:9000").addressing[0].mtu == 9000


def test_reads_vlans_with_and_without_a_card() -> None:
    assert read("vlan=eth0.100:eth0 VLAN=7 vlan=vlan0005:eth1").vlans == (
        Vlan(id=100, parent="eth0", name="eth0.100"),
        Vlan(id=7),
        Vlan(id=5, parent="eth1", name="vlan0005"),
    )


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("ip=10.0.0.300::10.0.0.1:24::eth0:none", "'10.0.0.300' is not an IPv4 address"),
        ("ip=10.0.0.5::gateway:24::eth0:none", "the gateway 'gateway'"),
        ("ip=10.0.0.5::10.0.0.1:::eth0:none", "no netmask"),
        ("ip=10.0.0.5::10.0.0.1:255.0.255.0::eth0:none", "netmask '255.0.255.0'"),
        ("ip=10.0.0.5::10.0.0.1:0.0.0.255::eth0:none", "netmask '0.0.0.255'"),
        ("ip=10.0.0.5::10.0.0.1:24::eth0:bootp", "'bootp' is no way"),
        ("ip=10.0.0.5::10.0.0.1:24::a/b:none", "'a/b' is not the name"),
        ("ip=none", "gives no address"),
        ("ip=", "gives no address"),
        ("ip=[2001:db8::1]::[2001:db8::2]:64::eth0:none", "only IPv4"),
        ("nameserver=dns.example", "the name server 'dns.example'"),
        ("VLAN=4095", "not a VLAN number"),
        ("VLAN=", "not a VLAN number"),
        ("vlan=eth0:eth0.x", "not a VLAN number"),
        ("vlan=eth0.100", "the form is"),
    ],
)
def test_a_word_that_cannot_be_used_is_named_and_left_out(word: str, reason: str) -> None:
    cmdline = parse_cmdline(f"SERVER_ADDR=http://a {word} ip=eth9:dhcp")
    assert [problem.path for problem in cmdline.problems] == [word.partition("=")[0]]
    assert word in str(cmdline.problems[0])
    assert reason in str(cmdline.problems[0])
    assert cmdline.network == Words(addressing=(Addressing(interface="eth9"),))
