"""Hands an image over to a server: what the server has is not sent again, an interrupted publication goes on. Used by
`bootos image publish`."""

import base64
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from bootos.errors import BootosError
from bootos.loader import DIRECTORY as LOADERS
from bootos.screen import Screen
from bootos.server.command.client import AnswerError, Client, UnreachableError
from bootos.waiting import CLOCK

PIECE_BYTES = 4 * 2**20
PAUSES_S = (1.0, 2.0, 4.0, 8.0, 15.0)  # pauses between tries while the server cannot be reached
MANIFEST, SIGNATURE = "manifest.json", "manifest.json.sig"


def hand_over(client: Client, directory: Path) -> tuple[str, str]:
    """Send what the server does not have of an image; returns its version, and what is done then in words."""
    raw = read_bytes(directory / MANIFEST)
    signature = read_bytes(directory / SIGNATURE) if (directory / SIGNATURE).is_file() else b""
    try:
        manifest = raw.decode()
    except UnicodeDecodeError as cause:
        raise BootosError(f"{directory / MANIFEST} is no text: {cause}") from cause
    body = {"manifest": manifest, "signature": base64.b64encode(signature).decode()}
    try:
        answer = client.call("POST", "images", body=body)
    except AnswerError as error:
        if error.status == 422:
            raise BootosError(f"{directory / MANIFEST}: {error}", hint=error.hint) from None
        raise
    version = answer["version"]
    if not answer["is_published"]:
        with show_progress() as progress:
            for line, group in groupby(answer["files"], key=name_line):
                states = list(group)
                total, have = (sum(state[key] for state in states) for key in ("size_bytes", "have_bytes"))
                advance = partial(progress.advance, progress.add_task(line, total=total, completed=have))
                for state in states:
                    if state["have_bytes"] < state["size_bytes"]:
                        check_file(directory / state["name"], raw)
                        send_file(client, version, directory / state["name"], state, advance)
    if answer["is_published"]:
        return version, "was published already"
    damaged = ", ".join(answer["damaged"])
    return (
        version,
        f"was damaged on the server ({damaged}) and is whole again" if damaged else "was published",
    )


def check_file(path: Path, manifest: bytes) -> None:
    """Check, before the file is sent, that it is the file which the manifest names. Raises BootosError."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as cause:
        raise BootosError(f"{path} cannot be read: {cause.strerror}") from cause
    if digest not in manifest.decode():
        raise BootosError(
            f"{path} is not the file that its manifest names: its sha256 differs",
            hint="was it changed, or half copied? build or copy the image anew",
        )


@contextmanager
def show_progress() -> Iterator[Progress]:
    """A progress bar per file on standard error, while the block runs."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Screen(stderr=True)) as progress:
        yield progress


def name_line(state: dict[str, Any]) -> str:
    """The title of a file's progress bar. The boot loaders are many and small, and share one bar."""
    return LOADERS if state["name"].startswith(f"{LOADERS}/") else str(state["name"])


def send_file(
    client: Client, version: str, path: Path, state: dict[str, Any], advance: Callable[[float], None]
) -> None:
    """Send what the server does not have, in pieces; it says after each how much it has. Raises BootosError."""
    size, have = state["size_bytes"], state["have_bytes"]
    try:
        if path.stat().st_size != size:
            raise BootosError(
                f"{path} has {path.stat().st_size} bytes, and its manifest says {size}",
                hint="was the image built anew meanwhile? publish it again",
            )
        with path.open("rb") as file:
            while have < size:
                file.seek(have)
                before, content = have, file.read(PIECE_BYTES)
                if not content:
                    raise BootosError(
                        f"{path} has become shorter while it was sent",
                        hint="was the image built anew meanwhile? publish it again",
                    )
                have = send_piece(client, version, state["name"], have, content)
                advance(have - before)
    except OSError as cause:
        raise BootosError(f"{path} cannot be read: {cause.strerror}") from cause


def send_piece(client: Client, version: str, name: str, offset: int, content: bytes) -> int:
    """One piece; tried again while the server is away. Returns how much of the file the server has."""
    for pause_s in (*PAUSES_S, None):
        try:
            answer = client.send("images", version, "files", content=content, name=name, offset=offset)
        except UnreachableError:
            if pause_s is None:
                raise
            CLOCK.sleep(pause_s)
        except AnswerError as error:
            listed = client.call("GET", "images") if error.status == 404 else []
            if any(item["version"] == version for item in listed):
                return offset + len(content)  # another client has published the same image meanwhile
            raise
        else:
            return int(answer["have_bytes"])
    raise AssertionError("unreachable: the last try returns or raises")


def sign_image(directory: Path, key: Path, raw: bytes) -> None:
    """Write the signature beside the manifest. Raises BootosError."""
    from bootos.files import write_atomically
    from bootos.server.image.signature import sign

    signature = sign(key, raw)
    try:
        write_atomically(directory / SIGNATURE, signature, mode=0o644)
    except OSError as cause:
        raise BootosError(f"{directory / SIGNATURE} cannot be written: {cause.strerror}") from cause


def read_bytes(path: Path) -> bytes:
    """The content of a file of an image. Raises BootosError."""
    try:
        return path.read_bytes()
    except OSError as cause:
        raise BootosError(
            f"{path} cannot be read: {cause.strerror}", hint="give a directory that bootos image build wrote"
        ) from cause
