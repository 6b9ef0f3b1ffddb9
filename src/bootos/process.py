"""The only door to subprocesses: deadline, log, masked secrets. Nothing else imports `subprocess`.

`run` is for commands that end, `start` for those that live on (QEMU, ipmi_sim, a server under test), `attach` for
a shell that a person or a script works in.
"""

import logging
import os
import select
import selectors
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Literal, Protocol, TypedDict, Unpack

import msgspec

from bootos.errors import BootosError
from bootos.masking import Masker

log = logging.getLogger(__name__)

KILL_S = 5.0  # how long the end of what was killed is waited for
SCRATCH = "run/bootos/bios"  # below the root, in memory: where tools write the files that are read of them
LINGER_S = 1.0  # how long a command that has ended may be silent while its output stays open


class Completed(msgspec.Struct, frozen=True, kw_only=True):
    """What a command did. `stdout` and `stderr` are text (UTF-8, undecodable bytes replaced)."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    duration_s: float


class ToolError(BootosError):
    """A command that could not be run, failed, or took too long; `reason` says which."""

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        completed: Completed | None = None,
        reason: Literal["failed", "missing", "not started", "late"] = "failed",
    ) -> None:
        super().__init__(message, hint=hint)
        self.completed = completed
        self.reason = reason


class Options(TypedDict, total=False):
    """How a command is run, in the words of `run`; `Command` says what each means and what it is when not given."""

    timeout_s: float
    kill_s: float
    input: str | None
    check: bool
    secrets: Sequence[str]
    env: Mapping[str, str] | None
    cwd: Path | None
    on_line: Callable[[str], None] | None


class Command:
    """A command with all of its options: what `run` carries out, and what stands in for it answers.

    `timeout_s` seconds it may take, then its end is waited for `kill_s` seconds. `input` is its standard input;
    None: it has none. With `check` an exit code that is not zero is an error. `secrets` are masked in logs and error
    messages, never in the returned text. `env` is added to this process's environment. `on_line` gets each line of
    stdout and stderr as it comes, masked.
    """

    def __init__(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        timeout_s: float = 60.0,
        kill_s: float = KILL_S,
        input: str | None = None,
        check: bool = True,
        secrets: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        self.words = tuple(os.fspath(word) for word in argv)
        self.timeout_s = timeout_s
        self.kill_s = kill_s
        self.input = input
        self.check = check
        self.secrets = secrets
        self.env = env
        self.cwd = cwd
        self.on_line = on_line

    @property
    def shown(self) -> str:
        """The command as a shell would take it, with its secrets masked."""
        return Masker(self.secrets).text(shlex.join(self.words))

    def complete(
        self, returncode: int, stdout: str = "", stderr: str = "", duration_s: float = 0.0
    ) -> Completed:
        """What the command did. Raises ToolError when it failed and `check` is on."""
        completed = Completed(
            argv=self.words, returncode=returncode, stdout=stdout, stderr=stderr, duration_s=duration_s
        )
        if self.check and returncode != 0:
            said = Masker(self.secrets).text((stderr.strip() or stdout.strip())[-2000:])
            raise ToolError(f"{self.shown} failed with exit code {returncode}: {said}", completed=completed)
        return completed

    def build_missing(self) -> ToolError:
        """The error of a program that is not installed."""
        name = self.words[0]
        return ToolError(
            f"{name} is not installed", hint=f"install the package with {name}", reason="missing"
        )

    def build_late(self, ending: str) -> ToolError:
        """The error of a command that took too long; `ending` says what became of it."""
        return ToolError(f"{self.shown} took longer than {self.timeout_s:g} s and {ending}", reason="late")


class Runner(Protocol):
    """How code that reads or changes a machine calls tools; `run` is the real one."""

    def __call__(self, argv: Sequence[str | os.PathLike[str]], **options: Unpack[Options]) -> Completed: ...


def run(argv: Sequence[str | os.PathLike[str]], **options: Unpack[Options]) -> Completed:
    """Run a command to its end and return what it printed; `Command` describes the options.

    Raises ToolError: not found, non-zero exit (with `check`), or `timeout_s` seconds passed; then the
    command's whole process group is killed. One that waits inside the kernel, for a dead disk or BMC, goes on there
    until that answers, and is waited for no longer than `kill_s` seconds.
    """
    command = Command(argv, **options)
    log.debug("run %s", command.shown)
    began = time.monotonic()
    try:
        child = subprocess.Popen(
            command.words,
            stdin=subprocess.PIPE if command.input is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(command.env or {})},
            cwd=command.cwd,
            start_new_session=True,
        )
    except FileNotFoundError as cause:
        raise command.build_missing() from cause
    except (OSError, ValueError) as cause:  # a word with a NUL character cannot be given to a program
        raise ToolError(f"{command.shown} could not be started: {cause}", reason="not started") from cause
    try:
        out, err, late = _collect(child, command, began + command.timeout_s)
    except BaseException:
        _end_group(child, command.kill_s)
        raise
    if late:
        ending = (
            "was ended"
            if _end_group(child, command.kill_s)
            else f"cannot be ended (pid {child.pid} waits inside the kernel)"
        )
        raise command.build_late(ending)
    code, seconds = child.wait(), time.monotonic() - began
    log.debug("%s -> exit %d in %.2f s", command.words[0], code, seconds)
    return command.complete(code, out.decode(errors="replace"), err.decode(errors="replace"), seconds)


def _collect(
    child: "subprocess.Popen[bytes]", command: Command, deadline: float
) -> tuple[bytes, bytes, bool]:
    """Read both pipes to their end; returns (stdout, stderr, whether the deadline passed first)."""
    input, on_line, masker = command.input, command.on_line, Masker(command.secrets)
    if on_line is None:
        try:
            out, err = child.communicate(
                input.encode() if input is not None else None, timeout=max(0.0, deadline - time.monotonic())
            )
        except subprocess.TimeoutExpired:
            return b"", b"", True
        return out, err, False
    assert child.stdout is not None and child.stderr is not None
    whole = {child.stdout: bytearray(), child.stderr: bytearray()}
    rest: dict[IO[bytes], bytes] = {child.stdout: b"", child.stderr: b""}
    unsent = memoryview((input or "").encode())
    with selectors.DefaultSelector() as selector:
        for pipe in whole:
            selector.register(pipe, selectors.EVENT_READ, pipe)
        if child.stdin is not None:
            selector.register(child.stdin, selectors.EVENT_WRITE, child.stdin)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                return b"", b"", True
            ready = selector.select(min(left, LINGER_S))
            if not ready and child.poll() is not None:
                break  # it has ended, and a process that it started holds its output open
            for key, _ in ready:
                pipe = key.data
                if pipe is child.stdin:
                    unsent = _feed(pipe, unsent)
                    if not unsent:
                        selector.unregister(pipe)
                        pipe.close()
                    continue
                chunk = os.read(pipe.fileno(), 65536)
                if not chunk:
                    selector.unregister(pipe)
                whole[pipe] += chunk
                *lines, rest[pipe] = (rest[pipe] + chunk).split(b"\n")
                if not chunk and rest[pipe]:
                    lines.append(rest[pipe])
                for line in lines:
                    on_line(masker.text(line.decode(errors="replace").rstrip("\r")))
    try:
        child.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return b"", b"", True
    return bytes(whole[child.stdout]), bytes(whole[child.stderr]), False


def _feed(pipe: IO[bytes], unsent: memoryview) -> memoryview:
    """Write as much as a pipe takes at once (POSIX: PIPE_BUF bytes); returns what is left. Nothing is left for one who
    does not read it."""
    try:
        return unsent[os.write(pipe.fileno(), unsent[: select.PIPE_BUF]) :]
    except BrokenPipeError:
        return unsent[:0]


def _end_group(child: "subprocess.Popen[bytes]", wait_s: float) -> bool:
    """Kill the command and all that it started; returns whether it has ended."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        child.kill()
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()
    try:
        child.wait(wait_s)
    except subprocess.TimeoutExpired:
        return False
    return True


class Child:
    """A command that lives on until `stop`. Its output goes to the log file it was started with."""

    def __init__(self, process: "subprocess.Popen[bytes]", name: str, log_path: Path | None) -> None:
        self._process = process
        self.name = name
        self.log_path = log_path

    @property
    def pid(self) -> int:
        """The process id, also after the command has ended."""
        return self._process.pid

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._process.poll()

    def wait(self, timeout_s: float) -> int:
        """Wait for the end. Raises ToolError when `timeout_s` seconds passed first."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as cause:
            raise ToolError(f"{self.name} (pid {self.pid}) still runs after {timeout_s:g} s") from cause

    def signal(self, number: int) -> None:
        """Send a signal to the command's process group; nothing happens when it has ended."""
        if self._process.poll() is None:
            os.killpg(self.pid, number)

    def stop(self, grace_s: float = 5.0) -> int:
        """SIGTERM, then SIGKILL after `grace_s` seconds; returns the exit code."""
        if self._process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                return self._process.wait(grace_s)
            except subprocess.TimeoutExpired:
                self.signal(signal.SIGKILL)
        return self.wait(60.0)


def start(
    argv: Sequence[str | os.PathLike[str]],
    *,
    log_path: Path | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    secrets: Sequence[str] = (),
) -> Child:
    """Start a command that lives on, in a process group of its own; output is appended to `log_path`."""
    words = tuple(os.fspath(word) for word in argv)
    log.debug("start %s", Masker(secrets).text(shlex.join(words)))
    sink: int | IO[bytes] = subprocess.DEVNULL
    if log_path is not None:
        log_path.parent.mkdir(parents=True, exist_ok=True)
        sink = log_path.open("ab")
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            start_new_session=True,
        )
    except FileNotFoundError as cause:
        raise Command(argv).build_missing() from cause
    finally:
        if not isinstance(sink, int):
            sink.close()
    return Child(process, Path(words[0]).name, log_path)


def attach(argv: Sequence[str | os.PathLike[str]], *, to_stderr: bool = False) -> int:
    """Run a command on this process's own input and output, to its end, however long that takes; returns its exit
    code. On a terminal the command gets one of its own, so that it may have namespaces and its jobs. `to_stderr`: what
    it prints goes there; its terminal has the size of this one."""
    import pty  # imported here: the agent starts sooner without them
    import termios

    def read(pseudo: int) -> bytes:
        termios.tcsetwinsize(pseudo, termios.tcgetwinsize(sys.stdin))
        return os.read(pseudo, 65536)

    words = [os.fspath(word) for word in argv]
    log.debug("attach %s", shlex.join(words))
    sys.stdout.flush()
    kept = os.dup(1)
    if to_stderr:
        os.dup2(2, 1)
    try:
        if sys.stdin.isatty():
            return os.waitstatus_to_exitcode(pty.spawn(words, read))
        return subprocess.run(words, check=False).returncode
    finally:
        os.dup2(kept, 1)
        os.close(kept)
