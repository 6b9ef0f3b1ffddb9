"""An image directory of a few kilobytes, made as a real one is: a compressed first segment, then a squashfs for each
layer, and a manifest whose sizes and sums are right. It does not boot."""

from collections.abc import Mapping
from pathlib import Path

from bootos.files import write_json
from bootos.image.cpio import ALIGNMENT, write_cpio, write_layer
from bootos.image.manifest import hash_file
from bootos.image.release import append_release, compute_version
from bootos.image.squash import build_squashfs
from bootos.process import run
from bootos.wire.ability import OURS
from bootos.wire.manifest import SCHEMA, Manifest

RELEASE = "6.12.0-test-amd64"
LAYERS: Mapping[str, Mapping[str, str]] = {
    # Each layer, with its paths and their contents.
    "10-base": {"etc/hostname": "base\n", "usr/bin/tool": "#!/bin/sh\n"},
    "20-kernel": {f"usr/lib/modules/{RELEASE}/modules.order": ""},
    "80-bootos": {"etc/hostname": "bootos\n"},
}


def build_fake_image(
    directory: Path,
    layers: Mapping[str, Mapping[str, str]] = LAYERS,
    boot_modules: Mapping[str, bytes] | None = None,
) -> Path:
    """Write vmlinuz, initrd.img and manifest.json into `directory`; returns it. `boot_modules`: what /init loads, file
    name -> content."""
    work = directory / "work"
    (work / "boot").mkdir(parents=True)
    (work / "boot/init").write_text("#!/bin/sh\n")
    if boot_modules:
        (work / "boot/modules").mkdir()
        (work / "boot/modules/order").write_text("".join(f"{name}\n" for name in boot_modules))
        for name, module in boot_modules.items():
            (work / "boot/modules" / name).write_bytes(module)
    with (work / "boot.cpio").open("wb") as output:
        write_cpio(output, work / "boot")
    run(["zstd", "-q", "--rm", work / "boot.cpio", "-o", work / "boot.cpio.zst"])
    boot = work / "boot.cpio.zst"
    with boot.open("ab") as output:
        output.write(b"\0" * (-output.tell() % ALIGNMENT))
    segments = [hash_file(boot, "boot")]
    with (directory / "initrd.img").open("wb") as initrd:
        initrd.write(boot.read_bytes())
        for name, files in layers.items():
            for path, content in files.items():
                (work / name / path).parent.mkdir(parents=True, exist_ok=True)
                (work / name / path).write_text(content)
            squashfs = work / f"{name}.squashfs"
            build_squashfs(work / name, squashfs, "zstd", all_root=True)
            segments.append(hash_file(squashfs, name))
            write_layer(initrd, name, squashfs)
    (directory / "vmlinuz").write_bytes(b"kernel")
    run(["rm", "-r", work])
    parts = [hash_file(directory / "vmlinuz"), *segments]
    version = compute_version("0", [(part.name, part.sha256) for part in parts])
    append_release(directory / "initrd.img", "fake", version)
    manifest = Manifest(
        abilities=OURS,
        schema=SCHEMA,
        name="fake",
        version=version,
        bootos_version="0",
        recipe_sha256="0" * 64,
        kernel_release=RELEASE,
        kernel_modules=0,
        firmware_files=0,
        files=(hash_file(directory / "vmlinuz"), hash_file(directory / "initrd.img")),
        segments=tuple(segments),
        root_uncompressed_bytes=0,
        packages={},
    )
    write_json(directory / "manifest.json", manifest)
    return directory
