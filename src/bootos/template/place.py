"""Where an item of the model stands in the document it was read from. Pure; used by the checks."""

from typing import Any

from bootos.document import convert_all
from bootos.errors import Problems


class Places:
    """Where an item of the model stands in the document: `convert_all` leaves unusable list items out."""

    def __init__(self, data: Any) -> None:
        self._data = data

    def raw(self, *keys: str | int) -> Any:
        """The value at these keys of the document as it was written; None: there is none."""
        value = self._data
        for key in keys:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def indices(self, model: Any, *keys: str | int) -> list[int]:
        """The places in a list of the document whose entries are a `model`: entries that are not were told already."""
        listed = self.raw(*keys)
        items = listed if isinstance(listed, list) else []
        return [number for number, item in enumerate(items) if convert_all(item, model)[0] is not None]


def claim_name(name: str, at: str, taken: dict[str, str], problems: Problems) -> None:
    """The item at `at` has this name; a problem when another one has it. `taken` holds the place of every name."""
    if name in taken:
        problems.complain(f"{at}.name", f"{name!r} is {taken[name]} already")
    taken.setdefault(name, at)
