"""Long lists: a page where one is asked for, else all of them, page by page as they are sent, so that no answer holds
all rows at once."""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

import msgspec
from litestar import MediaType, Response
from litestar.params import QueryParameter
from litestar.response import Stream

from bootos.server.limit import FIXED

LONGEST_NAME = FIXED.name_letters * len(r"\U0001f600")  # as names are kept: each letter may be written so
Limit = Annotated[int, QueryParameter(ge=0, le=FIXED.page_rows_most)]
"""How many rows of a list are asked for, in a query; 0: all."""
After = Annotated[str, QueryParameter(max_length=LONGEST_NAME)]
"""The name of the last row of the page before, in a query."""
ROWS = 500  # that are read at once while a whole list is sent


def answer_list(
    read_page: Callable[[str, int], Sequence[msgspec.Struct]], key: str, *, after: str, limit: int
) -> Response[Any]:
    """The rows after the one whose field `key` is `after`, as a JSON array: at most `limit`; 0: all, each page of them
    read when the one before it was sent."""
    if limit:
        return Response(list(read_page(after, limit)), media_type=MediaType.JSON)
    first = read_page(after, ROWS)  # what cannot be answered is refused before anything was sent
    return Stream(_write_pages(first, read_page, key), media_type=MediaType.JSON)


def _write_pages(
    rows: Sequence[msgspec.Struct], read_page: Callable[[str, int], Sequence[msgspec.Struct]], key: str
) -> Iterator[bytes]:
    start = b"["
    while rows:
        yield start + b",".join(map(msgspec.json.encode, rows))
        start = b","
        rows = read_page(str(getattr(rows[-1], key)), ROWS) if len(rows) == ROWS else []
    yield b"[]" if start == b"[" else b"]"
