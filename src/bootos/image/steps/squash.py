"""Pack a directory as squashfs, reproducibly: owners as they are, all times fixed."""

from pathlib import Path

from bootos.process import run

BLOCK_BYTES = 256 * 1024
SOURCE_DATE = "1735689600"
"""2025-01-01 UTC: every time stamp in the image, so that equal contents give equal bytes."""

OPTIONS = {"zstd": ("-comp", "zstd", "-Xcompression-level", "19"), "xz": ("-comp", "xz")}


def build_squashfs(
    source: Path, target: Path, compression: str, *, all_root: bool = False, keep_times: bool = False
) -> None:
    """Pack `source` into `target`. With `keep_times` the files keep theirs, which rpm -V compares."""
    run(
        [
            *("mksquashfs", source, target),
            *OPTIONS[compression],
            *("-b", str(BLOCK_BYTES), "-noappend", "-no-progress", "-quiet", "-no-xattrs", "-no-exports"),
            *("-mkfs-time", SOURCE_DATE),
            *([] if keep_times else ["-all-time", SOURCE_DATE]),
            *(["-all-root"] if all_root else []),
        ],
        timeout_s=3600,
    )
