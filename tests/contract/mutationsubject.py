"""A captured output of a tool, with how it is read and what it holds: what `test_mutation` mutates, and
`mutationtable` counts."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from mutation import Grammar, Mutation, mutate_json, mutate_text

GOLDEN = Path(__file__).parents[1] / "golden"
TEXT_SEEDS = range(64)  # each of the eight kinds eight times
JSON_SEEDS = range(32)  # each of the four kinds eight times
LEAST = 20  # mutations of each output


class Subject(NamedTuple):
    """`golden` is its place below `tests/golden`, `held` was counted in it. `read` gives everything that is understood
    of a text, comparable; `count` makes what was counted of it."""

    tool: str
    golden: str
    read: Callable[[str], Any]
    count: Callable[[Any], Any]
    held: Any
    mutate: Callable[[str], Iterator[Mutation]]

    @property
    def text(self) -> str:
        return (GOLDEN / self.golden).read_text(errors="surrogateescape")  # SUM's files are Latin 1


class Verdict(NamedTuple):
    """How many mutations there were, and the facts that were lost and added by them, each with what did it."""

    mutations: int
    lost: list[str]
    added: list[str]


def judge(subject: Subject) -> Verdict:
    """What the mutations change. Raises AssertionError when the output as it is, is not read right."""
    seen = subject.read(subject.text)
    assert subject.count(seen) == subject.held, subject.golden
    before, printed = set(list_facts(seen)), repr(msgspec.to_builtins(seen))
    mutations = list(subject.mutate(subject.text))
    lost: list[str] = []
    added: list[str] = []
    for mutation in mutations:
        name = f"{mutation.kind}, seed {mutation.seed}"
        try:
            held = subject.read(mutation.text)
            # what is printed the same is the same facts
            after = before if repr(msgspec.to_builtins(held)) == printed else set(list_facts(held))
        except Exception as cause:  # noqa: BLE001 - every kind of failure is told, with what made it
            after = {f"{cause!r}"}
        lost += [f"{name}: {fact}" for fact in sorted(before - after)]
        added += [f"{name}: {fact}" for fact in sorted(after - before)]
    return Verdict(len(mutations), lost, added)


def list_facts(seen: Any, place: str = "") -> Iterator[str]:
    """Everything in it, a sentence for each value; what is empty is no fact."""
    value = msgspec.to_builtins(seen) if not place else seen
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from list_facts(entry, f"{place}.{key}")
    elif isinstance(value, list | tuple):
        for number, entry in enumerate(value):
            yield from list_facts(entry, f"{place}[{number}]")
    elif value not in (None, "", b""):
        yield f"{place} = {value!r}"


def any_of(words: str) -> re.Pattern[str]:
    """A pattern for any of these words, which commas are between."""
    return re.compile("|".join(re.escape(word.strip()) for word in words.split(",")), re.IGNORECASE)


def build_grammar(read: str, spelled: str, section: str, border: str = r"$^") -> Grammar:
    """For tools that print keys and values: `read` and `spelled` are such words; no `read`: every line is."""
    return Grammar(
        read=any_of(read) if read else re.compile(""),
        spelled=any_of(spelled) if spelled else re.compile(r"$^"),
        section=section,
        border=re.compile(border),
        kept=re.compile(r"$^"),
    )


def vary_text(grammar: Grammar) -> Callable[[str], Iterator[Mutation]]:
    return lambda text: mutate_text(text, TEXT_SEEDS, grammar)


def vary_json(*, has_bad_rows: bool = True) -> Callable[[str], Iterator[Mutation]]:
    return lambda text: mutate_json(text, JSON_SEEDS, has_bad_rows=has_bad_rows)
