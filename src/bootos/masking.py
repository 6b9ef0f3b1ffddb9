"""The one masker of secrets: in logs, errors, reports, pages and on consoles. Pure.

What is a secret is said by its callers: the vault's values, a script's passwords (`wire.password`), a URL's (`fetch`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator

# Type checkers take this name for true. The console's process does not import `typing`, which is large.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MASK = "********"
SHORTEST_LINE = 8  # characters of a secret's line that is masked by itself: output comes line by line


class Masker:
    """Replaces every secret in texts by a mask, as it is and in its forms (`find_forms`). Empty secrets are ignored.
    Where secrets overlap, all that any of them covers is one mask."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: tuple[str, ...] = ()
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Mask these as well from now on. Other threads may be masking meanwhile."""
        found = {*self._secrets, *(form for secret in secrets for form in find_forms(secret))}
        self._secrets = tuple(sorted(found, key=len, reverse=True))

    def __bool__(self) -> bool:
        """Whether there is anything to mask."""
        return bool(self._secrets)

    def text(self, text: str) -> str:
        """`text` with its secrets masked."""
        shown, done = [], 0
        for begin, end in join_places(self._find_places(text)):
            shown += [text[done:begin], MASK]
            done = end
        return "".join([*shown, text[done:]]) if done else text

    def _find_places(self, text: str) -> Iterator[tuple[int, int]]:
        """Where each secret begins and ends."""
        for secret in self._secrets:
            at = text.find(secret)
            while at >= 0:
                yield at, at + len(secret)
                at = text.find(secret, at + 1)

    def plain(
        self,
        value: Any,
        *,
        keys: Collection[str] | None = None,
        but: Collection[str] = (),
    ) -> Any:
        """Plain values (of JSON) with the secrets in their texts masked; with `keys` only in texts below one of these
        keys, and never in what is below one of `but`. Names and numbers stay as they are. Returns a copy."""
        if isinstance(value, dict):
            return {
                name: item
                if name in but
                else self.plain(item, keys=None if keys is None or name in keys else keys, but=but)
                for name, item in value.items()
            }
        if isinstance(value, list):
            return [self.plain(item, keys=keys, but=but) for item in value]
        if isinstance(value, str) and keys is None:
            return self.text(value)
        return value


def find_forms(secret: str) -> set[str]:
    """A secret as it may stand in a text: as it is, between the quotes of a shell, of JSON (in ASCII or not) or of
    Python, and each of its lines, when it has several."""
    lines = [line for line in map(str.strip, secret.splitlines()) if len(line) >= SHORTEST_LINE]
    forms = set()
    for part in (secret, *lines):
        forms |= {part, part.replace("'", "'\"'\"'"), repr(part)[1:-1]}
        forms |= {json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1]}
    return {form for form in forms if form}


def join_places(places: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Stretches (begin, end), in order; those that overlap are one."""
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(places):
        if joined and begin < joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((begin, end))
    return joined


class Hidden:
    """A password on its way to where it is used: it does not show in logs or tracebacks."""

    def __init__(self, password: str) -> None:
        self.password = password

    def __repr__(self) -> str:
        return f"Hidden({MASK})"
