"""The verbs of `bootos image` that talk to a server: publish, list, default, rollback, pin, remove; and the keys that
sign images. `bootos.cli` puts them beside those of `bootos.image`.
"""

import base64
import hashlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer
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
from bootos.screen import Screen, write_out
from bootos.server.command.client import AnswerError, Client, UnreachableError
from bootos.server.command.option import DEFAULT_DATA, DataOption, Output, operator_command

image_app = typer.Typer(no_args_is_help=True, epilog="Example: bootos image publish build/image --default")
key_app = typer.Typer(
    no_args_is_help=True, help="Keys that sign images.", epilog="Example: bootos image key create"
)
image_app.add_typer(key_app, name="key")

PIECE_BYTES = 4 * 2**20
PAUSES_S = (1.0, 2.0, 4.0, 8.0, 15.0)  # while the server cannot be reached, in mid-upload
MANIFEST, SIGNATURE = "manifest.json", "manifest.json.sig"

VersionArgument = Annotated[str, typer.Argument(metavar="VERSION", help="As bootos image list shows it.")]


@operator_command(image_app, "publish")
def publish(
    client: Client,
    out: Output,
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A directory that bootos image build wrote.")
    ],
    default: Annotated[bool, typer.Option("--default", help="Let machines boot it from now on.")] = False,
    note: Annotated[str, typer.Option(metavar="TEXT", help="What is new in it.")] = "",
    key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Sign it with this key first (bootos image key create)."),
    ] = None,
) -> None:
    """Hand an image over to a server, which checks sizes, sha256 and signature and keeps the versions. What the server
    has is not sent again: an interrupted publication goes on, and of an image with one more layer for certain
    hardware only the layer is sent. What is damaged on the server is replaced.

    Example: bootos image publish build/image --default --note "new igb driver"
    """
    if key is not None:
        sign_image(directory, key, read_bytes(directory / MANIFEST))
    version, done = hand_over(client, directory)
    value = client.call("POST", "images", version, "publish", body={"note": note, "default": default})
    follow = "machines boot it from now on"
    if not value["is_default"]:
        follow = f"bootos image default {version} lets machines boot it"
    out.say(f"image {version} {done}; {follow}", value)


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
    """Before it is sent for a minute: the file is one that the manifest names. Raises BootosError."""
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
    """In which line of the progress a file is: the boot loaders, many and small, share one."""
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
                before = have
                have = send_piece(client, version, state["name"], have, file.read(PIECE_BYTES))
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
            time.sleep(pause_s)
        except AnswerError as error:
            listed = client.call("GET", "images") if error.status == 404 else []
            if any(item["version"] == version for item in listed):
                return offset + len(content)  # another client published the same image to its end meanwhile
            raise
        else:
            return int(answer["have_bytes"])
    raise AssertionError("unreachable: the last try returns or raises")


def sign_image(directory: Path, key: Path, raw: bytes) -> None:
    """Write the signature beside the manifest. Raises BootosError."""
    from bootos.server.files import write_atomically
    from bootos.server.image.signature import sign

    signature = sign(key, raw)
    try:
        write_atomically(directory / SIGNATURE, signature, mode=0o644)
    except OSError as cause:
        raise BootosError(f"{directory / SIGNATURE} cannot be written: {cause.strerror}") from cause


def read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as cause:
        raise BootosError(
            f"{path} cannot be read: {cause.strerror}", hint="give a directory that bootos image build wrote"
        ) from cause


@operator_command(image_app, "list")
def list_images(client: Client, out: Output) -> None:
    """List the images of the server: which is the default, which machines run which, and where each is pinned.

    Example: bootos image list
    """
    rows = client.call("GET", "images")
    columns = {
        "version": "VERSION",
        "use": "USE",
        "kernel_release": "KERNEL",
        "size": "SIZE",
        "signed_by": "SIGNED BY",
        "published_at": "PUBLISHED",
        "runs": "RUN IT",
        "next": "GET IT",
        "pinned": "PINNED",
        "note": "NOTE",
    }
    out.table(rows if out.as_json else [describe_row(row) for row in rows], columns, "there is no image")


def describe_row(row: dict[str, Any]) -> dict[str, Any]:
    use = "default" if row["is_default"] else "before" if row["was_default"] else ""
    return {
        **row,
        "use": f"{use} NOT SERVED".strip() if row["problem"] else use,
        "size": f"{row['size_bytes'] / 1e6:.1f} MB" if row["size_bytes"] else "",
        "runs": len(row["running"]),
        "pinned": [describe_pin(pin) for pin in row["pins"]],
        "note": row["note"] if row["note"] else row["problem"],
    }


def describe_pin(pin: dict[str, Any]) -> str:
    return f"{pin['id']}: {pin['sn'] or pin['vendor'] + ' / ' + pin['product']}"


@operator_command(image_app, "show")
def show_image(client: Client, out: Output, version: VersionArgument) -> None:
    """Show one image, with the machines that run it.

    Example: bootos image show 0.1.0-3f9a2c1b0d4e
    """
    value = client.call("GET", "images", version)
    if out.as_json:
        out.json(value)
        return
    value["pins"] = [describe_pin(pin) for pin in value["pins"]]
    keys = {
        "version": "version",
        "is_default": "default",
        "problem": "not served",
        "name": "name",
        "kernel_release": "kernel",
        "size_bytes": "bytes to load",
        "layers": "layers",
        "note": "note",
        "signed_by": "signed by",
        "published_at": "published",
        "published_by": "by",
        "pins": "pins",
        "running": "machines that run it",
        "next": "machines that get it next",
    }
    out.pairs(value, keys)


@operator_command(image_app, "default")
def choose_default(client: Client, out: Output, version: VersionArgument) -> None:
    """Let machines boot this image from now on, unless they are pinned; a machine that loads another one just now gets
    that to its end. `local` is what is in the server's --boot-files.

    Example: bootos image default 0.1.0-3f9a2c1b0d4e
    """
    value = client.call("POST", "images", version, "default")
    out.say(f"machines boot {value['version']} from now on", value)


@operator_command(image_app, "rollback")
def roll_back(client: Client, out: Output) -> None:
    """Make the image the default again that was it before the present one.

    Example: bootos image rollback
    """
    value = client.call("POST", "images", "rollback")
    out.say(f"machines boot {value['version']} again", value)


@operator_command(image_app, "pin")
def pin_image(
    client: Client,
    out: Output,
    version: VersionArgument,
    machine: Annotated[str, typer.Option(metavar="MACHINE", help="Serial number, or id as id:5.")] = "",
    vendor: Annotated[str, typer.Option(metavar="PATTERN", help="With --product: a model.")] = "",
    product: Annotated[str, typer.Option(metavar="PATTERN", help="*, ? and [...] are wildcards.")] = "",
) -> None:
    """Let one machine, or all machines of a model, boot this image whatever the default is. A machine's own pin comes
    before that of its model.

    Example: bootos image pin 0.1.0-3f9a2c1b0d4e --vendor Dell --product 'PowerEdge R7*'
    """
    if bool(machine) == bool(vendor or product) or bool(vendor) != bool(product):
        raise typer.BadParameter(
            "give a machine, or a model (both of them)", param_hint="--machine, --vendor and --product"
        )
    body = {"version": version, "machine": machine, "vendor": vendor, "product": product}
    answer = client.call("POST", "pins", body=body)
    for sentence in answer["left"] if not out.as_json else ():
        write_out(f"{sentence}\n", sys.stderr)
    out.say(f"pin {describe_pin(answer['pin'])} boots {version}", answer)


@operator_command(image_app, "unpin")
def unpin_image(
    client: Client, out: Output, pin: Annotated[int, typer.Argument(metavar="PIN", help="Its number.")]
) -> None:
    """Remove a pin; its machines get the default again, or what another pin says.

    Example: bootos image unpin 3
    """
    client.call("DELETE", "pins", pin)
    out.say(f"pin {pin} was removed")


@operator_command(image_app, "withdraw")
def remove_image(client: Client, out: Output, version: VersionArgument) -> None:
    """Remove a version from the server. Not the default, and not one that is pinned.

    Example: bootos image withdraw 0.1.0-3f9a2c1b0d4e
    """
    client.call("DELETE", "images", version)
    out.say(f"image {version} was removed")


@key_app.command("create")
def create_key(
    output: Annotated[
        Path, typer.Option(metavar="FILE", help="The private key; the public one is FILE.pub.")
    ] = Path("bootos-image.key"),
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a key that signs images (Ed25519). Keep it on the build host; the server needs the public one.

    Example: bootos image key create --output /etc/bootos/image.key
    """
    from bootos.server.image import signature

    public = signature.create_key(output)
    value = {"private": str(output), "public": str(public)}
    Output(json).say(f"{output} signs; on the server: bootos image key trust {public.name}", value)


@key_app.command("trust")
def trust_key(
    key: Annotated[Path, typer.Argument(metavar="FILE", help="A public key, FILE.pub.")],
    data: DataOption = DEFAULT_DATA,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """On the server's host: trust images that this key signed, from the next publication on. To withdraw it, remove the
    file and restart the server.

    Example: bootos image key trust image.key.pub --data /var/lib/bootos
    """
    from bootos.server.files import write_atomically
    from bootos.server.image.signature import read_public_key

    read_public_key(key)
    target = data / "trusted-keys" / f"{key.name.removesuffix('.pub')}.pub"
    if not data.is_dir():
        raise BootosError(f"there is no data directory {data}", hint="name the server's with --data")
    try:
        target.parent.mkdir(exist_ok=True)
        write_atomically(target, key.read_bytes(), mode=0o644)
    except OSError as cause:
        raise BootosError(f"{target} cannot be written: {cause.strerror}") from cause
    Output(json).say(f"{target} is trusted", {"file": str(target)})
