"""The kernel command line: the documented words, and ours. Pure but for `read_cmdline`.

Words that a person adds at the shell in /run/bootos/cmdline count as if the kernel had been given them, so that
a missing SERVER_ADDR can be supplied without a reboot.
"""

import re
import shlex
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from bootos.agent.network.addressing import Words, parse_words
from bootos.errors import Problem, Problems
from bootos.repository import find_url_fault

DEFAULT_LOOP_INTERVAL_S = 60
DEFAULT_SCRIPT_TIMEOUT_S = 4 * 3600
DEFAULT_HOOK_TIMEOUT_S = 3600

OnError = Literal["continue", "stop"]


class Cmdline(msgspec.Struct, frozen=True, kw_only=True):
    """What the boot loader asked for. `pxe_mac` is lower case with colons (from BOOTIF, PXELINUX `IPAPPEND 2`)."""

    server_addr: str | None = None
    server_ca: tuple[str, ...] = ()  # what the server must be known by, one of them; empty: not told
    pxe_mac: str | None = None
    developer: bool = False
    pre: str | None = None
    post: str | None = None
    pre_on_error: OnError = "continue"
    post_on_error: OnError = "continue"
    hook_timeout_s: int = DEFAULT_HOOK_TIMEOUT_S
    loop_interval_s: int = DEFAULT_LOOP_INTERVAL_S
    script_timeout_s: int = DEFAULT_SCRIPT_TIMEOUT_S
    software_raid: bool = False
    repositories: tuple[str, ...] = ()
    network: Words = Words()
    problems: tuple[Problem, ...] = ()


def read_cmdline(root: Path = Path("/")) -> Cmdline:
    """Read /proc/cmdline and, after it, /run/bootos/cmdline."""
    text = (root / "proc/cmdline").read_text()
    added = root / "run/bootos/cmdline"
    if added.exists():
        text += " " + added.read_text()
    return parse_cmdline(text)


def parse_cmdline(text: str) -> Cmdline:
    """Parse the command line; a word that is given twice counts the last time. Problems are kept, not raised."""
    split = [(key, value) for key, _, value in (word.partition("=") for word in _split(text))]
    words = dict(split)
    problems = Problems()
    return Cmdline(
        server_addr=_parse_server(words.get("SERVER_ADDR"), problems),
        server_ca=_parse_authority(words.get("SERVER_CA", ""), problems),
        pxe_mac=_parse_bootif(words.get("BOOTIF"), problems),
        developer=words.get("DEVELOPER") == "1",
        pre=_parse_hook("PRE", words, problems),
        post=_parse_hook("POST", words, problems),
        pre_on_error=_parse_on_error("PRE_ON_ERROR", words, problems),
        post_on_error=_parse_on_error("POST_ON_ERROR", words, problems),
        hook_timeout_s=_parse_seconds("HOOK_TIMEOUT", words, DEFAULT_HOOK_TIMEOUT_S, problems),
        loop_interval_s=_parse_seconds("LOOP_INTERVAL", words, DEFAULT_LOOP_INTERVAL_S, problems),
        script_timeout_s=_parse_seconds("SCRIPT_TIMEOUT", words, DEFAULT_SCRIPT_TIMEOUT_S, problems),
        software_raid=words.get("SOFTWARE_RAID") == "1",
        repositories=_parse_repositories(words.get("REPO", ""), problems),
        network=parse_words(split, problems),
        problems=tuple(problems),
    )


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=False)
    except ValueError:
        return text.split()


def _parse_server(value: str | None, problems: Problems) -> str | None:
    hint = "add SERVER_ADDR=http://HOST[:PORT] to the kernel command line"
    if not value:
        problems.complain("SERVER_ADDR", "is missing", hint)
        return None
    try:
        url = urlsplit(value)
        usable = url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        usable = False
    if not usable:
        problems.complain("SERVER_ADDR", f"{value!r} is not an http or https URL", hint)
        return None
    return value.rstrip("/")


def _parse_authority(value: str, problems: Problems) -> tuple[str, ...]:
    """The SHA-256 of CA certificates, lower case. One that cannot be read is kept: no server has it, and so none is
    taken for another by mistake."""
    pins: list[str] = []
    for text in filter(None, value.split(",")):
        kind, _, digits = text.partition(":")
        plain = digits.replace(":", "").lower()
        if kind.lower() == "sha256" and re.fullmatch(r"[0-9a-f]{64}", plain):
            pins.append(plain)
        else:
            hint = "SERVER_CA=sha256: and 64 hexadecimal digits, as `bootos ca show` says; nobody is trusted with this"
            problems.complain("SERVER_CA", f"{text!r} is not the SHA-256 of a certificate", hint)
            pins.append(f"({text})")
    return tuple(pins)


def _parse_bootif(value: str | None, problems: Problems) -> str | None:
    """`01-52-54-00-12-34-56`: hardware type (01 = Ethernet), then the MAC."""
    if value is None:
        return None
    match = re.fullmatch(r"(?:[0-9a-f]{2}[-:])?([0-9a-f]{2}(?:[-:][0-9a-f]{2}){5})", value.lower())
    if match is None:
        problems.complain("BOOTIF", f"{value!r} is not a MAC address", "IPAPPEND 2 sets it")
        return None
    return match[1].replace("-", ":")


def _parse_hook(key: str, words: dict[str, str], problems: Problems) -> str | None:
    """The URL as it was given. One that cannot be used is kept: running it fails, and the policy decides."""
    value = words.get(key)
    if not value:
        return None
    fault = find_hook_fault(value)
    if fault is not None:
        problems.complain(key, fault)
    return value


def _parse_repositories(value: str, problems: Problems) -> tuple[str, ...]:
    """The URLs of yum repositories or .repo files; one that cannot be used is left out."""
    urls: list[str] = []
    for number, url in enumerate(filter(None, value.split(",")), start=1):
        fault = find_url_fault(url)
        if fault is None:
            urls.append(url)
        else:
            problems.complain("REPO", f"number {number}: {fault}")
    return tuple(urls)


def find_hook_fault(url: str) -> str | None:
    """What is wrong with the URL of a hook, or None. The URL itself is not said: it may hold a password."""
    if not re.match(r"https?://[^/]+", url):
        return "it is not an http or https URL"
    _, mark, fragment = url.partition("#")
    if mark and not re.fullmatch(r"sha256=[0-9a-fA-F]{64}", fragment):
        return f"#{fragment} is not #sha256= and 64 hexadecimal digits"
    return None


def split_sha256(url: str) -> tuple[str, str]:
    """The address of a hook, and the SHA-256 that it must have in lower case, or an empty text."""
    address, _, fragment = url.partition("#")
    return address, fragment.removeprefix("sha256=").lower()


def _parse_on_error(key: str, words: dict[str, str], problems: Problems) -> OnError:
    """A policy that cannot be read counts as the careful one, since somebody wanted to change the default."""
    value = words.get(key, "continue")
    if value == "continue":
        return "continue"
    if value != "stop":
        problems.complain(key, f"{value!r} is neither stop nor continue; stop is used")
    return "stop"


def _parse_seconds(key: str, words: dict[str, str], default_s: int, problems: Problems) -> int:
    value = words.get(key)
    if value is None:
        return default_s
    if not value.isdigit() or int(value) == 0:
        problems.complain(key, f"{value!r} is not a number of seconds; {default_s} is used")
        return default_s
    return int(value)
