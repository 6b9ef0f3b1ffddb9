"""Where a link of a Redfish service leads: whatever host it names, its path is asked at the service's address. Pure.

A BMC writes its links under its other name or its other address at times (DSP0266 wants paths alone), and a link to a
host that is really another one is then a path that the service does not have.
"""

from urllib.parse import urljoin, urlsplit

from bootos.drivers.redfish.failure import RedfishError

_PORTS = {"http": 80, "https": 443}


def cut_own(url: str, address: str) -> str:
    """Path and query to ask the service at `url` for. Raises RedfishError, which names it, for what no service has."""
    try:
        there = urlsplit(urljoin(f"{url}/", address))
        if there.scheme in _PORTS and there.hostname and there.port != 0:
            path = "/" + there.path.lstrip("/")
            return f"{path}?{there.query}" if there.query else path
    except ValueError:
        pass  # no address at all
    raise RedfishError(
        f"the Redfish service at {url} leads to what is no address of a service: {address}", foreign=True
    )


def is_elsewhere(url: str, address: str) -> bool:
    """Whether an address names another host than the service's at `url`, or another port or protocol."""
    return _find_origin(url) != _find_origin(urljoin(f"{url}/", address))


def _find_origin(address: str) -> tuple[str, str, int]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
