"""Text of machines, tools and files as text: no character of it moves the cursor, turns the direction of writing or is
not seen. Used by all that is shown to people."""

from typing import Any

# Default_Ignorable_Code_Point (Unicode, DerivedCoreProperties.txt): fillers, variation selectors, marks of direction,
# what has no width. Beside it: ends of line and paragraph, the empty Braille cell, annotations, hieroglyph controls.
_UNSEEN = (
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F), (0x2800, 0x2800), (0x3164, 0x3164), (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB), (0x13430, 0x1343F), (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
_HIDDEN = {code for first, last in _UNSEEN for code in range(first, last + 1)}
_CONTROLS = {
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"},
    0x7F: "\u2421",
    **dict.fromkeys((*range(0x80, 0xA0), *_HIDDEN), "\N{REPLACEMENT CHARACTER}"),
}
"""Control characters (ECMA-48: C0, DEL, C1), which a terminal would obey -> their pictures in Unicode."""
_OF_A_LINE = {**_CONTROLS, ord("\n"): "\u240a", ord("\t"): "\u2409"}


def show_controls(text: str) -> str:
    """The text with every control character made visible, but for line feed and tabulator."""
    return text.translate(_CONTROLS)


def show_line(text: str) -> str:
    """The text in one line, with every control character made visible."""
    return text.translate(_OF_A_LINE)


def show_lines(value: Any) -> Any:
    """Plain values with every text of them, keys too, in one line."""
    if isinstance(value, str):
        return show_line(value)
    if isinstance(value, dict):
        return {show_lines(key): show_lines(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [show_lines(item) for item in value]
    return value
