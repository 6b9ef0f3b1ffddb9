"""HTTP/1.1 as bytes on a socket: what no HTTP library would send."""

import contextlib
import re
import socket
import ssl
from typing import NamedTuple
from urllib.parse import urlsplit

DEADLINE_S = 30.0


class Heard(NamedTuple):
    """`statuses` of all answers that came, `text` of all of them, and whether the server closed the connection."""

    statuses: list[int]
    text: str
    closed: bool


def exchange(url: str, sent: bytes, *, deadline_s: float = DEADLINE_S) -> Heard:
    """Send these bytes and nothing more, and hear until the server closes; without that, until the deadline."""
    place = urlsplit(url)
    heard = b""
    closed = True
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(
            socket.create_connection((place.hostname, place.port or 80), timeout=deadline_s)
        )
        if place.scheme == "https":
            blind = ssl.create_default_context()
            blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
            connection = stack.enter_context(blind.wrap_socket(connection, server_hostname=place.hostname))
        connection.sendall(sent)
        try:
            while piece := connection.recv(65536):
                heard += piece
        except TimeoutError:
            closed = False
        except (ConnectionError, ssl.SSLEOFError):
            pass
    text = heard.decode("latin-1")
    return Heard([int(code) for code in re.findall(r"HTTP/1\.1 (\d{3})", text)], text, closed)
