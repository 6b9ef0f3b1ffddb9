"""Pack a directory as squashfs, reproducibly: owners as they are, all times fixed."""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from bootos.image.kernel_module import is_below
from bootos.process import run

BLOCK_BYTES = 256 * 1024
SOURCE_DATE = "1735689600"
"""2025-01-01 UTC: every time stamp in the image, so that equal contents give equal bytes."""

OPTIONS = {
    "zstd": ("-comp", "zstd", "-Xcompression-level", "19", "-b", str(BLOCK_BYTES)),
    "xz": ("-comp", "xz", "-b", "1M"),
}
"""Measured in docs/decisions/0006: xz packs a sixth smaller and takes six times the CPU to unpack."""
FILTER = {"zstd": (), "xz": ("-Xbcj", "x86")}
"""For programs each block is packed a second time, with their jumps rewritten, and the smaller one taken. That takes
twice as long, and of kernel modules no block becomes smaller: their jumps are not filled in yet."""


def build_layers(
    source: Path,
    directory: Path,
    name: str,
    compression: str,
    hot: Sequence[str],
    *,
    all_root: bool = False,
    programs: bool = True,
) -> None:
    """Pack `source` into `directory/NAME.squashfs`, and what lies below the paths `hot` into `NAME-hot.squashfs`.
    `compression` is zstd or xz. Raises ToolError."""
    files = [path.relative_to(source).as_posix() for path in source.rglob("*") if not _is_directory(path)]
    chosen = {file for file in files if any(is_below(file, item) for item in hot)}
    rest = set(files) - chosen
    build_squashfs(
        source,
        directory / f"{name}.squashfs",
        compression,
        all_root=all_root,
        programs=programs,
        left_out=chosen,
    )
    if chosen:
        build_squashfs(source, directory / f"{name}-hot.squashfs", "zstd", all_root=all_root, left_out=rest)


def build_squashfs(
    source: Path,
    target: Path,
    compression: str,
    *,
    all_root: bool = False,
    keep_times: bool = False,
    programs: bool = True,
    left_out: Iterable[str] = (),
) -> None:
    """Pack `source` into `target`, without the files `left_out` (paths in `source`). With `keep_times` the files keep
    theirs, which rpm -V compares. Raises ToolError."""
    with tempfile.NamedTemporaryFile("w", prefix="left-out-") as listed:
        listed.write("".join(f"{file}\n" for file in sorted(left_out)))
        listed.flush()
        run(
            [
                *("mksquashfs", source, target),
                *OPTIONS[compression],
                *(FILTER[compression] if programs else ()),
                *("-noappend", "-no-progress", "-quiet", "-no-xattrs", "-no-exports"),
                *("-mkfs-time", SOURCE_DATE),
                *([] if keep_times else ["-all-time", SOURCE_DATE]),
                *(["-all-root"] if all_root else []),
                *("-ef", listed.name),
            ],
            timeout_s=3600,
        )


def _is_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
