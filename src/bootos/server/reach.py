"""How a server is reached by what it was told, who cannot reach it, and whom it trusts: what it says when it starts.
Pure."""

from bootos.server.settings import Address, Settings


def describe_addresses(settings: Settings) -> list[str]:
    """How the server is reached, in sentences."""
    said = []
    if not find_unreachable(settings):
        tls_url = "" if find_tls_unreachable(settings) else settings.tls_url
        urls = filter(None, (settings.machine_url, tls_url))
        said.append(f"machines reach this server at {' and '.join(urls)}")
    here = ", from this host only (--operator-listen HOST:PORT)" if settings.operators.is_loopback else ""
    said.append(f"operators reach this server at {settings.operator_url}{here}")
    return said


def find_trusting(settings: Settings) -> str:
    """Which options take whoever comes at its word, or tell it secrets, and what each of them does, as a sentence;
    empty: none is given."""
    given = {
        "--enrol open gives jobs to everybody who registers": settings.enrol == "open",
        "--legacy open gives jobs to everybody who calls by Cloudboot v1": settings.legacy == "open",
        "--plain-secrets sends secrets over http too, readable on the network": settings.plain_secrets,
    }
    effects = [effect for effect, is_given in given.items() if is_given]
    return f"this is for a lab: {'; '.join(effects)}" if effects else ""


def find_unreachable(settings: Settings) -> str:
    """Why machines cannot reach this server; empty when they may."""
    address = Address(settings.host, settings.port)
    if settings.public_url:
        return ""
    if address.is_any:
        return (
            f"machines cannot reach {settings.machine_url}: say how they reach this server with --public-url, "
            "as http://10.0.0.1:8083"
        )
    if address.is_loopback:
        return (
            f"machines cannot reach this server: it listens on {address.host} only. Name an address of their network "
            "with --listen, as 10.0.0.1:8083"
        )
    return ""


def find_tls_unreachable(settings: Settings) -> str:
    """Why machines reach this server, but not over TLS; empty when they may."""
    tls, is_local = settings.tls, Address(settings.host).is_loopback
    if tls is None or not tls.is_loopback or is_local or settings.public_tls_url:
        return ""
    return (
        f"machines cannot reach this server over TLS, and get no secrets: it listens on {tls} only. Name an address of "
        "their network with --tls-listen, as 10.0.0.1:8084"
    )
