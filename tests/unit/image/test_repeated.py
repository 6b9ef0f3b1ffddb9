"""A library that repeats what its users' program has is left out, and who needs it for itself can have it again."""

import shutil
import sysconfig
from pathlib import Path

import pytest

from bootos.image.steps.repeated import drop_dependency, drop_repeated, find_users, read_needed, unlink

STATUS = """\
Package: libpython3.13
Status: install ok installed
Architecture: amd64
Depends: libc6 (>= 2.38)

Package: libpython3.13-stdlib
Status: install ok installed

Package: python3-hawkey
Status: install ok installed
Depends: libc6 (>= 2.14), libpython3.13 (>= 3.13.0~rc3), python3:any
Description: libpython3.13 is in this text too
"""
INFO = ("libpython3.13:amd64.list", "libpython3.13-stdlib:amd64.list", "python3-hawkey.list")


@pytest.fixture
def library() -> Path:
    """A library of this host that is linked to the C library."""
    found = sorted(Path(sysconfig.get_config_var("DESTSHARED")).glob("*.so"))
    return next(path for path in found if "libc.so.6" in read_needed(path.read_bytes()))


def test_a_file_is_not_linked_to_a_library_any_more_and_all_else_is_as_it_was(library: Path) -> None:
    data = library.read_bytes()
    changed = unlink(data, "libc.so.6")
    assert read_needed(changed) == [name for name in read_needed(data) if name != "libc.so.6"]
    assert len(changed) == len(data)
    assert unlink(data, "libother.so.1") == data


def test_the_package_is_gone_and_nobody_depends_on_it(tmp_path: Path, library: Path) -> None:
    modules, dpkg = tmp_path / "usr/lib/python3", tmp_path / "var/lib/dpkg"
    modules.mkdir(parents=True)
    shutil.copyfile(library, modules / "module.so")
    (modules / "text").write_text("libc.so.6")
    (dpkg / "info").mkdir(parents=True)
    (dpkg / "status").write_text(STATUS)
    for name in INFO:
        (dpkg / "info" / name).touch()
    assert list(find_users(tmp_path, "libc.so.6")) == [modules / "module.so"]
    drop_repeated(tmp_path, {"libpython3.13": "libc.so.6"})
    assert list(find_users(tmp_path, "libc.so.6")) == []
    assert sorted(path.name for path in (dpkg / "info").iterdir()) == sorted(INFO[1:])
    status = (dpkg / "status").read_text()
    assert "Package: libpython3.13\n" not in status
    assert "Package: libpython3.13-stdlib\n" in status
    assert "Depends: libc6 (>= 2.14), python3:any\n" in status


def test_a_dependency_of_a_like_name_stays_and_an_only_one_leaves_no_empty_line() -> None:
    assert drop_dependency("Depends: a-b, a (= 1), a:any", "a") == "Depends: a-b"
    assert drop_dependency("Package: x\nDepends: a\nVersion: 1", "a") == "Package: x\nVersion: 1"
