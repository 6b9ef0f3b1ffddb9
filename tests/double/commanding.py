"""The `bootos` commands as people give them: on the server's own host, and on another one with a home of its own."""

from collections.abc import Mapping
from pathlib import Path

from serving import Running
from typer.testing import CliRunner

from bootos.cli import build_app
from bootos.errors import BootosError, read_chain


class Desk:
    """Where commands are given: what its environment says, and what lies in its home."""

    def __init__(self, home: Path, environment: Mapping[str, str] | None = None) -> None:
        home.mkdir(exist_ok=True)
        empty = dict.fromkeys(("BOOTOS_SERVER", "BOOTOS_TOKEN"), "")
        self.environment = {
            **empty,
            "XDG_CONFIG_HOME": str(home),
            "BOOTOS_DATA": str(home / "no-data"),
            "COLUMNS": "200",
            **(environment or {}),
        }

    def run(self, *words: str, input: str = "") -> str:
        """What a command prints that succeeds."""
        ended = CliRunner(env=self.environment).invoke(build_app(words), list(words), input=input)
        assert ended.exit_code == 0, (ended.output, ended.exception)
        return str(ended.output)

    def refuse(self, *words: str, input: str = "") -> str:
        """The words of a command that fails, with the hint."""
        ended = CliRunner(env=self.environment).invoke(build_app(words), list(words), input=input)
        assert isinstance(ended.exception, BootosError), (ended.output, ended.exception)
        return "\n".join(read_chain(ended.exception))


def open_own_desk(server: Running, home: Path) -> Desk:
    """On the server's own host."""
    return Desk(home, {"BOOTOS_DATA": str(server.data)})
