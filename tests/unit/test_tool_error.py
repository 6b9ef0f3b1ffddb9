"""What a command is, how it went wrong, and what is told of it."""

import sys
from pathlib import Path

import pytest

from bootos.masking import MASK
from bootos.process import Command, ToolError, run


def test_an_error_says_by_a_field_whether_the_program_is_missing_failed_or_was_late(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no program")
    reasons = []
    for argv in (["bootos-has-no-such-program"], ["false"], [plain], ["sleep", "60"]):
        with pytest.raises(ToolError) as caught:
            run(argv, timeout_s=0.2)
        reasons.append(caught.value.reason)
    assert reasons == ["missing", "failed", "not started", "late"]


def test_what_a_command_printed_is_there_when_it_failed() -> None:
    with pytest.raises(ToolError) as caught:
        run([sys.executable, "-c", "print('half'); raise SystemExit(3)"])
    assert caught.value.completed is not None
    assert (caught.value.completed.returncode, caught.value.completed.stdout) == (3, "half\n")


def test_secrets_are_masked_in_errors_and_lines_and_not_in_the_output() -> None:
    lines: list[str] = []
    done = run(["echo", "password hunter2"], secrets=["hunter2"], on_line=lines.append)
    assert (done.stdout, lines) == ("password hunter2\n", [f"password {MASK}"])
    command = Command(["login", "hunter2"], secrets=["hunter2"])
    with pytest.raises(ToolError) as caught:
        command.complete(1, stderr="hunter2 is wrong")
    assert "hunter2" not in str(caught.value)
    assert f"failed with exit code 1: {MASK} is wrong" in str(caught.value)


def test_a_word_that_no_program_can_be_given_is_an_error_of_the_command() -> None:
    with pytest.raises(ToolError, match="could not be started: embedded null byte") as caught:
        run(["echo", "a\0b"])
    assert caught.value.reason == "not started"


def test_lines_are_heard_while_much_goes_in_and_comes_out() -> None:
    text = "".join(f"line {number} {'.' * 60}\n" for number in range(20_000))
    lines: list[str] = []
    assert run(["cat"], input=text, on_line=lines.append).stdout == text
    assert lines == text.splitlines()


def test_a_command_that_does_not_read_its_input_ends_as_it_ends() -> None:
    lines: list[str] = []
    done = run(["sh", "-c", "echo enough; exit 4"], input="x" * 10**6, check=False, on_line=lines.append)
    assert (done.returncode, lines) == (4, ["enough"])


def test_the_deadline_holds_while_a_command_reads_nothing() -> None:
    with pytest.raises(ToolError) as caught:
        run(["sleep", "60"], input="x" * 10**6, timeout_s=0.3, on_line=lambda line: None)
    assert caught.value.reason == "late"


def test_a_stand_in_ends_as_the_real_command_does() -> None:
    assert Command(["true"], check=False).complete(4, "text").returncode == 4
    assert str(Command(["x"]).build_missing()) == "x is not installed"
    assert "took longer than 2 s and was ended" in str(Command(["x"], timeout_s=2).build_late("was ended"))
