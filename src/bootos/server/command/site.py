"""Which server a command means, whose word it takes for it, and what proves the operator there.

On the server's own host its data directory tells all of it. Elsewhere `bootos login` looked at the server's authority
once and pinned it, in a file of this user; other servers are believed when the system's authorities vouch for them.
"""

import os
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from bootos.errors import BootosError
from bootos.files import read_json, write_atomically

ADDRESS_FILE = "server.json"


class Site(msgspec.Struct, kw_only=True):
    """`ca` is the authority's certificate as PEM, empty for those of this host's system; `name` the name that the
    server's certificate is for, where that is not the host of the URL; `token` the operator token, if it was kept."""

    url: str
    ca: str = ""
    name: str = ""
    token: str = ""

    @property
    def is_encrypted(self) -> bool:
        """Whether nobody on the way reads what is sent there."""
        return self.url.startswith("https:")

    @property
    def is_local(self) -> bool:
        """Whether what is sent there does not leave this host."""
        host = urlsplit(self.url).hostname or ""
        return host == "localhost" or host == "::1" or host.startswith("127.")

    def build_tls(self) -> ssl.SSLContext:
        """What checks the server's certificate."""
        if not self.ca:
            return ssl.create_default_context()
        tls = ssl.create_default_context(cadata=self.ca)
        tls.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # what is pinned may be signed by another
        return tls

    def build_pool_options(self) -> dict[str, Any]:
        """The same, as urllib3 takes it."""
        if not self.is_encrypted:
            return {}
        names = {"assert_hostname": self.name, "server_hostname": self.name} if self.name else {}
        return {"ssl_context": self.build_tls(), **names}


class Logins(msgspec.Struct, kw_only=True):
    """The servers that this user logged in to, by URL; `last` is the one that is meant when none is named."""

    last: str = ""
    sites: dict[str, Site] = {}


def find_logins_file() -> Path:
    """Where the logins of this user are kept (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "bootos" / "logins.json"


def read_logins() -> Logins:
    """The logins of this user. Raises BootosError when their file cannot be read."""
    path = find_logins_file()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Logins)
    except FileNotFoundError:
        return Logins()
    except (OSError, msgspec.MsgspecError) as cause:
        raise BootosError(f"{path} cannot be read: {cause}", hint="remove it, and log in again") from cause


def write_login(site: Site) -> Path:
    """Keep a login, as the last one, for this user alone; returns the file. Raises OSError."""
    path = find_logins_file()
    logins = read_logins()
    logins.last, logins.sites[site.url] = site.url, site
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomically(path, msgspec.json.format(msgspec.json.encode(logins)) + b"\n", mode=0o600)
    return path


def read_url(server: str) -> str:
    """The URL that was meant by HOST:PORT or a URL."""
    return (server if "://" in server else f"https://{server}").rstrip("/")


def read_address_file(data: Path) -> Site | None:
    """The server of this data directory, by what it wrote down at its start; None when it did not."""
    try:
        said = read_json(data / ADDRESS_FILE)
        return Site(url=said["operators"], ca=said.get("ca", ""), name=said.get("name", ""))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def find_site(server: str, data: Path) -> Site:
    """The server that is meant: the one that was named, else the one of this data directory, else the one that was
    logged in to last. Raises BootosError."""
    here = read_address_file(data)
    if server:
        url = read_url(server)
        if here is not None and url == here.url:
            return here
        return read_logins().sites.get(url) or Site(url=url)
    if here is not None:
        return here
    logins = read_logins()
    if logins.last in logins.sites:
        return logins.sites[logins.last]
    raise BootosError(
        f"no server is named, and none has run on {data}",
        hint="on the server's host name its data directory with --data or BOOTOS_DATA; elsewhere "
        "bootos login https://SERVER:8443",
    )


def read_token(token_file: Path | None, data: Path, site: Site) -> str:
    """The operator token: a given file, else BOOTOS_TOKEN, else that of the login, else that in the data directory of
    this very server: no other one is sent it. Raises BootosError."""
    if token_file is None:
        if token := os.environ.get("BOOTOS_TOKEN", "").strip() or site.token:
            return token
        here = read_address_file(data)
        if here is None or here.url != site.url:
            raise BootosError(
                f"nobody has logged in to {site.url}, and the operator token in {data} is for the server of that "
                "directory alone",
                hint=f"bootos login {site.url}; or give --token-file or BOOTOS_TOKEN; for the server of a data "
                "directory leave --server and BOOTOS_SERVER away",
            )
        token_file = data / "operator.token"
    try:
        return token_file.read_text().strip()
    except OSError as cause:
        raise BootosError(
            f"the operator token cannot be read: {token_file}: {cause.strerror}",
            hint="give --token-file, BOOTOS_TOKEN, or the server's data directory with --data, or log in: "
            f"bootos login {site.url}",
        ) from cause
