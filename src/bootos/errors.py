"""The one tree of errors. Each layer says what *it* was doing and raises `from` the cause; the edge
(`bootos.cli`, `bootos.agent.main`) prints the chain once. A user's own mistakes come back as `Problem`s,
all at once."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import msgspec

Said = TypeVar("Said")
Value = TypeVar("Value")

MISREADINGS = (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError)
"""What a reader raises that did not foresee what it reads: a file or a device that fails (OSError), and a tool's output
or a saved value that has not the shape that its maker published (all others, those of `json` and `msgspec` too)."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One mistake in what a user wrote: where it is, what is wrong, what to do.

    `path` is the place in the document, as `raid.arrays[1].drives`; `""` is the document itself.
    """

    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.path}: {self.message}" if self.path else self.message
        return f"{text} ({self.hint})" if self.hint else text


class Problems(list[Problem]):
    """All mistakes in what a user wrote: none of them keeps the next from being found."""

    def complain(self, path: str, message: str, hint: str = "") -> None:
        """Add one."""
        self.append(Problem(path=path, message=message, hint=hint))

    def parse(self, path: str, parse: Callable[[Said], Value], text: Said, hint: str = "") -> Value | None:
        """What `parse` makes of the text at this place; None, with a problem, when it raises ValueError."""
        try:
            return parse(text)
        except ValueError as cause:
            self.complain(path, str(cause), hint)
            return None


class BootosError(Exception):
    """Anything BootOS itself raises: a sentence that says what failed, and a hint that says what to do."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ProblemsError(BootosError):
    """A document (template, recipe, configuration) that cannot be used, with every reason why."""

    def __init__(self, subject: str, problems: Sequence[Problem]) -> None:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"{subject} has {len(problems)} problem(s):\n{lines}")
        self.subject = subject
        self.problems = tuple(problems)


def read_chain(error: BaseException) -> Iterator[str]:
    """Yield the sentences of an error and of its causes, outermost first, each with its hint. A cause that the sentence
    before quotes already is left out."""
    current: BaseException | None = error
    before = ""
    while current is not None:
        hint = getattr(current, "hint", "")
        text = str(current) or type(current).__name__
        reason = current.strerror if isinstance(current, OSError) and current.strerror else text
        if reason not in before:
            yield f"{text} ({hint})" if hint else text
        before = text
        current = current.__cause__


def describe_os_error(error: OSError) -> str:
    """The file, where there is one, and the system's reason: no permission, no space."""
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror or error}"
