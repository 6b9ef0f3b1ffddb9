"""The documents tell the truth about the tree: links resolve, commands exist, every part is described."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from bootos.cli import NOUNS, build_app, join_verbs

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src/bootos"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])
TRACKED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
).stdout.split()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_test_that_a_page_names_exists() -> None:
    named = {
        (path, name)
        for page in PAGES
        for path, name in re.findall(r"\b(tests/[\w/.]+\.py)::(\w+)", page.read_text())
    }
    assert len(named) > 30
    missing = [
        f"{path}::{name}"
        for path, name in sorted(named)
        if not (ROOT / path).is_file() or not re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.M)
    ]
    assert not missing


def read_rooms() -> list[tuple[Path, str]]:
    """The rows of ARCHITECTURE.md's table of rooms: the folder, also of rows that leave it out, and the whole row."""
    rows, folder = [], ROOT
    for row in re.findall(r"^\| .* \|$", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE):
        first = re.findall(r"`([\w./]+)`", row.split("|")[1])
        folder = ROOT / first[0] if first else folder
        rows.append((folder if folder.is_dir() else folder.parent, row))
    return rows


PATH = re.compile(r"`([\w./-]+(?:\.(?:py|toml|md)|/))(?::\w+)?`")


def find_path(folder: Path, path: str) -> Path | None:
    """What a path of a row means: below the repository, `src/bootos`, or the folder of the row."""
    return next((place / path for place in (ROOT, SOURCE, folder) if (place / path).exists()), None)


def test_architecture_has_a_row_for_every_folder_with_code_and_every_module_of_the_top() -> None:
    shown = {find_path(folder, path) for folder, row in read_rooms() for path in PATH.findall(row)}
    rooms = {path if path.is_dir() else path.parent for path in shown if path}
    code = {file.parent for file in SOURCE.rglob("*.py")} - {
        SOURCE,
        SOURCE / "server/store/migrations/versions",
    }
    assert sorted(str(folder.relative_to(ROOT)) for folder in code - rooms) == []
    assert sorted(file.name for file in SOURCE.glob("[a-z]*.py") if file not in shown) == []


def test_every_path_that_architecture_names_exists() -> None:
    """A path is below the repository, `src/bootos`, or the folder of its row."""
    rooms = read_rooms()
    missing = [
        f"{folder.relative_to(ROOT)}: {path}"
        for folder, row in rooms
        for path in PATH.findall(row)
        if find_path(folder, path) is None
    ]
    for path in re.findall(r"`([\w./-]+/[\w.-]+\.(?:py|toml|md))", (ROOT / "ARCHITECTURE.md").read_text()):
        places = (ROOT, SOURCE, *(folder for folder, _ in rooms))
        if not any((place / path).exists() for place in places):
            missing.append(path)
    assert missing == []


def test_every_function_that_architecture_names_is_in_its_module() -> None:
    for folder, row in read_rooms():
        for path, name in re.findall(r"`([\w./]+\.py):(\w+)`", row):
            assert re.search(rf"^(?:class|def) {name}\b", (folder / path).read_text(), re.MULTILINE), (
                f"{path}:{name}"
            )


def test_every_module_that_a_page_names_exists() -> None:
    """Paths of modules in the pages of `docs/`, below the repository or `src/bootos`."""
    missing = [
        f"{page.relative_to(ROOT)}: {path}"
        for page in PAGES
        if page.name not in ("CHANGELOG.md", "ARCHITECTURE.md")
        for path in re.findall(r"`(?:src/bootos/)?((?:\w+/)+\w+\.py)`", page.read_text())
        if not any((place / path).exists() for place in (ROOT, SOURCE))
    ]
    assert missing == []


def test_every_target_and_path_that_the_readme_names_exists() -> None:
    text = (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make ([a-z-]+)`", text):
        assert re.search(rf"^{target}:", makefile, re.M), f"make {target} does not exist"
    for path in re.findall(r"\b(?:docs|tests|recipes|src)/[\w./-]+\w", text):
        assert (ROOT / path).exists(), f"{path} does not exist"


def test_every_noun_of_the_command_is_in_the_documents() -> None:
    text = "".join(page.read_text() for page in PAGES)
    for noun in NOUNS:
        assert f"bootos {noun}" in text, f"no page shows `bootos {noun}`"


@pytest.mark.parametrize("noun", NOUNS)
def test_every_noun_and_every_verb_has_help_with_an_example(noun: str) -> None:
    """In this process: each start of Python takes longer than all of it."""
    runner = CliRunner(env={"COLUMNS": "200"})
    app = build_app([noun])
    commands = list_commands(get_command(app).get_command(None, noun), [noun])  # type: ignore[attr-defined]
    verbs = [words for words in commands if words not in [more[:-1] for more in commands]]
    for words in commands:
        shown = runner.invoke(app, [*words, "--help"])
        assert shown.exit_code == 0, shown.output
        example = f"bootos {' '.join(words)}" if words in verbs else "bootos"
        text = " ".join(shown.output.partition("xample")[2].replace("│", " ").split())
        assert example in text, f"{example} --help shows no example of it"


def list_commands(command: Any, words: list[str]) -> list[list[str]]:
    """A noun, its groups, its verbs."""
    inside = getattr(command, "commands", {})
    return [words, *(found for name, verb in inside.items() for found in list_commands(verb, [*words, name]))]


def test_the_tree_names_no_registry_host_and_no_path_of_one_machine() -> None:
    hosts = [
        "deb.debian" + ".org",
        "security.debian" + ".org",
        "pypi" + ".org",
        "files.python" + "hosted",
        "/wo" + "rk/",
    ]
    for name in TRACKED:
        file = ROOT / name
        if file.is_file() and file.suffix not in (".png", ".bin"):
            text = file.read_text(errors="replace")
            assert not [host for host in hosts if host in text], name


def test_no_verb_of_the_images_hides_another() -> None:
    from bootos.image.command import app
    from bootos.server.command.image import image_app

    commands = join_verbs(app, image_app).registered_commands
    names = [command.name or command.callback.__name__ for command in commands if command.callback]
    assert sorted(names) == sorted(set(names))
    assert {"remove", "withdraw"} <= set(names)


def read_command_lines() -> list[tuple[str, list[str]]]:
    """Each `bootos NOUN ...` of the pages: the page, and the words up to the end of its line, code or comment."""
    line = re.compile(rf"\bbootos ((?:{'|'.join(NOUNS)})\b[^\n`|#;()]*)")
    return [(page.name, words.split()) for page in PAGES for words in line.findall(page.read_text())]


def test_every_command_line_of_a_page_has_a_verb_and_options_that_exist() -> None:
    lines, wrong = read_command_lines(), []
    assert len(lines) > 100
    for page, words in lines:
        command: Any = get_command(build_app(words)).commands[words[0]]  # type: ignore[attr-defined]
        rest = words[1:]
        while getattr(command, "commands", {}) and rest and not rest[0].startswith("-"):
            command = command.commands.get(rest.pop(0).strip(",.:"))
        known = {
            option
            for parameter in getattr(command, "params", ())
            for option in (*parameter.opts, *parameter.secondary_opts)
        } | {"--help"}
        given = {word.partition("=")[0].strip("[],.") for word in rest if word.strip("[").startswith("--")}
        if command is None or given - known:
            wrong.append(f"{page}: bootos {' '.join(words)}")
    assert wrong == []


def test_help_is_wrapped_for_the_terminal_and_not_for_the_source() -> None:
    shown = CliRunner(env={"COLUMNS": "150"}).invoke(build_app(["machine"]), ["machine", "--help"]).output
    assert "templates. An unknown machine" in " ".join(shown.replace("│", " ").split())
    assert not re.search(r"templates\. An +│", shown), "a line end of the docstring"
