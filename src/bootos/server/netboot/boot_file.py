"""Serves files to boot loaders, agents and hooks: `/bootos/...` from the default image, `/bootos/images/VERSION/...`
from that one, `/bootos/files/...` from the operator's own, `/bootos/netboot/...` and, for a GRUB that was loaded by
HTTP, `/grub/...` from the TFTP root. Content-Length always, HEAD, single byte ranges (RFC 9110, section 14), large
reads in threads.

`lpxelinux.0` speaks plain HTTP/1.0 GET; installers and curl use ranges to go on after a broken connection.
"""

import asyncio
import email.utils
import functools
import logging
import mimetypes
import os
import re
import stat
from pathlib import Path
from typing import Any

from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from bootos.server.image.shelf import Shelf
from bootos.server.netboot.link import ADVICE, is_outside

log = logging.getLogger(__name__)

OF_THE_IMAGE = ("vmlinuz", "initrd.img", "manifest.json", "manifest.json.sig", "layers")
# Two of them are in memory for each client that does not read what it is sent.
CHUNK = 128 * 1024
RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)")
BEYOND = 10**18  # bytes; no file has as many


def parse_range(header: str, size: int) -> tuple[int, int] | bool | None:
    """The first and last byte that a Range header with a single range asks for (RFC 9110, section 14.1.2), both
    included. None: send everything; False: the range cannot be satisfied."""
    found = RANGE.fullmatch(header.strip())
    if found is None or found[0] == "bytes=-":
        return None
    if not found[1]:
        length = min(_parse_place(found[2]), size)
        return (size - length, size - 1) if length else False
    first = _parse_place(found[1])
    if first >= size:
        return False
    end = min(_parse_place(found[2]), size - 1) if found[2] else size - 1
    return (first, end) if end >= first else None


def _parse_place(digits: str) -> int:
    """A number of any length; one that is beyond all files is BEYOND."""
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) < len(str(BEYOND)) else BEYOND


def find_file(roots: dict[str, Path], path: str) -> Path | None:
    """The file for a path below the mount; None for anything that is not a plain name below a root, and for what a link
    in `files` has elsewhere."""
    words = path.strip("/").split("/")
    root = roots.get(words[0]) if len(words) > 1 else None
    words_of_files = root is not None and words[0] == "files"
    if root is not None:
        words = words[1:]
    else:
        root = roots[""]
    if any(word in ("", ".", "..") or word.startswith(".") or "\0" in word for word in words):
        return None
    file = root.joinpath(*words)
    if words_of_files and is_outside(file, root):
        warn_of_link(file)
        return None
    return file


@functools.lru_cache(maxsize=100)
def warn_of_link(path: Path) -> None:
    """Say, once for each, that it is not served."""
    log.warning(
        "%s is a link that leads out of files/ and is not served: %s",
        path,
        ADVICE,
    )


def _open(path: Path) -> tuple[int, os.stat_result] | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return None
    return descriptor, status


async def _answer(send: Send, status: int, headers: dict[str, str], body: bytes = b"") -> None:
    await send(_start(status, {"Content-Length": str(len(body)), **headers}))
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _start(status: int, headers: dict[str, str]) -> Any:
    # Names of headers keep their capitals, which ASGI forbids: GRUB reads only `Content-Length` written so.
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": pairs}


async def send_file(scope: Scope, send: Send, path: Path | None) -> None:
    """Answer GET or HEAD with the file, or with 404, 405, 416."""
    if scope["method"] not in ("GET", "HEAD"):  # type: ignore[typeddict-item]
        await _answer(send, 405, {"Allow": "GET, HEAD", "Content-Type": "text/plain"}, b"only GET and HEAD\n")
        return
    opened = await asyncio.to_thread(_open, path) if path is not None else None
    if opened is None:
        await _answer(send, 404, {"Content-Type": "text/plain"}, b"there is no such file\n")
        return
    descriptor, status = opened
    try:
        assert path is not None
        await _send_open(scope, send, descriptor, status, path.name)
    finally:
        os.close(descriptor)


async def _send_open(scope: Scope, send: Send, descriptor: int, status: os.stat_result, name: str) -> None:
    request = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
    tag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
    headers = {
        "Content-Type": mimetypes.guess_type(name)[0] or "application/octet-stream",
        "Accept-Ranges": "bytes",
        "ETag": tag,
        "Last-Modified": email.utils.formatdate(status.st_mtime, usegmt=True),
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    if request.get("if-none-match") == tag:
        await send(_start(304, headers))
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return
    code, first, last = 200, 0, status.st_size - 1
    wanted: tuple[int, int] | bool | None = None
    if "range" in request and request.get("if-range", tag) in (tag, headers["Last-Modified"]):
        wanted = parse_range(request["range"], status.st_size)
    if wanted is False:
        await _answer(send, 416, {"Content-Range": f"bytes */{status.st_size}"})
        return
    if isinstance(wanted, tuple):
        code, (first, last) = 206, wanted
        headers["Content-Range"] = f"bytes {first}-{last}/{status.st_size}"
    left = last - first + 1
    await send(_start(code, {**headers, "Content-Length": str(left)}))
    if scope["method"] == "HEAD":  # type: ignore[typeddict-item]
        left = 0
    while left > 0:
        chunk = await asyncio.to_thread(os.pread, descriptor, min(CHUNK, left), first)
        if not chunk:
            break  # the file has become shorter, so the connection ends before `Content-Length` is reached
        first, left = first + len(chunk), left - len(chunk)
        await send({"type": "http.response.body", "body": chunk, "more_body": left > 0})
    else:
        if last < 0 or scope["method"] == "HEAD":  # type: ignore[typeddict-item]
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def find_boot_file(shelf: Shelf, roots: dict[str, Path], scope: Scope) -> Path | None:
    """The file that the request is for, of the image that this client is to get."""
    words = scope["path"].removeprefix("/bootos").strip("/").split("/")
    if words[:3] == ["netboot", "bootos", "files"]:  # the same files, by the link for TFTP
        words = words[2:]
    if words[0] in roots and len(words) > 1:
        return find_file(roots, "/".join(words))
    if words[0] == "images" and len(words) > 2:
        directory = shelf.find_directory(words[1])
        return find_file({"": directory}, "/".join(words[2:])) if directory is not None else None
    span = next((value for name, value in scope["headers"] if name == b"range"), b"bytes=0-")
    begins = scope["method"] == "GET" and span.startswith(b"bytes=0-")  # type: ignore[typeddict-item]
    client = scope["client"][0] if scope["client"] else ""
    directory = shelf.find_plain(words[0], client, begins=begins)
    found = find_file({"": directory}, "/".join(words)) if directory is not None else None
    if words[0] not in OF_THE_IMAGE and (found is None or not found.is_file()):
        # other files that the operator has put beside the boot files
        return find_file(roots, "/".join(words))
    return found


def build_boot_files(shelf: Shelf, boot_files: Path, files: Path, tftp_root: Path) -> ASGIRouteHandler:
    """The ASGI handler of everything under `/bootos`."""
    roots = {"": boot_files, "files": files, "netboot": tftp_root}

    @asgi("/bootos", is_mount=True, copy_scope=True)
    async def serve_file(scope: Scope, receive: Receive, send: Send) -> None:
        await send_file(scope, send, find_boot_file(shelf, roots, scope))

    return serve_file


def build_grub_files(tftp_root: Path) -> ASGIRouteHandler:
    """The ASGI handler of `/grub`, where Debian's signed GRUB looks for its configuration on the host it came
    from."""
    roots = {"": tftp_root / "grub"}

    @asgi("/grub", is_mount=True, copy_scope=True)
    async def serve_grub_file(scope: Scope, receive: Receive, send: Send) -> None:
        await send_file(scope, send, find_file(roots, scope["path"]))

    return serve_grub_file
