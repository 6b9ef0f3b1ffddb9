"""Masks secrets in what the agent reports: in the words that a person reads, and nowhere else. Pure. The agent masks
what it sends; the engine masks a plan before it is compared with the approved one, which is masked."""

from typing import Any

from bootos.process import redact

FREE_TEXT = frozenset({"message", "summary", "text", "what", "before", "after", "hint", "title"})


def mask(value: Any, secrets: tuple[str, ...], key: str = "") -> Any:
    """Mask secrets in the free text of a report (plain values); names, states and numbers stay as they are."""
    if isinstance(value, dict):
        return {name: mask(item, secrets, name) for name, item in value.items()}
    if isinstance(value, list):
        return [mask(item, secrets, "text" if key == "destroys" else key) for item in value]
    return redact(value, secrets) if isinstance(value, str) and key in FREE_TEXT else value
