"""The verbs of `bootos image`. Prints; the work is in `bootos.image.build`."""

import sys
import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from bootos.image.build import build_image
from bootos.image.cache import Event
from bootos.image.layers import command as layer_command
from bootos.image.manifest import Manifest
from bootos.image.recipe import read_recipe

app = typer.Typer(help="Build the in-memory operating system.", no_args_is_help=True)
app.command()(layer_command.add)
app.command()(layer_command.remove)


@app.callback()
def image() -> None:
    """Build the in-memory operating system."""


@app.command()
def build(
    recipe: Annotated[Path, typer.Option(help="What the image contains.")] = Path("recipes/bootos.toml"),
    output: Annotated[Path, typer.Option(help="Where vmlinuz, initrd.img and manifest.json go.")] = Path(
        "build/image"
    ),
    cache: Annotated[Path, typer.Option(help="Where finished stages are kept.")] = Path("build/cache"),
    json: Annotated[
        bool, typer.Option("--json", help="Print the manifest as JSON, and nothing else.")
    ] = False,
) -> None:
    """Build vmlinuz, initrd.img and manifest.json from a recipe.

    What did not change since the last build is taken from the cache. Needs root.

    Example: bootos image build --recipe recipes/bootos.toml --output build/image
    """
    screen = Console(stderr=json)
    loaded = read_recipe(recipe)
    began = time.monotonic()
    with screen.status("building") as status:

        def show(event: Event) -> None:
            if event.state in ("started", "progress"):
                status.update(f"[bold]{event.stage}[/] {event.detail}")
                if not screen.is_terminal:
                    line = f"{event.stage}: {event.detail or 'started'}"
                    screen.print(line, markup=False, highlight=False, soft_wrap=True)
            elif event.state == "cached":
                screen.print(f"  {event.stage:8} from the cache", highlight=False)
            elif event.seconds:
                screen.print(f"  {event.stage:8} {event.seconds:.1f} s", highlight=False)

        manifest = build_image(loaded, output, cache, show)
    if json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2).decode() + "\n")
    else:
        _print_summary(screen, manifest, output, time.monotonic() - began)


def _print_summary(screen: Console, manifest: Manifest, output: Path, seconds: float) -> None:
    title = f"{manifest.name} {manifest.version}, kernel {manifest.kernel_release}"
    table = Table(title=title, title_justify="left")
    table.add_column("part")
    table.add_column("size", justify="right")
    for entry in manifest.segments:
        table.add_row(f"  segment {entry.name}", f"{entry.size_bytes / 1e6:.1f} MB")
    for entry in manifest.files:
        table.add_row(entry.name, f"{entry.size_bytes / 1e6:.1f} MB")
    table.add_row("together", f"{manifest.size_bytes / 1e6:.1f} MB")
    screen.print(table)
    screen.print(f"{output} in {seconds:.0f} s", highlight=False)
