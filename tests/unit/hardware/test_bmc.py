from pathlib import Path

from bootos.hardware.bmc import add_lan, has_bmc, has_bmc_device, is_lan_channel, parse_mc_info, read_bmc
from bootos.hardware.capture import Capture, Replay, ToolOutput
from bootos.hardware.dmi import Dmi
from bootos.hardware.smbios import Structure
from bootos.hardware.tree import Tree
from bootos.wire.inventory import Bmc


def test_a_simulated_bmc_is_read_whole(golden: Path) -> None:
    texts = {name: (golden / f"ipmitool/ipmi_sim-{name}.txt").read_text() for name in
             ("mc-info", "channel-info-1", "lan-print-1")}  # fmt: skip
    tools = [ToolOutput(argv=["ipmitool", *name.split("-")], stdout=text) for name, text in texts.items()]
    assert read_bmc(Replay(Capture(tools=tools))) == Bmc(
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
    lan = (golden / "ipmitool/hpe-lan-print-2.txt").read_text()
    info = (golden / "ipmitool/ipmi_sim-channel-info-1.txt").read_text()
    tools = [ToolOutput(argv=["ipmitool", "mc", "info"], stdout="Firmware Revision : 2.81\n")]
    for channel in range(1, 9):
        text = info if channel == 2 else "  Channel Medium Type   : Serial\n"
        tools.append(ToolOutput(argv=["ipmitool", "channel", "info", str(channel)], stdout=text))
        said = ToolOutput(argv=["ipmitool", "lan", "print", str(channel)], returncode=1)
        if channel == 2:
            said.stdout = lan
        tools.append(said)
    bmc = read_bmc(Replay(Capture(tools=tools)))
    assert (bmc.channel, bmc.source, bmc.address, bmc.vlan) == (2, "dhcp", "192.168.0.37", 216)


def test_makers_without_a_name_in_ipmitools_list_are_known_by_their_number(golden: Path) -> None:
    assert parse_mc_info((golden / "ipmitool/dell-mc-info.txt").read_text()).vendor == "DELL Inc"
    assert parse_mc_info((golden / "ipmitool/intel-mc-info.txt").read_text()).vendor == "Intel"
    assert parse_mc_info("Manufacturer ID : 99999\nManufacturer Name : Unknown (0x1869F)\n").vendor == (
        "IANA enterprise 99999"
    )


def test_an_address_of_zeros_is_none(golden: Path) -> None:
    bmc = Bmc()
    add_lan(bmc, (golden / "ipmitool/supermicro-lan-print-1.txt").read_text())
    assert (bmc.source, bmc.address, bmc.netmask, bmc.gateway) == ("dhcp", None, None, None)
    assert (bmc.mac, bmc.vlan) == ("0c:c4:7a:8b:f3:3d", None)


def test_a_bmc_that_answers_nothing_leaves_the_lan_empty() -> None:
    bmc = Bmc()
    add_lan(bmc, "")
    assert bmc == Bmc()
    assert is_lan_channel("") is False


def test_a_bmc_is_known_by_its_device_or_by_smbios(tmp_path: Path) -> None:
    table = Dmi([Structure(38, 1, bytes(16), ())], None)
    assert not has_bmc(Tree(tmp_path), None)
    assert has_bmc(Tree(tmp_path), table)
    assert not has_bmc_device(Tree(tmp_path))
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/ipmi0").touch()
    assert has_bmc_device(Tree(tmp_path))
