import struct

import pytest

from bootos.errors import BootosError
from bootos.image.recipe import Boot, Cut
from bootos.image.steps.icu import empty_tables
from bootos.image.steps.root import cut_boot, cut_paths, lock_passwords


def test_cut_paths_go_and_kept_ones_stay(tmp_path):
    for name in (
        "usr/share/doc/a/copyright",
        "usr/lib/gconv/UTF-16.so",
        "usr/lib/gconv/BIG5.so",
        "usr/bin/tool",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    cut_paths(tmp_path, Cut(paths=("/usr/share/doc", "/usr/lib/gconv"), keep=("/usr/lib/gconv/UTF*",)))
    left = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
    assert left == ["usr/bin/tool", "usr/lib/gconv/UTF-16.so"]
    assert not (tmp_path / "usr/share/doc").exists()


def test_only_listed_units_rules_and_generators_can_act_by_themselves(tmp_path):
    wants = tmp_path / "usr/lib/systemd/system/sysinit.target.wants"
    enabled = tmp_path / "etc/systemd/system/timers.target.wants"
    rules = tmp_path / "usr/lib/udev/rules.d"
    generators = tmp_path / "usr/lib/systemd/system-generators"
    tmpfiles = tmp_path / "usr/lib/tmpfiles.d"
    for directory in (wants, enabled, rules, generators, tmpfiles):
        directory.mkdir(parents=True)
    (wants / "systemd-udevd.service").symlink_to("../systemd-udevd.service")
    (wants / "lvm2-monitor.service").symlink_to("../lvm2-monitor.service")
    (enabled / "fstrim.timer").symlink_to("/usr/lib/systemd/system/fstrim.timer")
    (rules / "80-drivers.rules").touch()
    (rules / "64-md-raid-assembly.rules").touch()
    (generators / "systemd-gpt-auto-generator").touch()
    cut_boot(tmp_path, Boot(units=("systemd-udevd.service",), udev_rules=("80-drivers.rules",)))
    assert [p.name for p in wants.iterdir()] == ["systemd-udevd.service"]
    assert [p.name for p in rules.iterdir()] == ["80-drivers.rules"]
    assert not any(enabled.iterdir()) and not any(generators.iterdir())


def test_no_account_keeps_a_password():
    shadow = "root:$y$j9T$abc:20000:0:99999:7:::\ndaemon:*:20000:0:99999:7:::\nempty::20000::::::\n"
    assert [line.split(":")[1] for line in lock_passwords(shadow).splitlines()] == ["*", "*", "*"]


def make_elf(rodata: bytes) -> bytes:
    """A minimal 64-bit ELF file with the sections .rodata and .shstrtab."""
    names = b"\0.rodata\0.shstrtab\0"
    rodata_at, names_at = 64, 64 + len(rodata)
    table_at = names_at + len(names)
    header = b"\x7fELF\x02\x01" + bytes(0x28 - 6) + struct.pack("<Q", table_at) + bytes(10)
    header += struct.pack("<HHH", 64, 3, 2)
    sections = bytes(64)
    for name, offset, size in ((1, rodata_at, len(rodata)), (9, names_at, len(names))):
        sections += struct.pack("<IIQQQQ", name, 1, 0, 0, offset, size) + bytes(24)
    return header + rodata + names + sections


def test_icu_data_is_emptied_and_the_library_keeps_its_size_and_header():
    data = struct.pack("<HBB", 32, 0xDA, 0x27) + b"h" * 28 + struct.pack("<I", 4000) + b"tables" * 100
    before = make_elf(data)
    after = empty_tables(before)
    assert len(after) == len(before)
    assert after[:96] == before[:96]
    assert not any(after[96 : 64 + len(data)])
    assert after[64 + len(data) :] == before[64 + len(data) :]


def test_a_library_without_icu_data_is_refused():
    with pytest.raises(BootosError, match="ICU"):
        empty_tables(make_elf(b"something else, long enough to be a header"))
