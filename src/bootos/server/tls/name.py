"""The host names and addresses that clients may reach this server by: its certificate is for them."""

import json
import socket
from urllib.parse import urlsplit

from bootos.process import run
from bootos.server.settings import Settings


def list_names(settings: Settings) -> list[str]:
    """All of them, each once: this host's names, what it listens on, and what it was told."""
    addresses = [settings.host, settings.operators.host, *([settings.tls.host] if settings.tls else [])]
    names = ["localhost", "127.0.0.1", "::1", socket.gethostname(), *settings.tls_names, *addresses]
    names += [urlsplit(url).hostname or "" for url in (settings.public_url, settings.public_tls_url)]
    if {"0.0.0.0", "::"} & set(addresses):
        names += list_addresses()
    return sorted({name for name in names if is_usable(name)})


def is_usable(name: str) -> bool:
    """Whether a certificate may be for it."""
    return name not in ("", "0.0.0.0", "::") and name.isascii() and len(name) < 256


def list_addresses() -> list[str]:
    """The addresses of this host that others may reach it by."""
    answer = run(["ip", "-j", "addr", "show", "scope", "global"], check=False)
    return parse_addresses(answer.stdout) if answer.returncode == 0 else []


def parse_addresses(text: str) -> list[str]:
    """The addresses in what `ip -j addr` prints; those of another scope than was asked for are empty there."""
    links = json.loads(text or "[]")
    return [address["local"] for link in links for address in link.get("addr_info", []) if "local" in address]
