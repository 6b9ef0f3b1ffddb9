"""`report.html`: what takes how much of an image, as a treemap and as a table. Written by `build`, opened by a person.

Segments have their real sizes. What a package or a directory of modules takes within one is an estimate (see
`steps.estimate`), scaled so that a segment's parts sum up to it.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path, PurePosixPath

import msgspec

from bootos.image.content import Entry, list_layer, read_layers
from bootos.image.treemap import Tile, draw_treemap
from bootos.wire.manifest import Manifest

MOST_PARTS = 60
"""Parts of a segment with a name of their own; the rest is one."""
STYLE = (
    "body{font-family:sans-serif;margin:2em;max-width:1200px}td,th{padding:.15em .8em;text-align:left}"
    "td.n,th.n{text-align:right}tr.s td{font-weight:bold;border-top:1px solid #999}svg{width:100%}"
)


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """What one package or directory takes in one segment."""

    name: str
    packed_bytes: int
    unpacked_bytes: int


def name_group(path: str, package: str) -> str:
    """What a file counts to: its package; of modules and firmware the directory; else its first directories."""
    parts = PurePosixPath(path).parts[1:]
    if parts[:3] == ("usr", "lib", "modules") and len(parts) > 5:
        return "/".join(parts[5 : min(len(parts) - 1, 8)])
    if parts[:3] == ("usr", "lib", "firmware"):
        return f"firmware/{parts[3]}"
    return package or "/" + "/".join(parts[: min(len(parts) - 1, 4)])


def collect_uses(
    size_bytes: int, entries: Iterable[Entry], estimates: Mapping[str, Sequence[object]]
) -> list[Use]:
    """Share a segment's real size among its groups, by their files' estimates; largest first."""
    unpacked: dict[str, int] = {}
    weights: dict[str, int] = {}
    for entry in entries:
        if entry.kind != "file":
            continue
        estimate = estimates.get(entry.path)
        packed, package = (
            (entry.size_bytes // 3, "") if estimate is None else (int(str(estimate[0])), str(estimate[1]))
        )
        group = name_group(entry.path, package)
        unpacked[group] = unpacked.get(group, 0) + entry.size_bytes
        weights[group] = weights.get(group, 0) + min(packed, entry.size_bytes)
    total = sum(weights.values())
    return sorted(
        (
            Use(
                name=name,
                packed_bytes=size_bytes * weight // total if total else 0,
                unpacked_bytes=unpacked[name],
            )
            for name, weight in weights.items()
        ),
        key=lambda use: (-use.packed_bytes, use.name),
    )


def build_report(manifest: Manifest, initrd: Path, estimates: Mapping[str, Sequence[object]]) -> str:
    """The page of an image."""
    uses = {
        layer.name: collect_uses(layer.file_bytes, list_layer(initrd, layer), estimates)
        for layer in read_layers(initrd)
    }
    kernel = next((entry.size_bytes for entry in manifest.files if entry.name == "vmlinuz"), 0)
    tiles = [Tile(name="vmlinuz", size_bytes=kernel)]
    rows = [_row("vmlinuz", kernel, 0, manifest.size_bytes, is_segment=True)]
    for segment in manifest.segments:
        found = uses.get(segment.name, [])
        shown = found[:MOST_PARTS]
        rest = found[MOST_PARTS:]
        if rest:
            shown.append(
                Use(
                    name=f"{len(rest)} smaller ones",
                    packed_bytes=sum(use.packed_bytes for use in rest),
                    unpacked_bytes=sum(use.unpacked_bytes for use in rest),
                )
            )
        tiles.append(
            Tile(
                name=segment.name,
                size_bytes=segment.size_bytes,
                parts=tuple(Tile(name=use.name, size_bytes=use.packed_bytes) for use in shown),
            )
        )
        unpacked = sum(use.unpacked_bytes for use in found)
        rows.append(_row(segment.name, segment.size_bytes, unpacked, manifest.size_bytes, is_segment=True))
        rows += [_row(use.name, use.packed_bytes, use.unpacked_bytes, manifest.size_bytes) for use in shown]
    title = escape(f"{manifest.name} {manifest.version}, kernel {manifest.kernel_release}")
    budget = f" of {manifest.budget_bytes / 1e6:.0f} MB allowed" if manifest.budget_bytes else ""
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>\n'
        f"<h1>{title}</h1>\n<p>{manifest.size_bytes / 1e6:.1f} MB{budget}. Segments are measured; what is in them is "
        "estimated from samples, scaled to the segment.</p>\n"
        f"{draw_treemap(tiles)}"
        '<table><tr><th>part<th class="n">in the image<th class="n">share<th class="n">unpacked</tr>\n'
        f"{''.join(rows)}</table></html>\n"
    )


def _row(name: str, packed: int, unpacked: int, total: int, *, is_segment: bool = False) -> str:
    mark = ' class="s"' if is_segment else ""
    shown = f"{unpacked / 1e6:.2f} MB" if unpacked else ""
    return (
        f'<tr{mark}><td>{escape(name)}<td class="n">{packed / 1e6:.2f} MB<td class="n">{packed / total:.1%}'
        f'<td class="n">{shown}</tr>\n'
    )
