from collections.abc import Sequence
from typing import Any

import msgspec

from bootos.drivers.contract import Planned
from bootos.drivers.firmware.plan import Hop, Recipe, plan_firmware
from bootos.drivers.firmware.state import FirmwareState, Installed
from bootos.errors import Problem
from bootos.template.check import read_template
from bootos.template.firmware import FirmwareWanted

SHA = "ab" * 32
DRIVER = "firmware.package"


def build_state(**more: Any) -> FirmwareState:
    parts = [
        Installed(component="bios", id="bios", title="BIOS", version="1.4.9"),
        Installed(component="bmc", id="bmc", title="BMC", version="4.40"),
        Installed(component="nic", id="n0", title="NIC eth0", version="20.1.1", model="X710", device="eth0"),
        Installed(component="nic", id="n1", title="NIC eth1", version="21.1.1", model="X710", device="eth1"),
        Installed(
            component="nic", id="n2", title="NIC eth2", version=None, model="I350", slot="0000:3b:00.0"
        ),
        Installed(component="drive", id="d0", title="drive nvme0n1", version="EDA1", device="nvme0n1"),
    ]
    return FirmwareState(**{"installed": parts, "vendor": "Dell Inc.", **more})


def item(component: str, version: str, **more: Any) -> dict[str, Any]:
    hop = {"package": f"https://h/{component}.bin", "sha256": SHA}
    return {"component": component, "version": version, **({} if "packages" in more else hop), **more}


def hops(*pairs: tuple[str, str | list[str] | None]) -> list[dict[str, Any]]:
    return [
        {
            "version": version,
            "package": f"https://h/{version}.bin",
            "sha256": SHA,
            **({"from": on} if on else {}),
        }
        for version, on in pairs
    ]


def prepare(wanted: FirmwareWanted, parts: Sequence[Installed]) -> Recipe | Problem:
    if wanted.format == "unknown":
        return Problem(path="format", message="is not known")
    return Recipe(
        reboot=wanted.component != "bmc", estimate_s=60, timeout_s=600, resumable=wanted.format == "safe"
    )


def plan(*items: dict[str, Any], **state: Any) -> Planned:
    template, problems = read_template({"name": "t", "firmware": list(items)})
    assert problems == []
    assert template is not None
    return plan_firmware(DRIVER, "package", build_state(**state), template.firmware, prepare)


def find_problems(planned: Planned) -> dict[str, str]:
    return {problem.path: problem.message for problem in planned.problems}


CHAIN = hops(("2.19.1", ">=2.10.0"), ("2.10.0", None))


def test_all_hops_are_shown_each_under_its_own_id() -> None:
    planned = plan(item("bios", "2.19.1", packages=CHAIN))
    assert [(action.id, action.reboot) for action in planned.actions] == [
        ("firmware.package:bios:2.10.0", True),
        ("firmware.package:bios:2.19.1", True),
    ]
    assert [action.summary for action in planned.actions] == [
        "BIOS: 1.4.9 -> 2.10.0 (hop 1 of 2)",
        "BIOS: 2.10.0 -> 2.19.1 (hop 2 of 2)",
    ]
    assert [(c.before, c.after) for a in planned.actions for c in a.changes] == [
        ("1.4.9", "2.10.0"),
        ("2.10.0", "2.19.1"),
    ]


def test_after_a_hop_the_rest_is_planned_under_the_same_ids_and_then_nothing() -> None:
    wanted = item("bios", "2.19.1", packages=CHAIN)
    whole = [action.id for action in plan(wanted).actions]
    for done, version in enumerate(("1.4.9", "2.10.0", "2.19.1")):
        parts = [Installed(component="bios", id="bios", title="BIOS", version=version)]
        assert [action.id for action in plan(wanted, installed=parts).actions] == whole[done:]


def test_the_bmc_comes_before_the_bios_and_drives_last_whatever_the_order_in_the_file() -> None:
    nic = item("nic", "22.0.0", select={"device": "eth0"})
    planned = plan(item("drive", "EDA2", unordered=True), nic, item("bios", "2"), item("bmc", "5"))
    assert [action.id.split(":")[1] for action in planned.actions] == [
        "bmc",
        "bios",
        "nic[device=eth0]",
        "drive",
    ]
    assert [action.path for action in planned.actions] == [f"firmware[{n}]" for n in (3, 2, 1, 0)]


def test_parts_of_one_item_share_the_hops_that_they_need() -> None:
    chain = hops(("21.1.1", None), ("22.0.0", ">=21"))
    planned = plan(item("nic", "22.0.0", select={"model": "x7*"}, packages=chain))
    first, second = planned.actions
    assert isinstance(first.detail, Hop)
    assert [part.id for part in first.detail.parts] == ["n0"]
    assert [part.id for part in second.detail.parts] == ["n0", "n1"]
    assert [(change.what, change.before) for change in second.changes] == [
        ("NIC eth0 firmware", "21.1.1"),
        ("NIC eth1 firmware", "21.1.1"),
    ]


def test_parts_that_go_different_ways_are_refused() -> None:
    chain = hops(("22.0.0", ["20.1.1", "20.5.5"]), ("22.0.0", "21.1.1"))
    planned = plan(item("nic", "22.0.0", select={"model": "X*"}, packages=chain))
    assert "different ways" in find_problems(planned)["firmware[0]"]


def test_a_version_that_cannot_be_read_is_no_reason_to_flash() -> None:
    planned = plan(item("nic", "22.0.0", select={"slot": "0000:3b:*"}))
    assert planned.actions == []
    assert "cannot be read" in find_problems(planned)["firmware[0]"]


def test_a_part_that_is_not_there_is_named_with_those_that_are() -> None:
    planned = plan(item("nic", "22", select={"model": "E810*"}), item("raid", "5"))
    assert find_problems(planned) == {
        "firmware[0].select": "no NIC fits",
        "firmware[1].component": "this machine has no RAID controller whose firmware can be read",
    }
    assert "NIC eth0: 20.1.1" in planned.problems[-1].hint + planned.problems[0].hint


def test_what_is_current_needs_no_package_and_no_tool() -> None:
    planned = plan(item("bmc", "4.40.0"), obstacle="the tool is missing")
    assert planned.problems == []
    assert planned.notes == ["BMC has version 4.40, as wanted"]
    planned = plan(item("bmc", "5"), obstacle="the tool is missing", hint="a layer brings it")
    assert find_problems(planned) == {"firmware[0]": "the tool is missing"}


def test_every_problem_is_told_and_none_of_it_is_planned() -> None:
    planned = plan(item("bmc", "4.2"), item("bios", "2", format="unknown"), item("drive", "EDA2"))
    assert set(find_problems(planned)) == {"firmware[0].version", "firmware[1].format", "firmware[2].version"}
    assert planned.actions == []


def test_a_flash_that_was_cut_off_is_not_repeated_without_a_word() -> None:
    wanted = item("bios", "2.19.1", packages=CHAIN)
    begun = ["firmware.package:bios:2.10.0"]
    planned = plan(wanted, begun=begun)
    message = find_problems(planned)["firmware[0].resume"]
    assert "BIOS to 2.10.0 was cut off" in message
    assert "1.4.9" in message
    assert plan({**wanted, "resume": True}, begun=begun).problems == []
    assert plan({**wanted, "format": "safe"}, begun=begun).problems == []
    assert plan(wanted, begun=["firmware.package:bios:2.19.1"]).problems == []


def test_items_of_another_method_are_left_to_their_driver() -> None:
    planned = plan(item("bios", "9", method="redfish"), item("bmc", "9", package="https://h/x.cab"))
    assert planned == Planned()


def test_what_was_read_survives_json_so_that_it_can_be_planned_on_elsewhere() -> None:
    state = build_state(begun=["firmware.package:bios:2.10.0"], programs=["saa"])
    assert msgspec.json.decode(msgspec.json.encode(state), type=FirmwareState) == state


def test_the_two_numbers_that_ipmi_has_are_not_taken_for_a_longer_version() -> None:
    parts = [Installed(component="bmc", id="bmc", title="BMC", version="6.10", source="ipmitool")]
    (problem,) = plan(item("bmc", "6.10.30.00"), installed=parts).problems
    assert "IPMI shows 6.10 and no more" in problem.message
    assert plan(item("bmc", "6.10"), installed=parts).problems == []
    assert [action.id for action in plan(item("bmc", "7.00"), installed=parts).actions] == [
        f"{DRIVER}:bmc:7.00"
    ]
