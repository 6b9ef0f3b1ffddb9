"""The verbs of `bootos image` that talk to a server: publish, list, default, rollback, pin, remove; and the keys that
sign images. `bootos.cli` puts them beside those of `bootos.image`.
"""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bootos.printable import show_line
from bootos.screen import write_out
from bootos.server.command.client import Client
from bootos.server.command.key import key_app
from bootos.server.command.option import Output, operator_command
from bootos.server.command.publication import MANIFEST, hand_over, read_bytes, sign_image

image_app = typer.Typer(no_args_is_help=True, epilog="Example: bootos image publish build/image --default")
image_app.add_typer(key_app, name="key")

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
    """A row of the list, as people read it: sizes in MB, pins in words."""
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
    """A pin with its number, and the machine or model that it is for."""
    return f"{pin['id']}: {pin['sn'] or pin['vendor'] + ' / ' + pin['product']}"


@operator_command(image_app, "show")
def show_image(client: Client, out: Output, version: VersionArgument) -> None:
    """Show one image, with the machines that run it.

    Example: bootos image show 0.2.0-3f9a2c1b0d4e
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

    Example: bootos image default 0.2.0-3f9a2c1b0d4e
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
    machine: Annotated[
        str, typer.Option(metavar="MACHINE", help="Serial number or other name, or id as id:5.")
    ] = "",
    vendor: Annotated[str, typer.Option(metavar="PATTERN", help="With --product: a model.")] = "",
    product: Annotated[str, typer.Option(metavar="PATTERN", help="*, ? and [...] are wildcards.")] = "",
) -> None:
    """Let one machine, or all machines of a model, boot this image whatever the default is. A machine's own pin comes
    before that of its model.

    Example: bootos image pin 0.2.0-3f9a2c1b0d4e --vendor Dell --product 'PowerEdge R7*'
    """
    if bool(machine) == bool(vendor or product) or bool(vendor) != bool(product):
        raise typer.BadParameter(
            "give a machine, or a model (both of them)", param_hint="--machine, --vendor and --product"
        )
    body = {"version": version, "machine": machine, "vendor": vendor, "product": product}
    answer = client.call("POST", "pins", body=body)
    for sentence in answer["left"] if not out.as_json else ():
        write_out(f"{show_line(sentence)}\n", sys.stderr)
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

    Example: bootos image withdraw 0.2.0-3f9a2c1b0d4e
    """
    client.call("DELETE", "images", version)
    out.say(f"image {version} was removed")
