"""No driver takes what is in use, or data without its word: each row of the safety table, through the driver's plan."""

import itertools

import msgspec
import pytest
from controllermodel import build_controller, build_drive
from safetycontent import CONTENTS
from safetytable import (
    ASKED,
    DRIVES,
    DriveRow,
    Row,
    build_rows,
    find_fault,
    is_wanted,
    look,
    plan_controller,
    plan_drive,
    takes_drive,
)
from safetytaker import TAKERS, wanted_array

from bootos.drivers.storage.controller import Array

ROWS = list(build_rows())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_a_row_is_as_the_rule_says(row: Row) -> None:
    assert find_fault(row, look(row)) == ""


@pytest.mark.parametrize(
    ("asked", "row"),
    list(itertools.product(ASKED, DRIVES)),
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_only_a_drive_that_is_known_to_be_free_is_used(asked: str, row: DriveRow) -> None:
    assert takes_drive(plan_drive(row, ASKED[asked])) == is_wanted(asked, row)


def test_what_clearing_foreign_configurations_loses_is_said_with_its_word() -> None:
    row = next(row for row in DRIVES if row.name == "foreign")
    planned = plan_drive(row, ASKED["create, foreign: clear"])
    lost = [(action.destroys, action.allowed) for action in planned.actions if action.destroys]
    assert lost == [(("foreign configuration RAID 1 on 252:0",), "raid.foreign")]


def test_an_array_is_deleted_by_the_wipe_of_its_drives_only_when_all_of_them_are_known() -> None:
    drives = tuple(build_drive(number, state="online") for number in range(2))
    array = Array(id="0", name="old", level="1", drives=("252:0",), drive_count=2, state="optimal")
    for state, is_deleted in (("optimal", False), ("unknown", False), ("degraded", True)):
        found = msgspec.structs.replace(array, state=state)
        controller = build_controller(drives=drives, arrays=(found,))
        alone = msgspec.structs.replace(controller, drives=(drives[0], build_drive(1)))
        planned = plan_controller(alone, wanted_array(True)["raid"])
        deleting = [action for action in planned.actions if ":delete:" in action.id]
        assert bool(deleting) is is_deleted, state
        assert bool(planned.problems) is not is_deleted, state


def test_every_content_and_every_taker_has_rows_of_both_kinds() -> None:
    assert {row.content.name for row in ROWS} == {content.name for content in CONTENTS}
    for taker in TAKERS:
        wanted = {"refuse"} if taker.never else {"take", "refuse"}
        assert {row.wanted for row in ROWS if row.taker is taker} == wanted, taker.name
