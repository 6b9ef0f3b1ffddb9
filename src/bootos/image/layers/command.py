"""The verbs `add` and `remove` of `bootos image`. Prints; the work is in `add`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bootos.image.layers.add import Added, add_packages, remove_packages
from bootos.screen import Screen, print_json

ImageDirectory = Annotated[Path, typer.Argument(metavar="IMAGE", help="The directory of a built image.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")]


def add(
    image: ImageDirectory,
    package: Annotated[
        list[str],
        typer.Argument(metavar="PKG...", help="Files (.deb, .rpm), or names of packages."),
    ],
    repo: Annotated[
        list[str] | None,
        typer.Option(help="A yum repository (URL, directory or .repo file); names are looked up there."),
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the layer; by default that of the first package.")] = "",
    enable: Annotated[
        list[str] | None,
        typer.Option(help="A unit or udev rule of the packages that shall act by itself."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Add packages to a built image, without building it again.

    What they depend on is looked up in the image, then in the repositories or, for Debian packages, in the image's
    Debian archive. Units and udev rules they bring do not act by themselves unless --enable names them. Needs root.

    Example: bootos image add build/image perccli.rpm ./sg3.deb

    Example: bootos image add build/image dell-hw-tools --repo http://10.0.0.1/hwtools
    """
    screen = Screen(stderr=True)
    with screen.status("reading the image") as status:
        added = add_packages(
            image,
            package,
            repos=repo or (),
            name=name,
            enabled=enable or (),
            say=lambda line: status.update(line),
        )
    if json:
        print_json(added)
        return
    _print_added(Screen(soft_wrap=True), added, image)


def remove(
    image: ImageDirectory,
    layer: Annotated[str, typer.Argument(metavar="LAYER", help="The name of an added layer.")],
    json: AsJson = False,
) -> None:
    """Take an added layer out of an image.

    Example: bootos image remove build/image perccli
    """
    removed = remove_packages(image, layer)
    if json:
        print_json(removed)
    else:
        sys.stdout.write(f"removed {removed.name} ({removed.size_bytes / 1e6:.1f} MB) from {image}\n")


def _print_added(screen: Screen, added: Added, image: Path) -> None:
    size_mb, whole_mb = added.layer.size_bytes / 1e6, added.image_bytes / 1e6
    for name, version in sorted(added.layer.packages.items()):
        screen.print(f"  {name} {version}")
    screen.print(
        f"layer {added.layer.name} ({size_mb:.1f} MB) added to {image} in {added.seconds:.1f} s: {whole_mb:.1f} MB"
    )
    if added.silent:
        screen.print(f"not started by themselves: {', '.join(added.silent)} (--enable NAME starts one)")
