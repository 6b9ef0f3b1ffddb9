"""The numbers that paths and queries may have in them, for all faces: larger ones are refused before a database sees
them."""

from typing import Annotated

from litestar.params import PathParameter, QueryParameter

RowId = Annotated[int, PathParameter(ge=0, le=2**31 - 1)]
"""The id of a row, in a path."""
Before = Annotated[int, QueryParameter(ge=0, le=2**31 - 1)]
"""The id of the last row of the page before, in the query of a list that has the newest first."""
Place = Annotated[int, QueryParameter(ge=-1, le=2**63 - 1)]
"""A place in a log, in a query."""
Offset = Annotated[int, QueryParameter(ge=0, le=2**63 - 1)]
"""A place in a file, in bytes, in a query."""
