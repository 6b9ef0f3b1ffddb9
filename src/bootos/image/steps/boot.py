"""Stage `boot`: the first segment of the initrd, which mounts the layers: busybox, a few kernel modules, `/init`."""

import shutil
from pathlib import Path

from bootos.files import read_json
from bootos.image.cache import Stage
from bootos.image.cpio import ALIGNMENT, write_cpio
from bootos.process import run

INIT = Path(__file__).parent.parent / "boot" / "init"
APPLETS = (
    *("cat", "chroot", "dmesg", "echo", "insmod", "ls", "mkdir", "mount", "printf", "ps", "reboot", "setsid"),
    *("sh", "sleep", "stat", "stty", "switch_root", "umount", "vi"),
)


def build_boot(*, kernel: Stage, init: Path, shell: bool, directory: Path) -> None:
    """Fill `directory/boot.cpio.zst` from the kernel stage's modules and the file `init`. Without `shell`, `/init`
    gives none either when it cannot go on."""
    info = read_json(kernel.directory / "kernel.json")
    root = directory / "root"
    (root / "bin").mkdir(parents=True)
    (root / "modules").mkdir()
    shutil.copyfile(kernel.directory / "busybox", root / "bin/busybox")
    (root / "bin/busybox").chmod(0o755)
    for applet in APPLETS:
        (root / "bin" / applet).symlink_to("busybox")
    shutil.copyfile(init, root / "init")
    (root / "init").chmod(0o755)
    if not shell:
        (root / "no-shell").touch()
    tree, modules = kernel.directory / "root/usr/lib/modules" / info["release"], info["boot_modules"]
    for path in modules:
        shutil.copyfile(tree / path, root / "modules" / Path(path).name)
    (root / "modules/order").write_text("".join(f"{Path(path).name}\n" for path in modules))
    archive = directory / "boot.cpio"
    with archive.open("wb") as output:
        write_cpio(output, root)
    packed = directory / "boot.cpio.zst"
    run(["zstd", "-q", "-19", "--rm", archive, "-o", packed], timeout_s=300)
    with packed.open("ab") as output:  # an uncompressed segment that follows must begin at a multiple of four
        output.write(b"\0" * (-output.tell() % ALIGNMENT))
    shutil.rmtree(root)
