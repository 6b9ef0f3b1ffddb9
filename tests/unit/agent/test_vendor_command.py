"""The vendor scripts before they touch a machine: usage, the BIOS template, the launcher."""

import re
import sys
from pathlib import Path

import pytest

from bootos.agent.vendor_command.__main__ import read_words
from bootos.agent.vendor_command.bios import BiosScript, build_document
from bootos.agent.vendor_command.main import SCRIPTS, run_command
from bootos.agent.vendor_command.option import COMMON, Given, parse_words
from bootos.drivers.contract import Machine
from bootos.image.steps.layer import ROOTFS, VENDOR_SCRIPTS
from bootos.process import run
from bootos.wire.inventory import Bios, Inventory, System

GOLDEN = Path(__file__).parents[2] / "golden/vendor_command/usage.txt"
DOCUMENT = Path(__file__).parents[3] / "docs/vendor-commands.md"
DIRECTORY = "/opt/yunji/osinstall/dell"
LAUNCHER = ROOTFS / "usr/lib/bootos/vendor-command"


def read_sessions() -> dict[str, str]:
    """`$ SCRIPT WORDS` and below it what is printed; `|` ends a word."""
    blocks = re.split(r"^\$ (.*)\n", GOLDEN.read_text(), flags=re.M)[1:]
    return dict(zip(blocks[::2], blocks[1::2], strict=True))


def call(line: str) -> int:
    script, *words = line.split("|") if "|" in line else line.split()

    def collect() -> Inventory:
        raise AssertionError("wrong usage is told before the machine is read")

    return run_command(f"{DIRECTORY}/{script}", words, Machine(), collect)


@pytest.mark.parametrize("line", read_sessions())
def test_wrong_usage_names_every_option_that_is_wrong(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = call(line)
    assert (code, capsys.readouterr().out) == (2, read_sessions()[line])


@pytest.mark.parametrize("script", VENDOR_SCRIPTS)
def test_every_script_of_the_image_tells_its_options(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(f"{script} -h") == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{script}: ")
    assert f"example: {script} -" in said
    assert max(len(line) for line in said.splitlines()) <= 100


@pytest.mark.parametrize("script", VENDOR_SCRIPTS)
def test_the_documents_list_every_option(script: str) -> None:
    text = DOCUMENT.read_text()
    part = text.partition(f"## `{script}`")[2].partition("\n## ")[0]
    for option in SCRIPTS[script]().options:
        shown = (
            f"`-{option.letter}`, `--{option.word}"
            if option.letter and not option.value
            else f"--{option.word}"
        )
        place = text if option in COMMON else part
        assert shown in place, f"{script}: {shown}"


def test_bios_options_become_the_bios_section_of_a_template() -> None:
    given, problems = parse_words(BiosScript.options, ["-t", "enable", "--cstates=disable"])
    assert problems == []
    document = build_document(given)
    assert document["bios"] == {"virtualization": "enabled", "c_states": "disabled"}
    assert build_document(Given(values={"cstates": "enable"}))["bios"] == {"c_states": "enabled"}


def test_a_bios_without_a_driver_is_named_and_nothing_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    inventory = Inventory(
        collected_at="2024-01-01T00:00:00Z",
        system=System(vendor="QEMU", product="Standard PC"),
        bios=Bios(vendor="SeaBIOS", version="1.16.2"),
    )
    code = run_command(f"{DIRECTORY}/bios.sh", ["-t", "enable"], Machine(), lambda: inventory)
    assert code == 1
    said = capsys.readouterr().out
    assert "the BIOS of this machine (QEMU Standard PC with BIOS SeaBIOS 1.16.2)" in said
    assert "the image has no BIOS driver for it" in said
    assert "raid.mdadm" in said


WORDS = ("-u", "root", "-p", "it's \"a\\n$HOME`id`  *", "")


def install_launcher(directory: Path, interpreter: str) -> Path:
    """The launcher under the name of a script, with another interpreter than the image's."""
    text = LAUNCHER.read_text()
    assert text.count("/usr/bin/python3 -sP") == 1
    script = directory / "oob.sh"
    script.write_text(text.replace("/usr/bin/python3 -sP", interpreter))
    script.chmod(0o755)
    return script


@pytest.mark.parametrize("shell", [[], ["bash"]], ids=["run", "bash"])
def test_the_launcher_leaves_no_argument_in_the_command_line(tmp_path: Path, shell: list[str]) -> None:
    fake = tmp_path / "python3"
    fake.write_text("#!/bin/sh\ntr '\\0' ' ' < /proc/$$/cmdline; env; echo; echo ---; cat <&3\n")
    fake.chmod(0o755)
    script = install_launcher(tmp_path, str(fake))
    shown, _, passed = run([*shell, script, *WORDS], env={"words": "mine"}).stdout.partition("---\n")
    assert f"-m bootos.agent.vendor_command {script}" in shown
    assert "$HOME" not in shown
    assert read_words(passed) == list(WORDS)


def test_the_launcher_ends_with_the_exit_code_of_the_command(tmp_path: Path) -> None:
    script = install_launcher(tmp_path, sys.executable)
    paths = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = run([script, "-u", "root", "-p", "a b", "-z"], check=False, env=paths)
    assert done.returncode == 2
    assert "oob.sh: error: -z: is not an option" in done.stdout
    done = run([script, "-p", "a\nb"], check=False, env=paths)
    assert (done.returncode, done.stdout) == (2, "oob.sh: error: an argument holds a line break\n")


@pytest.mark.parametrize(("text", "words"), [("0\n\n", []), ("1\n\n", [""]), ("2\na\nb\n", ["a", "b"])])
def test_what_the_launcher_writes_is_read_as_it_was_given(text: str, words: list[str]) -> None:
    assert read_words(text) == words
