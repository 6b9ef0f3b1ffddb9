"""Shows what happens in a job: its log lines, and its events as they come. Used by `bootos job`."""

import json
from typing import Any

import typer

from bootos.screen import write_out
from bootos.server.command.client import Client
from bootos.server.command.option import COLORS, Output


def print_line(out: Output, line: dict[str, Any]) -> None:
    """One line of a log, in the colour of its level."""
    style = {"error": "red", "warning": "yellow"}.get(
        line["level"], "dim" if line["source"] == "server" else ""
    )
    out.line(f"{line['at'][11:23]} {line['text'].expandtabs()}", style)


def watch(client: Client, out: Output, job_id: int) -> None:
    """Print a job's events as they come; with --json one object per line. Exits with code 1
    unless the job ended well. Raises BootosError."""
    end: dict[str, Any] = {}
    for event, data in client.follow(job_id):
        if out.as_json:
            write_out(json.dumps({"event": event, **data}, ensure_ascii=False) + "\n")
        elif event == "line":
            print_line(out, data)
        if event == "end":
            end = data
    state = end.get("state", "")
    if not out.as_json:
        message = f": {end['message']}" if end.get("message") else ""
        out.line(f"job {job_id} is {state}{message}", COLORS.get(state, ""))
    if state not in ("done", "planned"):
        raise typer.Exit(1)
