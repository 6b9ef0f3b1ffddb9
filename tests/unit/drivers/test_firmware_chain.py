import random
from typing import Any

import pytest

from bootos.drivers.firmware.chain import Chain, find_chain, is_applicable
from bootos.drivers.firmware.version import compare_versions, is_same
from bootos.template.firmware import FirmwarePackage, FirmwareWanted

SHA = "ab" * 32


def hop(version: str, from_: str | list[str] | None = None) -> FirmwarePackage:
    return FirmwarePackage(version=version, package=f"https://h/{version}.bin", sha256=SHA, from_=from_)


def want(version: str, *hops: FirmwarePackage, component: str = "bios", **more: Any) -> FirmwareWanted:
    return FirmwareWanted(component=component, version=version, packages=list(hops), **more)  # type: ignore[arg-type]


def go(present: str, wanted: FirmwareWanted) -> list[str]:
    chain = find_chain(present, wanted)
    assert not chain.obstacle, chain
    return [package.version for package in chain.hops]


DELL = [hop("2.19.1", ">=2.10.0"), hop("2.10.0", ">=2.2.0"), hop("2.2.11")]


@pytest.mark.parametrize(
    ("present", "hops"),
    [
        ("1.4.9", ["2.2.11", "2.10.0", "2.19.1"]),
        ("2.2.0", ["2.10.0", "2.19.1"]),
        ("2.10.0", ["2.19.1"]),
        ("2.15.1", ["2.19.1"]),
        ("2.19.1", []),
    ],
)
def test_the_chain_begins_where_the_machine_is(present: str, hops: list[str]) -> None:
    assert go(present, want("2.19.1", *DELL)) == hops


def test_the_shortest_chain_is_taken() -> None:
    packages = [hop("3", ["1", "2"]), hop("2", "1"), hop("4", ["2", "3"]), hop("4", ">=2.5")]
    assert go("1", want("4", *packages)) == ["3", "4"]


def test_a_package_that_goes_past_the_goal_is_not_used() -> None:
    assert go("1.0", want("2.0", hop("3.0"), hop("2.0", "1.0"))) == ["2.0"]
    assert find_chain("1.0", want("2.0", hop("3.0"), hop("2.0", ">=3.0"))).obstacle


def test_the_hop_that_is_missing_is_named() -> None:
    chain = find_chain("1.4.9", want("2.19.1", *DELL[:2]))
    assert "2.10.0 may be applied on >=2.2.0 only" in chain.obstacle
    assert "brings 1.4.9 to >=2.2.0" in chain.hint
    chain = find_chain("1.4.9", want("2.19.1", DELL[0], DELL[2]))
    assert "2.19.1 may be applied on >=2.10.0 only" in chain.obstacle


def test_a_downgrade_is_done_only_when_asked_for() -> None:
    assert "newer than 2.2.11" in find_chain("2.19.1", want("2.2.11", *DELL)).obstacle
    assert go("2.19.1", want("2.2.11", *DELL, allow_downgrade=True)) == ["2.2.11"]
    assert go("1.0", want("2.2.11", *DELL, allow_downgrade=True)) == ["2.2.11"]
    back = [hop("2", "3"), hop("1", "<=2")]
    assert go("3", want("1", *back, allow_downgrade=True)) == ["2", "1"]


def test_a_name_that_has_no_order_needs_a_word() -> None:
    item = want("EDA5900Q", hop("EDA5900Q"), component="drive")
    assert "cannot be said" in find_chain("EDA5702Q", item).obstacle
    item.unordered = True
    assert go("EDA5702Q", item) == ["EDA5900Q"]
    assert go("EDA5900Q", item) == []
    chained = want("C", hop("C", "B"), hop("B", ["A", "A1"]), component="drive", unordered=True)
    assert go("A1", chained) == ["B", "C"]
    assert find_chain("X", chained).obstacle


def test_versions_listed_and_ranges_are_two_ways_to_be_meant() -> None:
    package = hop("9", [">=2", "<3", "7"])
    fitting = [
        text for text in ("1", "2", "2.9", "3", "7", "7.1", "EDA") if is_applicable(package, text, "bios")
    ]
    assert fitting == ["2", "2.9", "7"]


def test_random_chains_are_walkable_and_as_short_as_any() -> None:
    """Every hop may be applied where it is applied; the length is that of an exhaustive search."""
    dice = random.Random(11)
    for _ in range(300):
        versions = [str(number) for number in range(1, 8)]
        packages = [
            hop(
                dice.choice(versions),
                dice.choice([None, f">={dice.choice(versions)}", dice.sample(versions, 2)]),
            )
            for _ in range(dice.randrange(1, 8))
        ]
        present, goal = dice.choice(versions), dice.choice(packages).version
        item = want(goal, *packages, allow_downgrade=dice.random() < 0.5)
        chain = find_chain(present, item)
        order = compare_versions(present, goal)
        if order == 0 or (order == 1 and not item.allow_downgrade):
            assert chain.hops == ()
            continue
        best = _search(present, goal, packages, order or 0, 0)
        assert (chain.obstacle == "") == (best is not None), (present, item)
        at = present
        for number, package in enumerate(chain.hops):
            assert is_applicable(package, at, "bios")
            at = package.version
            assert find_chain(at, item).hops == chain.hops[number + 1 :], "after a reboot the way is the same"
        if best is not None:
            assert is_same(at, goal)
            assert len(chain.hops) == best


def _search(at: str, goal: str, packages: list[FirmwarePackage], order: int, depth: int) -> int | None:
    if at == goal:
        return depth
    lengths = [
        _search(package.version, goal, packages, order, depth + 1)
        for package in packages
        if is_applicable(package, at, "bios")
        and (int(at) - int(package.version)) * order > 0
        and (int(package.version) - int(goal)) * order >= 0
    ]
    return min((length for length in lengths if length is not None), default=None)


def test_nothing_is_to_do_with_the_version_there() -> None:
    assert find_chain("2.19.1", want("2.19.1", *DELL)) == Chain()
