from pathlib import Path

import pytest

from bootos.errors import BootosError, ProblemsError
from bootos.image.lock import Lock, Package, check_answers, parse_uris, read_lock, write_lock

DIGEST = "ab" * 32
# Two lines as `apt-get --print-uris -o Acquire::ForceHash=SHA256` prints them, and one of another kind.
PRINTED = f"""\
'http://mirror/busybox-static_1.37.0-6%2bb9_amd64.deb' busybox-static_1%3a1.37.0-6+b9_amd64.deb 955316 SHA256:{DIGEST}
'http://mirror/adduser_3.152_all.deb' adduser_3.152_all.deb 190932 SHA256:{DIGEST}
Need to get 1 MB
"""
PACKAGE = Package(file="a_1_all.deb", size_bytes=3, sha256=DIGEST)
LOCK = Lock(asked="this", sources="deb x\n", base=(PACKAGE,), kernel=())


def test_a_package_list_of_apt_becomes_packages_with_version_size_and_hash() -> None:
    adduser, busybox = parse_uris(PRINTED)
    assert (adduser.name, adduser.version) == ("adduser", "3.152")
    assert (busybox.name, busybox.version, busybox.size_bytes) == ("busybox-static", "1:1.37.0-6+b9", 955316)
    assert busybox.sha256 == DIGEST


def test_a_lock_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_lock(tmp_path / "new/image.lock.json", LOCK)
    assert read_lock(tmp_path / "new/image.lock.json") == LOCK


def test_every_mistake_in_a_lock_is_named(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    path.write_text('{"asked": 1, "sources": "", "base": [{"file": "a"}], "kernel": []}')
    with pytest.raises(ProblemsError) as caught:
        read_lock(path)
    assert {"asked", "base[0].size_bytes", "base[0].sha256"} <= {p.path for p in caught.value.problems}


def test_a_lock_of_another_package_list_is_refused_with_what_to_do() -> None:
    check_answers(LOCK, "this", Path("image.lock.json"))
    with pytest.raises(BootosError, match="another list") as caught:
        check_answers(LOCK, "that", Path("image.lock.json"))
    assert "remove image.lock.json" in caught.value.hint
