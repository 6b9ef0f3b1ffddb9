"""`bootos ca`: whose word machines and operators take for this server."""

from typing import Annotated, Any

import typer

from bootos.server.command.client import Client
from bootos.server.command.option import Output, operator_command
from bootos.wire.words import say_fingerprint

ca_app = typer.Typer(no_args_is_help=True)


def print_authority(out: Output, shown: dict[str, Any]) -> None:
    """The authority as people compare it with what a login or a machine shows."""
    former = shown["former"]
    out.pairs(
        {
            **shown,
            "former_words": say_fingerprint(former) if former else "",
            "made_by": "this server" if shown["is_own"] else "the site (--tls-cert)",
            "until": shown["until"][:10],
            "left": f"{len(shown['left'])}: {', '.join(shown['left'][:10])}" if shown["left"] else "",
            "leaf_until": shown["leaf_until"][:10] + (", renewed by itself" if shown["is_own"] else ""),
        },
        {
            "words": "words",
            "fingerprint": "SHA-256",
            "former_words": "former words",
            "former": "former SHA-256",
            "left": "machines with the former",
            "made_by": "made by",
            "until": "good until",
            "leaf_until": "server certificate until",
            "trouble": "NOT GOOD",
            "names": "server names",
            "tls_url": "machines' TLS address",
        },
    )


@operator_command(ca_app, "show")
def show_ca(
    client: Client,
    out: Output,
    pem: Annotated[
        bool, typer.Option("--pem", help="Print the certificate alone, for a browser or an image.")
    ] = False,
) -> None:
    """The server's certificate authority: its words and its fingerprint, which a machine may be given as
    SERVER_CA=sha256:FINGERPRINT.

    Example: bootos ca show
    """
    shown = client.call("GET", "ca")
    if pem:
        out.text(shown["pem"])
    elif out.as_json:
        out.json(shown)
    else:
        print_authority(out, shown)


@operator_command(ca_app, "rotate")
def rotate_ca(
    client: Client,
    out: Output,
    finish: Annotated[
        bool, typer.Option("--finish", help="Let the former authority go: who pinned only that is refused.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="With --finish: also when machines that are up know only that.")
    ] = False,
) -> None:
    """Make a new authority beside the present one. Who pinned either goes on, until `--finish` lets the former go. In
    between give the new fingerprint to boot files, images and operators.

    Example: bootos ca rotate
    """
    if force and not finish:
        raise typer.BadParameter("it needs --finish", param_hint="--force")
    shown = client.call("POST", "ca", "rotate", body={"finish": finish, "force": force})
    if out.as_json:
        out.json(shown)
        return
    if finish:
        out.line("The former authority is gone. There is this one:")
    else:
        out.line(
            "There is a new authority. Who knows the server by the former one goes on, until it is let go."
        )
    out.line()
    print_authority(out, shown)
    if finish:
        return
    out.line()
    out.line("Before bootos ca rotate --finish:")
    for step in (
        "where boot files say SERVER_CA, name the new one (or both, with a comma); an image with a CA gets the new one",
        "boot the machines that are up: each learns the new one when it boots",
        "operators on other hosts say bootos login URL again, which asks nothing",
    ):
        out.line(f"  - {step}")
