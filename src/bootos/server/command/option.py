"""What all client commands share: options, output, the call of the API.

Exit codes: 0 done, 1 failed, 2 wrong usage. `--json` prints what the API answered.
"""

import functools
import getpass
import inspect
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.text import Text

from bootos.errors import BootosError
from bootos.printable import show_line
from bootos.screen import Screen, build_table, write_out
from bootos.server.command.client import Client, check_side
from bootos.server.command.site import find_site, read_token

ServerOption = Annotated[
    str,
    typer.Option(
        "--server",
        metavar="URL",
        envvar="BOOTOS_SERVER",
        help="The server's address for operators. Default: where the server of --data runs, else the last login.",
    ),
]
DataOption = Annotated[
    Path, typer.Option("--data", metavar="DIR", envvar="BOOTOS_DATA", help="The server's data directory.")
]
TokenOption = Annotated[
    Path | None, typer.Option("--token-file", metavar="FILE", help="A file with the operator token.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

DEFAULT_DATA = Path("bootos-data")
COLORS = {
    "done": "green",
    "planned": "green",
    "failed": "red",
    "refused": "red",
    "lost": "red",
    "doubted": "red",
    "new": "yellow",
    "cancelled": "yellow",
    "running": "cyan",
    "working": "cyan",
    "rebooting": "cyan",
    "installing": "cyan",
}


class Output:
    """Where answers go: a table and sentences for people, or JSON. Texts come from machines and operators: each is
    shown in one line, as it is, and never as markup."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.console = Screen(width=None if sys.stdout.isatty() else 240)

    def json(self, value: Any) -> None:
        """Print plain values as JSON."""
        write_out(json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def text(self, text: str) -> None:
        """Print a text as it is, to be put into a file."""
        write_out(text)

    def say(self, text: str, value: Any = None) -> None:
        """A sentence, or with `--json` the value."""
        if self.as_json:
            self.json(value if value is not None else {"ok": True})
        else:
            self.line(text)

    def line(self, text: str = "", style: str = "") -> None:
        """One line for people; without a text an empty one."""
        self.console.print(Text(show_line(text), style=style))

    def table(self, rows: list[dict[str, Any]], columns: dict[str, str], empty: str) -> None:
        """Rows as a table: key -> column title."""
        if self.as_json:
            self.json(rows)
            return
        if not rows:
            self.line(empty)
            return
        table = build_table(*columns.values(), box=None, pad_edge=False)
        for row in rows:
            table.add_row(*(cell(key, row.get(key)) for key in columns))
        self.console.print_table(table)

    def pairs(self, value: dict[str, Any], keys: dict[str, str]) -> None:
        """Print the values that `keys` names, each with its title there; empty ones are left out."""
        grid = build_table("", "", box=None, show_header=False, pad_edge=False)
        for key, title in keys.items():
            if value.get(key) not in (None, "", [], {}):
                grid.add_row(Text(title, style="dim"), cell(key, value[key]))
        self.console.print_table(grid)


def cell(key: str, value: Any) -> Text:
    """A value as a person reads it."""
    if value is None:
        return Text("-", style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, list):
        return Text(show_line(", ".join(str(item) for item in value)))
    if isinstance(value, dict):
        return Text(show_line(", ".join(f"{name}={item}" for name, item in value.items())))
    text = show_line(str(value))
    if key.endswith("_at"):
        return Text(text[:19].replace("T", " ") + "Z" if len(text) > 19 else text)
    return Text(text, style=COLORS.get(text, "") if key == "state" else "")


def operator_command(app: typer.Typer, name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command that gets `client` and `out`, and has the options every such command has; without a name it is the noun
    itself, which then has no verbs."""

    def wrap(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(
            *,
            server: str,
            data: Path,
            token_file: Path | None,
            as_json: bool,
            **given: Any,
        ) -> None:
            site = find_site(server, data)
            check_side(site)
            client = Client(site, read_token(token_file, data, site), actor=read_login())
            function(client, Output(as_json), **given)

        keyword = inspect.Parameter.KEYWORD_ONLY
        own = [
            parameter.replace(kind=keyword)
            for parameter in list(inspect.signature(function).parameters.values())[2:]
        ]
        added = [
            inspect.Parameter("server", keyword, default="", annotation=ServerOption),
            inspect.Parameter("data", keyword, default=DEFAULT_DATA, annotation=DataOption),
            inspect.Parameter("token_file", keyword, default=None, annotation=TokenOption),
            inspect.Parameter("as_json", keyword, default=False, annotation=JsonOption),
        ]
        run.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *added)}
        return app.command(name)(run) if name else app.callback(invoke_without_command=True)(run)

    return wrap


def check_url(url: str, option: str) -> None:
    """Machines are told this URL as it is written: it has a scheme, a host and, if any, a real port. Raises
    typer.BadParameter."""
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of the port, or of an IPv6 address
        is_usable = False
    if not is_usable:
        raise typer.BadParameter(f"{url!r} is not a URL like http://10.0.0.1:8083", param_hint=option)


def read_login() -> str:
    """The user's login name, for the server's audit log."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return ""


def read_file(path: Path) -> str:
    """The text of a file; `-` is standard input. Raises BootosError."""
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text()
    except OSError as cause:
        raise BootosError(f"{path} cannot be read: {cause.strerror}") from cause
    except UnicodeDecodeError as cause:
        raise BootosError(f"{path} cannot be read: it is no UTF-8 text", hint="save it as UTF-8") from cause


NameArgument = Annotated[str, typer.Argument(metavar="NAME")]
JobArgument = Annotated[int, typer.Argument(metavar="JOB", help="The job's id.")]
MachineArgument = Annotated[
    str, typer.Argument(metavar="MACHINE", help="Serial number or other name, or id as id:5.")
]
