"""What the body of a call must be before anybody reads it: JSON in UTF-8, not nested too deep, with numbers that 64
bits hold, and with texts that a database keeps. Pure; asked by the server for every call with a body.

msgspec and what stands behind it fail in other ways at such bodies: with errors of UTF-8, of recursion, of a database.
"""

import re
from itertools import accumulate

from bootos.errors import BootosError

MOST_DEPTH = 100  # of lists and objects, one inside the other

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NUMBER = re.compile(rb"(?<![0-9.eE+])-?[0-9]{19,}(?![0-9.eE])")
_BRACKETS = b"[]{}"
_OTHERS = bytes(byte for byte in range(256) if byte not in _BRACKETS)
_STEP = {byte: 1 if byte in b"[{" else -1 for byte in _BRACKETS}
_LOW, _HIGH = -(2**63), 2**64 - 1
# An escape (RFC 8259, 7): of a surrogate, alone or in a pair, of NUL, or any other, which is left alone.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<lost>u[dD][89a-fA-F][0-9a-fA-F]{2}|u0000)|.)",
    re.DOTALL,
)
_SUSPECT = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)")


class BodyError(BootosError):
    """The body of a call cannot be read. The hint says what to send."""


class TooDeepBodyError(BodyError):
    """It is nested too deep."""


def check_body(body: bytes, *, most_depth: int = MOST_DEPTH) -> bytes:
    """The body as it may be decoded: each NUL and each half of a surrogate pair in its texts is U+FFFD, since no
    database and no UTF-8 has them (RFC 8259, 8.2). Raises BodyError."""
    try:
        body.decode()
    except UnicodeDecodeError as cause:
        raise BodyError(
            f"the body is no text in UTF-8: byte {cause.start} is wrong", hint="send JSON in UTF-8 (RFC 8259)"
        ) from None
    bare = _STRING.sub(b'"', body)
    if find_depth(bare) > most_depth:
        raise TooDeepBodyError(
            "the body is nested too deep", hint=f"lists and objects go at most {most_depth} levels deep"
        )
    for found in _NUMBER.finditer(bare):
        word = found[0]
        if len(word) > 20 or not _LOW <= int(word) <= _HIGH:
            raise BodyError(
                f"the body has a number of {len(word.lstrip(b'-'))} digits in it",
                hint="whole numbers are of 64 bits",
            )
    return _ESCAPE.sub(_keep, body) if _SUSPECT.search(body) else body


def find_depth(bare: bytes) -> int:
    """How deep lists and objects stand in each other, of JSON without its texts."""
    only = bare.translate(None, _OTHERS)
    return max(accumulate(map(_STEP.__getitem__, only)), default=0)


def _keep(found: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if found["lost"] else found[0]
