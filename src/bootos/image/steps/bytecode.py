"""Compile Python of the image with the image's own interpreter, started without a chroot and without mounts.

Hash-based, unchecked .pyc files: no time stamps in them, and nothing is compared at import.
"""

import os.path
import shutil
from collections.abc import Sequence
from pathlib import Path

from bootos.errors import BootosError
from bootos.process import run

LOADER = "usr/lib64/ld-linux-x86-64.so.2"
LIBRARIES = ("usr/lib/x86_64-linux-gnu",)


def find_python(root: Path) -> Path:
    """The interpreter of an image's root: `usr/bin/python3.N`. Raises BootosError: it has none."""
    found = sorted(
        path for path in (root / "usr/bin").glob("python3.[0-9]*") if path.name[7:].replace(".", "").isdigit()
    )
    if not found:
        raise BootosError(f"{root} holds no Python", hint="the recipe's debian.packages need python3")
    return found[-1]


def compile_python(
    root: Path, interpreter_root: Path, directories: Sequence[Path], *, sourceless: bool = False
) -> None:
    """Compile everything below `directories` (which lie in `root`) anew; recorded paths are those in the image.

    `sourceless`: each source file is replaced by its compiled form, without docstrings and assertions.
    """
    for directory in directories:
        for cached in list(directory.rglob("__pycache__")):
            shutil.rmtree(cached)
        make_relative(root, directory)
    python = find_python(interpreter_root)
    libraries = ":".join(str(interpreter_root / name) for name in LIBRARIES)
    run(
        [
            interpreter_root / LOADER,
            "--library-path",
            libraries,
            python,
            # -j1: worker processes would be started without this loader
            *("-S", "-m", "compileall", "-q", "-j1"),
            *("--invalidation-mode", "unchecked-hash", "-s", root, "-p", "/"),
            *(("-b", "-o", "2") if sourceless else ()),
            *directories,
        ],
        env={
            "PYTHONHOME": str(interpreter_root / "usr"),
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        timeout_s=900,
    )
    if sourceless:
        for directory in directories:
            remove_sources(directory)


def make_relative(root: Path, directory: Path) -> None:
    """Let absolute links below `directory` lead to the files of `root`: the interpreter runs outside of it and would
    find the build host's, as /etc/python3.13/sitecustomize.py."""
    for link in [path for path in directory.rglob("*.py") if path.is_symlink()]:
        target = link.readlink()
        if target.is_absolute():
            link.unlink()
            link.symlink_to(os.path.relpath(root / target.relative_to("/"), link.parent))


def remove_sources(directory: Path) -> None:
    """Remove each source file that has its compiled form beside it."""
    for source in list(directory.rglob("*.py")):
        if source.with_suffix(".pyc").is_file():
            source.unlink()
