"""A driver's source as makers pack theirs: Intel's e1000e out of Debian's kernel source, with a spec like Intel's."""

import shutil
from pathlib import Path

from bootos.image.archive import Archive, extract_package
from bootos.process import run

NAME = "e1000e"
INSIDE = "drivers/net/ethernet/intel/e1000e"

# Like the Makefiles of makers it builds for the kernel that `uname -r` names, with the kernel's own Makefile.
MAKEFILE = """\
KVER := $(shell uname -r)
KSRC := /lib/modules/$(KVER)/build
default:
	$(MAKE) -C $(KSRC) M=$(CURDIR) modules
clean:
	$(MAKE) -C $(KSRC) M=$(CURDIR) clean
PLACE := $(INSTALL_MOD_PATH)/lib/modules/$(KVER)/updates/drivers/net/ethernet/intel/e1000e
install: default
	install -D -m 644 e1000e.ko $(PLACE)/e1000e.ko
	/sbin/depmod -a $(KVER)
"""
SPEC = """\
Name: e1000e
Summary: Intel(R) PRO/1000 Gigabit Ethernet Connection
Version: {version}
Release: 1
Source: %{{name}}-%{{version}}.tar.gz
License: GPL-2.0-only
BuildRoot: %{{_tmppath}}/%{{name}}-%{{version}}-root
%debug_package %{{nil}}
Requires: kernel, findutils, gawk, bash
%description
The driver of the 82574L and its relatives.
%prep
%setup
%build
make -C src clean
make -C src
%install
make -C src INSTALL_MOD_PATH=%{{buildroot}} install
cd %{{buildroot}}
find lib -name "e1000e.ko" -fprintf %{{_builddir}}/%{{name}}-%{{version}}/file.list "/%p\\n"
%files -f %{{_builddir}}/%{{name}}-%{{version}}/file.list
%post
depmod -a
"""


def fetch_source(release: str, sources: str, directory: Path) -> Path:
    """The driver's directory out of Debian's source of that kernel, downloaded once into `directory`."""
    target = directory / INSIDE
    if target.is_dir():
        return target
    shutil.rmtree(directory, ignore_errors=True)
    version = ".".join(release.split(".")[:2])
    (deb,) = Archive(directory / "apt", sources).download([f"linux-source-{version}"], directory / "debs")
    extract_package(deb, directory / "unpacked")
    (tar,) = (directory / "unpacked/usr/src").glob("linux-source-*.tar.xz")
    extract: list[str | Path] = [
        "tar",
        "--extract",
        "--file",
        tar,
        "--directory",
        directory,
        "--strip-components=1",
    ]
    run([*extract, "--wildcards", f"*/{INSIDE}/*"], timeout_s=1800)
    shutil.rmtree(directory / "unpacked")
    return target


def pack_source(driver: Path, directory: Path, version: str) -> Path:
    """`e1000e-VERSION.tar.gz`: the driver with a version of its own."""
    top = directory / f"{NAME}-{version}"
    shutil.rmtree(top, ignore_errors=True)
    shutil.copytree(driver, top / "src")
    (top / "src/Makefile").rename(top / "src/Kbuild")
    (top / "src/Makefile").write_text(MAKEFILE)
    with (top / "src/netdev.c").open("a") as code:
        code.write(f'MODULE_VERSION("{version}");\n')
    (top / "e1000e.spec").write_text(SPEC.format(version=version))
    target = directory / f"{top.name}.tar.gz"
    run(["tar", "--create", "--gzip", "--file", target, "--directory", directory, top.name])
    return target
