"""A template from a file, without a server: bases from the files beside it, placeholders from the machine and from
`--set`. Used by `bootos-agent plan|apply` and `bootos template check --inventory`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from bootos.document import read_document
from bootos.errors import BootosError, ProblemsError
from bootos.template.inheritance import resolve_bases
from bootos.template.placeholder import build_finder, check_variables, fill_document
from bootos.wire.fact import read_facts
from bootos.wire.inventory import Inventory

SUFFIXES = (".yaml", ".yml", ".toml", ".json")


def read_given(words: Sequence[str]) -> dict[str, str]:
    """`KEY=VALUE` words. Raises BootosError."""
    for word in words:
        if "=" not in word:
            raise BootosError(f"{word!r} is not KEY=VALUE", hint="as --set rack=r12")
    return dict(word.partition("=")[::2] for word in words)


def read_secrets(path: Path | None) -> dict[str, str]:
    """`{"name": "value"}` from a JSON file. Raises BootosError."""
    if path is None:
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError) as cause:
        raise BootosError(
            f"secrets cannot be read from {path}: {cause}", hint='it holds {"name": "value"}'
        ) from cause


def read_template_file(file: Path, inventory: Inventory, given: dict[str, str]) -> Any:
    """The document as a machine would get it. Raises ProblemsError, BootosError."""
    document = read_document(file)
    if not isinstance(document, dict):
        return document

    def find(name: str) -> tuple[dict[str, Any], int] | None:
        for suffix in SUFFIXES:
            beside = file.parent / f"{name}{suffix}"
            if "/" not in name and beside.is_file():
                found = read_document(beside)
                return (found, 0) if isinstance(found, dict) else None
        return None

    resolved = resolve_bases(document, find)
    variables = resolved.document.get("variables")
    finder = build_finder(
        variables if isinstance(variables, dict) else {},
        given,
        read_facts(inventory),
        hint="--set {name}=...",
    )
    filled, unknown = fill_document(resolved.document, finder)
    problems = [*resolved.problems, *check_variables(resolved.document), *unknown]
    if problems:
        raise ProblemsError(str(file), problems)
    return filled
