"""The verbs of `bootos driver`. Prints; the work is in the modules beside it."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.text import Text

from bootos.errors import BootosError
from bootos.image.cache import Event, Hear
from bootos.image.driver.add import add_driver, remove_driver
from bootos.image.driver.build import build_driver
from bootos.image.driver.enter import check_root
from bootos.image.driver.listing import Listed, list_drivers
from bootos.image.driver.shell import work_in_shell
from bootos.image.driver.source import read_source
from bootos.image.driver.workshop import make_workshop, read_sources
from bootos.image.layers.core import read_image
from bootos.screen import Screen, ScreenStatus, build_table, print_json

app = typer.Typer(help="Kernel drivers of an image, without building it anew.", no_args_is_help=True)

IMAGE = Path("build/image")
DRIVERS = Path("build/drivers")
ImageOption = Annotated[Path, typer.Option("--image", help="The image directory.")]
CacheOption = Annotated[Path, typer.Option("--cache", help="Where clean roots for building are kept.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")]


@app.callback()
def driver() -> None:
    """Kernel drivers of an image, without building it anew."""


@app.command("list")
def list_modules(
    image: Annotated[Path, typer.Argument(help="The image directory.")] = IMAGE,
    group: Annotated[str, typer.Option("--class", help="Only one class: net, scsi, nvme, ...")] = "",
    json: JsonOption = False,
) -> None:
    """List an image's kernel modules by class, with version and the layer each comes from. Needs root.

    Example: bootos driver list build/image --class net
    """
    found = list_drivers(image, group)
    if json:
        print_json(found)
        return
    print_modules(found, Screen())


def print_modules(found: Sequence[Listed], screen: Screen) -> None:
    """A table of modules; those that are not used are dim."""
    table = build_table("class", "module", "version", "PCI ids", "layer", "", box=None, pad_edge=False)
    table.columns[3].justify = "right"
    for item in found:
        version = item.version or (f"src {item.srcversion[:8]}" if item.srcversion else "-")
        row = (item.group, item.name, version, str(item.pci_ids or ""), item.layer, describe(item))
        table.add_row(*row, style="dim" if item.overridden else "")
    screen.print(table)


def describe(item: Listed) -> str:
    """What is special about a module, in a few words."""
    words = []
    if item.overridden:
        words.append("not used: overridden")
    if item.overrides:
        words.append(f"overrides {item.overrides}")
    elif not item.in_tree and item.layer != "image":
        words.append("out of tree")
    if item.only_for:
        words.append(f"only where there is {', '.join(item.only_for[:3])}{' ...' * (len(item.only_for) > 3)}")
    return "; ".join(words)


@app.command()
def build(
    source: Annotated[Path, typer.Argument(help="The driver's source, a tar file with an rpm spec inside.")],
    spec: Annotated[
        Path | None, typer.Option(help="The spec: a file, or a path inside the tar.", show_default=False)
    ] = None,
    image: ImageOption = IMAGE,
    output: Annotated[Path, typer.Option(help="Where the rpm and the log go.")] = DRIVERS,
    cache: CacheOption = Path("build/cache"),
    json: JsonOption = False,
) -> None:
    """Build a driver from source into an rpm (rpmbuild -bb), for exactly the kernel of an image. Needs root.

    The first build for a kernel installs a clean root with compiler and headers, which takes minutes and is kept.

    Example: bootos driver build igb-5.3.2.tar.gz --image build/image
    """
    screen = Screen(stderr=json)
    began = time.monotonic()
    tar = read_source(source, spec)
    check_root()
    found = read_image(image)
    release = found.manifest.kernel_release
    with screen.status("building") as status:
        show = show_on(screen, status)
        workshop = make_workshop(release, read_sources(found), cache, show)
        built = build_driver(
            tar,
            workshop.directory / "root",
            release,
            output,
            lambda line: show(Event(stage="rpmbuild", state="progress", detail=line[:100])),
        )
    if json:
        print_json(
            {"rpms": [str(path) for path in built.rpms], "kernel_release": release, "log": str(built.log)}
        )
        return
    for path in built.rpms:
        screen.print(describe_rpm(path), soft_wrap=True)
    screen.print(
        f"for kernel {release} in {time.monotonic() - began:.0f} s; to lay it in: "
        f"bootos driver add {image} {built.rpms[0]}",
        highlight=False,
        soft_wrap=True,
    )


@app.command()
def shell(
    image: ImageOption = IMAGE,
    output: Annotated[Path, typer.Option(help="Where the rpms that were built go.")] = DRIVERS,
    cache: CacheOption = Path("build/cache"),
    json: JsonOption = False,
) -> None:
    """Open a shell in the clean root for an image's kernel, to follow a driver's own instructions. Needs root.

    yum, wget, gcc and rpmbuild are there, and uname answers for the image's kernel. All that is written is thrown away
    at the end, except the rpms below /root/rpmbuild/RPMS. Without a terminal the commands are read from standard input,
    up to the first that fails.

    Example: bootos driver shell --image build/image < instructions.sh
    """
    screen = Screen(stderr=True)
    check_root()
    found = read_image(image)
    release = found.manifest.kernel_release
    with screen.status("preparing") as status:
        workshop = make_workshop(release, read_sources(found), cache, show_on(screen, status))
    if sys.stdin.isatty():
        screen.print(
            f"a clean root for kernel {release}; rpms in /root/rpmbuild/RPMS are kept in {output}, "
            "all else is gone with `exit`",
            highlight=False,
        )
    worked = work_in_shell(workshop.directory / "root", release, output, to_stderr=json)
    if json:
        print_json({**msgspec.structs.asdict(worked), "rpms": [str(path) for path in worked.rpms]})
    else:
        for path in worked.rpms:
            screen.print(describe_rpm(path), soft_wrap=True)
    if worked.exit_code != 0 and not sys.stdin.isatty():
        kept = f"; {len(worked.rpms)} rpms are kept in {output}" if worked.rpms else ""
        raise BootosError(f"a command ended with exit code {worked.exit_code}, none after it was run{kept}")


@app.command()
def add(
    image: Annotated[Path, typer.Argument(help="The image directory.")],
    source: Annotated[Path, typer.Argument(help="An rpm, a Debian package, or a module (.ko).")],
    pci: Annotated[
        list[str] | None,
        typer.Option(
            "--pci", help="Only for machines with this device (8086:10d3); repeatable.", show_default=False
        ),
    ] = None,
    by_hardware: Annotated[
        bool, typer.Option("--by-hardware", help="Only for machines with a device the module is for.")
    ] = False,
    cache: CacheOption = Path("build/cache"),
    json: JsonOption = False,
) -> None:
    """Add kernel modules to an image: checked against its kernel, then laid over its own. Needs root.

    With --by-hardware or --pci the layer stays outside the initrd, and is loaded by machines with such a device from
    the server. The driver of the card that machines boot from is added without: it must be in the initrd.

    Example: bootos driver add build/image build/drivers/igb-5.3.2-1.x86_64.rpm
    """
    began = time.monotonic()
    done = add_driver(image, source, cache, pci_ids=pci or (), by_hardware=by_hardware)
    if json:
        print_json(done)
        return
    screen = Screen(soft_wrap=True)
    for name, version in done.layer.modules.items():
        screen.print(f"{name} {version}".rstrip())
    for path in done.layer.replaces:
        screen.print(f"  overrides {path}")
    if done.layer.pci_ids:
        screen.print(f"  for machines with {', '.join(done.layer.pci_ids)}")
    for note in done.notes:
        screen.print(f"  note: {note}")
    size = f"{done.layer.size_bytes / 1000:.0f} kB"
    screen.print(f"layer {done.layer.name} ({size}) in {image}/{done.file}, {time.monotonic() - began:.1f} s")


@app.command()
def remove(
    image: Annotated[Path, typer.Argument(help="The image directory.")],
    name: Annotated[str, typer.Argument(help="The layer, as `list` and the manifest name it.")],
    json: JsonOption = False,
) -> None:
    """Take an added driver out of an image; its own module is used again. Needs root.

    Example: bootos driver remove build/image igb
    """
    removed = remove_driver(image, name)
    if json:
        print_json(removed)
    else:
        Screen(soft_wrap=True).print(f"{name} is out of {image}")


def show_on(screen: Screen, status: ScreenStatus) -> Hear:
    """Say on a line of its own how far the clean root and a build are."""

    def show(event: Event) -> None:
        if event.state in ("started", "progress"):
            status.update(Text.assemble((event.stage, "bold"), " ", event.detail))
        elif event.state == "done":
            screen.print(f"  {event.stage}: {event.seconds:.0f} s")

    return show


def describe_rpm(path: Path) -> str:
    """A built package and its size."""
    return f"{path} ({path.stat().st_size / 1000:.0f} kB)"
