"""Controllers that are not as they should be, in plans: spares that fail, shields, arrays of one name."""

from typing import Any

import msgspec
import pytest
from controllermodel import build_controller, build_drive

from bootos.drivers.contract import Forecast, Planned
from bootos.drivers.raid.hardware import plan_controllers
from bootos.drivers.raid.megaraidcard import build_card
from bootos.drivers.raid.smartarraymodel import build_controller as build_smartarray
from bootos.drivers.storage.controller import Array, Controller, ControllerState, Drive
from bootos.drivers.storage.state import Storage
from bootos.hardware import smartarray, storcli
from bootos.hardware.storclireply import Reply
from bootos.template.check import read_template


def plan(
    controllers: tuple[Controller, ...], document: dict[str, Any], forecast: Forecast | None = None
) -> Planned:
    template, problems = read_template({"name": "t", **document})
    assert template is not None and problems == []
    state = ControllerState(controllers=controllers)
    return plan_controllers(state, template, forecast or Forecast(), driver="raid.test")


def read_storcli_drive(state: str, status: str | None = None, alert: str = "No") -> Drive:
    row = {"EID:Slt": "8:1", "State": state, "DG": "-", "Size": "1 TB", "Intf": "SAS", "Med": "HDD"}
    more = {"Drive /c0/e8/s1 State": {"S.M.A.R.T alert flagged by drive": alert}}
    details = {"Drive /c0/e8/s1": [row], "Drive /c0/e8/s1 - Detailed Information": more}
    listed = row | ({"Status": status} if status is not None else {})
    main = Reply(controller=0, version="007", error="", data={"PD LIST": [listed]})
    reply = Reply(controller=0, version="007", error="", data=details)
    (drive,) = build_card(storcli.build_controller(main, None, [reply], None), None, Storage()).drives
    return drive


@pytest.mark.parametrize(
    ("state", "status", "said"),
    [
        ("UGShld", None, "it is shielded: the controller tests it (UGShld)"),
        ("HSPShld", None, "it is a hot spare that is shielded: the controller tests it (HSPShld)"),
        ("Sntze", None, "it is being sanitised (Sntze)"),
        ("UConf", "Sanitize", "it is being sanitised (UConf/Sanitize)"),
        ("UConf", "Shielded", "it is shielded: the controller tests it (UConf/Shielded)"),
        ("UConf", "Degraded", "its state is UConf/Degraded"),
        ("Tomorrow", None, "its state is Tomorrow"),
    ],
)
def test_a_drive_that_is_shielded_sanitised_or_unknown_is_named_and_not_free(
    state: str, status: str | None, said: str
) -> None:
    drive = read_storcli_drive(state, status)
    assert (drive.state, drive.trouble) == ("unusable", said)
    controller = build_controller(
        drives=(msgspec.structs.replace(drive, number=0), build_drive(1), build_drive(2))
    )
    array = {"name": "os", "level": 1, "drives": "0,1"}
    assert said in f"{plan((controller,), {'raid': {'arrays': [array]}}).problems[0]}"
    opened = plan((controller,), {"raid": {"arrays": [array | {"drives": "all"}]}})
    assert opened.problems == [] and opened.actions[0].detail.drives == ("252:1", "252:2")
    assert any(said in note for note in opened.notes)


@pytest.mark.parametrize(("state", "seen"), [("UGood", "unusable"), ("GHS", "hotspare"), ("Onln", "online")])
def test_a_drive_that_says_it_is_failing_says_so(state: str, seen: str) -> None:
    drive = read_storcli_drive(state, alert="Yes")
    assert (drive.state, drive.trouble) == (seen, "it is failing: S.M.A.R.T. alert")


@pytest.mark.parametrize("status", ["Sanitize In Progress", "Queued for Sanitize", "Erase In Progress"])
def test_a_drive_that_ssacli_sanitises_is_not_free(status: str) -> None:
    text = f"""
Smart Array P440ar in Slot 0 (Embedded)
   Serial Number: P1

   Unassigned

      physicaldrive 1I:1:1
         Status: {status}
         Drive Type: Unassigned Drive
         Size: 1 TB
"""
    (found,) = smartarray.parse_config(text)
    (drive,) = build_smartarray(found, 0, Storage()).drives
    assert (drive.state, drive.trouble) == ("unusable", status)


def build_with_failing_spare() -> Controller:
    spare = build_drive(2, state="hotspare", trouble="Predictive Failure")
    array = Array(id="0", name="os", level="1", drives=("252:0", "252:1"), drive_count=2, state="optimal")
    online = [build_drive(number, state="online") for number in (0, 1)]
    return build_controller(
        drives=(*online, spare, build_drive(3), build_drive(4)), arrays=(array,), hotspares=("252:2",)
    )


def test_a_hot_spare_that_is_failing_is_named_and_stays_what_it_is() -> None:
    controller = build_with_failing_spare()
    array = {"name": "os", "level": 1, "drives": "0,1"}
    planned = plan((controller,), {"raid": {"arrays": [array], "hotspares": "2"}})
    assert (planned.problems, planned.actions) == ([], [])
    assert "drive 2 (252:2, serial S2) is a hot spare: Predictive Failure" in planned.notes


@pytest.mark.parametrize("words", [{}, {"clear": True}])
def test_a_hot_spare_that_is_failing_is_not_taken_for_an_array(words: dict[str, Any]) -> None:
    controller = build_with_failing_spare()
    named = plan((controller,), {"raid": {"arrays": [{"name": "new", "level": 1, "drives": "2,3"}], **words}})
    assert "a hot spare that is failing: Predictive Failure" in f"{named.problems[0]}"
    array = {"name": "new", "level": 1, "drives": {"count": 2}}
    selected = plan((controller,), {"raid": {"arrays": [array]}})
    (create,) = selected.actions
    assert create.detail.drives == ("252:3", "252:4")


def build_twins() -> tuple[Controller, Controller]:
    def build(number: int) -> Controller:
        array = Array(
            id="0", name="os", level="1", drives=("252:0", "252:1"), drive_count=2, state="optimal",
            device=f"/dev/sd{'ab'[number]}", size_bytes=10**11,
        )  # fmt: skip
        drives = tuple(build_drive(n, state="online" if n < 2 else "good") for n in range(4))
        return build_controller(id=f"/c{number}", number=number, drives=drives, arrays=(array,))

    return build(0), build(1)


@pytest.mark.parametrize("number", [0, 1])
def test_of_two_arrays_of_one_name_the_one_on_the_named_controller_is_meant(number: int) -> None:
    forecast = Forecast()
    array = {"name": "os", "level": 1, "drives": "0,1", "controller": number}
    document = {"raid": {"arrays": [array], "clear": True}}
    planned = plan(build_twins(), document, forecast)
    other = 1 - number
    assert planned.problems == []
    assert [action.id for action in planned.actions] == [f"raid.test:delete:{other}:os"]
    assert forecast.arrays["os"].device == f"/dev/sd{'ab'[number]}"
    assert forecast.freed == {f"/dev/sd{'ab'[other]}"}


def test_of_two_arrays_of_one_name_none_is_chosen_by_chance() -> None:
    forecast = Forecast()
    disk = {
        "select": {"array": "os"},
        "partitions": [{"name": "data", "size": "1GB", "filesystem": {"type": "ext4"}}],
    }
    planned = plan(build_twins(), {"disks": [disk]}, forecast)
    assert [problem.path for problem in planned.problems] == ["disks[0].select.array"]
    assert "more than one array is called 'os'" in planned.problems[0].message
    assert "os" not in forecast.arrays


def test_drives_of_a_namesake_on_another_controller_are_not_selected() -> None:
    array = {"name": "os", "level": 1, "drives": {"count": 2}, "controller": 0, "wipe": True}
    state = build_twins()
    empty = msgspec.structs.replace(state[0], arrays=(), drives=tuple(build_drive(n) for n in range(4)))
    planned = plan((empty, state[1]), {"raid": {"arrays": [array]}})
    assert planned.problems == [] and len(planned.actions) == 1
    again = plan((state[0], state[1]), {"raid": {"arrays": [array | {"controller": 1, "name": "data"}]}})
    assert again.problems == [] and again.actions[0].detail.drives == ("252:2", "252:3")
