"""`bootos login`: looks at a server's authority once, has a person compare it, and pins it."""

import os
import ssl
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer
import urllib3
from cryptography import x509
from rich.text import Text

from bootos.errors import BootosError
from bootos.printable import show_line
from bootos.screen import Screen
from bootos.server.command.call_error import JUDGED, describe_tls_error, find_tls_error, read_reason
from bootos.server.command.client import AnswerError, Client, UnreachableError, check_side
from bootos.server.command.option import JsonOption, Output, TokenOption, check_url, read_login
from bootos.server.command.site import Site, read_logins, read_token, read_url, write_login
from bootos.server.fault import Fault
from bootos.server.tls.certificate import dump, read_fingerprint
from bootos.wire.words import say_fingerprint

login_app = typer.Typer(
    subcommand_metavar="",
    epilog="Example: bootos login https://10.0.0.1:8443",
    context_settings={"allow_interspersed_args": True},  # options may follow the URL
)

CA_MAX_BYTES = 100_000

T = TypeVar("T")


@login_app.callback(invoke_without_command=True)
def log_in(
    server: Annotated[str, typer.Argument(metavar="URL", help="The server's address for operators.")],
    fingerprint: Annotated[
        str,
        typer.Option(metavar="SHA256", help="What its authority must be: then nothing is asked."),
    ] = "",
    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            help="Take the authority that is shown, if no other is pinned: where nobody can be in between.",
        ),
    ] = False,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Log in to a server from another host: its authority is shown, to be compared with what `bootos ca show` prints on
    the server's own host, and then pinned; the operator token is asked for and kept, for this user alone.

    Example: bootos login https://10.0.0.1:8443
    """
    out, url = Output(as_json), read_url(server)
    check_url(url, "URL")
    if not url.startswith("https:"):
        check_side(Site(url=url))
        raise BootosError(
            f"{url} is not encrypted",
            hint="operators reach the server by https, at the port of --operator-listen",
        )
    known = read_logins().sites.get(url)
    authority = read_ca(url, known)
    sha256, pem = read_fingerprint(authority), dump(authority).decode()
    site = Site(url=url, ca=pem, token=known.token if known is not None else "")
    check_served(site)
    if fingerprint:
        wanted = fingerprint.removeprefix("sha256:").replace(":", "").lower()
        if wanted != sha256:
            raise BootosError(
                f"the authority of {url} is another one: {sha256}",
                hint="somebody may be in between; compare with bootos ca show on the server's host",
            )
    elif not is_vouched_for(known, pem) and not (yes and known is None):
        confirm(url, sha256, known)
    site.token = find_token(token_file, site)
    path = write_login(site)
    out.say(f"logged in to {url}; kept in {path}", {"url": url, "fingerprint": sha256, "file": str(path)})


def read_ca(url: str, known: Site | None) -> x509.Certificate:
    """The certificate of the server's authority, as the server shows it. Whom it comes from is not known yet, unless
    the server is known. Raises BootosError."""
    if known is not None:
        try:
            return fetch_ca(url, known.build_tls())
        except ssl.SSLError:
            pass  # not what was pinned; a person decides
    blind = ssl.create_default_context()
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    try:
        return fetch_ca(url, blind)
    except ssl.SSLError as cause:
        message, hint = describe_tls_error(Site(url=url), cause)
        raise UnreachableError(message, hint=hint) from None


def fetch_ca(url: str, tls: ssl.SSLContext) -> x509.Certificate:
    """The certificate that the server has at /ca.pem; of several the first. It alone is what a person compares, so
    nothing else of that file may be taken. Raises ssl.SSLError, BootosError."""
    with (
        urllib3.PoolManager(ssl_context=tls, timeout=10, retries=False) as pool,
        warnings.catch_warnings(category=urllib3.exceptions.InsecureRequestWarning, action="ignore"),
    ):
        try:
            answer = pool.request("GET", f"{url}/ca.pem", redirect=False, preload_content=False)
            content = answer.read(CA_MAX_BYTES)
        except urllib3.exceptions.HTTPError as cause:
            if tls_error := find_tls_error(cause):
                raise tls_error from cause
            raise UnreachableError(
                f"no answer from {url}: {read_reason(cause)}",
                hint="is the server running, and does it listen there? bootos serve --operator-listen HOST:PORT",
            ) from None
    if answer.status == 200 and content.startswith(b"-----BEGIN CERTIFICATE-----"):
        try:
            return x509.load_pem_x509_certificate(content)
        except ValueError as cause:
            raise BootosError(
                f"{url} does not show an authority: what is at /ca.pem is no certificate"
            ) from cause
    try:
        said = msgspec.json.decode(content, type=Fault)  # the machines' address says where operators go
    except msgspec.DecodeError:
        said = Fault(
            error=f"{url} does not show an authority", hint="is this a BootOS server's address for operators?"
        )
    raise BootosError(show_line(said.error), hint=show_line(said.hint))


def check_served(site: Site) -> None:
    """Check that the server is what that authority vouches for. Raises BootosError."""
    try:
        fetch_ca(site.url, site.build_tls())
    except ssl.SSLError as cause:
        message, hint = describe_tls_error(site, cause)
        if isinstance(cause, ssl.SSLCertVerificationError) and cause.verify_code not in JUDGED:
            message = f"the authority that {site.url} shows does not vouch for it"
            hint = "somebody may be in between; bootos ca show on the server's own host tells its authority"
        raise BootosError(message, hint=hint) from None


def is_vouched_for(known: Site | None, pem: str) -> bool:
    """Whether the pinned authority is this one, or vouches for a server that shows this one."""
    if known is None:
        return False
    if known.ca == pem:
        return True
    try:
        return dump(fetch_ca(known.url, known.build_tls())).decode() == pem
    except (ssl.SSLError, BootosError):
        return False


def confirm(url: str, sha256: str, known: Site | None) -> None:
    """Have a person compare the authority. Raises BootosError when it is not taken."""
    screen = Screen(stderr=True)
    if known is not None:
        screen.print(Text(f"The authority of {url} is NOT the one that was pinned before.", style="bold red"))
    screen.print(Text(f"{url} shows this authority:\n\n    {say_fingerprint(sha256)}\n    {sha256}\n"))
    screen.print(Text("On the server's own host `bootos ca show` must print the same."))
    hint = "in a script: --fingerprint SHA256" + ("" if known else "; --yes where nobody can be in between")
    if not ask(url, hint, lambda: typer.confirm("Is it the same?", default=False, err=True)):
        raise BootosError(f"not logged in to {url}")


def ask(url: str, hint: str, question: Callable[[], T]) -> T:
    """The answer of a person. Raises BootosError where there is none, as in a script."""
    try:
        return question()
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        raise BootosError(f"not logged in to {url}: nobody answered", hint=hint) from None


def find_token(token_file: Path | None, site: Site) -> str:
    """The operator token that the server takes: the one that was given or kept, else it is asked for. Raises
    BootosError."""
    given = token_file is not None or os.environ.get("BOOTOS_TOKEN", "").strip() or site.token
    if given:
        token = read_token(token_file, Path(), site)
        try:
            return check_token(site, token)
        except AnswerError:
            if token != site.token:
                raise
    question = "Operator token (operator.token in the server's data directory)"
    hint = "in a script: --token-file FILE, or BOOTOS_TOKEN"
    asked = ask(site.url, hint, lambda: str(typer.prompt(question, hide_input=True, err=True)))
    return check_token(site, asked.strip())


def check_token(site: Site, token: str) -> str:
    """The token, which the server takes. Raises AnswerError when it does not."""
    Client(site, token, actor=read_login()).call("GET", "status")
    return token
