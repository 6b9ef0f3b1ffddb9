"""JSON Schema of what BootOS publishes: the inventory and the template; and the template's reference page.

`python -m bootos.wire.schema` writes `docs/inventory.schema.json`, `docs/template.schema.json` and
`docs/template-reference.md`; a test says when they are out of date. Made from the models alone, so that document
and code cannot differ.
"""

import json
from pathlib import Path
from typing import Any

import msgspec

from bootos.template.model import Template
from bootos.wire.inventory import Inventory
from bootos.wire.reference import build_reference

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
REFERENCE = "template-reference.md"
DOCS = Path(__file__).parents[3] / "docs"


def build_inventory_schema() -> dict[str, Any]:
    """The schema of `bootos-agent inventory --json`."""
    return _build(Inventory, "BootOS inventory")


def build_template_schema() -> dict[str, Any]:
    """The schema of a template file."""
    return _build(Template, "BootOS template")


def _build(model: type[msgspec.Struct], title: str) -> dict[str, Any]:
    return {"$schema": _DIALECT, **msgspec.json.schema(model), "title": title}


def format_schema(schema: dict[str, Any]) -> str:
    """A schema as the text of its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


FILES = {
    "inventory.schema.json": build_inventory_schema,
    "template.schema.json": build_template_schema,
}


def main() -> None:
    """Write the files into the source tree's `docs`."""
    for name, build in FILES.items():
        (DOCS / name).write_text(format_schema(build()))
        print(f"docs/{name}")
    (DOCS / REFERENCE).write_text(build_reference())
    print(f"docs/{REFERENCE}")


if __name__ == "__main__":
    main()
