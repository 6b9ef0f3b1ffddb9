"""Long lists: a page where one is asked for, else all of them, page by page as they are sent, so that no answer holds
all rows at once."""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

import msgspec
from litestar import MediaType, Response
from litestar.params import QueryParameter
from litestar.response import Stream

from bootos.server.limit import FIXED, PassedError

LONGEST_NAME = FIXED.name_letters * len(r"\U0001f600")  # as names are kept: each letter may be written so
Limit = Annotated[int, QueryParameter(ge=0, schema_extra={"maximum": FIXED.page_rows_most})]
"""How many rows of a list are asked for, in a query; 0: all. `check_page` says what is too many."""
Rows = Annotated[int, QueryParameter(ge=1, schema_extra={"maximum": FIXED.page_rows_most})]
"""As `Limit`, of a list that is never sent as a whole."""
Lines = Annotated[int, QueryParameter(ge=1, schema_extra={"maximum": FIXED.lines_most})]
"""As `Rows`, of a log."""
After = Annotated[str, QueryParameter(max_length=LONGEST_NAME)]
"""The name of the last row of the page before, in a query."""
ROWS = 500  # that are read at once while a whole list is sent


def check_page(limit: int) -> None:
    """Raises PassedError for more rows than a page has."""
    _check(limit, "page_rows_most", "rows")


def check_lines(limit: int) -> None:
    """Raises PassedError for more lines than are sent at once."""
    _check(limit, "lines_most", "lines")


def _check(limit: int, name: str, of_what: str) -> None:
    if limit > (most := getattr(FIXED, name)):
        raise PassedError(f"more {of_what} than are sent at once", hint=f"limit: at most {most}", limit=name)


def answer_list(
    read_page: Callable[[str, int], Sequence[msgspec.Struct]], key: str, *, after: str, limit: int
) -> Response[Any]:
    """The rows after the one whose field `key` is `after`, as a JSON array: at most `limit`; 0: all, each page of them
    read when the one before it was sent. Raises PassedError."""
    check_page(limit)
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
