"""A line `KEY : VALUE`, as the tools of several makers of RAID controllers print what a thing is. Pure; used by
`adaptec`, `adaptectext`, `mvcli`, `sasircu` and `smartarray`.
"""

import re

# In one pass, whatever the line is: no part of it can be read in two ways.
_PAIR = re.compile(r"^((?:[^\s:]++|:(?!\s|$)|\s++(?!:(?:\s|$)))++)\s*+:(?:\s+(.*))?$")


def parse_pair(line: str) -> tuple[str, str] | None:
    """(key, value) of a line without space around it; None: it has no key, or no colon that a space or its end follows.
    The value may be empty, and the key hold colons of its own (`Device C0:1 : x`)."""
    found = _PAIR.match(line)
    return (found[1], (found[2] or "").strip()) if found else None
