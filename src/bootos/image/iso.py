"""An ISO that boots BIOS and UEFI machines (Secure Boot too), as CD, as virtual medium of a BMC, or as a stick.

Called by `iso_command`. GRUB boots both: for BIOS one made here by grub-mkimage, for UEFI Debian's signed shim and
GRUB, which may load no modules: those that lie beside the image, else this host's. Everything on it is read by GRUB;
the running BootOS does not look at the medium.
"""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bootos.errors import BootosError
from bootos.image.manifest import hash_file
from bootos.image.squash import SOURCE_DATE
from bootos.loader import DIRECTORY, LOADERS, MEDIUM_LOADERS
from bootos.process import run
from bootos.wire.manifest import Manifest

SHIM = "shimx64.efi"
GRUB_EFI = "gcdx64.efi"
GRUB_BIOS = Path("/usr/lib/grub/i386-pc")
_NEEDS = {
    str(GRUB_BIOS / "cdboot.img"): "grub-pc-bin",
    "grub-mkimage": "grub-common",
    "xorriso": "xorriso",
    "mformat": "mtools",
}
_LOADERS = {**LOADERS, **MEDIUM_LOADERS}
_BIOS_MODULES = (
    *(
        "biosdisk",
        "iso9660",
        "fat",
        "part_gpt",
        "part_msdos",
        "search",
        "search_fs_file",
        "normal",
        "linux",
        "echo",
    ),
    *("test", "configfile", "serial", "terminal", "ls", "cat", "reboot", "halt", "sleep"),
)
_FAT_KIB = 8192
SETTINGS = "bootos.cfg"

_MENU = """\
# BootOS from a medium. The server's address and more kernel words are in /{settings} on the medium; on a stick, the one
# in /EFI/BOOT of its second partition (FAT) counts after it. At the menu: e, write the address, Ctrl-X.
if [ "$grub_platform" = pc ]; then
  serial --unit=0 --speed=115200
  terminal_input console serial
  terminal_output console serial
fi
set server=
set append=
source /{settings}
if search --no-floppy --set=stick --file /EFI/BOOT/{settings}; then
  source ($stick)/EFI/BOOT/{settings}
fi
if [ -n "$server" ]; then
  set timeout=5
else
  set timeout=-1
  echo 'The medium names no server: press e and write its address after SERVER_ADDR='
fi
set default=bootos
menuentry 'BootOS' --id bootos {{
  echo 'Loading BootOS ...'
  linux /boot/vmlinuz console=tty0 selinux=0 biosdevname=0 $append SERVER_ADDR=$server
  initrd /boot/initrd.img
}}
menuentry 'Next boot device' --id next {{
  exit
}}
"""
# Only GRUB for BIOS uses the serial line itself. UEFI firmware may redirect its console to the serial line, and then
# each line would come twice.
_STICK = """\
# Where the server is, and more kernel words; counts after the file of this name in the root of the medium.
#set server='http://10.0.0.1:8083'
#set append='DEVELOPER=1'
"""


class Medium(msgspec.Struct, frozen=True, kw_only=True):
    """An ISO that was made."""

    path: str
    size_bytes: int
    sha256: str
    image: str
    server: str


def check_host(image: Path, is_there: Callable[[str], bool]) -> None:
    """Raises BootosError that names everything missing and the one command that installs it."""
    needs = {str(find_loader(image, name)): _LOADERS[name].package for name in (SHIM, GRUB_EFI)} | _NEEDS
    missing = {name: package for name, package in needs.items() if not is_there(name)}
    if missing:
        packages = " ".join(sorted(set(missing.values())))
        raise BootosError(
            f"an ISO cannot be made without {', '.join(missing)}",
            hint=f"apt-get install --no-install-recommends {packages}",
        )


def find_loader(image: Path, name: str) -> Path:
    """The boot loader that the image brings, else the one of this host, which may be missing."""
    own = (image / DIRECTORY / name).resolve()
    return own if own.is_file() else Path("/") / _LOADERS[name].path


def is_there(name: str) -> bool:
    """Whether this host has the program or file."""
    return Path(name).exists() if name.startswith("/") else shutil.which(name) is not None


def render_settings(server: str, append: str) -> str:
    """The file on the medium: GRUB reads it. Raises BootosError for what it would not read as it is."""
    for name, value in (("the server's URL", server), ("the kernel words", append)):
        if "'" in value or any(ord(character) < 32 for character in value):
            raise BootosError(f"{name} cannot hold quotes and line ends: {value!r}")
    return f"# Where the server is, and more kernel words.\nset server='{server}'\nset append='{append}'\n"


def render_menu() -> str:
    """`/boot/grub/grub.cfg` of the medium, the same for BIOS and UEFI."""
    return _MENU.format(settings=SETTINGS)


def build_iso(image: Path, manifest: Manifest, output: Path, *, server: str = "", append: str = "") -> Medium:
    """Write the ISO, whole or not at all. Raises BootosError."""
    check_host(image, is_there)
    for entry in manifest.files:
        if hash_file(image / entry.name).sha256 != entry.sha256:
            raise BootosError(
                f"{image / entry.name} is not the file of the manifest", hint="build the image again"
            )
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".iso-") as name:
        work = Path(name)
        files = {
            ".disk/info": f"BootOS {manifest.bootos_version}, kernel {manifest.kernel_release}\n",
            "boot/grub/grub.cfg": render_menu(),
            SETTINGS: render_settings(server, append),
        }
        tree = work / "tree"
        for path, text in files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text)
        _build_bios_loader(work, tree / "boot/grub/bios.img")
        _build_fat(image, work, work / "efi.img")
        _build_file_system(tree, work / "efi.img", image, work / "medium.iso")
        (work / "medium.iso").replace(output)
    entry = hash_file(output)
    return Medium(
        path=str(output), size_bytes=entry.size_bytes, sha256=entry.sha256, image=manifest.name, server=server
    )


def _build_bios_loader(work: Path, target: Path) -> None:
    core = work / "core.img"
    run(["grub-mkimage", "-O", "i386-pc", "-p", "/boot/grub", "-o", core, *_BIOS_MODULES])
    target.write_bytes((GRUB_BIOS / "cdboot.img").read_bytes() + core.read_bytes())


def _build_fat(image: Path, work: Path, target: Path) -> None:
    """The EFI system partition, without a mount and without root."""
    with target.open("wb") as file:
        file.truncate(_FAT_KIB * 1024)
    (work / SETTINGS).write_text(_STICK)
    env = {"SOURCE_DATE_EPOCH": SOURCE_DATE, "TZ": "UTC"}
    run(["mformat", "-i", target, "-v", "BOOTOS", "-N", "0b007005", "::"], env=env)
    run(["mmd", "-i", target, "::/EFI", "::/EFI/BOOT"], env=env)
    shim, grub = find_loader(image, SHIM), find_loader(image, GRUB_EFI)
    for source, name in ((shim, "BOOTX64.EFI"), (grub, "grubx64.efi"), (work / SETTINGS, SETTINGS)):
        run(["mcopy", "-i", target, source, f"::/EFI/BOOT/{name}"], env=env)


def _build_file_system(tree: Path, fat: Path, image: Path, target: Path) -> None:
    dates = time.strftime("%Y%m%d%H%M%S00", time.gmtime(int(SOURCE_DATE)))
    argv: list[str | Path] = ["xorriso", "-as", "mkisofs", "-quiet", "-o", target]
    argv += ["-r", "-J", "-V", "BOOTOS", "-iso-level", "3", "--set_all_file_dates", dates]
    argv += ["--grub2-mbr", GRUB_BIOS / "boot_hybrid.img", "-partition_offset", "16", "--mbr-force-bootable"]
    argv += ["-append_partition", "2", "0xef", fat, "-appended_part_as_gpt"]
    argv += ["-c", "boot/boot.cat", "-b", "boot/grub/bios.img", "-no-emul-boot", "-boot-load-size", "4"]
    argv += ["-boot-info-table", "--grub2-boot-info", "-eltorito-alt-boot"]
    argv += ["-e", "--interval:appended_partition_2:all::", "-no-emul-boot", "-graft-points"]
    argv += [f"/={tree}", f"/boot/vmlinuz={image / 'vmlinuz'}", f"/boot/initrd.img={image / 'initrd.img'}"]
    run(argv, timeout_s=900, env={"SOURCE_DATE_EPOCH": SOURCE_DATE, "TZ": "UTC"})
