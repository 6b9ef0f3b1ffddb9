"""The demo's findings: checks with what was expected and found, timings, the image; as a table and as JSON."""

import json
from pathlib import Path
from typing import Any

import msgspec
from rich.text import Text

from bootos.screen import Screen, build_table


class Check(msgspec.Struct, kw_only=True, frozen=True):
    """One thing that was looked at from outside the machine."""

    name: str
    expected: Any
    found: Any
    ok: bool


class DemoReport(msgspec.Struct, kw_only=True):
    """All findings of a run. `timings_s` are seconds since power-on; `image` is the manifest of the image that ran."""

    checks: list[Check] = []
    timings_s: dict[str, float] = {}
    image: dict[str, Any] = {}

    def compare(self, name: str, expected: Any, found: Any) -> None:
        """Note a check that holds when both are equal."""
        self.checks.append(Check(name=name, expected=expected, found=found, ok=expected == found))

    def note(self, name: str, expected: str, found: Any, *, ok: bool) -> None:
        """Note a check whose expectation is a sentence."""
        self.checks.append(Check(name=name, expected=expected, found=found, ok=ok))

    def is_good(self) -> bool:
        """Whether there are checks and every one holds."""
        return bool(self.checks) and all(check.ok for check in self.checks)


def write_report(report: DemoReport, path: Path) -> None:
    """Write the report as JSON."""
    path.write_text(json.dumps(msgspec.to_builtins(report), indent=2, ensure_ascii=False) + "\n")


def print_report(report: DemoReport, console: Screen) -> None:
    """The table a person reads at the end."""
    title = "what was found from outside the machine"
    table = build_table("", "check", "found", title=title, title_justify="left", box=None)
    for check in report.checks:
        mark = Text("ok", style="green") if check.ok else Text("WRONG", style="bold red")
        found = (
            _short(check.found) if check.ok else f"{_tell(check.found)}\nexpected: {_tell(check.expected)}"
        )
        table.add_row(mark, Text(check.name), Text(found))
    console.print(table)
    title = "seconds since power-on"
    times = build_table("", "", title=title, title_justify="left", show_header=False, box=None)
    for name, seconds in report.timings_s.items():
        times.add_row(name, f"{seconds:.1f}")
    console.print(times)
    good = sum(check.ok for check in report.checks)
    console.print(f"{good} of {len(report.checks)} checks hold")


def _tell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short(value: Any) -> str:
    """One line of a finding; the whole is in the JSON report."""
    text = _tell(value).replace("\n", " ")
    return text if len(text) <= 90 else f"{text[:87]}..."
