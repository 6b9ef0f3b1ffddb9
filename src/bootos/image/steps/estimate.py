"""Stage `estimate`: how small each file becomes, for the report. squashfs packs many files into one block, so no file
has a packed size of its own; this compresses a sample of each by zlib. The report scales that to the real segments.
"""

import zlib
from pathlib import Path

from bootos.files import write_json
from bootos.image.cache import Stage

SAMPLE_BYTES = 64 * 1024
INFO = "var/lib/dpkg/info"
MERGED = ("/bin/", "/sbin/", "/lib/", "/lib64/")
"""Where packages put files before /usr was merged; in the image they lie below /usr."""


def build_estimate(*, base: Stage, kernel: Stage, directory: Path) -> None:
    """Fill `directory/estimate.json`: path -> [estimated packed bytes, package]."""
    roots = [stage.directory / "root" for stage in (base, kernel)]
    owners = read_owners(roots[0])
    found: dict[str, tuple[int, str]] = {}
    for root in roots:
        for path in root.rglob("*"):
            if path.is_file() and not path.is_symlink():
                inside = f"/{path.relative_to(root)}"
                found[inside] = (estimate_packed(path), owners.get(inside, ""))
    write_json(directory / "estimate.json", found)


def estimate_packed(path: Path) -> int:
    """How many bytes a file takes when packed, judged by its first 64 KiB."""
    size = path.stat().st_size
    with path.open("rb") as handle:
        sample = handle.read(SAMPLE_BYTES)
    if not sample:
        return 0
    return int(size * min(1.0, len(zlib.compress(sample, 1)) / len(sample))) + 1


def read_owners(base: Path) -> dict[str, str]:
    """Path -> the Debian package that installed it."""
    owners = {}
    for listing in sorted((base / INFO).glob("*.list")):
        package = listing.stem.partition(":")[0]
        for line in listing.read_text().splitlines():
            owners[f"/usr{line}" if line.startswith(MERGED) else line] = package
    return owners
