"""What an image calls itself: the version that its manifest and the running machine tell, made of what is in it.

The same parts give the same version, wherever and whenever they were put together. In the initrd it is the file
`/bootos-release`, in a cpio segment of its own; `/init` lays it into the running system as `/etc/bootos-release`, and
the agent says it when it registers. Used by `build` and `layers.core`.
"""

import hashlib
import tempfile
from collections.abc import Iterable
from pathlib import Path

from bootos.image.cpio import write_cpio_entries

NAME = "bootos-release"
DIGITS = 12


def compute_version(bootos_version: str, parts: Iterable[tuple[str, str]]) -> str:
    """`0.2.0-3f9a2c1b0d4e`: the program's version and a hash of the (name, sha256) of all parts: the kernel, the
    segments and the layers."""
    lines = "".join(f"{name} {sha256}\n" for name, sha256 in sorted(parts))
    return f"{bootos_version}-{hashlib.sha256(lines.encode()).hexdigest()[:DIGITS]}"


def append_release(initrd: Path, image_id: str, version: str) -> None:
    """Add the release file as one more segment. The kernel unpacks segments in their order, so of two release files
    the later one stays."""
    with tempfile.NamedTemporaryFile("w") as release, initrd.open("ab") as output:
        release.write(f"IMAGE_ID={image_id}\nIMAGE_VERSION={version}\n")
        release.flush()
        Path(release.name).chmod(0o644)
        write_cpio_entries(output, [(NAME, Path(release.name))])
