"""The verbs of `bootos image`. Prints; the work is in `bootos.image.build`."""

import time
from pathlib import Path
from typing import Annotated

import typer

from bootos.image.build import build_image, check_host
from bootos.image.iso_command import iso
from bootos.image.layers import command as layer_command
from bootos.image.look_command import diff, extract, inspect
from bootos.image.namespace import enter_namespace
from bootos.image.progress import BuildScreen
from bootos.image.recipe_file import read_recipe
from bootos.screen import Screen, build_table, print_json
from bootos.wire.manifest import Manifest

app = typer.Typer(help="Build the in-memory operating system, look at it, change it.", no_args_is_help=True)
for verb in (inspect, diff, extract, iso, layer_command.add, layer_command.remove):
    app.command()(verb)


@app.callback()
def image() -> None:
    """Build the in-memory operating system, look at it, change it."""


@app.command()
def build(
    recipe: Annotated[Path, typer.Option(help="What the image contains.")] = Path("recipes/bootos.toml"),
    profile: Annotated[
        str, typer.Option(help="Another profile than the recipe's, as minimal, server or all.")
    ] = "",
    output: Annotated[Path, typer.Option(help="Where vmlinuz, initrd.img and manifest.json go.")] = Path(
        "build/image"
    ),
    cache: Annotated[Path, typer.Option(help="Where finished stages are kept.")] = Path("build/cache"),
    lock: Annotated[
        Path | None,
        typer.Option(help="JSON file with the exact packages: obeyed when it is there, else written."),
    ] = None,
    update: Annotated[
        bool, typer.Option("--update", help="Take the archive's newest packages; a lock is written anew.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the manifest as JSON, and nothing else.")
    ] = False,
) -> None:
    """Build vmlinuz, initrd.img and manifest.json from a recipe.

    What did not change since the last build is taken from the cache; an interrupted build goes on where it was.
    Without root it needs subordinate ids (/etc/subuid). report.html shows what takes how much.

    Example: bootos image build --recipe recipes/bootos.toml --output build/image
    """
    screen = Screen(stderr=json)
    loaded = read_recipe(recipe, profile)
    check_host()
    enter_namespace()
    began = time.monotonic()
    with BuildScreen(screen) as progress:
        manifest = build_image(loaded, output, cache, progress.show, lock_path=lock, update=update)
    if json:
        print_json(manifest)
    else:
        _print_summary(screen, manifest, output, time.monotonic() - began)


def _print_summary(screen: Screen, manifest: Manifest, output: Path, seconds: float) -> None:
    title = f"{manifest.name} {manifest.version}, kernel {manifest.kernel_release}"
    screen.print(title, soft_wrap=True)
    table = build_table("part", "size")
    table.columns[1].justify = "right"
    for entry in manifest.segments:
        table.add_row(f"  segment {entry.name}", f"{entry.size_bytes / 1e6:.1f} MB")
    for entry in manifest.files:
        table.add_row(entry.name, f"{entry.size_bytes / 1e6:.1f} MB")
    table.add_row("together", f"{manifest.size_bytes / 1e6:.1f} MB")
    screen.print(table)
    screen.print(f"{output} in {seconds:.0f} s")
