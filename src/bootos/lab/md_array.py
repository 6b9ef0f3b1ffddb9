"""An md array (Linux software RAID) read from outside: on the host, from the image files of its members.

`read_md_member` says what `mdadm --examine` finds in a file, `build_array_view` lays the members of an array out as one
plain file, in which `disk` then looks. Nothing here writes to a disk image. Layouts: md(4), section "RAID5 / RAID10".
"""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from bootos.errors import BootosError
from bootos.lab.disk import SECTOR_BYTES
from bootos.process import run

_COPY_BYTES = 4 * 1024 * 1024


class MdMember(msgspec.Struct, frozen=True, kw_only=True):
    """One member of an md array. `slot` is its place in the array, None for a spare. `array_size_bytes` is what the
    array holds, 0 in a spare that never was active; `chunk_bytes` is 0 for level 1."""

    path: str
    name: str
    array_uuid: str
    device_uuid: str
    level: int
    devices: int
    slot: int | None
    state: str
    array_state: str
    array_size_bytes: int
    used_size_bytes: int
    data_offset_bytes: int
    chunk_bytes: int
    layout: str

    @property
    def is_spare(self) -> bool:
        """Whether it holds no data of the array."""
        return self.slot is None


def parse_md_member(text: str, *, path: str) -> MdMember:
    """Parse what `mdadm --examine` prints for one device with version 1 metadata. Raises BootosError."""
    facts: dict[str, str] = {}
    for line in text.splitlines():
        key, separator, value = line.partition(" : ")
        if separator:
            facts.setdefault(key.strip(), value.strip())
    try:
        role = re.match(r"Active device (\d+)", facts["Device Role"])
        return MdMember(
            path=path,
            name=facts["Name"].split(" ")[0],
            array_uuid=facts["Array UUID"],
            device_uuid=facts["Device UUID"],
            level=int(facts["Raid Level"].removeprefix("raid")),
            devices=int(facts["Raid Devices"]),
            slot=int(role[1]) if role else None,
            state=facts["State"],
            array_state=facts.get("Array State", "").split(" ")[0],
            array_size_bytes=_leading_number(facts.get("Array Size", "0")) * 1024,
            used_size_bytes=_read_used_bytes(facts),
            data_offset_bytes=_leading_number(facts["Data Offset"]) * SECTOR_BYTES,
            chunk_bytes=_leading_number(facts.get("Chunk Size", "0")) * 1024,
            layout=facts.get("Layout", ""),
        )
    except (KeyError, ValueError) as cause:
        raise BootosError(
            f"{path} is not a member of an md array with version 1 metadata: {cause}"
        ) from cause


def _leading_number(text: str) -> int:
    found = re.match(r"\d+", text)
    return int(found[0]) if found else 0


def _read_used_bytes(facts: dict[str, str]) -> int:
    """What the array uses of the member: "Used Dev Size" where it differs from "Avail Dev Size", in sectors."""
    return _leading_number(facts.get("Used Dev Size") or facts["Avail Dev Size"]) * SECTOR_BYTES


def read_md_member(path: Path) -> MdMember | None:
    """What `mdadm --examine` says about an image file; None when it is no member of an array."""
    done = run(["mdadm", "--examine", path], check=False, env={"LC_ALL": "C"})
    if done.returncode != 0 or "Magic : a92b4efc" not in done.stdout:
        return None
    return parse_md_member(done.stdout, path=str(path))


def read_md_arrays(paths: Sequence[Path]) -> dict[str, list[MdMember]]:
    """The arrays found on these images by name (without the host's part), members by slot, spares last."""
    arrays: dict[str, list[MdMember]] = {}
    for path in paths:
        if (member := read_md_member(path)) is not None:
            arrays.setdefault(member.name.rpartition(":")[2], []).append(member)
    for members in arrays.values():
        members.sort(key=lambda member: (member.is_spare, member.slot or 0))
    return arrays


def build_array_view(members: Sequence[MdMember], target: Path) -> Path:
    """Write the content of an array to the sparse file `target`, from its members' files; returns `target`.

    Levels 0, 1, 4, 5, 6 and 10 (near copies). A missing member is computed from parity at levels 4, 5, and read
    from its copy at 1 and 10. Raises BootosError for what cannot be read.
    """
    active = {member.slot: member for member in members if member.slot is not None}
    if not active:
        raise BootosError("an array cannot be read from spares only")
    first = next(iter(active.values()))
    size_bytes = first.array_size_bytes or _find_stripe_size_bytes(list(active.values()))
    with target.open("wb") as out:
        out.truncate(size_bytes)
        reader = _ArrayReader(active, first)
        try:
            for offset, chunk in reader.read_chunks(size_bytes):
                if chunk != bytes(len(chunk)):
                    out.seek(offset)
                    out.write(chunk)
        finally:
            reader.close()
    return target


def _find_stripe_size_bytes(members: Sequence[MdMember]) -> int:
    """Level 0 has no array size in its metadata: every member gives what it has, in whole chunks."""
    sizes = {member.used_size_bytes // member.chunk_bytes * member.chunk_bytes for member in members}
    if len(sizes) != 1:
        raise BootosError("a level 0 array over members of different size cannot be read")
    return sizes.pop() * len(members)


class _ArrayReader:
    """Reads the data chunks of an array in order."""

    def __init__(self, active: dict[int, MdMember], facts: MdMember) -> None:
        self._active = active
        self._facts = facts
        self._files = {slot: os.open(member.path, os.O_RDONLY) for slot, member in active.items()}

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            os.close(file)

    def read_chunks(self, size_bytes: int) -> Iterator[tuple[int, bytes]]:
        """(offset in the array, content) until `size_bytes`."""
        step = self._facts.chunk_bytes or _COPY_BYTES
        for number, offset in enumerate(range(0, size_bytes, step)):
            yield offset, self._read_chunk(number, min(step, size_bytes - offset))

    def _read_chunk(self, number: int, size_bytes: int) -> bytes:
        facts = self._facts
        if facts.level == 1:
            return self._read(next(iter(self._files)), number, size_bytes)
        row, slots = find_chunk(number, level=facts.level, devices=facts.devices, layout=facts.layout)
        for slot in slots:
            if slot in self._files:
                return self._read(slot, row, size_bytes)
        if facts.level not in (4, 5):
            raise BootosError(
                f"array {facts.name} lacks member {slots[0]}, and level {facts.level} is not repaired here"
            )
        return self._compute(slots[0], row, size_bytes)

    def _read(self, slot: int, row: int, size_bytes: int) -> bytes:
        step = self._facts.chunk_bytes or _COPY_BYTES
        offset = self._active[slot].data_offset_bytes + row * step
        return os.pread(self._files[slot], size_bytes, offset).ljust(size_bytes, b"\0")

    def _compute(self, missing: int, row: int, size_bytes: int) -> bytes:
        """A lost chunk: the exclusive or of all others in its row."""
        others = [slot for slot in range(self._facts.devices) if slot != missing]
        if any(slot not in self._files for slot in others):
            raise BootosError(f"array {self._facts.name} lacks more than one member")
        value = 0
        for slot in others:
            value ^= int.from_bytes(self._read(slot, row, size_bytes), "little")
        return value.to_bytes(size_bytes, "little")


def find_chunk(number: int, *, level: int, devices: int, layout: str) -> tuple[int, tuple[int, ...]]:
    """Where data chunk `number` lies: (row on the members, the slots that hold it). Raises BootosError."""
    if level == 0:
        return number // devices, (number % devices,)
    if level == 4:
        return number // (devices - 1), (number % (devices - 1),)
    if level == 5 and layout == "left-symmetric":
        row, place = divmod(number, devices - 1)
        parity = devices - 1 - row % devices
        return row, ((parity + 1 + place) % devices,)
    if level == 6 and layout == "left-symmetric":
        row, place = divmod(number, devices - 2)
        parity = devices - 1 - row % devices
        return row, ((parity + 2 + place) % devices,)
    if level == 10 and (found := re.fullmatch(r"near=(\d+)", layout)):
        copies = int(found[1])
        row, slot = divmod(number * copies, devices)
        if slot + copies > devices:
            raise BootosError(f"level 10 with {copies} copies over {devices} members cannot be read")
        return row, tuple(range(slot, slot + copies))
    raise BootosError(f"level {level} with layout {layout!r} cannot be read")
