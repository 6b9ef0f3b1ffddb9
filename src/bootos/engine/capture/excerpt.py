"""The first of a long list, in a sentence: a machine may have any number of what a note is about. Pure."""

from collections.abc import Collection
from itertools import islice

MOST_TOLD = 12


def tell_first(names: Collection[str], most: int = MOST_TOLD) -> str:
    """`a, b, c and 2 more`: the names in their order, `most` of them at most."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(islice(names, most)) + more
