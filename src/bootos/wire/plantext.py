"""What a plan costs, in words: for the CLI, the pages and `bootos-agent plan`. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any


def format_duration(seconds: float) -> str:
    """`40 s`, `5 min`, `1 h 20 min`: about."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def format_cost(estimate_s: float | None, reboot: bool) -> str:
    """Of one action: `about 5 min, needs a reboot`; empty when there is nothing to say."""
    words = [f"about {format_duration(estimate_s)}"] if estimate_s is not None else []
    return ", ".join([*words, "needs a reboot"] if reboot else words)


def format_sum(count: int, lost: int, estimates_s: Iterable[float | None], reboot: bool) -> str:
    """Of a whole plan, in a sentence."""
    if not count:
        return "nothing to do: the machine is as the template wants it"
    known = [estimate for estimate in estimates_s if estimate is not None]
    words = [f"{count} action{'' if count == 1 else 's'}"]
    words.append(f"{lost} thing{'' if lost == 1 else 's'} destroyed" if lost else "nothing is destroyed")
    words.append("reboots inside the job" if reboot else "no reboot inside the job")
    if known:
        unknown = " without those that cannot be estimated" if len(known) < count else ""
        words.append(f"about {format_duration(sum(known))}{unknown}")
    return ", ".join(words)


def describe_plan(report: Mapping[str, Any]) -> str:
    """The whole of a reported plan (plain values of `wire.v2.Report`) in a sentence."""
    actions = [action for step in report.get("steps", []) for action in step["actions"]]
    return format_sum(
        len(actions),
        sum(len(action["destroys"]) for action in actions),
        [action.get("estimate_s") for action in actions],
        any(action.get("reboot") for action in actions),
    )
