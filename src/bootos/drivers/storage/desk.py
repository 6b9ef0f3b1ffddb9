"""The one place that says whether something may be lost. Pure; every driver that would write over data asks it.

It is given what would be taken, what lies there (`content`), the word of the template that allows the loss, and whether
this job made it and was cut off (`own`). It answers with problems, or with what an action has to say: `destroys` and
`allowed`. The guard of the engine checks that no action destroys anything that its word does not allow.
"""

from collections.abc import Iterable, Sequence, Set

import msgspec

from bootos.drivers.contract import Ruling
from bootos.drivers.storage.content import Occupancy
from bootos.drivers.storage.controller import Controller, Drive
from bootos.drivers.storage.state import Block
from bootos.errors import Problem, Problems


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """A word of the template by its place (`disks[0].wipe`), and whether it is given there."""

    path: str
    is_given: bool


class Taking(msgspec.Struct, frozen=True, kw_only=True):
    """What would be taken, for the words of a problem. `title` is what it is called, `path` the place of the template
    that wants it, `cannot` what it would be taken for: `/dev/sda cannot be partitioned: it is mounted on /mnt`.

    `subject` is what the message calls the thing in use. `more` is added to the words about its content; `content_path`
    is the place of that problem, when it is not `path`."""

    title: str
    path: str
    cannot: str
    subject: str = "it"
    more: str = ""
    content_path: str = ""


NOTHING_LOST = Ruling()


def wipe_word(at: str, is_given: bool) -> Word:
    """The `wipe` of a place of the template."""
    return Word(path=f"{at}.wipe", is_given=is_given)


def judge(taking: Taking, present: Occupancy, word: Word, *, is_own: bool = False) -> Ruling:
    """Whether a place may be taken. What is in use never is, whatever the template says; what holds data is with the
    word that allows it, or when `is_own`: this job made it, and was cut off making it."""
    problems = Problems()
    if present.users:
        message = f"{taking.title} {taking.cannot}: {taking.subject} is {', '.join(present.users)}"
        problems.complain(taking.path, message)
    content = () if is_own else tuple(dict.fromkeys(present.content))
    if content and not word.is_given:
        message = f"{taking.title} holds {'; '.join(content)}{taking.more}"
        hint = f"{word.path}: true allows this data to be lost"
        problems.complain(taking.content_path or taking.path, message, hint)
    if problems:
        return Ruling(problems=tuple(problems))
    return Ruling(destroys=content, allowed=word.path if content else None)


def find_use(block: Block) -> str:
    """Why a disk cannot be taken: who uses it; empty when nobody does. The users of an array on the disk do not count,
    since the template may want that same array."""
    return ", ".join(f"it is {user}" for user in block.used_by)


def join_rulings(rulings: Iterable[Ruling]) -> Ruling:
    """One for an action that takes several places: all problems, everything that is destroyed, every word."""
    listed = list(rulings)
    problems = tuple(problem for ruling in listed for problem in ruling.problems)
    if problems:
        return Ruling(problems=problems)
    words = dict.fromkeys(ruling.allowed for ruling in listed if ruling.allowed is not None)
    return Ruling(
        destroys=tuple(dict.fromkeys(text for ruling in listed for text in ruling.destroys)),
        allowed=", ".join(words) or None,
    )


def find_word(clear: bool, members: Set[str], wiping: Sequence[tuple[str, Set[str]]]) -> Word:
    """The word that allows an array on `members` to be deleted: `raid.clear`, or the `wipe` of wanted arrays whose
    drives cover all of its own. `wiping` are those that have it, as (place, drives). When neither is given, it is
    `raid.clear`, not given."""
    covered = frozenset[str]().union(*(drives for _, drives in wiping))
    if clear or not members or not members <= covered:
        return Word(path="raid.clear", is_given=clear)
    return Word(path=f"{next(at for at, drives in wiping if drives & members)}.wipe", is_given=True)


def keep_array(title: str, level: str, where: Iterable[str], path: str) -> Problem:
    """What is said of an array that is in the way, when no word allows it to be deleted."""
    return Problem(
        path=path,
        message=f"array {title!r} (RAID {level}) exists on {', '.join(where)} and is not what is wanted",
        hint="raid.clear: true deletes arrays that are not in the template",
    )


def find_trouble(controller: Controller, drive: Drive, *, is_cleared: bool) -> str:
    """Why a drive behind a controller cannot be used, whatever the template allows; empty: it can. A drive is free only
    when its controller says so: a drive that belongs to an array which the tool does not show is in use. `is_cleared`:
    the plan makes the controller forget foreign configurations first."""
    if drive.id in controller.failed:
        return drive.trouble or {"missing": "it is missing"}.get(drive.state, "it has failed")
    if drive.state == "foreign" and not is_cleared:
        return "it belongs to a configuration of another controller (raid.foreign: import or clear)"
    if drive.state == "hotspare" and drive.trouble:
        return f"it is a hot spare that is failing: {drive.trouble}"
    if controller.find_array_of(drive.id) is not None or drive.id in controller.hotspares:
        return ""
    if drive.state in ("online", "rebuilding"):
        return "its controller uses it for something that it does not show as an array"
    return "it is a hot spare of something that is not shown" if drive.state == "hotspare" else ""
