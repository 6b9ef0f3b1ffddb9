"""The cached stages of the image build, read from its source; and which functions run in them.

`python stages.py FILE image build ...` runs `bootos` so and leaves in FILE, as JSON, for each stage's function what of
bootos ran meanwhile: {"bootos.image.steps.root:build_root": ["bootos.image.kernel_module:is_below", ...]}.
"""

import ast
import json
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from types import CodeType, FrameType

import bootos
from bootos.image.piece import parse_source
from bootos.image.reach import UNCOUNTED, Reach

SOURCE = Path(bootos.__file__).parent
PLACES = ("bootos.image.build", "bootos.image.driver.workshop")
"""Where stages are bound to what they read."""
TOOLS = frozenset({"bootos.image.build:_say", "bootos.image.progress:BuildScreen"})
"""By these a stage says how far it is; they are handed to it."""
TELLING = frozenset({"bootos.printable", "bootos.screen", "bootos.masking"})
"""What is told goes through names of these modules: by `TOOLS`, and by `bootos.process`, which does not count."""


def list_stages() -> set[str]:
    """The functions of all stages, as module:name."""
    return {stage for module in PLACES for stage in find_stages(module)}


def find_stages(module: str) -> Iterator[str]:
    """What a module hands to `cache.make`, bound by `partial`."""
    tree = ast.parse(SOURCE.joinpath(*module.split(".")[1:]).with_suffix(".py").read_text())
    imports = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "partial":
            bound = node.args[0]
            if isinstance(bound, ast.Attribute) and isinstance(bound.value, ast.Name):
                yield f"{imports[bound.value.id]}:{bound.attr}"
            elif isinstance(bound, ast.Name):
                yield f"{module}:{bound.id}"


def list_telling(source: Reach) -> set[str]:
    """What may run in a stage and does not count: `TOOLS`, and in `TELLING` the names, and no others, that they reach
    and that the modules which never count reach."""
    places = [(module, name) for module, _, name in (tool.partition(":") for tool in TOOLS)]
    for module in UNCOUNTED:
        file = SOURCE.joinpath(*module.split(".")[1:]).with_suffix(".py")
        places += parse_source(file.read_text()).imports.values()
    reached = {label for place in places for label in source.collect(*place)}
    return {*TOOLS, *(label for label in reached if label.partition(":")[0] in TELLING)}


def find_unseen(source: Reach, stage: str, names: Collection[str]) -> set[str]:
    """What of `names`, which ran in a stage, is no part of its key and may make what it leaves."""
    counted = {*source.collect(*stage.split(":")), *list_telling(source)}
    return {name for name in set(names) - counted if name.partition(":")[0] not in UNCOUNTED}


class Tracer:
    """A profile function (sys.setprofile) that follows the functions of bootos."""

    def __init__(self, stages: Collection[str]) -> None:
        self.ran: dict[str, set[str]] = {stage: set() for stage in stages}
        self._open: list[tuple[FrameType, str]] = []
        self._names: dict[CodeType, str] = {}

    def note(self, frame: FrameType, event: str, _: object) -> None:
        if event == "return" and self._open and self._open[-1][0] is frame:
            self._open.pop()
        if event != "call":
            return
        name = self._names.get(frame.f_code)
        if name is None:
            module = str(frame.f_globals.get("__name__", ""))
            is_followed = module.startswith("bootos.") and frame.f_code.co_name != "<module>"
            name = f"{module}:{frame.f_code.co_qualname.partition('.')[0]}" if is_followed else ""
            self._names[frame.f_code] = name
        if name in self.ran:
            self._open.append((frame, name))
        if name and self._open:
            self.ran[self._open[-1][1]].add(name)


def main(output: Path, words: list[str]) -> None:
    """Run `bootos` with these words, traced."""
    from bootos.cli import build_app

    tracer = Tracer(list_stages())
    sys.setprofile(tracer.note)
    try:
        build_app(words)(args=words)
    finally:
        sys.setprofile(None)
        output.write_text(json.dumps({stage: sorted(names) for stage, names in tracer.ran.items()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
