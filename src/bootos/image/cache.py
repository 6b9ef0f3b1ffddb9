"""The build cache: one directory per stage result, named by the hash of everything that went into it.

A stage is: a name, its inputs (plain values, files' contents, other stages' keys), the code that its function reaches
(see `reach`), and what that leaves in a directory. A result appears under its name only when complete (made beside it,
then renamed), so an interrupted build leaves nothing that could be taken for a result.
"""

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bootos.errors import BootosError
from bootos.image.reach import collect_code

KEPT_RESULTS = 3
"""How many results of one stage stay in the cache, so that going back to the previous recipe is quick."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What the build says while it works. `state` is started, progress, done or cached; `share` is how much of the
    stage is done, from 0 to 1, where that is known; `cpu_seconds` counts all processes and all processors."""

    stage: str
    state: str
    detail: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    share: float | None = None


Hear = Callable[[Event], None]


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """A finished stage: where its result is, and the key that says what it was made from."""

    name: str
    key: str
    directory: Path


class Cache:
    """Stage results below one directory. One build at a time may use it: see `locked`."""

    def __init__(self, directory: Path, report: Hear) -> None:
        self.directory = directory
        self.report = report

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the cache for this build; waits, however long, while another build holds it."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.report(
                    Event(stage="cache", state="progress", detail="another build holds the cache: waiting")
                )
                fcntl.flock(handle, fcntl.LOCK_EX)
            self._remove_unfinished()
            yield

    def make(
        self,
        name: str,
        work: functools.partial[None],
        makes: Sequence[str],
        tools: Mapping[str, Any] | None = None,
        *,
        renew: bool = False,
    ) -> Stage:
        """Return the stage's result. Its work is done only when there is no result with this key, or always with
        `renew`.

        `work` is a function with all that it reads bound to its keywords: these, and the code it reaches, are the key.
        `tools`, and the `directory` to fill, are handed over when it works, and must not matter for the result.
        `makes` names what lies in the directory afterwards, and nothing else does; `name?` is not always there.
        Raises BootosError: it does not; and whatever the work raises.
        """
        key = compute_key(name, work.keywords, collect_code(work.func))
        final = self.directory / f"{name}-{key[:20]}"
        if not renew and final.is_dir() and not find_amiss(final, makes):
            os.utime(final)
            self.report(Event(stage=name, state="cached"))
            return Stage(name=name, key=key, directory=final)
        self.report(Event(stage=name, state="started"))
        began, cpu_began = time.monotonic(), read_cpu_s()
        unfinished = self.directory / f"unfinished-{name}-{os.getpid()}"
        unfinished.mkdir()
        try:
            work(directory=unfinished, **(tools or {}))
            if amiss := find_amiss(unfinished, makes):
                raise BootosError(f"stage {name} made something else than its row says: {', '.join(amiss)}")
            remove_tree(final)
            unfinished.rename(final)
        finally:
            remove_tree(unfinished)
        seconds, cpu_seconds = time.monotonic() - began, read_cpu_s() - cpu_began
        self.report(Event(stage=name, state="done", seconds=seconds, cpu_seconds=cpu_seconds))
        self._remove_old(name)
        return Stage(name=name, key=key, directory=final)

    def _remove_unfinished(self) -> None:
        for path in self.directory.glob("unfinished-*"):
            remove_tree(path)

    def _remove_old(self, name: str) -> None:
        results = [p for p in self.directory.glob(f"{name}-*") if len(p.name) == len(name) + 21]
        for path in sorted(results, key=lambda p: p.stat().st_mtime)[:-KEPT_RESULTS]:
            remove_tree(path)


def read_cpu_s() -> float:
    """Processor seconds that this process and those it waited for have taken."""
    taken = os.times()
    return taken.user + taken.system + taken.children_user + taken.children_system


def find_amiss(directory: Path, makes: Sequence[str]) -> list[str]:
    """What a result lacks of `makes`, or holds beside it, by name."""
    there = {path.name for path in directory.iterdir()}
    needed = {name for name in makes if not name.endswith("?")}
    return sorted(needed - there | there - {name.removesuffix("?") for name in makes})


def compute_key(name: str, inputs: Mapping[str, Any], code: Mapping[str, str] | None = None) -> str:
    """Hash a stage's name, inputs and code (of `reach`). Inputs are plain values, msgspec models, stages, or `Path`s: a
    path counts by what it contains (a file's name, bytes and mode, a tree's names and contents), never by where it is
    or when it was changed. Returns 64 hexadecimal digits."""
    value = {
        "name": name,
        "code": dict(code or {}),
        "inputs": {key: _plain(item) for key, item in inputs.items()},
    }
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Stage):
        return {"stage": value.name, "key": value.key}
    if isinstance(value, Path):
        return {"content": hash_path(value)} | ({} if value.is_dir() else {"name": value.name})
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return msgspec.to_builtins(value)


def hash_path(path: Path) -> str:
    """The SHA-256, in hexadecimal digits, of a file or a tree: relative names, kinds, permission bits, contents.
    Compiled Python is skipped. Raises OSError."""
    digest = hashlib.sha256()
    paths = [path] if not path.is_dir() or path.is_symlink() else sorted(path.rglob("*"))
    for item in paths:
        if "__pycache__" in item.parts:
            continue
        mode = item.lstat().st_mode
        digest.update(os.fsencode(f"{item.relative_to(path)}\0{mode:o}\0"))
        if stat.S_ISLNK(mode):
            digest.update(os.fsencode(item.readlink()))
        elif stat.S_ISREG(mode):
            with item.open("rb") as handle:
                digest.update(hashlib.file_digest(handle, "sha256").digest())
    return digest.hexdigest()


def remove_tree(path: Path) -> None:
    """Remove a tree made by a stage, if it is there. Raises BootosError: something is still mounted below it."""
    if not path.exists():
        return
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    below = [point for point in mounted if point.startswith(f"{path.resolve()}/")]
    if below:
        raise BootosError(f"{path} cannot be removed: {below[0]} is mounted", hint=f"umount {below[0]}")
    shutil.rmtree(path)
