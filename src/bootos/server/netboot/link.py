"""Links in the operator's `files` that lead out of it. Whoever serves them gives away what they point at, as `root`
where it is dnsmasq: so neither HTTP nor TFTP does.
"""

import os
from pathlib import Path

ADVICE = "put the file there, or mount --bind it"


def is_outside(path: Path, root: Path) -> bool:
    """Whether a path below `root` is really elsewhere; `root` may be a link itself."""
    inside = os.path.realpath(root)
    return os.path.commonpath((inside, os.path.realpath(path))) != inside


def find_link_out(root: Path) -> Path | None:
    """A link in this tree that leads out of it; None: there is none."""
    directories = [root]
    for directory in directories:
        try:
            entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        except OSError:  # gone meanwhile, or not readable
            continue
        for entry in entries:  # which know what they are: no file is asked
            path = directory / entry.name
            if entry.is_symlink():
                if is_outside(path, root):
                    return path
            elif entry.is_dir(follow_symlinks=False):
                directories.append(path)
    return None
