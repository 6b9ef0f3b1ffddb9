"""The yum repositories of the kernel command line (REPO=URL[,URL]) become files below /etc/yum.repos.d.

Called by `sequence` once there is a network. A repository that cannot be reached is logged and left out; nothing stops
because of it.
"""

import io
import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import urllib3

from bootos.fetch import FetchError, fetch_into, mask_url
from bootos.repository import build_repo_file, is_repo_file

log = logging.getLogger(__name__)

DIRECTORY = "etc/yum.repos.d"
MOST_BYTES = 2**20
TIMEOUT_S = 30.0
PAUSES_S = (1.0, 3.0)
_URL = re.compile(r"https?://[^\s,]+")
_COMMENT = re.compile(r"(?m)^[#;].*")


def write_repositories(
    urls: Sequence[str],
    root: Path = Path("/"),
    *,
    pauses_s: Sequence[float] = PAUSES_S,
    http: urllib3.PoolManager | None = None,
    find_end: Callable[[str], str | None] = lambda url: None,
    ca_file: str = "",
) -> list[Path]:
    """Write one file for each URL, and return them. A .repo file is fetched; of a repository the address is written,
    since dnf fetches what it needs when it needs it. A file written before, by an earlier start, is replaced.
    `find_end` tells where the server's own are at its TLS end, which is verified by the certificate in `ca_file`."""
    written = []
    for number, url in enumerate(urls, start=1):
        name = f"cmdline-{number}"
        try:
            text = fetch_repo_file(url, pauses_s, http) if is_repo_file(url) else build_repo_file(name, url)
        except FetchError as error:
            log.error("REPO: %s", error)
            continue
        path = root / DIRECTORY / f"{name}.repo"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(lead_to_end(text, find_end, ca_file))
        path.chmod(0o600)  # a URL may hold a password
        log.info("yum repository %s: %s", name, mask_url(url))
        written.append(path)
    return written


def fetch_repo_file(url: str, pauses_s: Sequence[float], http: urllib3.PoolManager | None = None) -> str:
    """The text of a .repo file. Raises FetchError: not to be had, or something else."""
    sink = io.BytesIO()
    fetch_into(url, sink, most_bytes=MOST_BYTES, timeout_s=TIMEOUT_S, pauses_s=pauses_s, http=http)
    text = sink.getvalue().decode(errors="replace")
    if not any(line.startswith("[") for line in text.splitlines()):
        raise FetchError(f"{mask_url(url)} is not a .repo file: it has no [section]")
    return text


def lead_to_end(text: str, find_end: Callable[[str], str | None], ca_file: str) -> str:
    """The text of a .repo file whose URLs at the server are at its TLS end. A section with such a URL gets `ca_file`,
    unless it says itself what verifies it. dnf verifies all of a section by one file: where another host is named by
    https, the section stays as it is."""
    sections = re.split(r"(?m)^(?=\[)", text)
    return "".join(_lead_section(section, find_end, ca_file) for section in sections)


def _lead_section(section: str, find_end: Callable[[str], str | None], ca_file: str) -> str:
    ends = {url: find_end(url) for url in _URL.findall(_COMMENT.sub("", section))}
    says_itself = re.search(r"(?m)^sslcacert\s*[=:]", section) is not None
    has_other = any(end is None and url.startswith("https:") for url, end in ends.items())
    if not any(ends.values()) or (has_other and not says_itself):
        return section
    led = _URL.sub(lambda found: ends.get(found[0]) or found[0], section)
    if says_itself:
        return led
    head, _, rest = led.partition("\n")
    return f"{head}\nsslcacert={ca_file}\n{rest}"
