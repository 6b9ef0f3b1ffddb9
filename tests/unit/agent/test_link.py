import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from bootos.agent.network.link import Interface, natural_key, plan_renames, read_interfaces
from bootos.errors import BootosError
from bootos.process import Completed


def nic(name: str, last: int) -> Interface:
    return Interface(name=name, mac=f"52:54:00:00:00:{last:02x}", carrier=True)


def rename(names: list[str], steps: list[tuple[str, str]]) -> list[str]:
    """Carry renames out on a list, refusing a name that is taken, as the kernel does."""
    for old, new in steps:
        assert new not in names
        names[names.index(old)] = new
    return names


def test_the_second_interface_becomes_eth0_and_the_first_takes_its_name() -> None:
    steps = plan_renames([nic("eth0", 1), nic("eth1", 2)], "52:54:00:00:00:02")
    assert rename(["eth0", "eth1"], steps) == ["eth1", "eth0"]


def test_an_interface_with_a_firmware_name_becomes_eth0() -> None:
    assert plan_renames([nic("ens3", 1)], "52:54:00:00:00:01") == [("ens3", "eth0")]


@pytest.mark.parametrize("done", [0, 1, 2, 3])
def test_a_swap_that_was_interrupted_is_taken_up_where_it_is(done: int) -> None:
    cards = [nic("eth0", 1), nic("eth1", 2), nic("eth2", 3)]
    names = rename([card.name for card in cards], plan_renames(cards, cards[1].mac)[:done])
    now = [nic(name, number) for number, name in enumerate(names, 1)]
    assert rename(names, plan_renames(now, cards[1].mac)) == ["eth1", "eth0", "eth2"]


def test_nothing_is_renamed_when_the_pxe_interface_is_eth0_already() -> None:
    assert plan_renames([nic("eth0", 1), nic("eth1", 2)], "52:54:00:00:00:01") == []


def test_an_address_that_no_interface_has_is_an_error_that_lists_those_there_are() -> None:
    with pytest.raises(BootosError, match="eth0 52:54:00:00:00:01"):
        plan_renames([nic("eth0", 1)], "52:54:00:00:00:09")


def test_interfaces_sort_by_number() -> None:
    assert sorted(["eth10", "eth2", "ens1f0"], key=natural_key) == ["ens1f0", "eth2", "eth10"]


@pytest.mark.parametrize(
    ("names", "position"),
    [
        (["eth0", "eth1", "eth2", "eth3"], 3),
        (["eth1", "eth0", "eth2"], 0),
        (["ens1f0", "ens1f1", "eth0"], 1),
        (["rename2", "eth1"], 0),
        (["eth0", "bootos-x"], 1),
    ],
)
def test_whatever_the_names_the_pxe_interface_is_eth0_and_no_name_is_lost(
    names: list[str], position: int
) -> None:
    cards = [nic(name, number) for number, name in enumerate(names)]
    after = rename(list(names), plan_renames(cards, cards[position].mac))
    assert after[position] == "eth0"
    assert len(set(after)) == len(names)


def test_virtual_functions_are_left_out_and_vlans_are_not_physical(tmp_path: Path) -> None:
    for name in ("eth0/device", "eth1/device/physfn"):
        (tmp_path / "sys/class/net" / name).mkdir(parents=True)
    shown = [
        {"ifindex": number, "ifname": name, "link_type": "ether", "address": "52:54:00:00:00:01",
         "flags": ["BROADCAST", "UP", "LOWER_UP"],
         "addr_info": [{"family": "inet", "local": "10.0.2.15", "prefixlen": 24, "scope": "global"}]}
        for number, name in enumerate(("lo", "eth0", "eth1", "eth0.100"))
    ]  # fmt: skip
    shown[0]["link_type"] = "loopback"

    def fake_run(argv: Sequence[object], **_: object) -> Completed:
        return Completed(argv=(), returncode=0, stdout=json.dumps(shown), stderr="", duration_s=0)

    found = read_interfaces(fake_run, tmp_path)
    assert [(item.name, item.physical) for item in found] == [("eth0", True), ("eth0.100", False)]
    assert (found[0].address, found[0].carrier, found[0].index) == ("10.0.2.15/24", True, 1)
