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


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an answer that is about one controller. `error` is empty when its status is success."""

    controller: int
    version: str
    error: str
    data: dict[str, Any]


def read_reply(run: Runner, program: str, words: Sequence[str], timeout_s: float = TIMEOUT_S) -> list[Reply]:
    """Ask the tool. Raises ToolError, ValueError for what is no answer."""
    done = run([program, *words, "J"], timeout_s=timeout_s, check=False)
    try:
        return parse_reply(done.stdout)
    except ValueError as cause:
        said = (done.stderr or done.stdout).strip()[:200]
        raise ValueError(f"{program} {' '.join(words)}: {cause}: {said!r}") from cause


def parse_reply(text: str) -> list[Reply]:
    """The JSON of one call, one part a controller. Raises ValueError."""
    try:
        parts = json.loads(text, strict=False)["Controllers"]
        return [_build_reply(part) for part in parts]
    except (LookupError, TypeError, AttributeError) as cause:
        raise ValueError("is not an answer of storcli") from cause


def _build_reply(part: dict[str, Any]) -> Reply:
    status = part["Command Status"]
    details = status.get("Detailed Status") or []
    errors = [
        find_text(entry, "ErrMsg", "Description", "Status")
        for entry in (details if isinstance(details, list) else [])
        if entry.get("Status") in _FAILED
    ]
    failed = status["Status"] != "Success" or errors
    said = [str(status.get("Description", "")).strip(), *errors]
    number = str(status.get("Controller", ""))
    return Reply(
        controller=int(number) if number.isdigit() else -1,
        version=str(status.get("CLI Version", "")),
        error=": ".join(dict.fromkeys(text for text in said if text and text != "None")) or "failed"
        if failed
        else "",
        data=part.get("Response Data") or {},
    )


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
