"""`bootos image iso`: reads the options, prints. The work is in `iso`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bootos.image.iso import build_iso
from bootos.image.layers.core import read_image
from bootos.screen import Screen, print_json


def iso(
    image: Annotated[
        Path, typer.Argument(help="The directory with vmlinuz, initrd.img and manifest.json.")
    ] = Path("build/image"),
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The ISO. Default: bootos.iso in the image's directory."),
    ] = None,
    server: Annotated[
        str,
        typer.Option(
            metavar="URL", help="The server to register with. Without it the boot menu asks for it."
        ),
    ] = "",
    append: Annotated[
        str, typer.Option(metavar="WORDS", help="More kernel arguments, as 'console=ttyS0,115200'.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")] = False,
) -> None:
    """Make a bootable ISO of an image: BIOS and UEFI, Secure Boot, as CD, virtual medium or stick.

    Example: bootos image iso build/image --server http://10.0.0.1:8083 --output bootos.iso
    """
    if server and not server.startswith(("http://", "https://")):
        raise typer.BadParameter(f"{server!r} is not a URL like http://10.0.0.1:8083", param_hint="--server")
    manifest = read_image(image).manifest
    with Screen(stderr=True).status("writing the ISO"):
        medium = build_iso(image, manifest, output or image / "bootos.iso", server=server, append=append)
    if json:
        print_json(medium)
        return
    told = f"registers with {server}" if server else "names no server: it is asked for at the boot menu"
    sys.stdout.write(f"{medium.path}: {medium.size_bytes / 1e6:.1f} MB, {told}\n")
