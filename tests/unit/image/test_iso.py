"""The ISO: what it says to GRUB, and, where the tools are installed, what is on it."""

import re
from pathlib import Path

import msgspec
import pytest

from bootos.errors import BootosError
from bootos.image.iso import build_iso, check_host, is_there, render_menu, render_settings
from bootos.image.manifest import hash_file
from bootos.process import run
from bootos.wire.manifest import FileEntry, Manifest

TOOLS = (
    "xorriso",
    "mformat",
    "grub-mkimage",
    "/usr/lib/shim/shimx64.efi.signed",
    "/usr/lib/grub/i386-pc/cdboot.img",
)
has_tools = pytest.mark.skipif(
    not all(map(is_there, TOOLS)), reason="the tools for an ISO are not installed (make host)"
)


@pytest.fixture
def image(tmp_path: Path) -> tuple[Path, Manifest]:
    directory = tmp_path / "image"
    directory.mkdir()
    for name in ("vmlinuz", "initrd.img"):
        (directory / name).write_text(name * 1000)
    files: tuple[FileEntry, ...] = tuple(hash_file(directory / name) for name in ("vmlinuz", "initrd.img"))
    manifest = msgspec.convert(
        {
            "name": "bootos",
            "bootos_version": "0.1.0",
            "recipe_sha256": "",
            "kernel_release": "6.12-test",
            "kernel_modules": 0,
            "firmware_files": 0,
            "files": files,
            "segments": (),
            "root_uncompressed_bytes": 0,
            "packages": {},
        },
        Manifest,
        from_attributes=True,
    )
    return directory, manifest


def test_the_settings_are_words_that_grub_reads_as_they_are() -> None:
    text = render_settings("http://10.0.0.1:8083", "DEVELOPER=1 PRE=http://h/a?b;c")
    assert text.endswith("set server='http://10.0.0.1:8083'\nset append='DEVELOPER=1 PRE=http://h/a?b;c'\n")


@pytest.mark.parametrize("server", ["http://a'b", "http://a\nb"])
def test_settings_that_grub_would_read_otherwise_are_refused(server: str) -> None:
    with pytest.raises(BootosError, match="the server's URL cannot hold"):
        render_settings(server, "")


def test_the_menu_waits_for_a_person_when_no_server_is_named() -> None:
    menu = render_menu()
    assert 'if [ -n "$server" ]; then\n  set timeout=5\nelse\n  set timeout=-1\n' in menu
    assert "linux /boot/vmlinuz console=tty0 selinux=0 biosdevname=0 $append SERVER_ADDR=$server\n" in menu


def test_everything_missing_is_named_with_the_packages_that_bring_it(tmp_path: Path) -> None:
    with pytest.raises(BootosError) as caught:
        check_host(tmp_path, lambda name: name == "xorriso")
    assert "mformat" in caught.value.message and "xorriso" not in caught.value.message
    assert caught.value.hint.endswith(" grub-common grub-efi-amd64-signed grub-pc-bin mtools shim-signed")


def test_the_loaders_of_the_image_need_no_package_of_the_host(tmp_path: Path) -> None:
    (tmp_path / "loaders").mkdir()
    for name in ("shimx64.efi", "gcdx64.efi"):
        (tmp_path / "loaders" / name).write_bytes(b"MZ")
    with pytest.raises(BootosError) as caught:
        check_host(tmp_path, lambda name: name.startswith(str(tmp_path)))
    assert caught.value.hint.endswith(" grub-common grub-pc-bin mtools xorriso")


@has_tools
def test_two_isos_of_one_image_are_equal_and_hold_both_loaders(
    image: tuple[Path, Manifest], tmp_path: Path
) -> None:
    directory, manifest = image
    made = [build_iso(directory, manifest, tmp_path / f"{n}.iso", server="http://a") for n in (1, 2)]
    assert made[0].sha256 == made[1].sha256
    indev: list[str | Path] = ["xorriso", "-indev", tmp_path / "1.iso"]
    listed = run([*indev, "-find", "/"]).stdout
    assert {"'/boot/vmlinuz'", "'/boot/initrd.img'", "'/boot/grub/grub.cfg'", "'/.disk/info'"} <= set(
        listed.split()
    )
    boot = run([*indev, "-report_el_torito", "plain", "-report_system_area", "plain"]).stdout
    assert re.search(r"boot img : +1 +BIOS", boot) and re.search(r"boot img : +2 +UEFI", boot)
    assert "grub2-mbr" in boot and "GPT" in boot
    assert not list(tmp_path.glob(".iso-*"))


@has_tools
def test_a_damaged_image_gives_no_iso(image: tuple[Path, Manifest], tmp_path: Path) -> None:
    directory, manifest = image
    (directory / "initrd.img").write_text("half")
    with pytest.raises(BootosError, match=r"initrd\.img is not the file of the manifest"):
        build_iso(directory, manifest, tmp_path / "1.iso")
    assert not (tmp_path / "1.iso").exists()
