"""What every benchmark does around its work: run as a command, and say what failed in lines. Each imports it as a
neighbour, as Python finds the directory of the program that it runs."""

import sys
from collections.abc import Callable
from pathlib import Path

import typer

from bootos.errors import BootosError, describe_os_error, read_chain


def run_main(main: Callable[..., None]) -> None:
    """Run `main` with the words of the command line. A BootosError or OSError ends it with 1, without a traceback."""
    try:
        typer.run(main)
    except BootosError as error:
        for sentence in read_chain(error):
            typer.echo(f"{Path(sys.argv[0]).name}: {sentence}", err=True)
        sys.exit(1)
    except OSError as error:
        typer.echo(f"{Path(sys.argv[0]).name}: {describe_os_error(error)}", err=True)
        sys.exit(1)
