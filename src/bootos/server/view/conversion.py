"""Turns rows into views by msgspec's own conversion: a view's field is the row's attribute of the same name."""

from typing import Any, TypeVar

import msgspec

View = TypeVar("View")


class _Joined:
    """A row, and what was computed beside it, which comes first."""

    def __init__(self, row: object, computed: dict[str, Any]) -> None:
        self.__dict__.update(computed)
        self.__row = row

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__row, name)


def build_view(kind: type[View], row: object, **computed: Any) -> View:
    """The view of a row. `computed`: the fields that are no attribute of the row, or another value than it. Raises
    msgspec.ValidationError when the store holds a value of another type than the view's."""
    return msgspec.convert(_Joined(row, computed), kind, from_attributes=True)
