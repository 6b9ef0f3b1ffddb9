"""The faces of the server (operator API, agent API, Cloudboot v1, pages) change nothing themselves: operations check,
do and write the audit log, so that each use case stands once."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVER = Path(__file__).parents[2] / "src/bootos/server"
FACES = [
    *sorted(file for room in ("api", "web") for file in (SERVER / room).rglob("*.py")),
    *(SERVER / "cloudboot" / name for name in ("api.py", "call.py", "query.py")),
]
# Only operations may use these: a transaction that is committed, and the parts of the context that store something.
CHANGING = {("store", "write"), ("context", "uploads"), ("context", "vault"), ("context", "tree")}
UNKNOWN_TO_FACES = {
    "sqlalchemy",
    "bootos.server.store.table",
    "bootos.server.store.engine",
    "bootos.server.store.vault",
    "bootos.server.image.version",
    "bootos.server.operation.audit",
}


def find_changes(source: str) -> Iterator[str]:
    """The places where a face would change something itself: `line: what`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            owner = node.value
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            if (name.lstrip("_"), node.attr) in CHANGING:
                yield f"{node.lineno}: {name}.{node.attr}"
        elif isinstance(node, ast.ImportFrom):
            names = {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
            yield from (f"{node.lineno}: {name}" for name in sorted(names & UNKNOWN_TO_FACES))


@pytest.mark.parametrize("file", FACES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_a_face_changes_the_store_through_operations_only(file: Path) -> None:
    assert list(find_changes(file.read_text())) == []


def test_a_face_that_opens_a_transaction_of_its_own_is_found() -> None:
    source = (
        "from bootos.server.operation import audit\n"
        "with self._context.store.write() as session:\n"
        "    audit.record(session)\n"
        "context.vault.put(session)\n"
    )
    assert sorted(find_changes(source)) == [
        "1: bootos.server.operation.audit",
        "2: store.write",
        "4: context.vault",
    ]
