"""Packages come to a tmpfs and are checked there; nothing of one that is not the right one is ever run or written."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bootos.drivers.contract import Machine
from bootos.fetch import fetch_file, mask_url
from bootos.template.firmware import FirmwarePackage

log = logging.getLogger(__name__)

DIRECTORY = Path("run/bootos/firmware")
MOST_BYTES = 4 * 2**30
TIMEOUT_S = 1800.0  # of one try


@contextlib.contextmanager
def fetched_package(machine: Machine, package: FirmwarePackage) -> Iterator[Path]:
    """The package as an executable file, removed at the end. Raises FetchError."""
    path = machine.root / DIRECTORY / _choose_name(package)
    log.info("fetching %s", mask_url(package.package))
    try:
        fetch_file(
            package.package,
            path,
            sha256=package.sha256,
            size_bytes=package.size_bytes,
            most_bytes=MOST_BYTES,
            timeout_s=TIMEOUT_S,
        )
        path.chmod(0o700)
        yield path
    finally:
        path.unlink(missing_ok=True)


def _choose_name(package: FirmwarePackage) -> str:
    """As its maker named it: some packages look at their own name."""
    name = unquote(urlsplit(package.package).path).rpartition("/")[2]
    plain = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in name)
    return plain.lstrip(".-") or "package"
