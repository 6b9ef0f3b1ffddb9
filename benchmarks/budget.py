"""The budgets of BootOS beside the newest figures. Measures nothing: the other benchmarks do. `make budgets`."""

import json as json_codec
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from frame import run_main

from bootos.lab.budget import BUDGETS, FIGURES, compare_budgets, print_budgets, read_budgets, read_figures
from bootos.screen import Screen


def main(
    image: Annotated[Path, typer.Option(help="The directory of the image.")] = Path("build/image"),
    figures: Annotated[Path, typer.Option(help="Where benchmarks left their figures.")] = FIGURES,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")] = False,
) -> None:
    """Print each budget, and whether it is kept. Exit code 1 when one is not.

    Example: python benchmarks/budget.py
    """
    held = compare_budgets(read_budgets(BUDGETS), read_figures(figures, image))
    if json:
        rows = [{**msgspec.to_builtins(item), "kept": item.is_kept} for item in held]
        sys.stdout.write(json_codec.dumps(rows, indent=2) + "\n")
    else:
        print_budgets(held, Screen())
    if not all(item.is_kept for item in held):
        raise typer.Exit(1)


if __name__ == "__main__":
    run_main(main)
