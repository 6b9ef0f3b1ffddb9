"""Whether data may be lost is decided by one module, `drivers/storage/desk.py`: others hand on what it says."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

from sourcetree import parse_file

SOURCE = Path(__file__).parents[2] / "src/bootos"
FOLDERS = ("drivers", "engine")
CONTRACT = "drivers/contract.py"
DESK = "drivers/storage/desk.py"
LOSS = {"destroys", "allowed"}
SECTION = "drivers/raidsection.py"  # says a driver's word as the place has it in a list of sections
SAME_WORD = "action.allowed and self._tell(action.allowed)"  # where there was none, there is none
BUILDERS = {"Action", "replace"}  # functions that make or change an action


@functools.cache
def read_folder(folder: str) -> list[tuple[str, ast.AST]]:
    """(file, node) of every call, every attribute and every `+=` in this folder."""
    return [
        (str(file.relative_to(SOURCE)), node)
        for file in sorted((SOURCE / folder).rglob("*.py"))
        for node in ast.walk(parse_file(file))
        if isinstance(node, ast.Call | ast.Attribute | ast.AugAssign)
    ]


def walk(*folders: str) -> Iterator[tuple[str, ast.AST]]:
    """The same of these folders."""
    for folder in folders:
        yield from read_folder(folder)


def read_called(node: ast.Call) -> str:
    """The last name of what is called."""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def test_an_action_says_what_it_destroys_in_the_words_of_a_ruling() -> None:
    handed_on = 0
    for file, node in walk(*FOLDERS):
        if not isinstance(node, ast.Call):
            continue
        handed_on += any(key.arg == "ruling" for key in node.keywords)  # mypy checks its type
        if read_called(node) not in BUILDERS:
            continue
        assert file == CONTRACT or read_called(node) != "Action", f"{file}:{node.lineno} must use Planned.act"
        given = {key.arg: key.value for key in node.keywords if key.arg in LOSS}
        if not given:
            continue
        if file == SECTION:
            assert {key: ast.unparse(value) for key, value in given.items()} == {"allowed": SAME_WORD}
            continue
        assert file == CONTRACT, f"{file}:{node.lineno} must use Planned.act"
        for key, value in given.items():
            is_of_ruling = isinstance(value, ast.Attribute) and value.attr == key
            assert is_of_ruling, f"{file}:{node.lineno} must take {key} from a Ruling of the desk"
        owners = {ast.unparse(value.value) for value in given.values() if isinstance(value, ast.Attribute)}
        assert len(given) == 2 and len(owners) == 1, f"{file}:{node.lineno} must take both from one Ruling"
    assert handed_on > 10


def test_what_a_ruling_forbids_is_taken_over_in_one_way() -> None:
    """By `Planned.take`, so that nobody adds the problems and plans the action all the same."""
    adders = {
        file
        for file, node in walk("drivers", "engine", "agent")
        if isinstance(node, ast.AugAssign) and ast.unparse(node.value) == "ruling.problems"
    }
    assert adders == {CONTRACT}


def test_only_the_desk_makes_rulings() -> None:
    makers = {
        file
        for file, node in walk("drivers", "engine", "agent")
        if isinstance(node, ast.Call) and read_called(node) == "Ruling"
    }
    assert makers == {DESK}


def test_only_the_storage_room_looks_who_uses_a_disk() -> None:
    readers = {
        file
        for file, node in walk("drivers", "engine", "agent")
        if isinstance(node, ast.Attribute) and node.attr == "used_by"
    }
    assert readers == {"drivers/storage/content.py", DESK}
