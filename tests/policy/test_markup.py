"""Commands print by `bootos.screen`, which takes text as text."""

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src/bootos"
DOORS = {"rich.console", "rich.markup", "rich.status"}
"""What makes a screen or reads markup."""


def test_no_other_module_makes_a_screen_or_reads_markup() -> None:
    for file in SOURCE.rglob("*.py"):
        text = file.read_text()
        if file.name == "screen.py" or "rich" not in text:
            continue
        imported = {node.module for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}
        names = {
            a.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for a in node.names
        }
        assert not DOORS & imported, f"{file.relative_to(SOURCE)} must use bootos.screen"
        assert not [name for name in names if name.startswith("rich")], file.relative_to(SOURCE)
        assert "from_markup" not in text, file.relative_to(SOURCE)


def test_every_table_is_made_by_build_table_which_cuts_nothing_off() -> None:
    for file in SOURCE.rglob("*.py"):
        text = file.read_text()
        if file.name != "screen.py" and "rich" in text:
            imported = {node.module for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}
            assert "rich.table" not in imported, f"{file.relative_to(SOURCE)} must use screen.build_table"


def test_no_column_of_a_progress_bar_reads_markup() -> None:
    for file in SOURCE.rglob("*.py"):
        if "TextColumn" not in (text := file.read_text()):
            continue
        calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
        columns = [node for node in calls if isinstance(node.func, ast.Name) and node.func.id == "TextColumn"]
        assert columns, file.relative_to(SOURCE)
        for column in columns:
            words = {word.arg: word.value for word in column.keywords}
            markup = words.get("markup")
            assert isinstance(markup, ast.Constant), f"{file.relative_to(SOURCE)}: markup=False"
            assert markup.value is False
