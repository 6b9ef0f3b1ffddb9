"""Rows of lsblk as a tree with the columns that are read, whatever it was asked for. Pure; used by `block`."""

import re
from collections.abc import Iterator
from typing import Any

from bootos.engine.capture.excerpt import tell_first
from bootos.template.size import parse_bytes

_PART = re.compile(r"(.*\d)p\d+|(.*\D)\d+")
_ALONE = ("disk", "rom", "loop")  # what lies on no other device
_MADE = re.compile(r"(?:dm-|md)\d")  # what never is a disk
_DEEPEST = 32  # devices one on the other
_MOST_BYTES = 2**63


def clean(item: dict[str, Any]) -> dict[str, Any]:
    """One device with the columns that are read, whatever lsblk was asked for; `fill_in` adds the rest."""
    full = str(item.get("name") or item.get("kname") or "")  # `-p` prints the path
    name = full.rpartition("/")[2] if full.startswith("/dev/") else full
    size = item.get("size")
    size_bytes = size if isinstance(size, int) else _parse_size(str(size)) if size else 0
    points = item.get("mountpoints") or [item.get("mountpoint")]
    children = item.get("children")
    return {
        **item,
        "name": name,
        "path": str(item.get("path") or (full if full != name else f"/dev/{name}")),
        "type": str(item.get("type") or ""),
        "size": size_bytes if 0 <= size_bytes < _MOST_BYTES else 0,
        "ro": item.get("ro") in (True, 1, "1"),
        "log-sec": find_number(item.get("log-sec")) or 0,
        "mountpoints": [point for point in points if isinstance(point, str)]
        if isinstance(points, list)
        else [],
        "children": [clean(child) for child in children if isinstance(child, dict)]
        if isinstance(children, list)
        else [],
    }


def _parse_size(text: str) -> int:
    """`480103981056`, as with -b; `465.8G`, as without: of 1024; `465,8G` in other languages. 0: it is no size."""
    try:
        return parse_bytes(text)
    except ValueError:
        found = re.fullmatch(r"\s*(\d{1,20}(?:\.\d{1,6})?)\s*+([KMGTP]?)i?B?\s*", text.replace(",", "."))
        return int(float(found[1]) * 1024 ** " KMGTP".index(found[2] or " ")) if found else 0


def nest(rows: list[dict[str, Any]], notes: list[str]) -> list[dict[str, Any]]:
    """The rows of a flat list (`lsblk -l`, or one without the column NAME), each in what it is on: by PKNAME, and a
    partition by its name. What is listed with several parents is in each of them, with what is on it in the first."""
    if any(row["children"] for row in rows):
        return rows
    named: dict[str, dict[str, Any]] = {}
    for row in rows:  # PKNAME is a name of the kernel; another device may have it for its own
        named.setdefault(cut(str(row.get("kname") or row["name"])), row)
    for row in rows:
        named.setdefault(row["name"], row)
    parents: dict[str, dict[str, Any]] = {}
    pairs: dict[tuple[str, str], tuple[dict[str, Any], dict[str, Any] | None]] = {}
    for row in rows:
        parent = named.get(_find_parent(row))
        pairs.setdefault((row["path"], parent["path"] if parent is not None else ""), (row, parent))
        if parent is not None:
            parents.setdefault(row["path"], parent)
    nested, loose = [], []
    for row, parent in pairs.values():
        if parent is not None and _has_end(row, parents):
            parent["children"].append(row)
            continue
        nested.append(row)
        kind = row["type"] or _guess_type(row["name"])
        if kind not in _ALONE:
            loose.append(f"{row['name']} ({kind})")
    if loose:
        notes.append(
            f"On which disks {tell_first(loose)} lie is not told: `lsblk -J -b -O` without `-l` does."
        )
    return nested


def _has_end(row: dict[str, Any], parents: dict[str, dict[str, Any]]) -> bool:
    """Whether what the device is on leads to a disk: not in a circle, nor deeper than any machine is."""
    path = row["path"]
    for _ in range(_DEEPEST):
        if path not in parents:
            return True
        path = parents[path]["path"]
    return False


def _find_parent(row: dict[str, Any]) -> str:
    """The name of what the device is on; empty where the row does not tell."""
    if told := row.get("pkname"):
        return cut(str(told))
    return _find_whole(row["name"]) if row["type"] in ("part", "") else ""


def _find_whole(name: str) -> str:
    """The disk that a partition of this name is on; empty: no partition has such a name."""
    found = _PART.fullmatch(name)
    return (found[1] or found[2]) if found else ""


def _guess_type(name: str, above: str = "") -> str:
    """The type of a device by its name and that of what it is on."""
    if above and _find_whole(name) == above:
        return "part"
    return "unknown" if above or _MADE.match(name) else "disk"


def fill_in(items: list[dict[str, Any]], tables: dict[str, Any], above: dict[str, Any] | None = None) -> None:
    """What lsblk was not asked for: the type of a device, and the size of its sectors, which its partition table or
    what it is on may tell."""
    name, inherited = (above["name"], above["log-sec"]) if above is not None else ("", 512)
    for item in items:
        table = tables[item["path"]]["partitiontable"] if item["path"] in tables else {}
        item["type"] = item["type"] or _guess_type(item["name"], name)
        item["log-sec"] = item["log-sec"] or find_number(table.get("sectorsize")) or inherited
        fill_in(item["children"], tables, item)


def find_number(value: Any) -> int | None:
    """A whole number, also one in a text; None for what is none, or is too large to be one."""
    return (
        int(value) if isinstance(value, int | str) and str(value).isdigit() and len(str(value)) < 20 else None
    )


def cut(path: str) -> str:
    """The last part of a path."""
    return path.rpartition("/")[2]


def list_below(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Everything on a device, at any depth."""
    for child in item["children"]:
        yield child
        yield from list_below(child)
