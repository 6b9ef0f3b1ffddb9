"""What a cache key says of the code: on small packages made for the purpose, and on the source of BootOS itself."""

import ast
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pytest
from stages import SOURCE, TOOLS, find_unseen, list_stages

from bootos.image.piece import parse_source
from bootos.image.reach import UNCOUNTED, Reach, collect_code

STAGES = {stage.partition(":")[2]: tuple(stage.split(":")) for stage in list_stages()}
"""Name of a stage's function -> its module and name."""
FILES = sorted(str(file.relative_to(SOURCE)) for file in (SOURCE / "image").rglob("*.py"))


def reach(
    tmp_path: Path, files: Mapping[str, str], name: str = "build", module: str = "bootos.step"
) -> set[str]:
    """What `module` of a package made of `files` reaches."""
    root = tmp_path / "bootos"
    for place, text in {"__init__.py": "", **files}.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text(text)
    for directory in (path for path in root.rglob("*") if path.is_dir()):
        (directory / "__init__.py").touch()
    return {label.removeprefix("bootos.") for label in Reach(root).collect(module, name)}


def test_a_function_reaches_what_it_names_and_what_that_names(tmp_path: Path) -> None:
    text = """
LIMIT = 3
OTHER = 4
PAIR, TWIN = 1, 2
def build(): return cut(LIMIT)
def cut(value): return value + TWIN
def unused(): return OTHER
"""
    assert reach(tmp_path, {"step.py": text}) == {"step:build", "step:LIMIT", "step:cut", "step:PAIR, TWIN"}


@pytest.mark.parametrize(
    "line",
    [
        "from bootos.low import cut\ndef build(): return cut()",
        "from bootos.low import cut as shorten\ndef build(): return shorten()",
        "from bootos import low\ndef build(): return low.cut()",
        "from bootos import low as deep\ndef build(): return [deep.cut for _ in (1,)]",
        "import bootos.low\ndef build(): return bootos.low.cut()",
        "import bootos.low as deep\ndef build(): return deep.cut()",
        "from bootos.again import cut\ndef build(): return cut()",
        "def build():\n    from bootos.low import cut\n    return cut()",
        "from bootos.low import cut\ndef build(run=cut): return run()",
        "from bootos.low import cut\nTABLE = {'a': cut}\ndef build(): return TABLE['a']()",
        "from bootos.low import cut\ndef build():\n    def inner(): return cut()\n    return inner()",
        "from bootos.low import cut\nclass Build:\n    def work(self): cut()\ndef build(): Build().work()",
        "from bootos.low import cut\nclass Build:\n    def work(self): return cut()\ndef build(a: Build): a.work()",
        "from bootos.low import cut\nclass Build:\n    def work(self): cut()\ndef build(a: 'list[Build]'): a[0].work()",
        "try:\n    from bootos.low import cut\nexcept ImportError:\n    cut = None\ndef build(): return cut()",
        "from bootos.low import cut\ndef build(): return later()\nif True:\n    def later(): return cut()",
        "from bootos.low import cut\ndef build(): return [cut for cut in ()], cut()",
    ],
)
def test_a_name_is_followed_however_it_is_imported_and_used(tmp_path: Path, line: str) -> None:
    files = {
        "step.py": line,
        "low.py": "def cut(): return deeper()\ndef deeper(): pass\ndef other(): pass\n",
        "again.py": "from bootos.low import cut as cut\ndef other(): pass\n",
    }
    found = reach(tmp_path, files)
    assert {"low:cut", "low:deeper"} <= found
    assert not {"low:other", "again:other"} & found


def test_a_name_of_its_own_is_not_one_of_the_module(tmp_path: Path) -> None:
    text = "def cut(): pass\ndef build(cut): return cut()\ndef build_more():\n    cut = 1\n    return cut\n"
    assert reach(tmp_path, {"step.py": text}) == {"step:build"}
    assert reach(tmp_path, {"step.py": text}, "build_more") == {"step:build_more"}


def test_what_a_method_returns_brings_its_class(tmp_path: Path) -> None:
    files = {
        "step.py": "from bootos.low import open_it\ndef build(): return open_it().first.work()",
        "low.py": "from bootos.deep import Thing\nclass Box:\n    first: Thing\ndef open_it() -> Box: ...\n",
        "deep.py": "def cut(): pass\nclass Thing:\n    def work(self): return cut()\n",
    }
    assert {"low:Box", "deep:Thing", "deep:cut"} <= reach(tmp_path, files)


@pytest.mark.parametrize(
    "line",
    [
        "from bootos import low\ndef build(name): return getattr(low, name)()",
        "from bootos import low\ndef build(): return low.__dict__['cut']()",
        "from bootos import low\ndef build(): return run(low)\ndef run(module): return module.cut()",
        "from bootos.low import missing\ndef build(): return missing()",
        "def build():\n    from bootos import low\n    return low.cut()",
        "from bootos.low import find\ndef build(): return find('cut')()",
    ],
)
def test_where_it_cannot_be_told_all_of_the_module_counts(tmp_path: Path, line: str) -> None:
    low = "def cut(): return deeper()\ndef deeper(): pass\ndef find(name): return globals()[name]\n"
    assert {"low:cut", "low:deeper", "low:find"} <= reach(tmp_path, {"step.py": line, "low.py": low})


def test_what_runs_at_import_counts_and_so_does_what_a_decorator_may_have_entered(tmp_path: Path) -> None:
    files = {
        "step.py": "from bootos.low import TABLE\ndef build(): return TABLE['cut']()",
        "low.py": "from bootos.deep import enter\nTABLE = {}\n@enter(TABLE)\ndef cut(): pass\ndef other(): pass\n",
        "deep.py": "from bootos import last\ndef enter(table): return last.take\ndef other(): pass\n",
        "last.py": "import os\ndef take(function): return function\nos.environ['A'] = 'b'\n",
    }
    found = reach(tmp_path, files)
    assert found == {"step:build", "low:TABLE", "low:cut", "deep:enter", "last:take", "last:"}


def test_comments_docstrings_and_places_do_not_count_and_all_else_does(tmp_path: Path) -> None:
    def read(text: str) -> dict[str, str]:
        (tmp_path / "step.py").write_text(text)
        return Reach(tmp_path).collect("bootos.step", "build")

    (tmp_path / "__init__.py").touch()
    first = read('"""A."""\ndef build():\n    """Do it."""\n    return 1\n')
    assert first
    assert (
        read('"""B."""\n\n\n# why\ndef build():\n    """Do  it again."""\n\n    return 1  # one\n') == first
    )
    assert read("def build():\n    return 2\n") != first
    assert read('def build():\n    return "1"\n') != first
    assert read("@cache\ndef build():\n    return 1\n") != first
    assert read("def build(a=1):\n    return 1\n") != first


def test_a_name_that_is_defined_twice_has_both_pieces(tmp_path: Path) -> None:
    def read(text: str) -> dict[str, str]:
        (tmp_path / "step.py").write_text(text)
        return Reach(tmp_path).collect("bootos.step", "build")

    (tmp_path / "__init__.py").touch()
    both = read("A = 1\nA = A + 1\ndef build(): return A\n")
    assert both != read("A = 2\nA = A + 1\ndef build(): return A\n")
    assert both != read("A = 1\nA = A + 2\ndef build(): return A\n")


def test_what_is_not_followed_is_said_with_its_reason(tmp_path: Path) -> None:
    files = {
        "step.py": "from bootos.process import run\ndef build(): return run()",
        "process.py": "def run(): pass",
    }
    assert reach(tmp_path, files) == {"step:build"}
    assert set(UNCOUNTED) == {"bootos.process", "bootos.errors"}
    assert all(UNCOUNTED.values())


def test_a_function_inside_another_counts_as_that_one() -> None:
    def inner() -> None: ...

    code = collect_code(inner)
    assert f"{__name__}:test_a_function_inside_another_counts_as_that_one" in code
    assert f"{__name__}:test_the_stages_reach_many_functions" not in code
    assert "bootos.image.reach:collect_code" in code


# --- the source of BootOS itself


@pytest.fixture(scope="module")
def reached() -> dict[str, dict[str, str]]:
    source = Reach(SOURCE)
    return {stage: source.collect(*place) for stage, place in STAGES.items()}


class Edited(Reach):
    """The source with one module of another text; all others are read once for all of them."""

    def __init__(self, untouched: Reach, module: str, text: str) -> None:
        super().__init__(SOURCE)
        self._sources = {**untouched._sources, module: parse_source(text)}
        self._files = untouched._files
        self._expanded = {place: item for place, item in untouched._expanded.items() if place[0] != module}


def name_module(file: str) -> str:
    """`bootos.image.cpio` of `image/cpio.py`"""
    return ".".join(("bootos", *Path(file).with_suffix("").parts)).removesuffix(".__init__")


def list_functions(file: str, reached: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """(module, its text, name) of every function and class at the top of a module that is reached, and of one in each
    other module."""
    module, text = name_module(file), (SOURCE / file).read_text()
    nodes = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    is_reached = any(label.startswith(f"{module}:") for label in reached)
    for node in nodes if is_reached else nodes[:1]:
        yield module, text, node.name


def change(text: str, name: str) -> str:
    """The module with one more statement in a function, or in each method of a class."""
    tree = ast.parse(text)
    top = next(n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == name)
    for node in (top, *ast.walk(top)) if isinstance(top, ast.ClassDef) else (top,):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            node.body.append(ast.parse("changed = 1").body[0])
    return ast.unparse(tree)


@pytest.fixture(scope="module")
def untouched() -> Reach:
    source = Reach(SOURCE)
    for place in STAGES.values():
        source.collect(*place)
    return source


@pytest.mark.parametrize("file", FILES)
def test_a_changed_function_changes_the_keys_of_the_stages_that_reach_it_and_no_other(
    file: str, reached: dict[str, dict[str, str]], untouched: Reach
) -> None:
    for module, text, name in list_functions(file, {label for code in reached.values() for label in code}):
        edited = Edited(untouched, module, change(text, name))
        for stage, place in STAGES.items():
            is_reached = f"{module}:{name}" in reached[stage]
            assert (edited.collect(*place) != reached[stage]) is is_reached, (stage, module, name)


def test_the_stages_reach_many_functions(reached: dict[str, dict[str, str]]) -> None:
    labels = {label for code in reached.values() for label in code}
    places = [place for file in FILES for place in list_functions(file, labels)]
    assert sum(f"{module}:{name}" in code for module, _, name in places for code in reached.values()) > 200


def test_the_root_knows_what_cuts_it_and_the_estimate_does_not(reached: dict[str, dict[str, str]]) -> None:
    def list_reaching(label: str) -> set[str]:
        return {stage for stage, code in reached.items() if label in code}

    cut = {"build_kernel", "build_modules", "build_root", "build_rpmdb", "build_workshop"}
    assert list_reaching("bootos.image.kernel_module:is_below") == cut
    assert list_reaching("bootos.image.cpio:write_cpio") == {"build_kernel", "build_boot"}
    assert list_reaching("bootos.repository:build_repo_file") == {"build_layer", "build_rpmdb"}
    assert "bootos.image.squash:SOURCE_DATE" in reached["build_base"]
    assert "bootos.image.layers.upper:clean_upper" in reached["build_rpmdb"]
    assert len(STAGES) == 11


def test_no_stage_reads_a_file_beside_the_code_that_is_not_handed_to_it(
    reached: dict[str, dict[str, str]],
) -> None:
    for module in {label.partition(":")[0] for code in reached.values() for label in code}:
        file = SOURCE.joinpath(*module.split(".")[1:])
        source = parse_source(
            (file / "__init__.py" if file.is_dir() else file.with_suffix(".py")).read_text()
        )
        beside = {
            name for name, pieces in source.pieces.items() if any(("__file__", "") in p.uses for p in pieces)
        }
        used = {label for code in reached.values() for label in code}
        assert not [name for name in beside if f"{module}:{name}" in used]


@pytest.mark.parametrize("stage", sorted(list_stages()))
def test_what_a_stage_tells_through_is_passed_over_by_name_and_not_by_module(stage: str) -> None:
    source = Reach(SOURCE)
    reached = source.collect(*stage.split(":"))
    told = {
        *TOOLS,
        "bootos.masking:Masker",
        "bootos.screen:Screen",
        "bootos.printable:show_controls",
        "bootos.process:run",
    }
    assert find_unseen(source, stage, {*reached, *told}) == set()
    other = {"bootos.screen:print_json", "bootos.masking:Hidden", "bootos.image.build:build_image"}
    assert find_unseen(source, stage, {*reached, *told, *other}) == other
