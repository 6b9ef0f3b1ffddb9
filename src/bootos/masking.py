"""The one masker of secrets: in logs, errors, reports, pages and on consoles. Pure.

What is a secret is said by its callers: the vault's values, a script's passwords (`wire.password`), a URL's (`fetch`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

TYPE_CHECKING = (
    False  # in the words of type checkers: the console's process does without `typing`, which is large
)
if TYPE_CHECKING:
    from typing import Any

MASK = "********"


class Masker:
    """Replaces every secret in texts by a mask. Empty secrets are ignored; of two, the longer is replaced first."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: tuple[str, ...] = ()
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Mask these as well from now on. Other threads may be masking meanwhile."""
        found = {*self._secrets, *filter(None, secrets)}
        self._secrets = tuple(sorted(found, key=len, reverse=True))

    def __bool__(self) -> bool:
        """Whether there is anything to mask."""
        return bool(self._secrets)

    def text(self, text: str) -> str:
        """`text` with its secrets masked."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def plain(self, value: Any, *, keys: Collection[str] | None = None, key: str = "") -> Any:
        """Plain values (of JSON) with the secrets in their texts masked; with `keys` only in texts below one of these
        keys. Names, states and numbers stay as they are. Returns a copy."""
        if isinstance(value, dict):
            return {name: self.plain(item, keys=keys, key=name) for name, item in value.items()}
        if isinstance(value, list):
            return [self.plain(item, keys=keys, key=key) for item in value]
        if isinstance(value, str) and (keys is None or key in keys):
            return self.text(value)
        return value


class Hidden:
    """A password on its way to where it is used: it does not show in logs or tracebacks."""

    def __init__(self, password: str) -> None:
        self.password = password

    def __repr__(self) -> str:
        return f"Hidden({MASK})"
