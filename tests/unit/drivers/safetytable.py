"""Every kind of content, put before every driver that would write over it, as a table.

`python tests/unit/drivers/safetytable.py` prints it.

The rule, in one sentence each; it is worked out here from what the rows say of themselves, and never asks the product:

1. What is in use is not taken, whatever the template says. A disk that cannot be read is not chosen at all.
2. What holds data, or what nobody can look at, is taken only with the word of the template that allows it. The plan
   then says what is lost, and by which word.
3. What this job began to make in that very place, and did not finish, is made again without a word. For others it is
   data.
4. What is known to hold nothing is taken, and nothing is said to be lost.

Each row goes through `plan` of the real driver, on a state as its `read` would return it.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import msgspec
from controllermodel import build_controller, build_drive
from safetycontent import CONTENTS, MOUNTED, SWAPPED, Content
from safetyplace import build_place
from safetytaker import TAKERS, Taker, wanted_array

from bootos.drivers.contract import Forecast, Planned
from bootos.drivers.erase.ability import Ability
from bootos.drivers.erase.erase import EraseDriver, EraseState
from bootos.drivers.raid.megaraid import MegaraidDriver
from bootos.drivers.storage.controller import Controller, ControllerState, Drive, Foreign
from bootos.template.check import read_template


class Row(msgspec.Struct, frozen=True, kw_only=True):
    taker: Taker
    content: Content
    has_word: bool

    @property
    def title(self) -> str:
        return f"{self.taker.name}: {self.content.name}, {'with' if self.has_word else 'without'} the word"

    @property
    def is_own(self) -> bool:
        return self.taker.name in self.content.own_of

    @property
    def is_lost(self) -> bool:
        """Whether taking it would lose something."""
        return (self.taker.is_data or self.content.holds) and not self.is_own

    @property
    def wanted(self) -> str:
        """The rule: what the plan must do."""
        if self.content.is_used or self.taker.never:
            return "refuse"
        if self.taker.chooses and self.content.is_unreadable:
            return "refuse"
        if self.taker.needs_disk and self.content.is_hidden:
            return "refuse"
        return "refuse" if self.is_lost and not self.has_word else "take"


IN_USE = (MOUNTED, SWAPPED, "(lvm)", "active")  # one of these says why


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the plan does. `told` is everything that it says is lost; `words` allow it; `why` are its problems."""

    verdict: str
    told: str
    words: frozenset[str]
    why: str


def build_rows() -> Iterator[Row]:
    for taker, content in itertools.product(TAKERS, CONTENTS):
        place = "disk" if taker.place == "addition" else taker.place
        if place not in content.places:
            continue
        for has_word in (True,) if taker.always else (False, True):
            yield Row(taker=taker, content=content, has_word=has_word)


def plan(row: Row) -> Planned:
    document = {"name": "t", **row.taker.template(row.has_word)}
    template, problems = read_template(document)
    assert template is not None
    assert problems == []
    state, forecast = build_place(row.taker.place, row.content)
    if isinstance(row.taker.driver, EraseDriver):
        state = EraseState(storage=state, abilities={disk.path: Ability() for disk in state.disks})
    return row.taker.driver.plan(state, template, {"pass": "correct horse"}, forecast)


def look(row: Row) -> Seen:
    planned = plan(row)
    taking = [action for action in planned.actions if action.id.startswith(row.taker.act)]
    return Seen(
        verdict="take" if taking and not planned.problems else "refuse",
        told="; ".join(text for action in planned.actions for text in action.destroys),
        words=frozenset(action.allowed for action in planned.actions if action.allowed is not None),
        why="; ".join(problem.message for problem in planned.problems),
    )


def find_fault(row: Row, seen: Seen) -> str:
    """What is not as the rule says; empty: all is."""
    if seen.verdict != row.wanted:
        return f"wanted {row.wanted}, got {seen.verdict}: {seen.why or seen.told}"
    if row.wanted == "take":
        if bool(seen.told) != row.is_lost:
            return f"it says that this is lost: {seen.told!r}"
        if row.is_lost and row.content.holds and row.content.told not in seen.told:
            return f"{row.content.told!r} is lost, and it says: {seen.told!r}"
        if seen.words != ({row.taker.word} if row.is_lost else set()):
            return f"allowed by {sorted(seen.words)}"
    elif not seen.why:
        return "it does not say why"
    elif row.content.is_used and row.has_word and not row.taker.never:
        return (
            "" if any(word in seen.why for word in IN_USE) else f"it does not say who uses it: {seen.why!r}"
        )
    return ""


class DriveRow(msgspec.Struct, frozen=True, kw_only=True):
    """A physical drive behind a controller: only one that is known to be free is used for anything."""

    name: str
    drive: Drive
    is_free: bool
    controller: dict[str, Any] = {}


FOREIGN = {"foreign": (Foreign(id="0", drives=("252:0",), title="RAID 1 on 252:0"),)}
DRIVES = (
    DriveRow(name="good", drive=build_drive(0), is_free=True),
    DriveRow(name="in an array that is not shown", drive=build_drive(0, state="online"), is_free=False),
    DriveRow(name="rebuilt for something", drive=build_drive(0, state="rebuilding"), is_free=False),
    DriveRow(name="hot spare of something", drive=build_drive(0, state="hotspare"), is_free=False),
    DriveRow(name="failed", drive=build_drive(0, state="failed"), is_free=False),
    DriveRow(name="missing", drive=build_drive(0, state="missing"), is_free=False),
    DriveRow(name="unusable", drive=build_drive(0, state="unusable", trouble="a cache"), is_free=False),
    DriveRow(name="foreign", drive=build_drive(0, state="foreign"), is_free=False, controller=FOREIGN),
    DriveRow(name="foreign, of which nothing is shown", drive=build_drive(0, state="foreign"), is_free=False),
)
ASKED: dict[str, dict[str, Any]] = {
    "create": wanted_array(False)["raid"],
    "create with wipe": wanted_array(True)["raid"],
    "create with clear": wanted_array(True, clear=True)["raid"],
    "hand to the system": {"jbod": "0"},
    "hand to the system with clear": {"jbod": "0", "clear": True},
    "make a hot spare": {"hotspares": "0"},
    "create, foreign: clear": wanted_array(True, foreign="clear")["raid"],
}


def is_wanted(asked: str, row: DriveRow) -> bool:
    """The rule for drives: only what is known to be free. A configuration that is shown can be cleared by its word."""
    return row.is_free or (row.name == "foreign" and ASKED[asked].get("foreign") == "clear")


def plan_drive(row: DriveRow, asked: dict[str, Any]) -> Planned:
    return plan_controller(build_controller(drives=(row.drive, build_drive(1)), **row.controller), asked)


def plan_controller(controller: Controller, asked: dict[str, Any]) -> Planned:
    """What the planner of controllers makes of a `raid` section."""
    template, problems = read_template({"name": "t", "raid": asked})
    assert template is not None
    assert problems == []
    return MegaraidDriver().plan(ControllerState(controllers=(controller,)), template, {}, Forecast())


def takes_drive(planned: Planned) -> bool:
    """Whether the plan would be carried out, and does something with the drive."""
    return not planned.problems and any(
        "252:0" in str(msgspec.to_builtins(action.detail)) for action in planned.actions
    )


def main() -> None:
    """Print the table; rows that are not as the rule says begin with `!`."""
    faults = rows = 0
    for row in build_rows():
        seen = look(row)
        fault = find_fault(row, seen)
        rows, faults = rows + 1, faults + bool(fault)
        lost = f" loses {seen.told}" if seen.verdict == "take" and seen.told else ""
        print(f"{'!' if fault else ' '} {row.title:88} {seen.verdict}{lost}{f'   {fault}' if fault else ''}")
    for (asked, raid), drive in itertools.product(ASKED.items(), DRIVES):
        taken = takes_drive(plan_drive(drive, raid))
        fault = "" if taken == is_wanted(asked, drive) else "it is not free" if taken else "it is free"
        rows, faults = rows + 1, faults + bool(fault)
        title = f"{asked}: a controller's drive, {drive.name}"
        print(
            f"{'!' if fault else ' '} {title:88} {'take' if taken else 'refuse'}{f'   {fault}' if fault else ''}"
        )
    print(f"{rows} rows, {faults} wrong")


if __name__ == "__main__":
    main()
