from pathlib import Path

import pytest

from bootos.hardware.bmc import add_lan, has_bmc, has_bmc_device, parse_lan_channels, parse_mc_info, read_bmc
from bootos.hardware.capture import Capture, Replay, ToolOutput
from bootos.hardware.dmi import Dmi
from bootos.hardware.smbios import Structure
from bootos.hardware.tree import Tree
from bootos.process import ToolError
from bootos.wire.inventory import Bmc

FIRST = "mc info\nchannel info 1\nlan print 1\n"
OTHERS = "".join(f"channel info {number}\n" for number in range(2, 9))


def answer(*answers: tuple[str, str]) -> Replay:
    """An ipmitool that prints a text for each batch of commands."""
    argv = ["ipmitool", "exec", "/dev/stdin"]
    return Replay(Capture(tools=[ToolOutput(argv=argv, input=said, stdout=text) for said, text in answers]))


def test_a_simulated_bmc_is_read_whole(golden: Path) -> None:
    names = ("mc-info", "channel-info-1", "lan-print-1")
    text = "".join((golden / f"ipmitool/ipmi_sim-{name}.txt").read_text() for name in names)
    assert read_bmc(answer((FIRST, text))) == Bmc(
        firmware="2.11",
        ipmi_version="2.0",
        channel=1,
        mac="52:54:00:b0:0c:01",
        source="static",
        address="10.0.9.21",
        netmask="255.255.255.0",
        gateway="10.0.9.1",
    )


def test_the_lan_is_looked_for_on_other_channels_when_it_is_not_the_first(golden: Path) -> None:
    mc = (golden / "ipmitool/dell-mc-info.txt").read_text()
    channel = (golden / "ipmitool/ipmi_sim-channel-info-1.txt").read_text()
    others = "Channel 0x7 info:\n  Channel Medium Type   : Serial/Modem\n" + channel.replace("0x1", "0x2", 1)
    lan = (golden / "ipmitool/hpe-lan-print-2.txt").read_text()
    bmc = read_bmc(answer((FIRST, mc), (OTHERS, others), ("lan print 2\n", lan)))
    assert (bmc.vendor, bmc.channel, bmc.source, bmc.address) == ("DELL Inc", 2, "dhcp", "192.168.0.37")
    assert bmc.vlan == 216


def test_a_bmc_without_a_lan_is_known_by_its_versions(golden: Path) -> None:
    mc = (golden / "ipmitool/dell-mc-info.txt").read_text()
    assert read_bmc(answer((FIRST, mc), (OTHERS, "\n"))) == Bmc(
        vendor="DELL Inc", firmware="2.70", ipmi_version="2.0"
    )


def test_a_bmc_that_does_not_answer_is_an_error_in_ipmitools_words() -> None:
    silent = ToolOutput(
        argv=["ipmitool", "exec", "/dev/stdin"], input=FIRST, returncode=1, stderr="Could not open device\n"
    )
    with pytest.raises(ToolError, match="Could not open device"):
        read_bmc(Replay(Capture(tools=[silent])))


def test_makers_without_a_name_in_ipmitools_list_are_known_by_their_number(golden: Path) -> None:
    assert parse_mc_info((golden / "ipmitool/dell-mc-info.txt").read_text()).vendor == "DELL Inc"
    assert parse_mc_info((golden / "ipmitool/intel-mc-info.txt").read_text()).vendor == "Intel"
    assert (
        parse_mc_info((golden / "ipmitool/supermicro-mc-info-47488.txt").read_text()).vendor == "Supermicro"
    )
    assert parse_mc_info("Manufacturer ID : 99999\nManufacturer Name : Unknown (0x1869F)\n").vendor == (
        "IANA enterprise 99999"
    )


def test_an_open_suite_0_is_found(golden: Path) -> None:
    names = ("mc-info", "channel-info-1", "lan-print-1")
    text = "".join((golden / f"ipmitool/ipmi_sim-{name}.txt").read_text() for name in names)
    open_text = text.replace("Suites     : 1,2", "Suites     : 0,1,2")
    assert open_text != text
    assert read_bmc(answer((FIRST, open_text))).suite_0_open
    assert not read_bmc(answer((FIRST, text))).suite_0_open


def test_an_address_of_zeros_is_none(golden: Path) -> None:
    bmc = Bmc()
    add_lan(bmc, (golden / "ipmitool/supermicro-lan-print-1.txt").read_text())
    assert (bmc.source, bmc.address, bmc.netmask, bmc.gateway) == ("dhcp", None, None, None)
    assert (bmc.mac, bmc.vlan) == ("0c:c4:7a:8b:f3:3d", None)


def test_a_bmc_that_answers_nothing_leaves_the_lan_empty() -> None:
    bmc = Bmc()
    add_lan(bmc, "")
    assert bmc == Bmc()
    assert parse_lan_channels("") == []


def test_a_bmc_is_known_by_its_device_or_by_smbios(tmp_path: Path) -> None:
    table = Dmi([Structure(38, 1, bytes(16), ())], None)
    assert not has_bmc(Tree(tmp_path), None)
    assert has_bmc(Tree(tmp_path), table)
    assert not has_bmc_device(Tree(tmp_path))
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/ipmi0").touch()
    assert has_bmc_device(Tree(tmp_path))
