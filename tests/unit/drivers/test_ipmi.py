from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

import pytest
from handclock import StillClock

from bootos.drivers.contract import Action, DriverError, Machine
from bootos.drivers.oob.bmc import (
    Lan,
    User,
    build_password_request,
    compare_lan,
    parse_access,
    parse_enabled,
    parse_lan,
    parse_users,
)
from bootos.drivers.oob.ipmi import IpmiDriver
from bootos.drivers.oob.ipmiplan import ColdReset, SetUser
from bootos.masking import Hidden
from bootos.process import Command, Completed, Options
from bootos.template.model import OobNetwork

GOLDEN = Path(__file__).parents[2] / "golden/drivers/oob.ipmi"


def read(name: str) -> str:
    return (GOLDEN / name).read_text()


class Scripted:
    """Answers each command that holds one of these words; everything else succeeds silently."""

    def __init__(self, **answers: tuple[int, str, str]) -> None:
        self.answers = answers
        self.inputs: list[str | None] = []

    def __call__(self, argv: Sequence[Any], **options: Unpack[Options]) -> Completed:
        command = Command(argv, **options)
        self.inputs.append(command.input)
        words = list(command.words)
        code, stdout, stderr = next((a for w, a in self.answers.items() if w in words), (0, "", ""))
        return command.complete(code, stdout, stderr)


def test_reads_the_lan_port() -> None:
    assert parse_lan(read("lan-print-1.txt")) == Lan(
        source="static", address="10.0.8.21", netmask="255.255.255.0", gateway="10.0.8.1", vlan=0
    )


def test_reads_a_vlan_and_other_sources() -> None:
    assert parse_lan("IP Address Source       : DHCP Address\n802.1q VLAN ID          : 12\n").vlan == 12
    assert parse_lan("IP Address Source       : BIOS Assigned Address\n").source == "bios"
    assert parse_lan("IP Address Source       : Other\n").source == "other"


def test_reads_users_also_those_without_a_name() -> None:
    users = parse_users(read("user-list-1.csv"))
    assert len(users) == 63
    assert users[1] == User(slot=2, name="labadmin", messaging=True, privilege="ADMINISTRATOR")
    assert users[4].name == ""


def test_a_comma_in_a_name_and_an_empty_user_do_not_confuse() -> None:
    users = parse_users("3,a,b,true,true,true,OPERATOR\n4,(Empty User),true,false,false,NO ACCESS\nnoise\n")
    assert [(user.slot, user.name, user.privilege) for user in users] == [
        (3, "a,b", "OPERATOR"),
        (4, "", "NO ACCESS"),
    ]


def test_reads_access_and_whether_a_user_is_enabled() -> None:
    assert parse_access(read("channel-info-1.txt"))
    assert not parse_access("    Access Mode         : disabled\n")
    assert parse_enabled(read("channel-getaccess-1-2.txt")) is None  # "unknown": this BMC does not tell
    assert parse_enabled("Enable Status        : enabled\n") is True
    assert parse_enabled("Enable Status        : disabled\n") is False


def test_a_password_is_padded_to_the_size_that_is_stored() -> None:
    assert build_password_request(3, 2, "abc", 16) == [6, 0x47, 3, 2, 97, 98, 99, *[0] * 13]
    assert build_password_request(3, 3, "abc", 20)[2] == 0x83


@pytest.mark.parametrize(
    ("found", "wanted", "differs"),
    [
        (Lan(source="dhcp", address="10.0.0.9"), OobNetwork(source="dhcp"), []),
        (Lan(source="static"), OobNetwork(source="dhcp"), ["BMC source"]),
        (
            Lan(source="static", address="10.0.8.21", netmask="255.255.0.0", gateway="10.0.8.9"),
            OobNetwork(source="static", address="10.0.8.21/24", gateway="10.0.8.1"),
            ["BMC netmask", "BMC gateway"],
        ),
        (
            Lan(source="static", address="10.0.8.21", netmask="255.255.255.0", gateway="1.2.3.4", vlan=7),
            OobNetwork(source="static", address="10.0.8.21/24"),
            [],
        ),
        (Lan(source="dhcp", vlan=7), OobNetwork(source="dhcp", vlan=0), ["BMC VLAN"]),
    ],
)
def test_only_what_the_template_gives_is_compared(found: Lan, wanted: OobNetwork, differs: list[str]) -> None:
    assert [change.what for change in compare_lan(found, wanted)] == differs


def test_a_refused_password_says_the_code_and_never_the_password() -> None:
    refused = (1, "", "Unable to send RAW command (channel=0x0 netfn=0x6 lun=0x0 cmd=0x47 rsp=0xcc): Invalid")
    detail = SetUser(channel=1, slot=3, rename=None, password=Hidden("hush"), privilege=4, enabled=True)
    action = Action(id="x", driver="oob.ipmi", summary="x", detail=detail)
    runner = Scripted(exec=refused)
    with pytest.raises(DriverError, match=r"refused the password for user 3 \(rsp=0xcc\)") as caught:
        IpmiDriver().apply(Machine(run=runner), action, {})
    assert "hush" not in str(caught.value)
    assert runner.inputs[0] is not None
    assert runner.inputs[0].startswith("raw 0x06 0x47 0x03 0x02 0x68 0x75 0x73 0x68")


def test_a_bmc_that_never_comes_back_from_its_reset_is_given_up() -> None:
    driver = IpmiDriver(clock=StillClock())
    action = Action(id="x", driver="oob.ipmi", summary="x", detail=ColdReset())
    with pytest.raises(DriverError, match="has not answered for 300 s"):
        driver.apply(Machine(run=Scripted(info=(1, "", "no"))), action, {})


def test_a_bmc_without_a_lan_channel_is_said_to_have_none() -> None:
    from bootos.wire.inventory import Bmc, Inventory

    inventory = Inventory(collected_at="2024-01-01T00:00:00Z", bmc=Bmc())
    serial = (0, read("channel-info-15.txt"), "")
    with pytest.raises(DriverError, match="has no LAN channel"):
        IpmiDriver().read(Machine(run=Scripted(info=serial)), inventory)
