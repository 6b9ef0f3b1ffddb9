"""A machine in one file: everything that the inventory read, to be read again elsewhere.

`python -m bootos.hardware.capture FILE` on a machine records each file and each tool's output that
`collect_inventory` asked for. `build_tree` lays it out as a directory again, and `Replay` answers for the tools:
so hardware that nobody here has is a new file in the tests. The file holds serial numbers,
MAC addresses and the BMC's SNMP community.
"""

import base64
import sys
from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Unpack

import msgspec

from bootos.hardware.inventory import collect_from
from bootos.hardware.tree import Tree
from bootos.process import Command, Completed, Options, Runner, ToolError, run
from bootos.wire.inventory import Inventory

_BASE64 = "base64:"
_NOT_RECORDED = ("usr/",)  # usr/ has pci.ids, which is a file of the image and not of the machine


class ToolOutput(msgspec.Struct, kw_only=True):
    """What a tool answered. `returncode` None: it could not be run, and `stderr` says why."""

    argv: list[str]
    input: str | None = None
    returncode: int | None = 0
    stdout: str = ""
    stderr: str = ""


class Capture(msgspec.Struct, kw_only=True):
    """Files with their text (binary ones after `base64:`), symbolic links, directories that are empty here."""

    about: str = ""
    files: dict[str, str] = {}
    links: dict[str, str] = {}
    directories: list[str] = []
    tools: list[ToolOutput] = []


class RecordingTree(Tree):
    """A tree that remembers what was asked of it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.files: dict[str, bytes] = {}
        self.links: dict[str, str] = {}
        self.directories: set[str] = set()

    def read_bytes(self, path: str) -> bytes | None:
        raw = super().read_bytes(path)
        if raw is not None and not path.startswith(_NOT_RECORDED):
            self.files[self._walk(path)] = raw
        return raw

    def names(self, path: str) -> list[str]:
        found = super().names(path)
        if super().exists(path):
            self.directories.add(self._walk(path))
            for name in found:
                self._note(f"{path}/{name}")
        return found

    def exists(self, path: str) -> bool:
        found = super().exists(path)
        if found and not path.startswith(_NOT_RECORDED):
            self._note(path)
        return found

    def target_name(self, path: str) -> str | None:
        found = super().target_name(path)
        if found is not None:
            self._walk(path)
        return found

    def resolve(self, path: str) -> str:
        if super().exists(path):
            self._note(path)
        return super().resolve(path)

    def _note(self, path: str) -> None:
        """Remember that something is there, without its content."""
        place = self._walk(path)
        if (self.root / place).is_dir():
            self.directories.add(place)
        else:
            self.files.setdefault(place, b"")

    def _walk(self, path: str) -> str:
        """Remember every link on the way; returns the path without links."""
        done = PurePosixPath()
        todo = list(PurePosixPath(path).parts)
        while todo:
            part = todo.pop(0)
            if part == "..":
                done = done.parent
                continue
            here = self.root / done / part
            if not here.is_symlink():
                done = done / part
                continue
            target = here.readlink()
            if target.is_absolute():  # an absolute link leads out of a captured tree; sysfs has none
                return str(done / part)
            self.links[str(done / part)] = str(target)
            todo[:0] = target.parts
        return str(done)


class RecordingRunner:
    """Runs tools and remembers their output."""

    def __init__(self, run: Runner) -> None:
        self._run = run
        self._lock = Lock()
        self.tools: list[ToolOutput] = []

    def __call__(self, argv: Sequence[str | PathLike[str]], **options: Unpack[Options]) -> Completed:
        output = ToolOutput(argv=[fspath(word) for word in argv], input=options.get("input"))
        try:
            done = self._run(argv, **options)
        except ToolError as error:
            if error.completed is None:
                output.returncode, output.stderr = None, error.message
                # a missing program needs no record: `Replay` answers so for every command that is not recorded
                if error.reason != "missing":
                    self._keep(output)
                raise
            self._keep(_fill(output, error.completed))
            raise
        self._keep(_fill(output, done))
        return done

    def _keep(self, output: ToolOutput) -> None:
        with self._lock:
            self.tools.append(output)


def _fill(output: ToolOutput, done: Completed) -> ToolOutput:
    output.returncode, output.stdout, output.stderr = done.returncode, done.stdout, done.stderr
    return output


class Replay:
    """A `Runner` that answers with a capture's tool output. A tool that was not run there is not installed."""

    def __init__(self, capture: Capture) -> None:
        self._tools = {(tuple(output.argv), output.input): output for output in capture.tools}

    def __call__(self, argv: Sequence[str | PathLike[str]], **options: Unpack[Options]) -> Completed:
        command = Command(argv, **options)
        output = self._tools.get((command.words, command.input))
        if output is None:
            raise command.build_missing()
        if output.returncode is None:
            raise ToolError(output.stderr, reason="not started")
        return command.complete(output.returncode, output.stdout, output.stderr)


def capture_machine(
    root: Path = Path("/"), run: Runner = run, *, about: str = ""
) -> tuple[Capture, Inventory]:
    """Read the machine's inventory and record all that it was read from."""
    tree, runner = RecordingTree(root), RecordingRunner(run)
    inventory = collect_from(tree, runner)
    holding = {str(parent) for path in (*tree.files, *tree.links) for parent in PurePosixPath(path).parents}
    capture = Capture(
        about=about,
        files={path: _encode(raw) for path, raw in sorted(tree.files.items())},
        links=dict(sorted(tree.links.items())),
        directories=sorted(tree.directories - holding),
        tools=sorted(runner.tools, key=lambda output: (output.argv, output.input or "")),
    )
    return capture, inventory


def build_tree(capture: Capture, root: Path) -> None:
    """Lay a capture out as a directory tree below `root`."""
    for path in capture.directories:
        (root / path).mkdir(parents=True, exist_ok=True)
    for path, text in capture.files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(_decode(text))
    for path, target in capture.links.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).symlink_to(target)


def read_capture(path: Path) -> Capture:
    """Read a capture's file. Raises OSError, msgspec.DecodeError."""
    return msgspec.json.decode(path.read_bytes(), type=Capture)


def write_capture(capture: Capture, path: Path) -> None:
    """Write a capture as JSON that can be read as a diff."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(capture), indent=1) + b"\n")


def _encode(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = "\0"
    if text.startswith(_BASE64) or any(ord(letter) < 9 for letter in text):
        return _BASE64 + base64.b64encode(raw).decode()
    return text


def _decode(text: str) -> bytes:
    if text.startswith(_BASE64):
        return base64.b64decode(text.removeprefix(_BASE64))
    return text.encode()


def main(arguments: Sequence[str]) -> int:
    """`python -m bootos.hardware.capture FILE`."""
    if len(arguments) != 1:
        print("usage: python -m bootos.hardware.capture FILE", file=sys.stderr)
        return 2
    capture, _ = capture_machine()
    write_capture(capture, Path(arguments[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
