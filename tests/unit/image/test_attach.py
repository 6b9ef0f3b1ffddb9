"""A command on this process's own input and output: through a pipe, and on a terminal of its own."""

import os
import pty
import sys
import termios
from pathlib import Path

import pytest

from bootos.process import run

ATTACH = "import sys; from bootos.process import attach; sys.exit(attach(['sh', '-c', sys.argv[1]]{}))"


def test_a_pipe_is_the_commands_input_and_its_exit_code_comes_back() -> None:
    argv = [sys.executable, "-c", ATTACH.format(""), "read line; echo got $line; exit 3"]
    done = run(argv, input="a word\n", check=False)
    assert (done.returncode, done.stdout) == (3, "got a word\n")


def test_output_goes_to_stderr_where_a_document_is_printed() -> None:
    done = run([sys.executable, "-c", ATTACH.format(", to_stderr=True"), "echo said"])
    assert (done.stdout, done.stderr) == ("", "said\n")


@pytest.mark.timeout(60)
def test_on_a_terminal_the_command_has_a_terminal_of_the_same_size(tmp_path: Path) -> None:
    said = tmp_path / "said"
    command = f"echo first; read line; (stty size; echo $line) > {said}; exit 5"
    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.executable, [sys.executable, "-c", ATTACH.format(""), command])
    termios.tcsetwinsize(terminal, (31, 97))
    shown = b""
    while b"first" not in shown:
        shown += os.read(terminal, 4096)
    os.write(terminal, b"typed\n")
    while True:
        try:
            if not os.read(terminal, 4096):
                break
        except OSError:  # the end of a terminal is an OSError
            break
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 5
    assert said.read_text() == "31 97\ntyped\n"
