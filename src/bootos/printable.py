"""Text of machines, tools and files as text: no character of it moves the cursor, turns the direction of writing or is
not seen. Used by all that is shown to people."""

from typing import Any

_HIDDEN = {  # without width, and those of Unicode's bidirectional algorithm (UAX #9)
    0x00AD, 0x061C, 0x180E, *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF,
    *range(0xFFF9, 0xFFFC), *range(0xE0000, 0xE0080),
}  # fmt: skip
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
