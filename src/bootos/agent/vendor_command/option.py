"""The options of a vendor script: a table, its usage text, and a parser with the rules of GNU getopt. Pure.

Not argparse: it repeats what it does not understand, which may be half of a password, and stops at the first mistake.
"""

from collections.abc import Callable, Sequence

import msgspec

from bootos.errors import Problem, Problems


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """`value` is its value's name in the usage text; empty: a switch. `secret`: any word is taken as its value."""

    letter: str = ""
    word: str
    value: str = ""
    help: str
    secret: bool = False

    @property
    def shown(self) -> str:
        """The option as people write it: `-r`, or `--raid` when it has no letter."""
        return f"-{self.letter}" if self.letter else f"--{self.word}"


Taker = Callable[[Option, str | None], None]

COMMON = (
    Option(word="plan", help="show what would be done, change nothing"),
    Option(word="json", help="print the plan and the result as JSON"),
    Option(letter="D", word="debug", help="show the commands that are run"),
    Option(letter="h", word="help", help="show this text"),
)


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What was given, by the option's long word; a switch has an empty value."""

    values: dict[str, str]

    def __contains__(self, word: str) -> bool:
        return word in self.values

    def get(self, word: str) -> str | None:
        """The value that was given for a word; None when it was not given."""
        return self.values.get(word)


def parse_words(options: Sequence[Option], words: Sequence[str]) -> tuple[Given, list[Problem]]:
    """Read the arguments; every mistake is found. No message repeats a word where options have secrets."""
    letters = {option.letter: option for option in options if option.letter}
    longs = {option.word: option for option in options}
    hidden = any(option.secret for option in options)
    values: dict[str, str] = {}
    problems = Problems()
    rest = list(words)

    def take(option: Option, value: str | None) -> None:
        if option.word in values and option.value:
            problems.complain(option.shown, "is given twice")
        if not option.value:
            if value is not None:
                problems.complain(f"--{option.word}", "takes no value")
            values[option.word] = ""
            return
        if value is None:
            follows = rest[0] if rest else None
            if follows is None or (not option.secret and follows.startswith("-")):
                problems.complain(option.shown, f"needs a value: {option.value}")
                return
            value = rest.pop(0)
        if not value.strip():
            problems.complain(option.shown, "has an empty value")
        values[option.word] = value

    while rest:
        word = rest.pop(0)
        if word == "--":
            problems += [_tell_stray(stray, hidden) for stray in rest]
            break
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if name in longs:
                take(longs[name], value if equals else None)
            else:
                problems.complain(f"--{name}", "is not an option of this command")
        elif word.startswith("-") and len(word) > 1:
            _take_letters(word, letters, take, problems)
        else:
            problems.append(_tell_stray(word, hidden))
    return Given(values=values), problems


def _take_letters(word: str, letters: dict[str, Option], take: Taker, problems: Problems) -> None:
    """`-ci`, `-d0,1`: switches side by side, and a value right behind its letter."""
    for place in range(1, len(word)):
        option = letters.get(word[place])
        if option is None:
            problems.complain(f"-{word[place]}", "is not an option of this command")
            return
        if option.value:
            take(option, word[place + 1 :] or None)
            return
        take(option, None)


def _tell_stray(word: str, hidden: bool) -> Problem:
    if hidden:
        message = "an argument belongs to no option; it is not shown here, it may be part of a password"
        return Problem(path="", message=message, hint="put quotes around values with blanks")
    return Problem(path="", message=f"{word!r} belongs to no option")


def build_usage(name: str, summary: str, options: Sequence[Option], examples: Sequence[str]) -> str:
    """The text of `-h`."""
    rows = [
        (
            f"{f'-{option.letter}, ' if option.letter else '    '}--{option.word} {option.value}".rstrip(),
            option.help,
        )
        for option in options
    ]
    width = max(len(left) for left, _ in rows)
    lines = [f"{name}: {summary}", f"usage: {name} OPTION...", ""]
    lines += [f"  {left:<{width}}  {right}" for left, right in rows]
    lines += ["", *(f"example: {name} {example}" for example in examples)]
    return "\n".join(lines)
