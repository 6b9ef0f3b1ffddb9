"""The lab layer: an image's boot files with the stand-ins' script laid in, as one more squashfs of the initrd.

Called by `scenario`. The image itself stays as it was built: what is booted is a copy, whose manifest is right.
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from bootos.errors import BootosError
from bootos.lab.vendor_tools.script import build_script
from bootos.process import run

LAYER = "zz-lab.squashfs"  # the last by name: laid over all others
_ALIGNMENT = 512


def build_boot_files(image: Path, target: Path, programs: Sequence[str]) -> Path:
    """Copy the boot files of `image` to `target`, with `programs` in the guest's /usr/sbin; returns `target`."""
    manifest_path = image / "manifest.json"
    if not manifest_path.exists():
        raise BootosError(f"{image} is not a built image", hint="bootos image build")
    target.mkdir(parents=True, exist_ok=True)
    manifest = json.loads(manifest_path.read_text())
    for file in manifest["files"]:
        shutil.copyfile(image / file["name"], target / file["name"])
    with (target / "initrd.img").open("ab") as initrd:
        initrd.write(b"\0" * (-initrd.tell() % _ALIGNMENT))
        initrd.write(build_segment(target / "lab-layer", programs))
    for file in manifest["files"]:
        path = target / file["name"]
        with path.open("rb") as content:
            file["sha256"] = hashlib.file_digest(content, "sha256").hexdigest()
        file["size_bytes"] = path.stat().st_size
    (target / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    return target


def build_segment(work: Path, programs: Sequence[str]) -> bytes:
    """The layer as a segment for the end of an initrd; `work` is a directory that it makes and removes."""
    shutil.rmtree(work, ignore_errors=True)
    tools, segment = work / "tools/usr/sbin", work / "segment"
    tools.mkdir(parents=True)
    (segment / "rootfs").mkdir(parents=True)
    script = tools / "lab-vendor-tool"
    script.write_bytes(build_script())
    script.chmod(0o755)
    for program in programs:
        (tools / program).symlink_to(script.name)
    for directory in (work / "tools", *(work / "tools").rglob("*/")):
        if not directory.is_symlink() and directory.is_dir():
            directory.chmod(0o755)
    squashfs = segment / "rootfs" / LAYER
    run(["mksquashfs", work / "tools", squashfs, "-noappend", "-all-root", "-no-progress", "-quiet"])
    archive = work / "segment.cpio"
    run(
        ["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0", "-O", archive],
        input=f"rootfs\nrootfs/{LAYER}\n",
        cwd=segment,
    )
    content = archive.read_bytes()
    shutil.rmtree(work)
    return content
