"""How Broadcom's storcli and storcli2 (Dell: perccli, perccli2) answer with `J`: asked, and taken apart.

Exit codes mean nothing here: every answer has its own `Status`.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from bootos.process import Runner

TIMEOUT_S = 120.0
_FAILED = ("Failure", "Failed")
_NOTHING = re.compile(
    r"no controller found|no foreign config|no vd|couldn't find any foreign|no drive|not found", re.I
)


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a detailed status that is no success. `place` is as the tool writes it: `/c0/e8/s14`, `/c0/v3`; empty:
    it is about the whole controller."""

    place: str
    said: str


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an answer that is about one controller. `error` is empty when its status is success; there may be
    `data` all the same, which is as good as in a success. `refusals` say what the error is about."""

    controller: int
    version: str
    error: str
    data: dict[str, Any]
    refusals: tuple[Refusal, ...] = ()


def read_reply(run: Runner, program: str, words: Sequence[str], timeout_s: float = TIMEOUT_S) -> list[Reply]:
    """Ask the tool. Raises ToolError, ValueError for what is no answer."""
    done = run([program, *words, "J"], timeout_s=timeout_s, check=False)
    try:
        return parse_reply(done.stdout)
    except ValueError as cause:
        said = (done.stderr or done.stdout).strip()[:200]
        raise ValueError(f"{program} {' '.join(words)}: {cause}: {said!r}") from cause


def parse_reply(text: str) -> list[Reply]:
    """The JSON of one call, one part a controller; what stands before or after it is left out. Raises ValueError."""
    start = re.search(r"^[ \t]*\{", text, re.MULTILINE)
    whole = json.JSONDecoder(strict=False).raw_decode(text[start.end() - 1 :] if start else text)[0]
    parts = find_rows(whole, "Controllers") if isinstance(whole, dict) else []
    replies = [_build_reply(part) for part in parts if isinstance(part.get("Command Status"), dict)]
    if not replies:
        raise ValueError("is not an answer of storcli")
    return replies


def _build_reply(part: dict[str, Any]) -> Reply:
    status = part["Command Status"]
    details = find_rows(status, "Detailed Status")
    refused = [entry for entry in details if find_text(entry, "Status") in _FAILED]
    errors = [find_text(entry, "ErrMsg", "Description", "Status") for entry in refused]
    failed = find_text(status, "Status") != "Success" or errors
    said = [find_text(status, "Description"), *errors]
    number = find_text(status, "Controller")
    return Reply(
        controller=int(number) if number.isdigit() else -1,
        version=find_text(status, "CLI Version"),
        error=": ".join(dict.fromkeys(text for text in said if text and text != "None")) or "failed"
        if failed
        else "",
        data=find_part(part, "Response Data"),
        refusals=tuple(_build_refusal(entry) for entry in refused),
    )


def _build_refusal(entry: dict[str, Any]) -> Refusal:
    code = find_text(entry, "ErrCd")
    said = find_text(entry, "ErrMsg", "Description", "Status")
    return Refusal(
        place=_find_place(entry),
        said=f"{said} (error {code})" if code else said,
    )


def _find_place(entry: dict[str, Any]) -> str:
    place = find_text(entry, "Drive", "PD", "VD")
    return f"/v{place}" if place.isdigit() and find_text(entry, "VD") == place else place


def is_nothing(error: str) -> bool:
    """Whether a refusal only says that there is none of what was asked for."""
    return bool(_NOTHING.search(error))


def find_text(entry: dict[str, Any], *keys: str) -> str:
    """The first of these that says something; empty when none does."""
    for key in keys:
        value = str(entry.get(key, "")).strip()
        if value and value != "-":
            return value
    return ""


def find_rows(entry: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """A table: its rows that can be rows. Empty when it is not there, or is something else."""
    value = entry.get(key)
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def find_part(entry: dict[str, Any], key: str) -> dict[str, Any]:
    """A section; empty when it is not there, or is something else."""
    value = entry.get(key)
    return value if isinstance(value, dict) else {}
