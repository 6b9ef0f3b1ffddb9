"""What every test keeps to, read from the tests' own source: it can fail, it patches no function, and it expects
nothing of how long something takes on this host."""

import ast
import functools
from collections.abc import Callable, Iterator, Sequence, Set
from pathlib import Path

TESTS = Path(__file__).parents[1]
FILES = sorted(TESTS.rglob("*.py"))
MODULES = [path for path in FILES if path.name.startswith("test_")]
CLOCKS = {("time", "monotonic"), ("time", "time"), ("time", "perf_counter"), ("time", "process_time")}
# mypy: "Cannot assign to a method"
IGNORED = "-".join(("ignore[method", "assign]"))
PATCHING = {"monkeypatch", "mock", "mocker"}
# Matches any text: `raises` with it expects less than it says.
ANY_TEXT = {"", ".", ".*", ".+", "(?s).*", "(?s).+"}


@functools.cache
def read_tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def find_functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(read_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def find_imported_names(path: Path) -> set[str]:
    """What this file has from others: their modules, classes and functions."""
    return {
        (alias.asname or alias.name).partition(".")[0]
        for node in ast.walk(read_tree(path))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }


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


def tell(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(TESTS)}:{getattr(node, 'lineno', 0)}"


def find_all(is_wanted: Callable[[ast.AST], bool], files: Sequence[Path] = FILES) -> list[str]:
    """`unit/test_a.py:7` of every such place."""
    return [tell(path, node) for path in files for node in ast.walk(read_tree(path)) if is_wanted(node)]


def test_no_function_is_patched() -> None:
    found = [
        tell(path, node)
        for path in FILES
        if (imported := find_imported_names(path))
        for node in ast.walk(read_tree(path))
        if is_patch(node, imported)
    ]
    assert not found, (
        "hand in a double at the outer edge: a program on PATH, a root directory, a peer on a socket"
    )
    assert not [path for path in FILES if IGNORED in path.read_text()]


def test_every_test_can_fail() -> None:
    empty = [
        tell(path, node)
        for path in MODULES
        for node in find_functions(path)
        if node.name.startswith("test_") and not can_fail(node)
    ]
    assert not empty, "a test asserts something, or says what is raised"
    assert not find_all(expects_any_text), "say which words are expected"


def test_nothing_is_expected_of_how_long_something_takes() -> None:
    found = [
        tell(path, node)
        for path in FILES
        for function in find_functions(path)
        if (times := find_times(function)) is not None
        for node in ast.walk(function)
        if isinstance(node, ast.Assert) and reads_clock(node.test, times)
    ]
    assert not found, "a busy host is slow: expect what happens, and wait with a deadline (bootos.waiting)"


def test_nothing_sleeps() -> None:
    """In a virtual machine a fault may last: the server is away for as long as that."""
    files = [path for path in FILES if "vm" not in path.relative_to(TESTS).parts]
    assert not find_all(is_sleep, files), "wait for what is to come (bootos.waiting.wait_for)"
