"""An output as its tool printed it, out of what terminals, shells and pages made of it on the way. Pure.

What somebody hands in was saved by PowerShell (UTF-16), recorded by script(1) (escape sequences, CR LF), or copied out
of a page, a mail or a ticket: indented, quoted, between fences, with HTML's entities and spaces that do not break.
"""

import codecs
import html
import re
import textwrap
from functools import lru_cache

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_HEAD_BYTES = 64  # of which every second one is NUL in UTF-16 without a mark
# ECMA-48: control sequences, those of the operating system (a window's title), and the short ones.
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]")
_LINE_ENDS = re.compile(r"\r++\n?")
_FENCE = re.compile(r"^[ \t>]*+(?:```++|~~~++)[ \t]*+(?:\w++[ \t]*+)?$\n?", re.MULTILINE)
_QUOTED = re.compile(r"^[ \t]*>[ \t]?", re.MULTILINE)
_UNQUOTED_LINE = re.compile(r"^(?![ \t]*>)[ \t]*\S", re.MULTILINE)
_FLUSH_LINE = re.compile(r"^\S", re.MULTILINE)
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|nbsp|apos|#\d{1,6}|#x[0-9a-f]{1,5});", re.IGNORECASE)

_ESCAPED_TAG = re.compile(r"^[ \t]*&lt;[?!/a-z]", re.MULTILINE | re.IGNORECASE)


@lru_cache(maxsize=16)
def read_plain(data: bytes) -> str:
    """The text in `data`, lines ended by LF. Bytes that are no characters are replaced."""
    text = _decode(data)
    if "\x1b" in text:
        text = _ESCAPES.sub("", text)
    if "\r" in text:
        text = _LINE_ENDS.sub(lambda end: "\n" if end[0][-1] == "\n" else "\n" * len(end[0]), text)
    if "\b" in text:
        text = _type_over(text)
    text = text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{ZERO WIDTH SPACE}", "")
    if "<" not in text and (('"' not in text and _ENTITY.search(text)) or _ESCAPED_TAG.search(text)):
        text = html.unescape(text).replace("\N{NO-BREAK SPACE}", " ")
    if "```" in text or "~~~" in text:
        text = _FENCE.sub("", text)
    if ">" in text and not _UNQUOTED_LINE.search(text):
        text = _QUOTED.sub("", text)
    return text if _FLUSH_LINE.search(text) else textwrap.dedent(text)


def _decode(data: bytes) -> str:
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    head = data[:_HEAD_BYTES]
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(head) > 3 and not any(head[first::2]) and all(head[1 - first :: 2]):
            return data.decode(encoding, "replace")
    return data.decode(errors="replace")


def _type_over(text: str) -> str:
    """What stays on a screen where a backspace takes the character before it, as turning bars do."""
    kept: list[str] = []
    for character in text:
        if character != "\b":
            kept.append(character)
        elif kept and kept[-1] != "\n":
            kept.pop()
    return "".join(kept)
