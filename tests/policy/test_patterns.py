"""No pattern tries one text in two ways: on hostile text that takes the square of its length, or worse."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src/bootos"
# `^\s*` with MULTILINE begins anew in each of many empty lines.
_LINES = re.compile(r"\^\\s[*+](?!\+)|\^\[\\s[^]]*\][*+](?!\+)")
# Spaces behind what takes spaces too: `.*?\s*`, `.+?)\s+`.
_TWICE = re.compile(r"(?<!\\)\.[*+]\??\)?\\s[*+](?!\+)")
_CALLS = {"compile", "search", "match", "fullmatch", "split", "sub", "findall", "finditer"}


def list_patterns() -> Iterator[tuple[str, str, bool]]:
    """(place, pattern, whether `^` is at every line) of all that the code says, but for what an operator wrote."""
    for path in sorted(set(SOURCE.rglob("*.py")) - set(SOURCE.glob("template/*.py"))):
        if "re." not in (text := path.read_text()):
            continue
        for node in ast.walk(ast.parse(text)):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) in {f"re.{name}" for name in _CALLS}
                and node.args
            ):
                said = "".join(
                    part.value for part in ast.walk(node.args[0])
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                )  # fmt: skip
                flags = " ".join(
                    ast.unparse(item) for item in (*node.args[1:], *(word.value for word in node.keywords))
                )
                is_lines = bool(re.search(r"re\.(M|MULTILINE)\b", flags) or re.match(r"\(\?\w*m", said))
                yield f"{path.relative_to(SOURCE)}:{node.lineno}", said, is_lines
    for path in sorted((SOURCE / "drivers").rglob("*.toml")):
        for query in tomllib.loads(path.read_text()).get("query", ()):
            for said in query["versions"].values():
                yield path.name, said, True


def test_no_pattern_begins_in_many_lines_and_none_takes_spaces_twice() -> None:
    patterns = list(list_patterns())
    assert len(patterns) > 150
    assert [place for place, said, is_lines in patterns if is_lines and _LINES.search(said)] == []
    assert [place for place, said, _ in patterns if _TWICE.search(said)] == []


def test_what_is_refused() -> None:
    assert _LINES.search(r"^\s*\{")
    assert _TWICE.search(r"^(.+?)\s*:")
    assert not _TWICE.search(r"^(.+?)\s*+:")
    assert not _LINES.search(r"^[ \t]*\{")
