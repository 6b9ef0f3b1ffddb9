"""Static checks: every mistake in a template that can be seen without a machine, all at once, each with its path.

`read_template` is what the server calls when a template is saved and the agent before it plans. What needs the
machine (is drive 7 there, does 2 TiB fit) is found by the drivers' `plan`, in the same form.
"""

import ipaddress
from collections.abc import Iterator
from typing import Any

import msgspec

from bootos.document import convert_all
from bootos.errors import Problem
from bootos.template.drivelist import DriveList, parse_drives
from bootos.template.model import (
    ArrayWanted,
    DiskWanted,
    Oob,
    OobNetwork,
    OobUser,
    Partition,
    Script,
    Secret,
    Template,
)
from bootos.template.partitioncheck import check_filesystem, check_partitions
from bootos.template.placeholder import find_secret_words
from bootos.template.size import parse_bytes, parse_range

# mdadm itself takes a RAID 5 of two and a RAID 6 of three drives (and an "even" RAID 10 of two or three):
# no operator means that; what SNIA calls the level needs these.
FEWEST_DRIVES = {0: 2, 1: 2, 5: 3, 6: 4, 10: 4}

LATER = ("firmware", "bios")  # in the model so that templates can be written; no driver carries them out yet

PASSWORD_MOST_BYTES = 20  # IPMI 2.0, 22.30 Set User Password


def read_template(data: Any) -> tuple[Template | None, list[Problem]]:
    """Turn plain values into a Template; returns (template or None, every problem found).

    The template is None only when a required part is missing; with problems it must not be carried out.
    """
    template, problems = convert_all(data, Template)
    if template is None:
        return None, problems
    places = _Places(data)
    for key in LATER:
        if getattr(template, key):
            problems.append(
                Problem(path=key, message="is not supported by this version", hint="leave it out")
            )
    problems += _check_raid(template, places)
    problems += _check_disks(template, places)
    if template.oob is not None:
        problems += _check_oob(template.oob, places)
    unique = {(problem.path, problem.message): problem for problem in problems}
    return template, list(unique.values())


def find_secrets(template: Template) -> set[str]:
    """The names of all secrets that the template refers to."""

    def walk(value: Any) -> Iterator[str]:
        if isinstance(value, Secret):
            yield value.secret
        elif isinstance(value, Script):
            yield from find_secret_words(value.script)
        elif isinstance(value, msgspec.Struct):
            for field in value.__struct_fields__:
                yield from walk(getattr(value, field))
        elif isinstance(value, list):
            for item in value:
                yield from walk(item)

    return set(walk(template))


def find_plain_passwords(template: Template) -> list[Problem]:
    """Passwords that stand in the template itself, where everybody who may read it sees them."""
    users = template.oob.users if template.oob is not None else []
    return [
        Problem(
            path=f"oob.users[{number}].password",
            message="is written out, and everybody who reads the template would see it",
            hint="store it (bootos secret set NAME) and refer to it here: password: {secret: NAME}",
        )
        for number, user in enumerate(users)
        if isinstance(user.password, str)
    ]


class _Places:
    """Where an item of the model stands in the document: `convert_all` leaves unusable list items out."""

    def __init__(self, data: Any) -> None:
        self._data = data

    def raw(self, *keys: str | int) -> Any:
        value = self._data
        for key in keys:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def indices(self, model: Any, *keys: str | int) -> list[int]:
        listed = self.raw(*keys)
        items = listed if isinstance(listed, list) else []
        return [number for number, item in enumerate(items) if convert_all(item, model)[0] is not None]


def _read_drives(value: str | int, path: str, problems: list[Problem]) -> DriveList | None:
    try:
        return parse_drives(value)
    except ValueError as cause:
        problems.append(Problem(path=path, message=str(cause)))
        return None


def _check_raid(template: Template, places: _Places) -> list[Problem]:
    problems: list[Problem] = []
    if template.raid is None:
        return problems
    names: dict[str, str] = {}
    used: dict[int, str] = {}
    for index, array in zip(
        places.indices(ArrayWanted, "raid", "arrays"), template.raid.arrays, strict=False
    ):
        at = f"raid.arrays[{index}]"
        if array.name in names:
            problems.append(
                Problem(path=f"{at}.name", message=f"{array.name!r} is {names[array.name]} already")
            )
        names.setdefault(array.name, at)
        drives = _read_drives(array.drives, f"{at}.drives", problems)
        spares = None
        if array.hotspares is not None:
            spares = _read_drives(array.hotspares, f"{at}.hotspares", problems)
        fewest = FEWEST_DRIVES[array.level]
        if drives is not None and drives.open_from is None and len(drives.named) < fewest:
            message = f"RAID {array.level} needs at least {fewest} drives, not {len(drives.named)}"
            problems.append(Problem(path=f"{at}.drives", message=message))
        if array.level == 10 and drives is not None and drives.open_from is None and len(drives.named) % 2:
            message = f"RAID 10 needs an even number of drives, not {len(drives.named)}"
            problems.append(Problem(path=f"{at}.drives", message=message))
        if array.level == 0 and spares is not None:
            problems.append(Problem(path=f"{at}.hotspares", message="RAID 0 cannot use a hot spare"))
        if (
            spares is not None
            and spares.open_from is not None
            and drives is not None
            and drives.open_from is not None
        ):
            message = "drives and hotspares are both open: one of them must name its drives"
            problems.append(Problem(path=f"{at}.hotspares", message=message))
        for part, listed in (("drives", drives), ("hotspares", spares)):
            for number in listed.named if listed else ():
                if number in used:
                    message = f"drive {number} is used by {used[number]} already"
                    problems.append(Problem(path=f"{at}.{part}", message=message))
                used.setdefault(number, f"{at}.{part}")
        problems += _check_chunk(array, at)
        if array.size is not None:
            try:
                parse_bytes(array.size)
            except ValueError as cause:
                problems.append(Problem(path=f"{at}.size", message=str(cause)))
    return problems


def _check_chunk(array: ArrayWanted, at: str) -> list[Problem]:
    if array.chunk is None:
        return []
    if array.level == 1:
        return [Problem(path=f"{at}.chunk", message="RAID 1 has no chunk size", hint="leave it out")]
    try:
        chunk_bytes = parse_bytes(array.chunk)
    except ValueError as cause:
        return [Problem(path=f"{at}.chunk", message=str(cause))]
    if chunk_bytes < 4096 or chunk_bytes & (chunk_bytes - 1):
        message = f"{array.chunk!r} is not a power of two from 4KiB on"
        return [Problem(path=f"{at}.chunk", message=message, hint="64KiB, 256KiB and 512KiB are usual")]
    return []


def _check_disks(template: Template, places: _Places) -> list[Problem]:
    problems: list[Problem] = []
    arrays = {array.name for array in template.raid.arrays} if template.raid else set()
    seen_arrays: dict[str, str] = {}
    uuids: dict[str, str] = {}
    for index, disk in zip(places.indices(DiskWanted, "disks"), template.disks, strict=False):
        at = f"disks[{index}]"
        problems += _check_select(disk, at, places.raw("disks", index, "select"))
        name = disk.select.array
        if name is not None:
            if name in seen_arrays:
                message = f"array {name!r} is used by {seen_arrays[name]} already"
                problems.append(Problem(path=f"{at}.select.array", message=message))
            seen_arrays.setdefault(name, at)
            if template.raid is not None and template.raid.clear and name not in arrays:
                message = f"array {name!r} is not in raid.arrays, and raid.clear deletes all others"
                problems.append(Problem(path=f"{at}.select.array", message=message))
        raw_parts = places.raw("disks", index, "partitions")
        if not disk.partitions and disk.table is None and disk.filesystem is None and not raw_parts:
            message = "asks for nothing: give partitions, a table or a filesystem"
            problems.append(Problem(path=at, message=message))
        if disk.filesystem is not None and (disk.partitions or disk.table is not None):
            message = "a file system on the whole disk excludes a table and partitions"
            problems.append(Problem(path=f"{at}.filesystem", message=message))
        if disk.filesystem is not None:
            problems += check_filesystem(disk.filesystem, f"{at}.filesystem", uuids)
        if disk.partitions:
            indices = places.indices(Partition, "disks", index, "partitions")
            problems += check_partitions(disk, at, indices, uuids)
    return problems


def _check_select(disk: DiskWanted, at: str, raw: Any) -> list[Problem]:
    problems: list[Problem] = []
    select = disk.select
    given = [field for field in select.__struct_fields__ if getattr(select, field) is not None]
    if not given and not raw:
        hint = "give array, size, type, model, serial, wwn, path or drives"
        problems.append(Problem(path=f"{at}.select", message="is empty", hint=hint))
    if select.array is not None and len(given) > 1:
        others = ", ".join(name for name in given if name != "array")
        message = f"an array is selected by its name alone, without {others}"
        problems.append(Problem(path=f"{at}.select.array", message=message))
    if select.size is not None:
        try:
            parse_range(select.size)
        except ValueError as cause:
            problems.append(Problem(path=f"{at}.select.size", message=str(cause)))
    if select.drives is not None:
        _read_drives(select.drives, f"{at}.select.drives", problems)
    return problems


def _check_oob(oob: Oob, places: _Places) -> list[Problem]:
    problems: list[Problem] = []
    if oob.network is not None:
        problems += _check_network(oob.network)
    names: dict[str, str] = {}
    for index, user in zip(places.indices(OobUser, "oob", "users"), oob.users, strict=False):
        at = f"oob.users[{index}]"
        if user.name in names:
            message = f"{user.name!r} is {names[user.name]} already"
            problems.append(Problem(path=f"{at}.name", message=message))
        names.setdefault(user.name, at)
        if len(user.name.encode()) > 16 or not user.name.isascii() or not user.name.isprintable():
            message = "must be up to 16 printable ASCII characters"
            problems.append(Problem(path=f"{at}.name", message=message))
        elif " " in user.name or '"' in user.name or "'" in user.name:
            problems.append(Problem(path=f"{at}.name", message="must not hold spaces or quotation marks"))
        if isinstance(user.password, str):
            problems += check_password(user.password, f"{at}.password")
    return problems


def check_password(password: str, path: str) -> list[Problem]:
    """The limits of IPMI 2.0; also for the resolved values of secrets. The message never holds the password."""
    if not password:
        return [Problem(path=path, message="is empty", hint="leave it out to keep the present password")]
    if len(password.encode()) > PASSWORD_MOST_BYTES:
        message = f"is longer than {PASSWORD_MOST_BYTES} bytes, the most that IPMI can hold"
        return [Problem(path=path, message=message)]
    if not password.isascii() or not password.isprintable():
        return [Problem(path=path, message="must be printable ASCII characters")]
    return []


def _check_network(network: OobNetwork) -> list[Problem]:
    at = "oob.network"
    problems: list[Problem] = []
    if network.vlan is not None and not 0 <= network.vlan <= 4094:
        message = f"{network.vlan} is not a VLAN"
        problems.append(Problem(path=f"{at}.vlan", message=message, hint="1 to 4094, or 0 for none"))
    if network.source == "dhcp":
        for key in ("address", "gateway"):
            if getattr(network, key) is not None:
                message = "comes from DHCP: leave it out, or use source: static"
                problems.append(Problem(path=f"{at}.{key}", message=message))
        return problems
    if network.address is None:
        message = "is required with source: static"
        problems.append(Problem(path=f"{at}.address", message=message, hint="as 10.0.8.21/24"))
        return problems
    hint = "as 10.0.8.21/24"
    try:
        if "/" not in network.address:
            raise ValueError("has no prefix length")
        interface = ipaddress.IPv4Interface(network.address)
    except ValueError as cause:
        reason = (
            "has no prefix length" if "prefix" in str(cause) else "is not an IPv4 address with its prefix"
        )
        problems.append(Problem(path=f"{at}.address", message=f"{network.address!r} {reason}", hint=hint))
        return problems
    net = interface.network
    if net.prefixlen < 31 and interface.ip in (net.network_address, net.broadcast_address):
        message = f"{interface.ip} is the network's own or its broadcast address in {net}"
        problems.append(Problem(path=f"{at}.address", message=message))
    if interface.ip.is_multicast or interface.ip.is_loopback or interface.ip.is_unspecified:
        problems.append(
            Problem(path=f"{at}.address", message=f"{interface.ip} cannot be a machine's address")
        )
    if network.gateway is None:
        return problems
    try:
        gateway = ipaddress.IPv4Address(network.gateway)
    except ValueError:
        message = f"{network.gateway!r} is not an IPv4 address"
        problems.append(Problem(path=f"{at}.gateway", message=message))
        return problems
    if gateway not in net:
        problems.append(Problem(path=f"{at}.gateway", message=f"{gateway} is not in {net}"))
    elif gateway == interface.ip:
        problems.append(Problem(path=f"{at}.gateway", message=f"{gateway} is the BMC's own address"))
    return problems
