"""What the commands print for people. Text comes from tools, packages, machines and files, so it is only ever text: no
markup in it is obeyed, and no control character reaches the terminal. Colours are given as styles beside the text.

Used by every command that prints more than JSON; what is printed to a file or a pipe by `write_out` stays as it is.
"""

import sys
from collections.abc import Iterable
from typing import Any, Self, TextIO

import msgspec
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.status import Status
from rich.table import Column, Table
from rich.text import Text

from bootos.printable import show_controls


def write_out(text: str, stream: TextIO | None = None) -> None:
    """Write text as it is, to standard output; to a terminal, with control characters made visible."""
    stream = stream or sys.stdout
    stream.write(show_controls(text) if stream.isatty() else text)
    stream.flush()


def print_json(value: Any) -> None:
    """Write plain values or msgspec models as JSON, indented, to standard output."""
    write_out(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def build_table(*titles: str, **more: Any) -> Table:
    """A table with these columns that cuts nothing off: a path that is too long goes on in the next line. `more` are
    arguments of rich's Table."""
    return Table(*(Column(title, overflow="fold") for title in titles), **more)


class Screen(Console):
    """A console that takes text as text. `stderr`: what stands beside JSON on standard output."""

    def __init__(
        self,
        *,
        stderr: bool = False,
        file: TextIO | None = None,
        width: int | None = None,
        soft_wrap: bool = False,
        force_terminal: bool | None = None,
    ) -> None:
        super().__init__(
            stderr=stderr,
            file=file,
            width=width,
            soft_wrap=soft_wrap,
            force_terminal=force_terminal,
            markup=False,
            emoji=False,
            highlight=False,
        )

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Every text on its way to the terminal; rich's own movements of the cursor are no text."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=show_controls(segment.text))

    def print_table(self, table: Table) -> None:
        """Print a table; but to a terminal without the blanks by which rich fills up its rows."""
        if self.is_terminal:
            self.print(table)
            return
        with self.capture() as captured:
            self.print(table)
        self.file.write("\n".join(line.rstrip(" ") for line in captured.get().split("\n")))

    def status(self, status: RenderableType, **more: Any) -> "ScreenStatus":
        """A line that changes while the work goes on; none without a terminal."""
        return ScreenStatus(_as_text(status), console=self, **more)


class ScreenStatus(Status):
    """The line of `Screen.status`."""

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def update(self, status: RenderableType | None = None, **more: Any) -> None:
        """Say something else."""
        super().update(_as_text(status) if status is not None else None, **more)


def _as_text(shown: RenderableType) -> RenderableType:
    """rich reads markup in the text of a status, whatever the console says."""
    return Text(shown) if isinstance(shown, str) else shown
