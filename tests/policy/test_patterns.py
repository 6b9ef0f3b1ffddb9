"""No pattern tries one text in two ways: on hostile text that takes the square of its length, or worse."""

import ast
import importlib
import re
import string
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

SOURCE = Path(__file__).parents[2] / "src/bootos"
# What `re` makes of a pattern: typeshed does not tell it.
code: Any = importlib.import_module("re._constants")
parser: Any = importlib.import_module("re._parser")
# `^\s*` with MULTILINE begins anew in each of many empty lines.
_LINES = re.compile(r"\^\\s[*+](?!\+)|\^\[\\s[^]]*\][*+](?!\+)")
# Spaces behind what takes spaces too: `.*?\s*`, `.+?)\s+`.
_TWICE = re.compile(r"(?<!\\)\.[*+]\??\)?\\s[*+](?!\+)")
_CALLS = {"compile", "search", "match", "fullmatch", "split", "sub", "findall", "finditer"}
_CALLED = re.compile(r"\b(\w+)\.(\w+)\(")
_SEARCHING = _CALLS - {"compile", "match", "fullmatch"}
_CHARACTERS = frozenset(string.printable + "\xe9\xa0\u2028")
_REPEATS = {code.MAX_REPEAT, code.MIN_REPEAT, code.POSSESSIVE_REPEAT}


class Part(msgspec.Struct, frozen=True):
    """What stands at one place of a pattern: characters of a class, or groups of which one is taken."""

    least: int
    is_endless: bool = False
    keeps: bool = False  # possessive: what was taken is not given back
    characters: frozenset[str] = frozenset()
    choices: tuple[tuple["Part", ...], ...] = ()


def split_parts(items: Any) -> Iterator[Part]:
    """The places of a parsed pattern one after the other; one without characters is an anchor or a look around."""
    for operation, said in items:
        if operation in (code.SUBPATTERN, code.ATOMIC_GROUP):
            yield from split_parts(said[3] if operation is code.SUBPATTERN else said)
        elif operation in _REPEATS:
            least, most, inner = said
            parts, is_endless = tuple(split_parts(inner)), most is code.MAXREPEAT
            if len(parts) == 1 and parts[0].characters:
                yield Part(
                    least * parts[0].least,
                    is_endless or parts[0].is_endless,
                    operation is code.POSSESSIVE_REPEAT or parts[0].keeps,
                    parts[0].characters,
                )
            else:
                yield Part(least, is_endless, operation is code.POSSESSIVE_REPEAT, choices=(parts,))
        elif operation is code.BRANCH:
            yield Part(1, choices=tuple(tuple(split_parts(branch)) for branch in said[1]))
        else:
            yield Part(1, characters=find_characters(operation, said))


def find_characters(operation: Any, said: Any) -> frozenset[str]:
    """Which characters one place of a pattern takes, of those that are tried; none where it takes no character."""
    if operation is code.LITERAL:
        return frozenset(chr(said))
    if operation is code.NOT_LITERAL:
        return _CHARACTERS - {chr(said)}
    if operation is code.ANY:
        return _CHARACTERS - {"\n"}
    if operation is code.RANGE:
        return frozenset(map(chr, range(said[0], said[1] + 1)))
    if operation is code.CATEGORY:
        kind = str(said).rpartition("_")[2]
        sign = {"SPACE": "s", "DIGIT": "d", "WORD": "w"}[kind]
        sign = sign.upper() if "_NOT_" in str(said) else sign
        return frozenset(character for character in _CHARACTERS if re.match(rf"\{sign}", character))
    if operation is code.IN:
        taken = frozenset[str]().union(
            *(find_characters(*item) for item in said if item[0] is not code.NEGATE)
        )
        return _CHARACTERS - taken if said[0][0] is code.NEGATE else taken
    return frozenset()


def is_needed(part: Part) -> bool:
    """Whether it takes a character wherever the pattern fits."""
    inner = bool(part.choices) and all(any(map(is_needed, choice)) for choice in part.choices)
    return part.least > 0 and (bool(part.characters) or inner)


def takes_twice(parts: Sequence[Part]) -> bool:
    """Whether a class without end is followed by the same, with nothing that must be there between them."""
    for place, part in enumerate(parts):
        if any(map(takes_twice, part.choices)):
            return True
        if not part.is_endless or part.keeps or not part.characters:
            continue
        for after in parts[place + 1 :]:
            if after.is_endless and after.characters == part.characters:
                return True
            if is_needed(after):
                break
    return False


def begins_endless(parts: Sequence[Part]) -> bool:
    """Whether it begins with a class without end, and something else must follow: a search for it begins anew at each
    character of a run that nothing of it follows."""
    for place, part in enumerate(parts):
        rest = tuple(parts[place + 1 :])
        if any(begins_endless(choice + rest) for choice in part.choices):
            return True
        if part.is_endless and part.characters:
            return any(after.least and not after.characters >= part.characters for after in rest)
        if part.least:
            return False
    return False


def parse_parts(said: str) -> tuple[Part, ...]:
    """The places of a pattern."""
    return tuple(split_parts(parser.parse(said)))


def find_searched(text: str) -> set[str]:
    """The names on which something is called that looks for a pattern anywhere in a text."""
    return {name for name, called in _CALLED.findall(text) if called in _SEARCHING}


@cache
def read_patterns() -> tuple[tuple[str, str, bool, bool], ...]:
    """All of `list_patterns`, read once."""
    return tuple(list_patterns())


def list_patterns() -> Iterator[tuple[str, str, bool, bool]]:
    """(place, pattern, whether `^` is at every line, whether it is looked for anywhere in a text) of all that the code
    says, but for what an operator wrote."""
    anywhere = {name for path in SOURCE.rglob("*.py") for name in find_searched(path.read_text())}
    for path in sorted(set(SOURCE.rglob("*.py")) - set(SOURCE.glob("template/*.py"))):
        if "re." not in (text := path.read_text()):
            continue
        tree, here = ast.parse(text), find_searched(text)
        names = {
            id(node.value): ast.unparse(node.targets[0])
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            function = ast.unparse(node.func).removeprefix("re.")
            if ast.unparse(node.func) != f"re.{function}" or function not in _CALLS:
                continue
            said = "".join(
                part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "0"
                for part in ast.walk(node.args[0])
                if isinstance(part, ast.FormattedValue)  # a count, or a part that is not known here
                or (isinstance(part, ast.Constant) and isinstance(part.value, str))
            )
            flags = " ".join(
                ast.unparse(item) for item in (*node.args[1:], *(word.value for word in node.keywords))
            )
            is_lines = bool(re.search(r"re\.(M|MULTILINE)\b", flags) or re.match(r"\(\?\w*m", said))
            name = names.get(id(node), "")
            is_searched = function in _SEARCHING or name in (here if name.startswith("_") else anywhere)
            yield f"{path.relative_to(SOURCE)}:{node.lineno}", said, is_lines, is_searched
    for path in sorted((SOURCE / "drivers").rglob("*.toml")):
        for query in tomllib.loads(path.read_text()).get("query", ()):
            for said in query["versions"].values():
                yield path.name, said, True, True


def test_no_pattern_begins_in_many_lines_and_none_takes_spaces_twice() -> None:
    patterns = read_patterns()
    assert len(patterns) > 150
    assert [place for place, said, is_lines, _ in patterns if is_lines and _LINES.search(said)] == []
    assert [place for place, said, *_ in patterns if _TWICE.search(said)] == []


def test_no_pattern_takes_a_run_twice_and_no_search_begins_anew_in_one() -> None:
    made_as_it_runs = ")"
    patterns = [entry for entry in read_patterns() if not entry[1].startswith(made_as_it_runs)]
    assert [place for place, said, *_ in patterns if takes_twice(parse_parts(said))] == []
    assert [
        place for place, said, _, is_searched in patterns if is_searched and begins_endless(parse_parts(said))
    ] == []


@pytest.mark.parametrize(
    "said", [r"```[ \t]*\w*[ \t]*$", r"a\s*:?\s*b", r"a(b *)(?:-) * *c", r"(a|b\d+\d*x)"]
)
def test_a_class_that_the_same_class_may_follow_is_refused(said: str) -> None:
    assert takes_twice(parse_parts(said))


@pytest.mark.parametrize(
    "said",
    [
        r"```[ \t]*+(?:\w++[ \t]*+)?$",
        r"a\s*+:?\s*+b",
        r"\s*:\s*",
        r"\d+\.\d+",
        r"\s+(a|b)\s+",
        r"(\d+)(?:\.\d+)*",
    ],
)
def test_a_class_that_is_kept_or_ended_may_be_followed(said: str) -> None:
    assert not takes_twice(parse_parts(said))


@pytest.mark.parametrize("said", [r"\r+\n|\r", r"(\d+)$", r"\s++x", r"-?[ab]*:", r".+x"])
def test_a_search_that_begins_with_a_run_is_refused(said: str) -> None:
    assert begins_endless(parse_parts(said))


@pytest.mark.parametrize("said", [r"\r++\n?", r"(?<!\d)(\d+)$", r"x\s+y", r"\d+", r"^ *x", r"\d+\d"])
def test_a_search_that_begins_at_one_place_of_a_run_or_takes_it_is_not(said: str) -> None:
    assert not begins_endless(parse_parts(said))


def test_what_is_refused() -> None:
    assert _LINES.search(r"^\s*\{")
    assert _TWICE.search(r"^(.+?)\s*:")
    assert not _TWICE.search(r"^(.+?)\s*+:")
    assert not _LINES.search(r"^[ \t]*\{")
