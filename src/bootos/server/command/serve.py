"""`bootos serve`: reads the options and runs the server."""

import ipaddress
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from bootos.server.command.option import DEFAULT_DATA, DataOption, check_url

if TYPE_CHECKING:
    from bootos.server.settings import Address

serve_app = typer.Typer(
    subcommand_metavar="", epilog="Example: bootos serve --listen 10.0.0.1:8083 --data /var/lib/bootos"
)


@serve_app.callback(invoke_without_command=True)
def serve(
    listen: Annotated[
        str,
        typer.Option(
            "--listen",
            metavar="HOST:PORT",
            help="Where to listen to machines; port 0 takes a free one. Default: 127.0.0.1:8083; with --netboot "
            "port 80 of that interface.",
        ),
    ] = "",
    tls_listen: Annotated[
        str,
        typer.Option(
            "--tls-listen",
            metavar="HOST:PORT|off",
            help="Where to listen to machines over TLS. Default: port 8084 of --listen's host; with --netboot 443.",
        ),
    ] = "",
    operator_listen: Annotated[
        str,
        typer.Option(
            "--operator-listen",
            metavar="HOST:PORT",
            help="Where to listen to operators: pages and commands, over TLS.",
        ),
    ] = "127.0.0.1:8443",
    tls_cert: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The server's certificate and those above it, PEM. Default: the server has its own authority.",
        ),
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="The key of --tls-cert, PEM.")] = None,
    tls_name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Another name or address that clients reach it by; may be repeated."
        ),
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(metavar="CIDR", help="Whose X-Forwarded-For and -Proto count; may be repeated."),
    ] = None,
    data: DataOption = DEFAULT_DATA,
    database: Annotated[
        str, typer.Option(metavar="URL", help="SQLAlchemy URL. Default: SQLite, DIR/bootos.db.")
    ] = "",
    boot_files: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="The directory of the image `local`: the default while no other is.",
        ),
    ] = Path("build/image"),
    public_url: Annotated[
        str, typer.Option(metavar="URL", help="How machines reach this server. Default: the listen address.")
    ] = "",
    public_tls_url: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="How machines reach it over TLS. Default: the host of --public-url, the port of --tls-listen.",
        ),
    ] = "",
    append: Annotated[
        str, typer.Option(metavar="WORDS", help="More kernel arguments, as 'DEVELOPER=1 PRE=http://...'.")
    ] = "",
    tftp: Annotated[
        bool | None,
        typer.Option(
            "--tftp/--no-tftp",
            help="Put boot loaders into DIR/tftp, the image's or this host's. Default: those there are.",
        ),
    ] = None,
    netboot: Annotated[
        str,
        typer.Option(
            metavar="IFACE",
            help="Answer DHCP (for boot loaders) and TFTP on this interface, by dnsmasq. Root.",
        ),
    ] = "",
    dhcp_range: Annotated[
        str,
        typer.Option(
            metavar="FIRST-LAST",
            help="With --netboot: give out these addresses too. Default: another DHCP server there does.",
        ),
    ] = "",
    boot_loader: Annotated[
        str,
        typer.Option(
            metavar="native|ipxe",
            help="With --netboot: what firmware gets. native: pxelinux, or shim and GRUB on UEFI.",
        ),
    ] = "native",
    legacy: Annotated[
        str,
        typer.Option(
            metavar="off|enrolled|open",
            help="Cloudboot v1 agents and installers: none; those of confirmed machines with a job (default); "
            "all, for a lab.",
        ),
    ] = "",
    legacy_api: Annotated[
        bool | None, typer.Option("--legacy-api/--no-legacy-api", help="--legacy enrolled, --legacy off.")
    ] = None,
    require_approval: Annotated[
        bool,
        typer.Option(
            "--require-approval", help="Configure hardware only by jobs whose plan an operator approved."
        ),
    ] = False,
    require_signature: Annotated[
        bool,
        typer.Option(
            "--require-signature",
            help="Take and serve only published images with a signature of a key in DIR/trusted-keys.",
        ),
    ] = False,
    enrol: Annotated[
        str,
        typer.Option(
            metavar="confirm|open",
            help="Whether a machine that registers waits until it is confirmed; open: none does, for a lab.",
        ),
    ] = "confirm",
    secrets_after: Annotated[
        str,
        typer.Option(
            metavar="words|import|rule",
            help="The weakest confirmation after which a machine is sent secrets: a person compared the words, "
            "with each boot anew; an imported row or a person; also a rule.",
        ),
    ] = "import",
    plain_secrets: Annotated[
        bool,
        typer.Option(
            "--plain-secrets", help="Send secrets over http too, readable on the network: for a lab."
        ),
    ] = False,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            "--limit", metavar="NAME=VALUE", help="Another limit than that of docs/limits.md; once for each."
        ),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log more.")] = False,
) -> None:
    """Run the server: boot files, agents, operator API and web pages.

    Example: bootos serve --listen 10.0.0.1:8083 --data /var/lib/bootos
    """
    from bootos.server.limit import parse_limits
    from bootos.server.serve import run_server
    from bootos.server.settings import Settings

    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    if boot_loader not in ("native", "ipxe"):
        raise typer.BadParameter(f"{boot_loader!r} is neither native nor ipxe", param_hint="--boot-loader")
    if enrol not in ("confirm", "open"):
        raise typer.BadParameter(f"{enrol!r} is neither confirm nor open", param_hint="--enrol")
    if secrets_after not in ("words", "import", "rule"):
        raise typer.BadParameter(
            f"{secrets_after!r} is not words, import or rule", param_hint="--secrets-after"
        )
    if dhcp_range and not netboot:
        raise typer.BadParameter("it needs --netboot IFACE", param_hint="--dhcp-range")
    if netboot:
        from bootos.server.netboot.dnsmasq import parse_range, read_address

        listen = listen or f"{read_address(netboot).ip}:80"
        tls_listen = tls_listen or f"{read_address(netboot).ip}:443"
        if dhcp_range:
            parse_range(dhcp_range)
    machines = parse_address(listen or "127.0.0.1:8083", "--listen")
    if any(character in public_url + public_tls_url + append for character in "\r\n") or " " in public_url:
        raise typer.BadParameter(
            "line ends and spaces cannot be in these", param_hint="--public-url, --public-tls-url, --append"
        )
    if public_url:
        check_url(public_url, "--public-url")
    if public_tls_url:
        check_url(public_tls_url, "--public-tls-url")
        if not public_tls_url.startswith("https:"):
            raise typer.BadParameter("it begins with https://", param_hint="--public-tls-url")
    if (tls_cert is None) != (tls_key is None):
        raise typer.BadParameter("one needs the other", param_hint="--tls-cert, --tls-key")
    for proxy in trusted_proxy or ():
        check_network(proxy, "--trusted-proxy")
    run_server(
        Settings(
            data=data,
            host=machines.host,
            port=machines.port,
            tls=parse_tls_address(tls_listen, machines),
            tls_cert=tls_cert,
            tls_key=tls_key,
            tls_names=tuple(tls_name or ()),
            trusted_proxies=tuple(trusted_proxy or ()),
            public_tls_url=public_tls_url,
            operators=parse_address(operator_listen, "--operator-listen"),
            database=database,
            boot_files=boot_files,
            public_url=public_url,
            append=append,
            tftp=tftp,
            netboot=netboot,
            dhcp_range=dhcp_range,
            boot_loader="ipxe" if boot_loader == "ipxe" else "native",
            legacy=read_legacy(legacy, legacy_api),
            require_approval=require_approval,
            require_signature=require_signature,
            enrol="open" if enrol == "open" else "confirm",
            plain_secrets=plain_secrets,
            secrets_after=cast(Literal["words", "import", "rule"], secrets_after),
            limits=parse_limits(limit or []),
        )
    )


def read_legacy(legacy: str, legacy_api: bool | None) -> Literal["off", "enrolled", "open"]:
    """The policy of Cloudboot v1 that --legacy says, or --no-legacy-api, which is its older name for `off`. Raises
    BadParameter."""
    if legacy_api is not None and legacy and legacy_api == (legacy == "off"):
        raise typer.BadParameter(
            f"it contradicts --legacy {legacy}",
            param_hint="--legacy-api" if legacy_api else "--no-legacy-api",
        )
    for known in ("off", "enrolled", "open"):
        if legacy == known:
            return known
    if legacy:
        raise typer.BadParameter(f"{legacy!r} is neither off, enrolled nor open", param_hint="--legacy")
    return "off" if legacy_api is False else "enrolled"


def parse_tls_address(text: str, machines: "Address") -> "Address | None":
    """Where machines are listened to over TLS; beside `machines` when nothing was said. Raises typer.BadParameter."""
    from bootos.server.settings import Address

    if text == "off":
        return None
    if text:
        return parse_address(text, "--tls-listen")
    return Address(machines.host, {0: 0, 80: 443}.get(machines.port, 8084))


def check_network(text: str, option: str) -> None:
    """An address or a network. Raises typer.BadParameter."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError as cause:
        raise typer.BadParameter(
            f"{text!r} is no address and no network: {cause}", param_hint=option
        ) from cause


def parse_address(text: str, option: str) -> "Address":
    """HOST:PORT. Raises typer.BadParameter."""
    from bootos.server.settings import Address

    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise typer.BadParameter(f"{text!r} is not HOST:PORT", param_hint=option)
    return Address(host.strip("[]"), int(port))
