"""A machine in one file: every file and every tool's output that was read of it, to be read again elsewhere.

`RecordingTree` and `RecordingRunner` record what the readers ask for (`engine/capture/take.py` lets all of them read).
`build_tree` lays a capture out as a directory again, and `Replay` answers for the tools: so hardware that nobody here
has is a new file in the tests. A capture is JSON, packed by gzip: one value that is decoded with a type and a bound has
no paths to unpack, and lies in the tests as it stands. What it holds may be hostile, and stays below the root.
"""

import base64
import gzip
import io
import os
import posixpath
import zlib
from collections.abc import Sequence
from itertools import dropwhile
from os import PathLike, fspath
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Unpack

import msgspec

from bootos.hardware.tree import Tree
from bootos.process import SCRATCH, Command, Completed, Options, Runner, ToolError

_BASE64 = "base64:"
_NOT_RECORDED = ("usr/",)  # usr/ has pci.ids, which is a file of the image and not of the machine
MOST_UNPACKED_BYTES = 32 * 1024 * 1024
MOST_ENTRIES = 50_000  # files, links and directories of a machine
MOST_PARTS = 64  # of a path


class ToolOutput(msgspec.Struct, kw_only=True):
    """What a tool answered. `returncode` None: it could not be run, and `stderr` says why. `files` are those that it
    wrote, by path below the root."""

    argv: list[str]
    input: str | None = None
    returncode: int | None = 0
    stdout: str = ""
    stderr: str = ""
    files: dict[str, str] = {}


class Capture(msgspec.Struct, kw_only=True):
    """Files with their text (binary ones after `base64:`), symbolic links, directories that are empty here. `left_out`
    are sentences about what is not in it. `architecture` is the processor's, which no file tells."""

    about: str = ""
    taken_at: str = ""
    agent_version: str = ""
    architecture: str = ""
    is_anonymous: bool = False
    left_out: list[str] = []
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
    """Runs tools and remembers their output, and the files that they wrote for it."""

    def __init__(self, run: Runner, root: Path = Path("/")) -> None:
        self._run = run
        self._root = root
        self._lock = Lock()
        self.tools: list[ToolOutput] = []

    def __call__(self, argv: Sequence[str | PathLike[str]], **options: Unpack[Options]) -> Completed:
        words = [fspath(word) for word in argv]
        output = ToolOutput(argv=[_cut_root(word, self._root) for word in words], input=options.get("input"))
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
        for word in output.argv:
            file = self._root / word.lstrip("/")
            if word.startswith(f"/{SCRATCH}/") and file.is_file():
                output.files[word.lstrip("/")] = encode_file(file.read_bytes())
        self._keep(_fill(output, done))
        return done

    def _keep(self, output: ToolOutput) -> None:
        with self._lock:
            self.tools.append(output)


def _fill(output: ToolOutput, done: Completed) -> ToolOutput:
    output.returncode, output.stdout, output.stderr = done.returncode, done.stdout, done.stderr
    return output


class Replay:
    """A `Runner` that answers with a capture's tool output. A tool that was not run there is not installed. `root` is
    where the capture was laid out."""

    def __init__(self, capture: Capture, root: Path = Path("/nonexistent")) -> None:
        self._tools = {(tuple(output.argv), output.input): output for output in capture.tools}
        self._programs = {output.argv[0] for output in capture.tools if output.argv}
        self._root = root

    def __call__(self, argv: Sequence[str | PathLike[str]], **options: Unpack[Options]) -> Completed:
        command = Command(argv, **options)
        words = tuple(_cut_root(word, self._root) for word in command.words)
        output = self._tools.get((words, command.input))
        if output is None and words[0] in self._programs:
            raise ToolError(f"`{command.shown}` was not run there", reason="missing")
        if output is None:
            raise command.build_missing()
        if output.returncode is None:
            raise ToolError(output.stderr, reason="not started")
        _lay_files(output.files, self._root)
        return command.complete(output.returncode, output.stdout, output.stderr)


def build_capture(tree: RecordingTree, runner: RecordingRunner) -> Capture:
    """What was recorded; of a command that ran more than once its last output. A name that is no UTF-8 cannot be
    written, and is left out and named."""
    holding = {str(parent) for path in (*tree.files, *tree.links) for parent in PurePosixPath(path).parents}
    tools = {(tuple(output.argv), output.input or ""): output for output in runner.tools}
    strange = {
        *(path for path in (*tree.files, *tree.directories) if not _is_utf8(path)),
        *(path for path, target in tree.links.items() if not _is_utf8(path + target)),
    }
    return Capture(
        files={path: encode_file(raw) for path, raw in sorted(tree.files.items()) if path not in strange},
        links={path: target for path, target in sorted(tree.links.items()) if path not in strange},
        directories=sorted(tree.directories - holding - strange),
        tools=[tools[key] for key in sorted(tools) if _is_utf8("".join((*key[0], key[1])))],
        left_out=[
            *(f"{_show(f'/{path}')} is left out: its name is no UTF-8." for path in sorted(strange)),
            *(
                f"The output of `{_show(' '.join(argv))}` is left out: its words are no UTF-8."
                for argv, said in sorted(tools)
                if not _is_utf8("".join((*argv, said)))
            ),
        ],
    )


def _is_utf8(text: str) -> bool:
    """Whether a text can be written: half a character stands for each byte of a name that is no UTF-8."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _show(text: str) -> str:
    return text.encode(errors="surrogateescape").decode(errors="backslashreplace")


def build_tree(capture: Capture, root: Path) -> None:
    """Lay a capture out as a directory tree below `root`. What leads out of it is left out. Raises OSError, ValueError
    for what cannot be laid out; nothing may be read of the tree then.

    Everything lies in real directories, none behind a link, and a link goes up only at its beginning: so no link leads
    out, whatever is made after it.
    """
    _check_count(capture)
    for path in filter(is_plain, capture.directories):
        _make_parents(f"{path}/.", root)
    _lay_files(capture.files, root)
    for path, target in capture.links.items():
        if is_plain(path) and _leads_inside(path, target):
            place = root / path
            if _make_parents(path, root) and not os.path.lexists(place):
                place.symlink_to(target)


def _check_count(capture: Capture) -> None:
    """Raise ValueError for more files and directories than a machine has."""
    made = set[str]()
    for files in (capture.directories, capture.files, capture.links, *(tool.files for tool in capture.tools)):
        for path in filter(is_plain, files):
            while path and path not in made:
                made.add(path)
                path = path.rpartition("/")[0]
            if len(made) > MOST_ENTRIES:
                raise ValueError(f"it holds more than {MOST_ENTRIES} files and directories")


def is_inside(path: str) -> bool:
    """Whether a path stays below the root, taken as it is written."""
    plain = posixpath.normpath(path)
    return bool(path) and "\0" not in path and not plain.startswith(("/", "..")) and plain != "."


def is_plain(path: str) -> bool:
    """Whether a path is one below the root, written in the one way to write it."""
    return is_inside(path) and posixpath.normpath(path) == path and path.count("/") < MOST_PARTS


def _leads_inside(path: str, target: str) -> bool:
    """Whether a link stays below the root, wherever what it names leads in turn: `a/..` is not where `a` is."""
    parts = PurePosixPath(target).parts
    names = list(dropwhile("..".__eq__, parts))
    return is_inside(posixpath.join(posixpath.dirname(path), target)) and ".." not in names


def _make_parents(path: str, root: Path) -> bool:
    """Make the directories that a path lies in; False: one of them is a link, so it would lie elsewhere."""
    root.mkdir(parents=True, exist_ok=True)
    here = root
    for part in path.split("/")[:-1]:
        here = here / part
        if here.is_symlink():
            return False
        here.mkdir(exist_ok=True)
    return True


def _lay_files(files: dict[str, str], root: Path) -> None:
    for path, text in files.items():
        if is_plain(path) and _make_parents(path, root) and not (root / path).is_symlink():
            (root / path).write_bytes(decode_file(text))


def _cut_root(word: str, root: Path) -> str:
    """A file below the root as it is called on the machine."""
    prefix = f"{root}/"
    return f"/{word.removeprefix(prefix)}" if str(root) != "/" and word.startswith(prefix) else word


def read_capture(path: Path) -> Capture:
    """Read a capture's file. Raises OSError, ValueError for what is none."""
    with path.open("rb") as stream:
        return unpack_capture(stream.read(MOST_UNPACKED_BYTES + 1))


def write_capture(capture: Capture, path: Path) -> None:
    """Write a capture as JSON that can be read as a diff."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(capture), indent=1) + b"\n")


def pack_capture(capture: Capture) -> bytes:
    """The capture as it is sent and kept: the same for the same capture."""
    return pack_part(capture)


def pack_part(part: Capture | ToolOutput | str) -> bytes:
    """A capture or a part of one, packed."""
    return gzip.compress(msgspec.json.encode(part), mtime=0)


def unpack_capture(data: bytes) -> Capture:
    """A capture, packed or not. Raises ValueError for what is none, or is too large."""
    try:
        if data.startswith(b"\x1f\x8b"):
            with gzip.open(io.BytesIO(data)) as stream:
                data = stream.read(MOST_UNPACKED_BYTES + 1)
        if len(data) > MOST_UNPACKED_BYTES:
            raise ValueError(f"a capture has at most {MOST_UNPACKED_BYTES // 1024**2} MiB")
        capture = msgspec.json.decode(data, type=Capture)
    except (EOFError, OSError, zlib.error, msgspec.MsgspecError, RecursionError) as cause:
        raise ValueError(f"it is no capture: {cause}") from cause
    if not (capture.files or capture.tools):
        raise ValueError("it is no capture: it holds neither files nor outputs")
    return capture


def encode_file(raw: bytes) -> str:
    """A file's content as text: as it is, or in base64 where it is no text."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = "\0"
    if text.startswith(_BASE64) or any(ord(letter) < 9 for letter in text):
        return _BASE64 + base64.b64encode(raw).decode()
    return text


def is_binary(text: str) -> bool:
    """Whether a file of a capture is no text."""
    return text.startswith(_BASE64)


def decode_file(text: str) -> bytes:
    """The content back. Raises ValueError for what is no base64."""
    if is_binary(text):
        return base64.b64decode(text.removeprefix(_BASE64))
    return text.encode()
