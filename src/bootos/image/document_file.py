"""Write the small JSON files stages leave for later stages and for people: sorted, indented, atomically."""

import json
from pathlib import Path
from typing import Any

import msgspec


def write_json(path: Path, value: Any) -> None:
    """Write `value` (plain values or msgspec models) as JSON, replacing the file in one step."""
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.write_text(json.dumps(msgspec.to_builtins(value), indent=2, sort_keys=True) + "\n")
    unfinished.replace(path)


def read_json(path: Path) -> Any:
    """Read what `write_json` wrote. Raises OSError, ValueError: it is no JSON."""
    return json.loads(path.read_text())
