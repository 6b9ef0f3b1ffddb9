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


def test_architecture_names_every_part_of_the_source() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    for directory in sorted((ROOT / "src/bootos").iterdir()):
        if directory.is_dir() and directory.name != "__pycache__":
            assert f"{directory.name}/" in text, f"ARCHITECTURE.md does not mention {directory.name}/"


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
