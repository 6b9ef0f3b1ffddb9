"""What a boot reads of the image, against the recipe's `hot.paths`: files that are read and not hot, hot and not read.

One boot. fincore(1) does not serve: it asks for the page cache of the overlay's files, which have none.
"""

import base64
import json as json_codec
import re
import sys
import zlib
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from frame import run_main
from rich.console import Console

from bootos.image.kernel_module import is_below
from bootos.image.recipe_file import read_recipe
from bootos.lab.scenario import SERIAL_CONSOLE, Scenario
from bootos.lab.serial import REGISTERED
from bootos.lab.shell import run_in_shell
from bootos.lab.spec import DiskSpec, MachineSpec, NicSpec, boot_image

DEADLINE_S = 1800.0
PAGE_BYTES = 4096
OWN = ("/usr/lib/python3/dist-packages/bootos", "/usr/lib/bootos", "/usr/bin/bootos-agent")
# The image's Python runs this. A mapping of a file of the overlay is a mapping of the layer's file, and mincore(2)
# tells which of its pages are in memory.
LOOK = """
import ctypes, os
c = ctypes.CDLL(None)
c.mmap.restype = ctypes.c_void_p
c.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
c.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
c.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
for top in ("/usr", "/etc", "/var"):
    for folder, _, names in os.walk(top):
        for path in (os.path.join(folder, name) for name in names):
            if os.path.islink(path) or not os.path.isfile(path) or not (size := os.stat(path).st_size):
                continue
            file = os.open(path, os.O_RDONLY)
            where = c.mmap(None, size, 1, 1, file, 0)
            pages = ctypes.create_string_buffer((size + 4095) // 4096)
            if c.mincore(where, size, pages) == 0:
                print("HELD", sum(page & 1 for page in pages.raw), size, path)
            c.munmap(where, size)
            os.close(file)
"""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the booted machine, and how much of it is in memory."""

    path: str
    size_bytes: int
    held_bytes: int


def build_command() -> str:
    """LOOK as one line for the shell."""
    packed = base64.b64encode(zlib.compress(LOOK.encode(), 9)).decode()
    return f"python3 -c 'import base64,zlib;exec(zlib.decompress(base64.b64decode(\"{packed}\")))'"


def parse_held(text: str) -> list[Held]:
    """Lines `HELD PAGES SIZE PATH`."""
    found = re.findall(r"^HELD (\d+) (\d+) (/.+?)\r?$", text, re.MULTILINE)
    return [
        Held(path=path, size_bytes=int(size), held_bytes=int(pages) * PAGE_BYTES)
        for pages, size, path in found
    ]


def read_held(image: Path, output: Path) -> list[Held]:
    """Boot a machine until it is registered, and ask it."""
    spec = MachineSpec(
        name="hot",
        disks=(DiskSpec(name="a", serial="BENCH-A"),),
        nics=(NicSpec(mac="52:54:00:be:0c:05", boot=False),),
    )
    with Scenario(output) as scenario:
        server = scenario.start_server(boot_files=image)
        boot = boot_image(
            image,
            append=f"{SERIAL_CONSOLE} SERVER_ADDR={server.guest_url}",
        )
        machine = scenario.add_machine(msgspec.structs.replace(spec, boot=boot))
        machine.power_on()
        machine.wait_for_serial(REGISTERED, DEADLINE_S)
        return parse_held(run_in_shell(machine, build_command(), deadline_s=DEADLINE_S)[1])


def compare(held: list[Held], hot: tuple[str, ...]) -> tuple[list[Held], list[Held]]:
    """(read and not hot, hot and not read), the largest first, without BootOS's own layer, which is all hot. What the
    look itself read is among the first."""
    cold = [item for item in held if item.held_bytes and not is_hot(item.path, (*hot, *OWN))]
    unread = [item for item in held if not item.held_bytes and is_hot(item.path, hot)]
    return (
        sorted(cold, key=lambda item: -item.held_bytes),
        sorted(unread, key=lambda item: -item.size_bytes),
    )


def is_hot(path: str, hot: tuple[str, ...]) -> bool:
    """Whether a file goes into the hot layers."""
    return any(is_below(path, item) for item in hot)


def print_list(title: str, items: list[tuple[int, str]], most: int) -> None:
    """The largest of them, and how much all are."""
    typer.echo(f"{title}: {len(items)} files, {sum(size for size, _ in items) / 1e6:.1f} MB")
    for size, path in items[:most]:
        typer.echo(f"{size / 1e3:8.0f} kB  {path}")


def main(
    image: Annotated[Path, typer.Option(help="The directory of the image.")] = Path("build/image"),
    recipe: Annotated[Path, typer.Option(help="Its recipe.")] = Path("recipes/bootos.toml"),
    output: Annotated[Path, typer.Option(help="Where logs go.")] = Path("build/bench-hot"),
    most: Annotated[int, typer.Option(min=1, help="How many files of each list are shown.")] = 40,
    json: Annotated[bool, typer.Option("--json", help="Print all as JSON, and nothing else.")] = False,
) -> None:
    """Compare what a boot reads with the recipe's hot.paths.

    Example: python benchmarks/hot.py --most 100
    """
    screen = Console(stderr=json)
    hot = read_recipe(recipe).recipe.hot.paths
    with screen.status("booting"):
        held = read_held(image, output)
    if json:
        sys.stdout.write(json_codec.dumps(msgspec.to_builtins(held), indent=2) + "\n")
        return
    cold, unread = compare(held, hot)
    print_list("read and not hot", [(item.held_bytes, item.path) for item in cold], most)
    print_list("hot and not read", [(item.size_bytes, item.path) for item in unread], most)


if __name__ == "__main__":
    run_main(main)
