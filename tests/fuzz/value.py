"""What the fuzzers make requests of: texts and values that programs stumble over, and bodies with such in them."""

import copy
import json
from typing import Any

from hypothesis import strategies as st

EVIL_TEXTS = [
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "\udfffx",
    "²",
    "٣",
    "id:1",
    "id:99999999999999999999",
    "1",
    "-1",
    "nan",
    "1e400",
    "9" * 5000,
    "../../etc/passwd",
    "<script>",
    "{sn}",
    "<{sn}>",
    "<{pool:p}>",
    "<{secret:s}>",
    "$(id)",
    "'\"`\\",
    "\r\nX: y",
    "\x1b[2J",
    "\u202e\u200b\ufeff",
    "x" * 70_000,
    "52:54:00:00:00:02",
    "ff:ff:ff:ff:ff:ff",
    "10.0.0.1/24",
    "10.0.0.1-10.0.0.9/24",
    "::1/0",
    "fe80::1%eth0",
    "2026-01-01T00:00:00Z",
    "2026-13-45T99:99:99Z",
    "0001-01-01T00:00:00-14:00",
    "To be filled by O.E.M.",
    "SN001",
]
EVIL_NUMBERS = [0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**400, 0.5, -0.0, 1e308, 1e-320]


def nest(depth: int, kind: str) -> Any:
    """Lists or maps in each other."""
    value: Any = 1
    for _ in range(depth):
        value = [value] if kind == "list" else {"a": value}
    return value


def texts() -> st.SearchStrategy[str]:
    """Text of all kinds, with lone surrogates."""
    return st.sampled_from(EVIL_TEXTS) | st.text(st.characters(), max_size=40)


def junk() -> st.SearchStrategy[Any]:
    """Any value of JSON."""
    leaf = (
        st.none()
        | st.booleans()
        | st.sampled_from(EVIL_NUMBERS)
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | texts()
    )
    tree = st.recursive(
        leaf,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts(), inner, max_size=4),
        max_leaves=12,
    )
    deep = st.builds(nest, st.sampled_from([50, 500, 900]), st.sampled_from(["list", "map"]))
    many = st.builds(
        lambda value, times: [value] * times,
        st.none() | st.integers() | st.text(max_size=9),
        st.sampled_from([100, 3000]),
    )
    return leaf | tree | st.one_of(tree, tree, deep, many)


def list_paths(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a value."""
    found = [place]
    if isinstance(value, dict):
        for key, item in value.items():
            found += list_paths(item, (*place, key))
    if isinstance(value, list):
        for index, item in enumerate(value):
            found += list_paths(item, (*place, index))
    return found


def replace(value: Any, place: tuple[Any, ...], item: Any) -> Any:
    """The value with another item at that place."""
    if not place:
        return item
    target = value
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = item
    return value


@st.composite
def mutated(draw: st.DrawFn, base: Any) -> Any:
    """The value with up to four of its parts replaced, taken out or doubled."""
    value = copy.deepcopy(base)
    for _ in range(draw(st.integers(0, 4))):
        places = list_paths(value)
        place = places[draw(st.integers(0, len(places) - 1))]
        value = replace(value, place, draw(junk()))
        if isinstance(value, dict) and draw(st.booleans()):
            value[draw(texts())] = draw(junk())
    return value


def encode(value: Any) -> bytes:
    """JSON as lax as a peer may write it: with NaN, and lone surrogates as escapes."""
    try:
        return json.dumps(value).encode()
    except (RecursionError, ValueError):
        return b"{}"


@st.composite
def raw_bodies(draw: st.DrawFn, base: Any) -> bytes:
    """The body as bytes: mostly JSON, sometimes cut, with bytes changed, or of something else."""
    body = encode(draw(mutated(base)))
    kind = draw(st.integers(0, 9))
    if kind == 0 and body:
        return body[: draw(st.integers(0, len(body)))]
    if kind == 1 and body:
        at = draw(st.integers(0, len(body) - 1))
        return body[:at] + draw(st.binary(min_size=1, max_size=4)) + body[at + 1 :]
    if kind == 2:
        return draw(
            st.binary(max_size=60)
            | st.sampled_from(
                [
                    b"[" * 100_000,
                    b'{"a":' * 5000,
                    b"9" * 5000,
                    b'{"sn": ' + b"9" * 5000 + b"}",
                    b"\xef\xbb\xbf{}",
                ]
            )
        )
    return body
