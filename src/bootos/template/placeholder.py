"""`<{WORD}>` in a template's texts: values that differ from machine to machine. Pure.

The server fills them in when a job is made, `bootos-agent plan` and `bootos template check` by hand. Only
`<{secret:NAME}>`, in scripts, stays: the agent puts the value in right before the script runs, so that what the
template's text holds is only the name.

A text that is nothing but one placeholder becomes a number or true/false where the template wants one
(`vlan: <{bmc_vlan}>`). In scripts values are quoted for the shell (POSIX, XCU 2.2.2), so the word stands without
quotation marks around it: `oob.sh -u root -p <{secret:oob-root}>`.
"""

import copy
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bootos.document import convert_all
from bootos.errors import Problem, Problems
from bootos.template.model import Template

WORD = re.compile(r"<\{([A-Za-z_][\w.-]*(?::[^<>{}\s]*)?)\}>")
SECRET = re.compile(r"<\{secret:([^<>{}\s]+)\}>")
SCRIPT = re.compile(r"scripts\[\d+\]\.scripts\[\d+\]\.script")
KEPT = ("name", "base", "variables")  # keys of the document whose texts are not filled

FACTS = ("sn", "mac", "vendor", "product", "asset_tag", "uuid")
"""What a machine tells of itself (`wire.fact`)."""

Find = Callable[[str], str]
"""The value of a word (`rack`, `pool:oob:gateway`). Raises UnknownWordError."""


class UnknownWordError(Exception):
    """A word without a value: `message` follows the word in a sentence. `circular`: its value needs itself."""

    def __init__(self, message: str, hint: str = "", *, circular: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.circular = circular


def find_secret_words(text: str) -> set[str]:
    """The names of the secrets that a script asks for."""
    return set(SECRET.findall(text))


def fill_secret_words(text: str, values: Mapping[str, str]) -> str:
    """The script with the values in it. Raises KeyError with the name of a secret that has no value."""
    return SECRET.sub(lambda match: shlex.quote(values[match[1]]), text)


def fill_document(document: dict[str, Any], find: Find) -> tuple[dict[str, Any], list[Problem]]:
    """The document with every word filled in, and a problem with its place for each that cannot be. `variables` is
    left out of it: it has done its work."""
    filled = copy.deepcopy({key: value for key, value in document.items() if key != "variables"})
    problems = Problems()
    alone: dict[str, tuple[Any, Any]] = {}  # texts that are one placeholder: path -> (container, key)
    for path, text, container, key in list(walk_texts(filled)):
        if WORD.fullmatch(text) and not SCRIPT.fullmatch(path):
            alone[path] = (container, key)
        container[key] = fill_text(text, path, find, problems)
    for problem in convert_all(filled, Template)[1] if alone else ():
        if problem.path in alone:
            container, key = alone[problem.path]
            container[key] = _read_plain(container[key])
    return filled, problems


def fill_text(text: str, path: str, find: Find, problems: Problems) -> str:
    """One text; what cannot be filled in stays, and is a problem at `path`."""
    is_script = bool(SCRIPT.fullmatch(path))

    def fill(match: re.Match[str]) -> str:
        word = match[1]
        if word.startswith("secret:"):
            if not is_script:
                hint = f"write {{secret: {word.partition(':')[2]}}} as the value"
                problems.complain(path, f"<{{{word}}}> stands in scripts only", hint)
            return match[0]
        try:
            value = find(word)
        except UnknownWordError as unknown:
            problems.complain(path, f"<{{{word}}}> {unknown.message}", unknown.hint)
            return match[0]
        return shlex.quote(value) if is_script else value

    return WORD.sub(fill, text)


def _read_plain(text: Any) -> Any:
    """A number or true/false, where a text is one."""
    if isinstance(text, str) and re.fullmatch(r"-?\d{1,18}", text):
        return int(text)
    return {"true": True, "false": False}.get(text, text) if isinstance(text, str) else text


def walk_texts(document: dict[str, Any]) -> Iterator[tuple[str, str, Any, Any]]:
    """Every text of a document that may hold words: (place, text, its container, its key there)."""

    def walk(container: Any, keys: Any, at: str) -> Iterator[tuple[str, str, Any, Any]]:
        for key in keys:
            path = f"{at}[{key}]" if isinstance(key, int) else f"{at}.{key}" if at else str(key)
            value = container[key]
            if isinstance(value, str):
                yield path, value, container, key
            elif isinstance(value, dict):
                yield from walk(value, list(value), path)
            elif isinstance(value, list):
                yield from walk(value, range(len(value)), path)

    yield from walk(document, [key for key in document if key not in KEPT], "")


def find_leftovers(document: Any) -> list[Problem]:
    """A problem for each word that nobody filled in; secrets in scripts are the agent's."""
    if not isinstance(document, dict):
        return []
    return [
        Problem(
            path=path, message=f"<{{{word}}}> has no value", hint="the server fills it in when a job is made"
        )
        for path, text, _, _ in walk_texts(document)
        for word in WORD.findall(text)
        if not word.startswith("secret:")
    ]


def build_finder(
    variables: Mapping[str, Any],
    given: Mapping[str, str],
    facts: Mapping[str, str | None],
    find_special: Find | None = None,
    *,
    hint: str = "bootos machine set MACHINE {name}=...",
) -> Find:
    """Look a word up: what was said for this machine (`given`), then the template's `variables`, then what the machine
    tells of itself (`facts`). A value in `variables` may hold words itself. `find_special` knows `pool:` and `number`.
    """

    def find(word: str, inside: tuple[str, ...] = ()) -> str:
        if word in inside:
            raise UnknownWordError(f"needs itself: {' -> '.join([*inside, word])}", circular=True)
        if word in given:
            return given[word]
        name, colon, _ = word.partition(":")
        if name in ("pool", "number"):
            if find_special is None:
                raise UnknownWordError(
                    "is given out by the server", f"give it a value here: --set {word}=..."
                )
            return find_special(word)
        if colon:
            raise UnknownWordError(
                "is not a word that can be filled in", "known with ':' are pool, number and secret"
            )
        if variables.get(word) is not None:
            value = variables[word]
            text = str(value).lower() if isinstance(value, bool) else str(value)
            return WORD.sub(lambda match: find(match[1], (*inside, word)), text)
        if word in FACTS:
            if facts.get(word):
                return str(facts[word])
            raise UnknownWordError(
                "is not known of this machine", "it tells when it has registered, if its hardware does"
            )
        reason = "has no value for this machine" if word in variables else "is not known"
        raise UnknownWordError(reason, hint.format(name=word))

    return find


def check_variables(document: dict[str, Any]) -> list[Problem]:
    """Mistakes in `variables` itself."""
    variables = document.get("variables")
    if not isinstance(variables, dict):
        return []
    problems = Problems()
    for name in variables:
        if name in (*FACTS, "number", "pool", "secret"):
            message = "is a word with a meaning of its own"
            problems.complain(f"variables.{name}", message, "choose another name")
        elif not re.fullmatch(r"[A-Za-z_][\w.-]*", str(name)):
            message = "must be letters, digits, '_', '-' and '.', and begin with a letter"
            problems.complain(f"variables.{name}", message)
    return problems
