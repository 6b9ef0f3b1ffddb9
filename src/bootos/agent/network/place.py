"""Where a URL leads: scheme, host and port (RFC 3986, 3.2), however they are written. Pure."""

from typing import NamedTuple
from urllib.parse import urlsplit


class Place(NamedTuple):
    """Lower case; the port that the scheme has where the URL says none."""

    scheme: str
    host: str
    port: int


def default_port(scheme: str) -> int:
    """80 or 443."""
    return 443 if scheme == "https" else 80


def parse_place(url: str) -> Place:
    """The place of a URL. Raises ValueError: its host or port is none."""
    parts = urlsplit(url)
    return Place(parts.scheme, parts.hostname or "", parts.port or default_port(parts.scheme))


def is_at(url: str, *servers: str) -> bool:
    """Whether the URL is at one of these servers; empty ones are none."""
    try:
        place = parse_place(url)
    except ValueError:
        return False
    return place in map(parse_place, filter(None, servers))


def may_be_at(url: str, server_addr: str) -> bool:
    """Whether the URL is at the server, or may be at its TLS end, which only the server can tell: it is https of the
    same host."""
    try:
        place, server = parse_place(url), parse_place(server_addr)
    except ValueError:
        return False
    return place == server or (place.scheme, place.host) == ("https", server.host)
