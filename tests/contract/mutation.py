"""Outputs of tools as other releases and other machines print them: warnings anywhere, other spelling, more sections,
more keys. A mutation of a captured output holds the same hardware; a reader that sees another one has a fault.

`mutate_text` and `mutate_json` are pure: the same seed gives the same mutation, and a test that fails names it.
"""

import json
import random
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

# As tools print them unasked, by published outputs of ssacli, arcconf and mdadm
WARNINGS = (
    """Warning: Unrecoverable Media Errors Detected on Drives during previous Rebuild or Background Surface Analysis
    (ARM) scan. Errors will be fixed automatically when the sector(s) are overwritten. Backup and Restore are
    recommended. The following logical drives are affected: 4, 5""",
    """Note: Predictive Spare Activation Mode is enabled, physical drives that are in predictive failure state will
    not be available for use as data or spare drives.""",
    """WARNING: the driver is older than this tool and some information may be missing or out of date until then""",
    """Caution: Controller temperature has exceeded its threshold""",
)
_VALUE = re.compile(r"^(\s*)(\S.*?)(\s*:)(\s.*)?$")


class Mutation(msgspec.Struct, frozen=True, kw_only=True):
    """`kind` and `seed` say how it was made, for a person who looks for a fault."""

    kind: str
    seed: int
    text: str


class Grammar(msgspec.Struct, frozen=True, kw_only=True):
    """What may be done to a tool's text. `read` are keys that are read, so that their lines are not dropped; `spelled`
    are words whose case differs between releases, but for lines that are `kept`; `section` is one that no release has;
    `border` matches the lines before which a section may stand."""

    read: re.Pattern[str]
    spelled: re.Pattern[str]
    section: str
    border: re.Pattern[str]
    kept: re.Pattern[str]


def mutate_text(text: str, seeds: Iterator[int] | range, grammar: Grammar) -> Iterator[Mutation]:
    """One mutation for each seed, of every kind in turn."""
    kinds: list[Callable[[list[str], random.Random, Grammar], list[str]]] = [
        put_line, put_indented_line, put_wrapped, put_wrapped_apart, put_indented_wrapped, spell, drop, add_section,
    ]  # fmt: skip
    for seed in seeds:
        chance = random.Random(seed)
        change = kinds[seed % len(kinds)]
        before = text.splitlines()
        lines = change(before, chance, grammar)
        if lines == before:  # there was nothing to change in this way
            change = put_line
            lines = change(before, chance, grammar)
        yield Mutation(kind=change.__name__, seed=seed, text="\n".join(lines) + "\n")


def choose(chance: random.Random) -> str:
    """One of the warnings, in one line."""
    return " ".join(chance.choice(WARNINGS).split())


def _insert(lines: list[str], more: list[str], place: int) -> list[str]:
    return [*lines[:place], *more, *lines[place:]]


def _indent(lines: list[str], place: int) -> str:
    """The indentation of the line that stands there, or of the one before it."""
    line = next((line for line in [*lines[place : place + 1], *reversed(lines[:place])] if line.strip()), "")
    return line[: len(line) - len(line.lstrip())]


def put_line(lines: list[str], chance: random.Random, grammar: Grammar) -> list[str]:
    """A warning in one line."""
    return _insert(lines, [choose(chance)], chance.randint(0, len(lines)))


def put_indented_line(lines: list[str], chance: random.Random, grammar: Grammar) -> list[str]:
    """A warning in one line, indented as the lines around it."""
    place = chance.randint(0, len(lines))
    return _insert(lines, [_indent(lines, place) + choose(chance)], place)


def put_wrapped(lines: list[str], chance: random.Random, grammar: Grammar) -> list[str]:
    """A warning over several lines."""
    return _insert(
        lines,
        textwrap.wrap(choose(chance), chance.choice((40, 60, 80))),
        chance.randint(0, len(lines)),
    )


def put_wrapped_apart(lines: list[str], chance: random.Random, grammar: Grammar) -> list[str]:
    """A warning over several lines, with empty lines around it."""
    wrapped = textwrap.wrap(choose(chance), chance.choice((40, 60, 80)))
    return _insert(lines, ["", *wrapped, ""], chance.randint(0, len(lines)))


def put_indented_wrapped(lines: list[str], chance: random.Random, grammar: Grammar) -> list[str]:
    """A warning over several lines, indented as the lines around it."""
    place = chance.randint(0, len(lines))
    indent = _indent(lines, place)
    wrapped = textwrap.wrap(choose(chance), chance.choice((40, 60, 80)))
    return _insert(lines, [indent + line for line in wrapped], place)


def spell(lines: list[str], chance: random.Random, grammar: Grammar) -> list[str]:
    """Key words in upper case, lower case, or as titles: some of them, or all."""
    change = chance.choice((str.upper, str.lower, str.title))
    share = chance.choice((0.1, 0.5, 1.0))

    def respell(line: str) -> str:
        if chance.random() > share or grammar.kept.search(line):
            return line
        found = _VALUE.match(line)
        if found and grammar.spelled.search(found[2]):
            return f"{found[1]}{change(found[2])}{found[3]}{found[4] or ''}"
        return grammar.spelled.sub(lambda word: change(word[0]), line) if not found else line

    return [respell(line) for line in lines]


def drop(lines: list[str], chance: random.Random, grammar: Grammar) -> list[str]:
    """Without a line whose key nobody reads."""
    optional = [
        n
        for n, line in enumerate(lines)
        if (m := _VALUE.match(line)) and m[4] and not grammar.read.search(m[2])
    ]
    if not optional:
        return put_line(lines, chance, grammar)
    gone = set(chance.sample(optional, min(len(optional), chance.choice((1, 1, 5)))))
    return [line for n, line in enumerate(lines) if n not in gone]


def add_section(lines: list[str], chance: random.Random, grammar: Grammar) -> list[str]:
    """With a section that nobody knows."""
    texts = {n: "\n".join(lines[n : n + 3]) for n in range(len(lines))}
    place = chance.choice([n for n, text in texts.items() if grammar.border.match(text)] or [len(lines)])
    return _insert(lines, grammar.section.splitlines(), place)


def mutate_json(
    text: str,
    seeds: Iterator[int] | range,
    frozen: frozenset[str] = frozenset(),
    *,
    has_bad_rows: bool = True,
) -> Iterator[Mutation]:
    """One mutation for each seed. `frozen` are keys whose values keep their type, because it says something.
    `has_bad_rows`: also with rows that are none, in tables."""
    kinds: list[Callable[[Any, random.Random, frozenset[str]], None]] = [
        add_keys,
        numbers_as_text,
        text_as_numbers,
        add_rows if has_bad_rows else add_keys,
    ]
    for seed in seeds:
        chance = random.Random(seed)
        before, whole = json.loads(text, strict=False), json.loads(text, strict=False)
        change = kinds[seed % len(kinds)]
        change(whole, chance, frozen)
        if repr(whole) == repr(before) and isinstance(whole, dict):  # there was nothing to change in this way
            change = add_keys
            whole |= {f"Unknown {seed}": None}
        yield Mutation(kind=change.__name__, seed=seed, text=json.dumps(whole))


def mutate_xml(text: str, seeds: Iterator[int] | range) -> Iterator[Mutation]:
    """One mutation for each seed: attributes, elements and comments that nobody knows, and a tool's words around the
    file."""
    for seed in seeds:
        chance = random.Random(seed)
        lines = text.splitlines()
        places = [n for n, line in enumerate(lines) if re.match(r"^\s*<\w[^!?]*[^/]>$", line)]
        kind = ("attribute", "element", "comment", "words")[seed % 4]
        for place in sorted(chance.sample(places, min(len(places), 5)), reverse=True):
            if kind == "attribute":
                lines[place] = re.sub(r"^(\s*<\w+)", r'\1 frob="1"', lines[place])
            elif kind == "element":
                lines.insert(place + 1, "<Frobnication><Frob>Enabled</Frob></Frobnication>")
            elif kind == "comment":
                lines.insert(place + 1, f"<!-- {choose(chance)} -->")
        if kind == "words":
            lines = [choose(chance), *lines, choose(chance)]
        yield Mutation(kind=kind, seed=seed, text="\n".join(lines) + "\n")


def _walk(value: Any) -> Iterator[Any]:
    """All objects and lists."""
    if isinstance(value, dict | list):
        yield value
        for entry in list(value.values()) if isinstance(value, dict) else list(value):
            yield from _walk(entry)


def add_keys(whole: Any, chance: random.Random, frozen: frozenset[str]) -> None:
    """Keys that nobody knows, in some objects."""
    for place in [place for place in _walk(whole) if isinstance(place, dict)]:
        if chance.random() < 0.3:
            place[f"Unknown {chance.randint(0, 99)}"] = chance.choice(
                (0, "N/A", None, True, [], {}, [1, "a"], {"a": 1})
            )


def numbers_as_text(whole: Any, chance: random.Random, frozen: frozenset[str]) -> None:
    """Some numbers are texts."""
    for place in [place for place in _walk(whole) if isinstance(place, dict)]:
        for key, value in place.items():
            if (
                isinstance(value, int)
                and not isinstance(value, bool)
                and key not in frozen
                and chance.random() < 0.5
            ):
                place[key] = str(value)


def text_as_numbers(whole: Any, chance: random.Random, frozen: frozenset[str]) -> None:
    """Some texts that are numbers are numbers: a serial number of digits alone."""
    for place in [place for place in _walk(whole) if isinstance(place, dict)]:
        for key, value in place.items():
            if isinstance(value, str) and re.fullmatch(r"0|[1-9]\d{0,15}", value) and chance.random() < 0.7:
                place[key] = int(value)


def add_rows(whole: Any, chance: random.Random, frozen: frozenset[str]) -> None:
    """Rows that are none, in some tables."""
    for place in [place for place in _walk(whole) if isinstance(place, list)]:
        if place and isinstance(place[0], dict) and chance.random() < 0.5:
            place.insert(chance.randint(0, len(place)), chance.choice((None, "error", 7, [], {})))
