"""Proof by reading: stamps that are written to a drive, and what is found at their places afterwards. Used by
`disk.erase`.

A stamp is a block of 4096 bytes that tells its own place and the secret of one run, so that neither an old stamp nor
one of another place can be taken for it. All reading and writing goes past the page cache (O_DIRECT).
"""

import hashlib
import mmap
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bootos.drivers.contract import DriverError

BLOCK_BYTES = 4096
CHUNK_BYTES = 8 * 1024**2
# blocks that are read at the begin and at the end: partition tables, superblocks and RAID metadata are there
EDGE_BLOCKS = 8
SAMPLES = 256

ZERO, ONES, STAMP, OTHER = "zero", "ones", "stamp", "other"

Progress = Callable[[int, int], None]  # (bytes done, bytes in all); may raise when it takes too long


def find_positions(size_bytes: int, seed: str, samples: int = SAMPLES) -> list[int]:
    """Byte offsets of whole blocks: both edges, the middle, and random places that `seed` determines. Sorted."""
    last = size_bytes // BLOCK_BYTES - 1
    if last < 0:
        return []
    edges = {*range(EDGE_BLOCKS), *range(last - EDGE_BLOCKS + 1, last + 1), last // 2}
    drawn = random.Random(seed)
    chosen = {number for number in edges if 0 <= number <= last}
    chosen |= {drawn.randint(0, last) for _ in range(samples)}
    return [number * BLOCK_BYTES for number in sorted(chosen)]


def build_stamp(seed: str, offset: int) -> bytes:
    """What one block holds; its first eight bytes are its offset, then a digest over and over."""
    digest = hashlib.sha256(f"bootos {seed}".encode()).digest()
    return (offset.to_bytes(8, "big") + digest[8:] + digest * (BLOCK_BYTES // 32 - 1))[:BLOCK_BYTES]


def classify(block: bytes, stamp: bytes) -> str:
    """What is in a block: zeros, ones, this stamp, or something else."""
    if block == stamp:
        return STAMP
    if block == bytes(len(block)):
        return ZERO
    return ONES if block == b"\xff" * len(block) else OTHER


class Medium:
    """An open drive. Offsets and lengths are whole blocks."""

    def __init__(self, file: int, path: Path) -> None:
        self._file = file
        self._path = path
        self._buffer = mmap.mmap(-1, CHUNK_BYTES)  # O_DIRECT needs an aligned buffer
        self.size_bytes = os.lseek(file, 0, os.SEEK_END) // BLOCK_BYTES * BLOCK_BYTES

    def read(self, offset: int, length: int = BLOCK_BYTES) -> bytes:
        """`length` bytes from `offset` on. Raises DriverError when the drive ends before, or does not read."""
        view = memoryview(self._buffer)[:length]
        try:
            if os.preadv(self._file, [view], offset) != length:
                raise DriverError(f"{self._path} ends before byte {offset + length}")
            return bytes(view)
        except OSError as cause:
            raise DriverError(f"{self._path} cannot be read at byte {offset}: {cause.strerror}") from cause

    def write(self, offset: int, content: bytes) -> None:
        """Write at a byte offset, past the page cache. Raises DriverError when not all of it was taken."""
        view = memoryview(self._buffer)[: len(content)]
        view[:] = content
        try:
            if os.pwritev(self._file, [view], offset) != len(content):
                raise DriverError(f"{self._path} took only a part of what was written at byte {offset}")
        except OSError as cause:
            raise DriverError(f"{self._path} cannot be written at byte {offset}: {cause.strerror}") from cause


@contextmanager
def opened(path: Path, *, write: bool) -> Iterator[Medium]:
    """A drive, past the page cache; what was written is on it when this ends. Raises DriverError."""
    try:
        file = os.open(path, (os.O_RDWR if write else os.O_RDONLY) | os.O_DIRECT | os.O_CLOEXEC)
    except OSError as cause:
        raise DriverError(f"{path} cannot be opened: {cause.strerror}") from cause
    try:
        yield Medium(file, path)
        if write:
            os.fsync(file)
    except OSError as cause:
        raise DriverError(f"{path} cannot be written to the end: {cause.strerror}") from cause
    finally:
        os.close(file)


def write_stamps(path: Path, seed: str, positions: Sequence[int]) -> None:
    """Put a stamp at each position."""
    with opened(path, write=True) as medium:
        for offset in positions:
            medium.write(offset, build_stamp(seed, offset))


def overwrite(path: Path, seed: str, progress: Progress) -> None:
    """Fill the whole drive with stamps."""
    with opened(path, write=True) as medium:
        for offset in range(0, medium.size_bytes, CHUNK_BYTES):
            medium.write(offset, _build_chunk(seed, offset, medium.size_bytes))
            progress(offset, medium.size_bytes)


def _build_chunk(seed: str, offset: int, size_bytes: int) -> bytes:
    length = min(CHUNK_BYTES, size_bytes - offset)
    rest = build_stamp(seed, 0)[8:]
    return b"".join(place.to_bytes(8, "big") + rest for place in range(offset, offset + length, BLOCK_BYTES))


def read_samples(path: Path, seed: str, positions: Sequence[int]) -> Counter[str]:
    """How many of the blocks hold what."""
    with opened(path, write=False) as medium:
        return Counter(classify(medium.read(offset), build_stamp(seed, offset)) for offset in positions)


def read_all(path: Path, seed: str, progress: Progress) -> Counter[str]:
    """The same of every block of the drive."""
    found: Counter[str] = Counter()
    with opened(path, write=False) as medium:
        for offset in range(0, medium.size_bytes, CHUNK_BYTES):
            length = min(CHUNK_BYTES, medium.size_bytes - offset)
            content = medium.read(offset, length)
            blocks = length // BLOCK_BYTES
            if content == bytes(length):
                found[ZERO] += blocks
            elif content == _build_chunk(seed, offset, medium.size_bytes):
                found[STAMP] += blocks
            else:
                for place in range(0, length, BLOCK_BYTES):
                    block = content[place : place + BLOCK_BYTES]
                    found[classify(block, build_stamp(seed, offset + place))] += 1
            progress(offset, medium.size_bytes)
    return found


def find_doubt(method: str, variant: str, found: dict[str, int], *, resumed: bool) -> str:
    """Why what was read back is no proof; empty: it is one. Pure."""
    total = sum(found.values())
    stamps, other = found.get(STAMP, 0), found.get(OTHER, 0)
    if not total:
        return "nothing was read"
    if method == "overwrite":
        return "" if stamps == total else f"{total - stamps} of {total} blocks do not hold what was written"
    if stamps:
        return f"{stamps} of {total} blocks still hold what was written before"
    if other and resumed and variant != "crypto":
        return f"{other} of {total} blocks are not empty, and nothing was written there before that could be missed"
    return ""
