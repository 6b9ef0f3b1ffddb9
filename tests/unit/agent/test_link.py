import pytest

from bootos.agent.link import Interface, build_network_file, build_resolv_conf, natural_key, plan_renames
from bootos.errors import BootosError


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


def test_nothing_is_renamed_when_the_pxe_interface_is_eth0_already() -> None:
    assert plan_renames([nic("eth0", 1), nic("eth1", 2)], "52:54:00:00:00:01") == []


def test_an_address_that_no_interface_has_is_an_error_that_lists_those_there_are() -> None:
    with pytest.raises(BootosError, match="eth0 52:54:00:00:00:01"):
        plan_renames([nic("eth0", 1)], "52:54:00:00:00:09")


def test_interfaces_sort_by_number() -> None:
    assert sorted(["eth10", "eth2", "ens1f0"], key=natural_key) == ["ens1f0", "eth2", "eth10"]


def test_the_network_file_matches_one_interface_only() -> None:
    assert "Name=eth0\n" in build_network_file("eth0", metric=100)


def test_name_servers_come_from_the_lease() -> None:
    lease = "ADDRESS=10.0.2.15\nDNS=10.0.2.3 10.0.2.4\nDOMAINNAME=lab.example\n"
    assert build_resolv_conf(lease) == "search lab.example\nnameserver 10.0.2.3\nnameserver 10.0.2.4\n"
