"""`bootos image key`: the keys that sign images."""

from pathlib import Path
from typing import Annotated

import typer

from bootos.errors import BootosError
from bootos.server.command.option import DEFAULT_DATA, DataOption, Output

key_app = typer.Typer(
    no_args_is_help=True, help="Keys that sign images.", epilog="Example: bootos image key create"
)


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
    from bootos.files import write_atomically
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
