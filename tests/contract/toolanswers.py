"""A machine on which one vendor's tool answers with captured outputs, and nothing else is installed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from bootos.process import Command, Completed, Options, Runner

GOLDEN = Path(__file__).parents[1] / "golden/drivers"
NOTHING = '{"Controllers": [{"Command Status": {"Controller": 0, "Status": "Failure", "Description": "No VD found"}}]}'


class ToolAnswers:
    """`answers` are texts by the words of the call, without the program and storcli's `J`; a call that is not among
    them gets `otherwise`. A text that is None never comes: the tool is ended. `codes` are exit codes that are not 0.
    `rest` runs the other programs, where there are any."""

    def __init__(
        self,
        program: str,
        answers: Mapping[str, str | None],
        *,
        otherwise: str = NOTHING,
        codes: Mapping[str, int] | None = None,
    ) -> None:
        self.program = program
        self.answers = answers
        self.otherwise = otherwise
        self.codes = codes or {}
        self.rest: Runner | None = None

    def run(self, argv: Sequence[Any], **options: Unpack[Options]) -> Completed:
        command = Command(argv, **options)
        if command.words[0] != self.program:
            if self.rest is None:
                raise command.build_missing()
            return self.rest(argv, **options)
        call = " ".join(word for word in command.words[1:] if word != "J")
        text = self.answers.get(call, self.otherwise)
        if text is None:
            raise command.build_late("was ended")
        return command.complete(self.codes.get(call, 0), text, "")


def read_golden(place: str) -> str:
    """The text of a golden of a driver: `raid.megaraid/mr9560.c0.json`."""
    return (GOLDEN / place).read_text()
