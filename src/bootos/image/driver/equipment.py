"""What makes Debian's clean root the machine that makers of drivers write for: `yum` knows what is installed by its
rpm names, `uname` answers for the image's kernel, rpmbuild makes packages for it.

Laid in once by `workshop`, when it makes the root.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from bootos.image.layers.chroot import prepare_chroot, run_inside
from bootos.image.steps.root import read_packages
from bootos.image.steps.rpmdb import register_base

NAME = "bootos-workshop"
REPOSITORY = "usr/share/bootos/repository"
SAME = {
    "kernel": "linux-headers",
    "kernel-devel": "linux-headers",
    "kernel-devel-uname-r": "linux-headers",
    "kernel-headers": "linux-libc-dev",
    "rpm-build": "rpm",
    "glibc-devel": "libc6-dev",
    "xz": "xz-utils",
}
"""What is installed, by the name it has with rpm: the Debian package it is (`linux-headers` for one release)."""

# Makefiles of drivers ask `uname -r` for the kernel that they build for; here it is the image's.
UNAME = """\
#!/bin/sh
/usr/bin/uname "$@" | sed "s|$(/usr/bin/uname -r)|{release}|g"
"""
# Debug information makes a module ten times larger. A signed module is not stripped: its signature covers the whole
# file.
STRIP = """\
#!/bin/sh
find "$1" -type f \\( -name '*.ko' -o -name '*.ko.new' \\) | while read -r file; do
    tail -c 28 "$file" | grep -q 'Module signature appended' || strip --strip-debug "$file"
done
"""
MACROS = """\
%debug_package %{{nil}}
%kernel_release {release}
%_buildhost bootos
%__os_install_post /usr/local/bin/strip-modules %{{buildroot}}
"""
SOURCE = f"""\
[workshop]
name=What this clean root has installed
baseurl=file:///{REPOSITORY}
gpgcheck=0
"""


def equip(root: Path, release: str, say: Callable[[str], None]) -> None:
    """Lay it into a clean root that has the packages; `release` is that of the image's kernel. Raises ToolError."""
    write(root / "usr/local/bin/uname", UNAME.format(release=release), 0o755)
    write(root / "usr/local/bin/strip-modules", STRIP, 0o755)
    write(root / "etc/rpm/macros.bootos", MACROS.format(release=release))
    write(root / "etc/debian_chroot", release)  # bash shows it in the prompt
    # Many Makefiles run depmod at the end of `install`, over the host's /lib/modules even when they install elsewhere:
    # here it does nothing.
    for name in ("depmod", "yum"):
        (root / "usr/sbin" / name).unlink(missing_ok=True)
    (root / "usr/sbin/depmod").symlink_to("/usr/bin/true")
    (root / "usr/sbin/yum").symlink_to("/usr/bin/dnf")
    with prepare_chroot(root):
        installed = read_packages(root)
        installed["linux-headers"] = release
        built = register_base(
            root, "1", say, name=NAME, also={name: installed[package] for name, package in SAME.items()}
        )
        write(root / "etc/yum.repos.d/workshop.repo", SOURCE)
        (root / REPOSITORY).mkdir(parents=True)
        shutil.copyfile(built, root / REPOSITORY / built.name)
        run_inside(root, ["createrepo_c", "--quiet", f"/{REPOSITORY}"])


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """A file, and the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
