"""The in-memory OS carries every module that the agent imports, and nothing of server, lab and image."""

import ast
from pathlib import Path

from sourcetree import parse_file

from bootos.image.steps.layer import AGENT_PARTS

SOURCE = Path(__file__).parents[2] / "src/bootos"


def find_imports(path: Path) -> set[str]:
    """The parts of bootos that a file imports: `fetch` of `from bootos.fetch import fetch_file`."""
    found: set[str] = set()
    for node in ast.walk(parse_file(path)):
        if isinstance(node, ast.ImportFrom) and node.module == "bootos":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bootos."):
            found.add(str(node.module).split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {name.name.split(".")[1] for name in node.names if name.name.startswith("bootos.")}
    return {name for name in found if name != "__version__"}


def test_everything_that_the_agent_imports_is_in_the_image() -> None:
    carried = {part.removesuffix(".py") for part in AGENT_PARTS}
    for part in AGENT_PARTS:
        place = SOURCE / part
        for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
            missing = find_imports(path) - carried
            assert not missing, f"{path.relative_to(SOURCE)} imports {sorted(missing)}"
