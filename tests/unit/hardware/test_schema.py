import re
from pathlib import Path

import pytest

from bootos.wire.reference import build_reference
from bootos.wire.schema import FILES, REFERENCE, build_inventory_schema, format_schema

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("name", sorted(FILES))
def test_the_published_schema_is_up_to_date(name: str) -> None:
    wanted = format_schema(FILES[name]())
    assert (DOCS / name).read_text() == wanted, f"docs/{name} is old: run `python -m bootos.wire.schema`"


def test_the_template_reference_is_up_to_date() -> None:
    assert (DOCS / REFERENCE).read_text() == build_reference(), "run `python -m bootos.wire.schema`"


@pytest.mark.parametrize("model", sorted(build_inventory_schema()["$defs"]))
def test_the_page_tells_where_every_field_comes_from(model: str) -> None:
    words = set(re.findall(r"[a-z][a-z0-9_]*", (DOCS / "inventory.md").read_text()))
    fields = set(build_inventory_schema()["$defs"][model].get("properties", {}))
    assert fields <= words, f"docs/inventory.md says nothing of {sorted(fields - words)} of {model}"
