"""The source of BootOS as trees. A file is parsed once for all tests of a process."""

import ast
import functools
from pathlib import Path


@functools.cache
def parse_file(path: Path) -> ast.Module:
    """The tree of a Python file, which nobody changes."""
    return ast.parse(path.read_text())
