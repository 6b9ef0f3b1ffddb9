"""A vendor's yum repository in small, in the manner of the documented dell-hw-tools: scripts that need ipmitool, noarch
data, and a program that needs a shared library of another package. Built with rpmbuild and createrepo_c.

The program and its library are the host's xz and liblzma under other names of the same length, so that no compiler is
needed: the library is found by nobody who does not look for it below its new name.
"""

import shutil
from pathlib import Path

from bootos.process import run

TOOLS = ("rpmbuild", "createrepo_c", "xz")
CHAIN = ("dell-hw-tools", "dell-hw-common", "hwprobe", "libhwma5")
"""What `yum install dell-hw-tools` brings."""
PROGRAM = "/opt/yunji/osinstall/dell/hw-info.sh"
_OLD, _NEW = b"liblzma.so.5", b"libhwma.so.5"

_SCRIPT = """#!/bin/sh
set -e
. /usr/share/dell-hw/model
echo "model $MODEL"
ipmitool -V
hwprobe --version
"""
_SPECS = {
    "dell-hw-tools": """
BuildArch: noarch
Requires: ipmitool
Requires: hwprobe
Requires: dell-hw-common >= 2
%description
Scripts.
%install
install -D -m 755 %{_sourcedir}/hw-info.sh %{buildroot}/opt/yunji/osinstall/dell/hw-info.sh
%files
/opt/yunji/osinstall/dell/hw-info.sh
""",
    "dell-hw-common": """
BuildArch: noarch
%description
Data.
%install
install -D -m 644 %{_sourcedir}/model %{buildroot}/usr/share/dell-hw/model
%files
/usr/share/dell-hw/model
""",
    "hwprobe": """
%description
A program.
%install
install -D -m 755 %{_sourcedir}/hwprobe %{buildroot}/usr/bin/hwprobe
%files
/usr/bin/hwprobe
""",
    "libhwma5": """
%description
A library.
%install
install -D -m 755 %{_sourcedir}/libhwma.so.5 %{buildroot}/usr/lib64/libhwma.so.5
%files
/usr/lib64/libhwma.so.5
""",
    "lenovo-hw-tools": """
BuildArch: noarch
Requires: dell-hw-common
%description
Another, for rpm -ivh.
%install
install -D -m 755 %{_sourcedir}/hw-info.sh %{buildroot}/opt/yunji/osinstall/lenovo/hw-info.sh
%files
/opt/yunji/osinstall/lenovo/hw-info.sh
""",
}


def build_repository(directory: Path) -> Path:
    """Fill `directory` with the packages and their metadata; returns it."""
    sources = directory / "work/SOURCES"
    sources.mkdir(parents=True)
    (sources / "hw-info.sh").write_text(_SCRIPT)
    (sources / "model").write_text("MODEL=R740\n")
    program, library = _find_program()
    (sources / "hwprobe").write_bytes(program.read_bytes().replace(_OLD, _NEW))
    (sources / "libhwma.so.5").write_bytes(library.read_bytes().replace(_OLD, _NEW))
    specs = []
    for name, rest in _SPECS.items():
        spec = directory / f"work/{name}.spec"
        spec.write_text(
            f"Name: {name}\nVersion: 2.1\nRelease: 1\nSummary: {name}\nLicense: MIT\n"
            f"%global debug_package %{{nil}}\n%global __os_install_post %{{nil}}{rest}"
        )
        specs.append(spec)
    run(
        ["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {directory / 'work'}", *specs],
        env={"HOME": str(directory)},
        timeout_s=300,
    )
    for package in sorted((directory / "work/RPMS").rglob("*.rpm")):
        shutil.move(package, directory / package.name)
    shutil.rmtree(directory / "work")
    run(["createrepo_c", "--quiet", directory], timeout_s=300)
    return directory


def find_package(repository: Path, name: str) -> Path:
    """The file of one package."""
    return next(repository.glob(f"{name}-2.1-1.*.rpm"))


def _find_program() -> tuple[Path, Path]:
    program = Path(str(shutil.which("xz"))).resolve()
    printed = run(["ldd", program]).stdout
    library = next(line.split()[2] for line in printed.splitlines() if _OLD.decode() in line)
    return program, Path(library)
