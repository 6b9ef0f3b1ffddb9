"""Why there was no answer, as an operator reads it: from errors of urllib3 and codes of OpenSSL to a sentence and a way
on."""

import ssl
from collections.abc import Iterator

from bootos.server.command.site import Site

# X509_V_ERR_... of OpenSSL, for which Python's ssl has no names
NOT_YET_VALID, HAS_EXPIRED = 9, 10
MISMATCH = (62, 63, 64)  # host name, e-mail address, IP address
JUDGED = (NOT_YET_VALID, HAS_EXPIRED, *MISMATCH)
"""What may be wrong with a certificate that the authority did sign."""


def read_reason(error: BaseException) -> str:
    """The innermost reason of an error of urllib3, as `Connection refused`."""
    *_, innermost = list_errors(error)
    return getattr(innermost, "strerror", None) or str(innermost)


def find_tls_error(error: BaseException) -> ssl.SSLError | None:
    """The error of Python's ssl that one of urllib3 is about; None when it is about something else."""
    return next((inner for inner in list_errors(error) if isinstance(inner, ssl.SSLError)), None)


def list_errors(error: BaseException) -> Iterator[BaseException]:
    """An error and those inside it, which urllib3 keeps in three places."""
    found: BaseException | None = error
    while found is not None:
        yield found
        inside = (getattr(found, "reason", None), found.__cause__, *found.args)
        found = next((inner for inner in inside if isinstance(inner, BaseException)), None)


def describe_tls_error(site: Site, error: ssl.SSLError) -> tuple[str, str]:
    """Why there is no connection that is believed, and what to do."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"{site.url} does not speak TLS ({error.reason or error})",
            "operators reach a server at the port of --operator-listen, 8443 where nothing else was said",
        )
    if error.verify_code in (NOT_YET_VALID, HAS_EXPIRED):
        state = "over" if error.verify_code == HAS_EXPIRED else "not good yet"
        return (
            f"the certificate of {site.url} is {state}, or the clock of this host is wrong",
            "a server renews its own by itself; one of the site (--tls-cert) is renewed where it was made",
        )
    if error.verify_code in MISMATCH:
        return (
            f"the certificate of {site.url} is not for that name",
            "use a name that it is for (bootos ca show on the server's own host), or bootos serve --tls-name NAME",
        )
    if not site.ca:
        return (
            f"no authority that this host knows vouches for {site.url}",
            f"compare its own, and pin it: bootos login {site.url}",
        )
    return (
        f"{site.url} is not the server that was pinned: another authority made its certificate",
        f"somebody may be in between, or it has a new authority; compare that, and pin it: bootos login {site.url}",
    )
