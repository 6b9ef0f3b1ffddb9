"""How small squashfs would pack a tree by xz and by zstd, and what unpacking costs, from a sample of its blocks.

A whole trial takes minutes of CPU for each setting; a sample of one block in twenty tells the difference. Blocks are
cut as mksquashfs cuts them: files in blocks, small files together. The same blocks go through every compressor.
"""

import json as json_codec
import lzma
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

LZMA = {"id": lzma.FILTER_LZMA2, "preset": 6}


def cut_blocks(tree: Path, block_bytes: int) -> Iterator[bytes]:
    """The blocks of a tree's files, in the order of their paths."""
    tail = b""
    for path in sorted(tree.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        if len(content) >= block_bytes:
            yield from (content[at : at + block_bytes] for at in range(0, len(content), block_bytes))
        elif len(tail) + len(content) > block_bytes:
            yield tail
            tail = content
        else:
            tail += content
    if tail:
        yield tail


def read_cpu_s() -> float:
    """CPU seconds of this process and of what it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(entry.ru_utime + entry.ru_stime for entry in used)


def measure_xz(blocks: list[bytes], filters: list[dict[str, int]]) -> tuple[int, float]:
    """(packed bytes, CPU seconds to unpack)."""
    packed = [lzma.compress(block, lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=filters) for block in blocks]
    began = read_cpu_s()
    for item in packed:
        lzma.decompress(item)
    return sum(map(len, packed)), read_cpu_s() - began


def measure_zstd(blocks: list[bytes]) -> tuple[int, float]:
    """(packed bytes, CPU seconds to unpack)."""
    with tempfile.TemporaryDirectory(prefix="blocks-") as directory:
        files = [Path(directory) / str(number) for number in range(len(blocks))]
        for file, block in zip(files, blocks, strict=True):
            file.write_bytes(block)
        subprocess.run(["zstd", "-19", "-q", "--no-check", *files], check=True, timeout=3600)
        packed = [file.with_name(f"{file.name}.zst") for file in files]
        began = read_cpu_s()
        subprocess.run(["zstd", "-dqc", *packed], check=True, timeout=600, stdout=subprocess.DEVNULL)
        return sum(file.stat().st_size for file in packed), read_cpu_s() - began


def measure(tree: Path, block_bytes: int, part: float) -> list[dict[str, float | str]]:
    """A row for each compressor."""
    blocks = list(cut_blocks(tree, block_bytes))
    chosen = random.Random(5).sample(blocks, max(4, int(len(blocks) * part)))
    size = sum(map(len, chosen))
    dictionary = {**LZMA, "dict_size": block_bytes}
    trials: dict[str, Callable[[], tuple[int, float]]] = {
        "xz": lambda: measure_xz(chosen, [dictionary]),
        "xz, x86 filter": lambda: measure_xz(chosen, [{"id": lzma.FILTER_X86}, dictionary]),
        "zstd -19": lambda: measure_zstd(chosen),
    }
    rows: list[dict[str, float | str]] = []
    for name, trial in trials.items():
        packed, cpu_s = trial()
        rows.append(
            {
                "compressor": name,
                "block_bytes": block_bytes,
                "ratio": packed / size,
                "unpack_cpu_s_per_mb": cpu_s / size * 1e6,
            }
        )
    return rows


def main(
    tree: Annotated[Path, typer.Argument(help="The directory to pack.")],
    part: Annotated[float, typer.Option(help="Which part of the blocks.")] = 0.05,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")] = False,
) -> None:
    """Compare compressors on a sample of a tree.

    Example: python benchmarks/compression.py build/cache/kernel-*/root --part 0.1
    """
    rows = [row for size in (256 * 1024, 1024 * 1024) for row in measure(tree, size, part)]
    if json:
        sys.stdout.write(json_codec.dumps(rows, indent=2) + "\n")
        return
    table = Table("block", "compressor", "packed", "CPU s to unpack 1 MB")
    for row in rows:
        block = f"{int(row['block_bytes']) // 1024} KiB"
        table.add_row(
            block, str(row["compressor"]), f"{row['ratio']:.1%}", f"{row['unpack_cpu_s_per_mb']:.4f}"
        )
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
