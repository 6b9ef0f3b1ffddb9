"""The layers of an image, or trees of files, laid over each other as `/init` does it: a root to look at, to write to,
to run commands in. What lies below is not changed; what was written lies apart.

Used by whoever works in a root: `add`, `driver`, and the build's steps.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path, PosixPath

from bootos.errors import BootosError
from bootos.image.layers.core import Image
from bootos.image.segment import Segment, read_segments
from bootos.process import ToolError, run


class Root(PosixPath):
    """The path of an image's merged root; what was written to it since it was opened lies in `upper`."""

    upper: Path


@contextmanager
def open_root(image: Image, work: Path, names: Sequence[str] | None = None) -> Iterator[Root]:
    """Merge the layers as `/init` does, below `work` (an empty or new directory), and give the root: to look at, to
    write to, to run commands in. The image is not changed. `names`: only these squashfs, as 10-base.

    They are mounted where they lie in the initrd; where the host cannot, they are unpacked. Raises BootosError: without
    root; the image has no such layer; the host cannot stack them.
    """
    if os.geteuid() != 0:
        raise BootosError(
            f"opening {image.directory} needs root: its layers are mounted", hint="run it with sudo"
        )
    layers = [segment for segment in read_segments(image.initrd) if segment.is_layer]
    missing = sorted(set(names or ()) - {segment.name for segment in layers})
    if missing:
        known = ", ".join(segment.name for segment in layers)
        raise BootosError(f"{image.directory} has no layer {', '.join(missing)}", hint=f"it has {known}")
    with ExitStack() as stack:
        lower = [
            _open_layer(image.initrd, segment, work.resolve() / "layers", stack)
            for segment in sorted(layers, key=lambda layer: layer.name)
            if names is None or segment.name in names
        ]
        yield _stack(lower, work.resolve(), work.resolve() / "upper", stack)


@contextmanager
def open_trees(trees: Sequence[Path], work: Path, upper: Path | None = None) -> Iterator[Root]:
    """The same with trees of files, the last one on top, which are not changed. What is written lands in `upper`, else
    in `work/upper`. Raises BootosError: the host cannot stack them."""
    with ExitStack() as stack:
        layers = []
        for number, tree in enumerate(trees):
            layer = work.resolve() / f"layers/{number}"
            layer.mkdir(parents=True)
            run(["mount", "--bind", "-o", "ro", tree, layer])
            stack.callback(_unmount, layer)
            layers.append(layer)
        yield _stack(layers, work.resolve(), upper or work.resolve() / "upper", stack)


def _stack(lower: Sequence[Path], work: Path, upper: Path, stack: ExitStack) -> Root:
    """Lay the directories over each other, the last one on top."""
    root = Root(work / "root")
    root.upper = upper.resolve()
    empty = work / "empty"  # an overlay needs two lower directories, and an image may have one layer
    for directory in (root, root.upper, work / "overlay", empty):
        directory.mkdir(parents=True, exist_ok=True)
    odd = [str(path) for path in (work, root.upper) if set(str(path)) & set(",:\\")]
    if odd:
        raise BootosError(f"{odd[0]} has a character in its path that overlay mounts do not take")
    below = ":".join(map(str, [*reversed(lower), empty]))
    options = f"lowerdir={below},upperdir={root.upper},workdir={work}/overlay,{choose_options()}"
    try:
        run(["mount", "-t", "overlay", "-o", options, "overlay", root])
    except ToolError as cause:
        hint = "run it as root, in a container with CAP_SYS_ADMIN"
        raise BootosError("the image's layers cannot be stacked on this host", hint=hint) from cause
    stack.callback(_unmount, root)
    return root


def choose_options() -> str:
    """Options of the overlay mount (Documentation/filesystems/overlayfs.rst). Everything in the upper directory must
    mean the same to the booted machine's kernel: no redirects. In a user namespace the kernel refuses trusted
    attributes, and with `userxattr` it makes no redirects either."""
    ids = Path("/proc/self/uid_map").read_text().split()
    return "redirect_dir=off,metacopy=off,index=off" if ids == ["0", "0", "4294967295"] else "userxattr"


def _open_layer(initrd: Path, segment: Segment, layers: Path, stack: ExitStack) -> Path:
    target = layers / segment.name
    target.mkdir(parents=True)
    place = f"offset={segment.file_offset},sizelimit={segment.file_bytes}"
    if (
        run(["mount", "-t", "squashfs", "-o", f"loop,ro,{place}", initrd, target], check=False).returncode
        == 0
    ):
        stack.callback(_unmount, target)
    else:
        argv = ["unsquashfs", "-quiet", "-no-progress", "-force", "-offset", str(segment.file_offset)]
        run([*argv, "-dest", target, initrd], timeout_s=600)
    return target


def _unmount(target: Path) -> None:
    run(["umount", target], timeout_s=30)
