"""Packages are downloaded to a tmpfs and checked there. A package with a wrong checksum is neither run nor written."""

import contextlib
import logging
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bootos.drivers.contract import DriverError, Machine
from bootos.fetch import SPARE_BYTES, fetch_file, mask_url
from bootos.template.firmware import FirmwarePackage

log = logging.getLogger(__name__)

DIRECTORY = Path("run/bootos/firmware")
MOST_BYTES = 4 * 2**30
TIMEOUT_S = 1800.0  # for one try


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
            http=machine.http,
        )
        path.chmod(0o700)
        yield path
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def unpacked_package(path: Path) -> Iterator[Path]:
    """The directory with what a zip file holds, removed at the end. Raises DriverError."""
    directory = path.with_name(f"{path.name}.d")
    try:
        _unpack(path, directory)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _unpack(path: Path, directory: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            need = sum(entry.file_size for entry in archive.infolist())
            free = shutil.disk_usage(path.parent).free
            if need + SPARE_BYTES > free:
                raise DriverError(f"{path.name} unpacks to {need} bytes, and {path.parent} has {free} free")
            archive.extractall(directory)
    except (zipfile.BadZipFile, OSError) as cause:
        raise DriverError(f"{path.name} cannot be unpacked: {cause}") from cause


def _choose_name(package: FirmwarePackage) -> str:
    """As its maker named it: some packages look at their own name."""
    name = unquote(urlsplit(package.package).path).rpartition("/")[2]
    plain = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in name)
    return plain.lstrip(".-") or "package"
