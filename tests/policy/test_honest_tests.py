"""What every test keeps to, read from the tests' own source: it can fail, it patches no function, and it expects
nothing of how long something takes on this host."""

import ast
import functools
from collections.abc import Set
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).parents[1]
FILES = sorted(TESTS.rglob("*.py"))
CLOCKS = {("time", "monotonic"), ("time", "time"), ("time", "perf_counter"), ("time", "process_time")}
# mypy's word for an assignment to a function.
IGNORED = "-".join(("ignore[method", "assign]"))
PATCHING = {"monkeypatch", "mock", "mocker"}
# Patterns that match any text: with one of them `raises` expects nothing of the message.
ANY_TEXT = {"", ".", ".*", ".+", "(?s).*", "(?s).+"}


def find_root(node: ast.expr) -> ast.expr:
    """`a` of `a.b[0].c`"""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node


def find_targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign | ast.Delete):
        return node.targets
    return [node.target] if isinstance(node, ast.AugAssign | ast.AnnAssign) else []


def is_called(node: ast.AST, name: str) -> bool:
    """Whether it is a call of `name` or `something.name`."""
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    return (isinstance(called, ast.Name) and called.id == name) or (
        isinstance(called, ast.Attribute) and called.attr == name
    )


def is_patch(node: ast.AST, imported: set[str]) -> bool:
    """A function, class or module that is changed from outside. That of an object of a class in the tests is seen by
    mypy, whose objection may not be ignored."""
    if isinstance(node, ast.arg):
        return node.arg in PATCHING
    if isinstance(node, ast.alias):
        return bool(PATCHING & set(node.name.split(".")))
    roots = [find_root(target) for target in find_targets(node) if isinstance(target, ast.Attribute)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr":
        roots.append(find_root(node.args[0]))
    return any(isinstance(root, ast.Name) and root.id in imported for root in roots)


def can_fail(test: ast.AST) -> bool:
    """By an assert of something that is not true anyway, or by what `raises` expects."""
    return any(
        is_called(node, "raises")
        or (isinstance(node, ast.Assert) and not isinstance(node.test, ast.Constant | ast.Tuple))
        for node in ast.walk(test)
    )


def expects_any_text(node: ast.AST) -> bool:
    """`raises(ValueError, match=".")`"""
    return isinstance(node, ast.Call) and any(
        word.arg == "match" and isinstance(word.value, ast.Constant) and word.value.value in ANY_TEXT
        for word in node.keywords
    )


def reads_clock(node: ast.AST, names: Set[str] = frozenset()) -> bool:
    """Whether a clock, or one of these names, stands in it."""
    return any(
        (isinstance(part, ast.Name) and part.id in names)
        or (
            isinstance(part, ast.Attribute)
            and isinstance(part.value, ast.Name)
            and (part.value.id, part.attr) in CLOCKS
        )
        for part in ast.walk(node)
    )


def find_times(function: ast.AST) -> set[str]:
    """The names that hold what a clock said."""
    return {
        target.id
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and reads_clock(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def is_sleep(node: ast.AST) -> bool:
    """`time.sleep(1)`, `Event().wait(1)`: who waits for something says for what (`bootos.waiting`)."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    owner, verb = node.func.value, node.func.attr
    return (verb == "sleep" and isinstance(owner, ast.Name) and owner.id in ("time", "asyncio")) or (
        verb == "wait" and is_called(owner, "Event") and bool(node.args)
    )


class Faults(NamedTuple):
    """Where in the tests is what no test may have."""

    patched: list[str]
    unable_to_fail: list[str]
    any_text: list[str]
    timed: list[str]
    asleep: list[str]


@functools.cache
def find_faults() -> Faults:
    """Every file is read once."""
    faults = Faults([], [], [], [], [])
    for path in FILES:
        name = path.relative_to(TESTS)
        nodes = list(ast.walk(ast.parse(path.read_text())))
        imported = {
            (alias.asname or alias.name).partition(".")[0]
            for node in nodes
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        for node in nodes:
            place = f"{name}:{getattr(node, 'lineno', 0)}"
            if is_patch(node, imported):
                faults.patched.append(place)
            if expects_any_text(node):
                faults.any_text.append(place)
            # in those of machines a fault lasts for a time, as a server that is away
            if is_sleep(node) and "vm" not in name.parts:
                faults.asleep.append(place)
        for function in functions:
            place = f"{name}:{function.lineno}"
            if path.name.startswith("test_") and function.name.startswith("test_") and not can_fail(function):
                faults.unable_to_fail.append(place)
            times = find_times(function)
            if any(
                isinstance(node, ast.Assert) and reads_clock(node.test, times) for node in ast.walk(function)
            ):
                faults.timed.append(place)
    return faults


def test_no_function_is_patched() -> None:
    assert not find_faults().patched, (
        "hand in a double: a program on PATH, a root directory, a peer on a socket"
    )
    assert not [path for path in FILES if IGNORED in path.read_text()]


def test_every_test_can_fail() -> None:
    assert not find_faults().unable_to_fail, "a test asserts something, or says what is raised"
    assert not find_faults().any_text, "say which words are expected"


def test_nothing_is_expected_of_how_long_something_takes() -> None:
    assert not find_faults().timed, "a busy host is slow: expect what happens, and wait with a deadline"


def test_nothing_sleeps() -> None:
    assert not find_faults().asleep, "wait for what is to come (bootos.waiting.wait_for)"
