"""What a vendor's tool did not show of a controller, in its own words: for the inventory's notes and for drivers, which
refuse only what depends on it.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

Part = Literal["", "controller", "arrays", "drives", "foreign"]


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """`text` is a clause about the controller. `part`: which of its parts is not known as a whole ("controller": all of
    them); empty: only what the text names is."""

    text: str
    part: Part = ""


def tell_remarks(title: str, remarks: Iterable[Remark]) -> list[str]:
    """A sentence for each. `title` is the controller's."""
    return [f"{title}: {remark.text.rstrip('.')}." for remark in remarks]
