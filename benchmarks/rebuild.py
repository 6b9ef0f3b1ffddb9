"""How long a change takes to be in the image: a layer of 5 MB, and a rebuild after a change in the agent; with --full,
all of it anew from the packages in the cache.

The rebuild is that of a changed file in the recipe's overlay, which lies in the same layer as the agent: the same work.
Needs a built image and its cache, and root. The recipe is copied, and nothing of the tree is changed.
"""

import json as json_codec
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from frame import run_main
from rich.console import Console

from bootos.errors import BootosError
from bootos.image.layers.core import add_layer, pack_layer, read_image
from bootos.image.recipe_file import read_recipe
from bootos.lab.budget import FIGURES, write_figure
from bootos.process import run
from bootos.wire.manifest import LayerEntry

LAYER_BYTES = 5_000_000


def measure_layer(image: Path, work: Path) -> float:
    """Seconds to pack a tree of 5 MB that does not compress, and to put it into a copy of the image."""
    copy, tree = work / "image", work / "tree"
    shutil.copytree(image, copy)
    (tree / "usr/share/bench").mkdir(parents=True)
    (tree / "usr/share/bench/data").write_bytes(os.urandom(LAYER_BYTES))
    began = time.monotonic()
    pack_layer(tree, work / "bench.squashfs")
    add_layer(read_image(copy), work / "bench.squashfs", LayerEntry(name="bench", kind="files"))
    return time.monotonic() - began


def measure_rebuild(recipe: Path, cache: Path, work: Path) -> float:
    """Seconds to build the recipe with a new file in its overlay, all else from the cache."""
    shutil.copytree(recipe.parent, work / "recipes")
    loaded = read_recipe(work / "recipes" / recipe.name)
    overlays = loaded.find_files()["overlays"]
    if not overlays:
        raise BootosError(f"{recipe} has no overlay", hint="overlays = [DIRECTORY] in it")
    build(work / "recipes" / recipe.name, cache, work / "first")
    (overlays[0] / "etc").mkdir(exist_ok=True)
    (overlays[0] / "etc/bench").write_text(os.urandom(8).hex())
    began = time.monotonic()
    build(work / "recipes" / recipe.name, cache, work / "second")
    return time.monotonic() - began


def measure_full(recipe: Path, cache: Path, work: Path) -> tuple[float, str]:
    """Seconds to build the recipe with nothing but the downloaded packages; and what each stage took."""
    lock = work / "image.lock.json"
    build(recipe, cache, work / "known", "--lock", lock)
    (work / "cache").mkdir()
    shutil.copytree(cache / "debs", work / "cache/debs", copy_function=os.link)
    began = time.monotonic()
    printed = build(recipe, work / "cache", work / "anew", "--lock", lock)
    seconds = time.monotonic() - began
    return seconds, "\n".join(line for line in printed.splitlines() if line.endswith(" CPU s"))


def build(recipe: Path, cache: Path, output: Path, *words: str | Path) -> str:
    """`bootos image build`, as one would call it; returns what it printed."""
    argv = [sys.executable, "-m", "bootos.cli", "image", "build", "--recipe", recipe, "--cache", cache]
    return run([*argv, "--output", output, *words], timeout_s=3600).stdout


def main(
    image: Annotated[Path, typer.Option(help="The directory of the image.")] = Path("build/image"),
    recipe: Annotated[Path, typer.Option(help="What the image contains.")] = Path("recipes/bootos.toml"),
    cache: Annotated[Path, typer.Option(help="The build's cache.")] = Path("build/cache"),
    runs: Annotated[int, typer.Option(min=1, help="How often to do both.")] = 2,
    full: Annotated[
        bool, typer.Option("--full", help="Once, build all of it anew from the cached packages.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")] = False,
) -> None:
    """Measure adding a layer and rebuilding after a small change; with --full, building anew.

    Example: python benchmarks/rebuild.py --runs 3
    """
    screen = Console(stderr=json)
    found: dict[str, list[float]] = {"add_layer_s": [], "rebuild_agent_s": []}
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="bootos-bench-", dir=cache.parent) as work:
            with screen.status("adding a layer"):
                found["add_layer_s"].append(measure_layer(image, Path(work)))
            with screen.status("rebuilding"):
                found["rebuild_agent_s"].append(measure_rebuild(recipe, cache, Path(work)))
    if full:
        with (
            tempfile.TemporaryDirectory(prefix="bootos-bench-", dir=cache.parent) as work,
            screen.status("building anew"),
        ):
            seconds, stages = measure_full(recipe, cache, Path(work))
        found["full_build_s"] = [seconds]
        screen.print(stages, highlight=False)
    for name, seconds in found.items():
        write_figure(FIGURES, name, seconds)
    if json:
        sys.stdout.write(json_codec.dumps(found, indent=2) + "\n")
        return
    for name, seconds in found.items():
        screen.print(f"{name}: {', '.join(f'{value:.1f}' for value in seconds)}")


if __name__ == "__main__":
    run_main(main)
