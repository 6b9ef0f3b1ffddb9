"""A treemap as SVG: nested rectangles whose areas are sizes. Pure. The rectangles are kept near squares ("squarified"
layout, after Bruls, Huizing and van Wijk), so that small parts stay readable.
"""

from collections.abc import Sequence
from html import escape

import msgspec

COLORS = ("#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#76b7b2", "#edc948", "#9c755f", "#e15759")
LABEL_HEIGHT = 16.0
_CHARACTER_WIDTH = 6.6


class Tile(msgspec.Struct, frozen=True, kw_only=True):
    """A named size, and what it is made of."""

    name: str
    size_bytes: int
    parts: tuple["Tile", ...] = ()


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float


def plan_boxes(sizes: Sequence[float], box: Box) -> list[Box]:
    """Divide a rectangle into one for each size (largest first, all above zero), areas in proportion."""
    total = sum(sizes)
    if not sizes or total <= 0:
        return []
    scale = box.width * box.height / total
    areas = [size * scale for size in sizes]
    boxes: list[Box] = []
    start = 0
    while start < len(areas):
        side = min(box.width, box.height)
        end = start + 1
        while end < len(areas) and _worst(areas[start : end + 1], side) <= _worst(areas[start:end], side):
            end += 1
        row, box = _lay_row(areas[start:end], box)
        boxes += row
        start = end
    return boxes


def _worst(areas: Sequence[float], side: float) -> float:
    """The worst ratio of sides in a row of these areas along a side."""
    total = sum(areas)
    if side <= 0 or min(areas) <= 0:
        return float("inf")
    return max(side * side * max(areas) / (total * total), total * total / (side * side * min(areas)))


def _lay_row(areas: Sequence[float], box: Box) -> tuple[list[Box], Box]:
    """Place a row along the shorter side; returns it and the room that is left."""
    total, placed, offset = sum(areas), [], 0.0
    if box.width >= box.height:
        thickness = total / box.height if box.height else 0.0
        for area in areas:
            length = area / thickness if thickness else 0.0
            placed.append(Box(x=box.x, y=box.y + offset, width=thickness, height=length))
            offset += length
        rest = Box(x=box.x + thickness, y=box.y, width=max(0.0, box.width - thickness), height=box.height)
    else:
        thickness = total / box.width
        for area in areas:
            length = area / thickness
            placed.append(Box(x=box.x + offset, y=box.y, width=length, height=thickness))
            offset += length
        rest = Box(x=box.x, y=box.y + thickness, width=box.width, height=max(0.0, box.height - thickness))
    return placed, rest


def draw_treemap(tiles: Sequence[Tile], width: int = 1200, height: int = 700) -> str:
    """The SVG of two levels: tiles, each with its parts, a tooltip on every rectangle."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
    lines = [f'{head} font-family="sans-serif" font-size="12">']
    ordered = sorted((tile for tile in tiles if tile.size_bytes > 0), key=lambda tile: -tile.size_bytes)
    places = plan_boxes([tile.size_bytes for tile in ordered], Box(x=0, y=0, width=width, height=height))
    for number, (tile, box) in enumerate(zip(ordered, places, strict=True)):
        color = COLORS[number % len(COLORS)]
        lines.append(_draw(tile.name, tile.size_bytes, box, color, 1.0))
        inner = Box(
            x=box.x + 2,
            y=box.y + LABEL_HEIGHT + 2,
            width=max(0.0, box.width - 4),
            height=max(0.0, box.height - LABEL_HEIGHT - 4),
        )
        parts = sorted(
            (part for part in tile.parts if part.size_bytes > 0), key=lambda part: -part.size_bytes
        )
        if inner.width < 8 or inner.height < 8:
            continue
        for part, place in zip(parts, plan_boxes([p.size_bytes for p in parts], inner), strict=True):
            lines.append(_draw(part.name, part.size_bytes, place, "#ffffff", 0.35))
    return "\n".join([*lines, "</svg>"]) + "\n"


def _draw(name: str, size_bytes: int, box: Box, color: str, opacity: float) -> str:
    size = f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 50_000 else f"{size_bytes / 1e3:.0f} kB"
    room = int((box.width - 6) / _CHARACTER_WIDTH)
    label = f"{name} {size}" if len(f"{name} {size}") <= room else name if len(name) <= room else ""
    text = (
        f'<text x="{box.x + 4:.1f}" y="{box.y + 13:.1f}">{escape(label)}</text>'
        if label and box.height >= LABEL_HEIGHT
        else ""
    )
    return (
        f'<g><rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}"'
        f' fill="{color}" fill-opacity="{opacity}" stroke="#333" stroke-width="0.5"/>{text}'
        f"<title>{escape(name)}: {size}</title></g>"
    )
