"""The one way to download a file: streamed, with a deadline, tried again, its size and SHA-256 known when it is whole.

Used by the agent for PRE and POST, the firmware drivers, and the lab's BMC. What arrives is neither run nor looked
into here.
"""

import hashlib
import logging
import re
import shutil
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

import urllib3

from bootos.errors import BootosError
from bootos.masking import Masker
from bootos.waiting import CLOCK, Clock

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 10.0
PAUSES_S = (1.0, 2.0, 4.0, 8.0)  # how long to wait before each further try
# How much room is left free where a file is put, as others write there too.
SPARE_BYTES = 16 * 2**20
_CHUNK_BYTES = 2**16


class FetchError(BootosError):
    """The file is not to be had, or is not the one asked for."""


class TryAgain(FetchError):
    """No answer, or one of a server in trouble."""


def mask_url(url: str) -> str:
    """The URL with its password masked."""
    return Masker(find_passwords(url)).text(url)


def find_passwords(url: str) -> tuple[str, ...]:
    """The password in http://user:password@host, as it is written, as it is sent and as it is meant. In a URL that is
    none it is all that may be one: such a URL is what error messages show."""
    written = re.match(r"[^/]*//([^/?#]*)@", url)  # RFC 3986, 3.2.1
    try:
        sent = urllib3.util.parse_url(url).auth or ""
    except urllib3.exceptions.LocationParseError:
        written, sent = re.match(r"[^/]*//(.*)@", url, re.DOTALL), ""
    found = {auth.partition(":")[2] for auth in (written[1] if written else "", sent)}
    return tuple(sorted({*found, *map(unquote, found)} - {""}))


def is_unverified(cause: urllib3.exceptions.HTTPError) -> bool:
    """Whether a call came to nothing since the certificate there is not the server's."""
    if isinstance(cause, urllib3.exceptions.MaxRetryError):
        return isinstance(cause.reason, urllib3.exceptions.HTTPError) and is_unverified(cause.reason)
    return isinstance(cause, urllib3.exceptions.SSLError) and any(
        isinstance(reason, ssl.SSLCertVerificationError) for reason in cause.args
    )


class EndlessError(BootosError):
    """An answer has not come to its end at the deadline, or is too large."""


def read_whole(answer: urllib3.BaseHTTPResponse, *, until: float, most_bytes: int) -> bytes:
    """The body of an answer of which nothing was read yet; its connection is good for another call then. `until` is a
    moment of the monotonic clock: a timeout of reading counts from one byte to the next, so a server that sends one now
    and then would be listened to for ever. Raises EndlessError, urllib3's HTTPError."""
    content = bytearray()
    try:
        while chunk := answer.read1(_CHUNK_BYTES):
            content += chunk
            if time.monotonic() > until or len(content) > most_bytes:
                raise EndlessError("the answer does not come to an end")
    finally:
        answer.close()
    return bytes(content)


def fetch_file(
    url: str,
    path: Path,
    *,
    sha256: str,
    size_bytes: int | None = None,
    most_bytes: int,
    timeout_s: float,
    http: urllib3.PoolManager | None = None,
    pauses_s: Sequence[float] = PAUSES_S,
) -> None:
    """Put the file at `url` (http, https, file) at `path`, once it is known to be the right one: before that, and when
    this fails, nothing is there. Raises FetchError: not reachable, no room, another size or SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    part = path.with_name(f"{path.name}.part")

    def check_room(coming_bytes: int | None) -> None:
        if size_bytes is not None and coming_bytes is not None and coming_bytes != size_bytes:
            message = f"{mask_url(url)} has {coming_bytes} bytes, but {size_bytes} are asked for"
            raise FetchError(message)
        need = coming_bytes or size_bytes or 0
        free = shutil.disk_usage(path.parent).free
        if need + SPARE_BYTES > free:
            message = f"{mask_url(url)} has {need} bytes, and {path.parent} has {free} free"
            raise FetchError(message, hint="the machine has too little memory for this file")

    try:
        check_room(None)
        with part.open("w+b") as sink:
            found, length = fetch_into(
                url,
                sink,
                most_bytes=most_bytes if size_bytes is None else size_bytes,
                timeout_s=timeout_s,
                http=http,
                pauses_s=pauses_s,
                on_size=check_room,
            )
        if size_bytes is not None and length != size_bytes:
            raise FetchError(f"{mask_url(url)} has {length} bytes, but {size_bytes} are asked for")
        if found != sha256.lower():
            message = f"{mask_url(url)} has sha256 {found}, but {sha256.lower()} is asked for; nothing of it was used"
            raise FetchError(message)
        part.replace(path)
    except OSError as cause:
        raise FetchError(f"{mask_url(url)} cannot be stored at {path}: {cause.strerror}") from cause
    finally:
        part.unlink(missing_ok=True)


def fetch_into(
    url: str,
    sink: BinaryIO,
    *,
    most_bytes: int,
    timeout_s: float,
    http: urllib3.PoolManager | None = None,
    pauses_s: Sequence[float] = PAUSES_S,
    on_size: Callable[[int | None], None] = lambda size: None,
    clock: Clock = CLOCK,
) -> tuple[str, int]:
    """Write what is at `url` into `sink`, from its beginning; returns SHA-256 and length. `timeout_s` is for one try
    with its whole body, `on_size` gets the announced length before anything is written. Raises FetchError."""
    http = http or urllib3.PoolManager(retries=False)
    for pause_s in (*pauses_s, None):
        sink.seek(0)
        sink.truncate()
        digest, length = hashlib.sha256(), 0
        try:
            for chunk in _read_chunks(url, http, timeout_s, on_size):
                length += len(chunk)
                if length > most_bytes:
                    raise FetchError(f"{mask_url(url)} is larger than {_tell_size(most_bytes)}")
                digest.update(chunk)
                sink.write(chunk)
        except TryAgain as error:
            if pause_s is None:
                raise FetchError(str(error), hint="is the server running and reachable?") from error
            log.warning("will be tried again: %s", error)
            clock.sleep(pause_s)
            continue
        if not length:
            raise FetchError(f"{mask_url(url)} is empty")
        return digest.hexdigest(), length
    raise AssertionError("unreachable: the last try returns or raises")


def _tell_size(size_bytes: int) -> str:
    return f"{size_bytes} bytes" if size_bytes % 2**20 else f"{size_bytes // 2**20} MiB"


def _read_chunks(
    url: str, http: urllib3.PoolManager, timeout_s: float, on_size: Callable[[int | None], None]
) -> Iterator[bytes]:
    """One try. Raises TryAgain, FetchError."""
    if url.startswith("file://"):
        return _read_local(Path(unquote(urlsplit(url).path)), on_size)
    return _read_remote(url, http, timeout_s, on_size)


def _read_local(path: Path, on_size: Callable[[int | None], None]) -> Iterator[bytes]:
    try:
        with path.open("rb") as source:
            on_size(path.stat().st_size)
            while chunk := source.read(_CHUNK_BYTES):
                yield chunk
    except OSError as cause:
        raise FetchError(f"{path} cannot be read: {cause.strerror}") from cause


def _read_remote(
    url: str, http: urllib3.PoolManager, timeout_s: float, on_size: Callable[[int | None], None]
) -> Iterator[bytes]:
    shown = mask_url(url)
    deadline = time.monotonic() + timeout_s
    auth = urllib3.util.parse_url(url).auth
    try:
        answer = http.request(
            "GET",
            url,
            headers=urllib3.make_headers(basic_auth=unquote(auth)) if auth else {},
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=min(timeout_s / 4, 60.0)),
            retries=urllib3.Retry(total=None, connect=0, read=0, status=0, other=0, redirect=5),
            preload_content=False,
        )
        try:
            if answer.status == 200:
                length = answer.headers.get("Content-Length", "")
                on_size(int(length) if length.isdigit() else None)
            while answer.status == 200 and (chunk := answer.read1(_CHUNK_BYTES)):
                yield chunk
                if time.monotonic() > deadline:
                    raise TryAgain(f"{shown} was not fetched within {timeout_s:g} s")
        finally:
            answer.close()
    except urllib3.exceptions.HTTPError as cause:
        reason = Masker(find_passwords(url)).text(str(getattr(cause, "reason", None) or cause))
        if is_unverified(cause):
            raise FetchError(
                f"{shown}: the server's certificate is not trusted: {reason}",
                hint="and is this machine's clock right?",
            ) from cause
        raise TryAgain(f"{shown} cannot be fetched: {reason}") from cause
    if answer.status in (429, 500, 502, 503, 504):
        raise TryAgain(f"{shown} answered HTTP status {answer.status}")
    if answer.status != 200:
        raise FetchError(f"{shown} answered HTTP status {answer.status}", hint="check the URL")
