from pathlib import Path

import pytest

from bootos.image import kernel_module as km

GOLDEN = Path(__file__).parents[2] / "golden/image"
NVME = "kernel/drivers/nvme/host/nvme.ko.xz"


@pytest.fixture
def dependencies() -> dict[str, list[str]]:
    return km.parse_dependencies((GOLDEN / "modules.dep").read_text())


@pytest.fixture
def soft() -> dict[str, list[str]]:
    return km.parse_soft_dependencies((GOLDEN / "modules.softdep").read_text())


def test_a_directory_keeps_all_modules_below_it(dependencies: dict[str, list[str]]) -> None:
    chosen = km.select_modules(dependencies, ["drivers/nvme"], [])
    assert {km.read_name(path) for path in chosen} == {"nvme", "nvme_core", "nvme_auth"}


def test_a_star_stays_within_one_part_of_the_path(dependencies: dict[str, list[str]]) -> None:
    assert km.select_modules(dependencies, ["drivers/n*"], []) == km.select_modules(
        dependencies, ["drivers/nvme", "drivers/net"], []
    )
    assert km.select_modules(dependencies, ["drivers/*.ko"], []) == set()


def test_a_module_is_named_without_its_suffix_and_not_by_a_prefix(dependencies: dict[str, list[str]]) -> None:
    assert km.select_modules(dependencies, ["drivers/nvme/host/nvme"], []) == {NVME}


def test_what_is_dropped_is_not_chosen(dependencies: dict[str, list[str]]) -> None:
    chosen = km.select_modules(dependencies, ["drivers"], ["drivers/media", "drivers/net"])
    names = {km.read_name(path) for path in chosen}
    assert "dvb_core" not in names and "igb" not in names and "raid456" in names


def test_a_kept_module_brings_all_it_needs(
    dependencies: dict[str, list[str]], soft: dict[str, list[str]]
) -> None:
    closed = km.close_dependencies(
        km.select_modules(dependencies, ["drivers/net/ethernet/intel/igb"], []), dependencies, soft
    )
    assert {km.read_name(path) for path in closed} == {"igb", "dca", "i2c_algo_bit"}


def test_a_dropped_module_comes_back_when_a_kept_one_needs_it(
    dependencies: dict[str, list[str]], soft: dict[str, list[str]]
) -> None:
    chosen = km.select_modules(dependencies, ["drivers/nvme"], ["drivers/nvme/common"])
    assert "kernel/drivers/nvme/common/nvme-auth.ko.xz" in km.close_dependencies(chosen, dependencies, soft)


def test_soft_dependencies_are_followed_and_missing_ones_ignored(
    dependencies: dict[str, list[str]], soft: dict[str, list[str]]
) -> None:
    closed = km.close_dependencies(["kernel/drivers/char/ipmi/ipmi_msghandler.ko.xz"], dependencies, soft)
    assert {km.read_name(path) for path in closed} == {"ipmi_msghandler", "ipmi_devintf"}
    assert soft["btrfs"] == ["blake2b_256", "sha256", "xxhash64", "crypto_crc32c"]


def test_modules_are_loaded_after_what_they_need(dependencies: dict[str, list[str]]) -> None:
    order = [km.read_name(path) for path in km.order_modules(["raid456", "loop"], dependencies)]
    assert order[-1] == "loop"
    for before, after in (("xor", "async_xor"), ("async_xor", "async_pq"), ("md_mod", "raid456")):
        assert order.index(before) < order.index(after)
    assert len(order) == len(set(order))


def test_an_unknown_boot_module_is_an_error(dependencies: dict[str, list[str]]) -> None:
    with pytest.raises(KeyError):
        km.order_modules(["no_such_module"], dependencies)


def test_a_pattern_that_matches_nothing_is_reported(dependencies: dict[str, list[str]]) -> None:
    assert km.find_unmatched(dependencies, ["drivers/nvme", "drivers/nvmee"]) == ["drivers/nvmee"]


def test_firmware_is_taken_only_when_a_module_names_it() -> None:
    available = ["bnx2/a.fw", "bnx2/b.fw", "intel/ice/ddp/ice.pkg", "liquidio/big.bin", "rtl_nic/r1.fw"]
    wanted = ["bnx2/a.fw", "rtl_nic/*.fw", "liquidio/big.bin", "missing.bin"]
    assert km.select_firmware(available, wanted, ["liquidio"]) == {"bnx2/a.fw", "rtl_nic/r1.fw"}
