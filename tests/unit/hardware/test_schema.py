from pathlib import Path

import pytest

from bootos.wire.schema import FILES, format_schema

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("name", sorted(FILES))
def test_the_published_schema_is_up_to_date(name: str) -> None:
    wanted = format_schema(FILES[name]())
    assert (DOCS / name).read_text() == wanted, f"docs/{name} is old: run `python -m bootos.wire.schema`"
