"""Turns rows into views by msgspec's own conversion: a view's field is the row's attribute of the same name."""

from typing import Any, TypeVar

import msgspec

View = TypeVar("View", bound=msgspec.Struct)


def build_view(kind: type[View], row: object, **computed: Any) -> View:
    """The view of a row. `computed`: the fields that are no attribute of the row, or another value than it. Raises
    msgspec.ValidationError when the store holds a value of another type than the view's."""
    read = {name: getattr(row, name) for name in kind.__struct_fields__ if name not in computed}
    return msgspec.convert({**read, **computed}, kind, from_attributes=True)
