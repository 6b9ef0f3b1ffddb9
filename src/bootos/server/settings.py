"""How this server runs: what `bootos serve` was told, and the paths that follow from it."""

import socket
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from bootos.server.limit import LIMITS, Limits


class Address(msgspec.Struct, frozen=True):
    """Where to listen; port 0 is any free one."""

    host: str = "127.0.0.1"
    port: int = 0

    def __str__(self) -> str:
        """As it stands in a URL (RFC 3986, section 3.2)."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def build_url(self, scheme: Literal["http", "https"]) -> str:
        """Its URL, without a slash at the end and without the port that the scheme means by itself."""
        port = {"http": 80, "https": 443}[scheme]
        return f"{scheme}://{self}".removesuffix(f":{port}") if self.port == port else f"{scheme}://{self}"

    @property
    def is_any(self) -> bool:
        """Whether it stands for all addresses of this host, which nobody can connect to by this name."""
        return self.host in ("0.0.0.0", "::")

    @property
    def is_loopback(self) -> bool:
        """Whether nobody outside of this host reaches it."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """`host` and `port` are where machines are listened to, `tls` where they are over TLS, `operators` where operators
    are. `public_url` is how machines reach the server, `public_tls_url` how they do over TLS; `append` are extra kernel
    arguments for BootOS. `tls_names` are more names that the server's certificate is for; `tls_cert` and `tls_key` a
    certificate that the site made. `trusted_proxies`: addresses and networks whose `X-Forwarded-For` counts.

    `session_grace_s`: for so long after its last word a boot holds its machine's identity. It must be longer
    than `poll_s`, or a waiting agent would lose its identity to any other client. `require_approval`: hardware is
    configured only by jobs that carry out an approved plan. `require_signature`: only images with a trusted signature
    are taken and served, and not what is in `boot_files`. `enrol`: whether a machine that registers waits for its
    confirmation, or is confirmed by registering (`open`, for a lab). `secrets_after`: the weakest confirmation after
    which a machine is sent secrets; after `words`, a boot. `plain_secrets`: they may go over http.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = 8083
    tls: Address | None = Address()
    operators: Address = Address()
    tls_names: tuple[str, ...] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    trusted_proxies: tuple[str, ...] = ()
    database: str = ""
    boot_files: Path = Path("build/image")
    public_url: str = ""
    public_tls_url: str = ""
    append: str = ""
    tftp: bool | None = None  # None: serve the boot loaders that there are
    netboot: str = ""  # the interface on which dnsmasq answers DHCP and TFTP; empty: other servers do
    # FIRST-LAST. Empty: another server gives out addresses, and dnsmasq only adds what to boot.
    dhcp_range: str = ""
    # What firmware gets. native: pxelinux, or shim and GRUB.
    boot_loader: Literal["native", "ipxe"] = "native"
    # Who may call by Cloudboot v1. enrolled: confirmed machines with a job. open: whoever names a machine, for a lab.
    legacy: Literal["off", "enrolled", "open"] = "enrolled"
    require_approval: bool = False
    require_signature: bool = False
    enrol: Literal["confirm", "open"] = "confirm"
    secrets_after: Literal["words", "import", "rule"] = "import"
    plain_secrets: bool = False
    poll_s: int = 25
    session_grace_s: float = 40
    legacy_grace_s: int = 150
    limits: Limits = LIMITS

    @property
    def database_url(self) -> str:
        """As SQLAlchemy writes it; a SQLite file in the data directory when none was given."""
        return self.database or f"sqlite:///{self.data.absolute() / 'bootos.db'}"

    @property
    def machine_url(self) -> str:
        """How machines reach this server, without a slash at the end."""
        return (self.public_url or Address(self.host, self.port).build_url("http")).rstrip("/")

    @property
    def operator_url(self) -> str:
        """How operators reach this server, without a slash at the end."""
        host = socket.gethostname() if self.operators.is_any else self.operators.host
        return f"https://{Address(host, self.operators.port)}"

    @property
    def tls_url(self) -> str:
        """How machines reach this server over TLS, without a slash at the end; empty when they do not."""
        if self.tls is None:
            return self.public_tls_url.rstrip("/")
        if self.public_tls_url:
            return self.public_tls_url.rstrip("/")
        host = urlsplit(self.public_url).hostname or self.tls.host
        return Address(host, self.tls.port).build_url("https")

    @property
    def tls_directory(self) -> Path:
        """The server's own certificate authority, and what it signed."""
        return self.data / "tls"

    @property
    def address_file(self) -> Path:
        """Where commands on this host find how to reach the running server."""
        return self.data / "server.json"

    @property
    def tftp_root(self) -> Path:
        """What TFTP serves."""
        return self.data / "tftp"

    @property
    def pxe_directory(self) -> Path:
        """Where pxelinux looks for its files."""
        return self.tftp_root / "pxelinux.cfg"

    @property
    def files(self) -> Path:
        """The operator's own files, served under `/bootos/files`."""
        return self.data / "files"

    @property
    def token_file(self) -> Path:
        """The operator token."""
        return self.data / "operator.token"

    @property
    def key_file(self) -> Path:
        """The key of the stored secrets."""
        return self.data / "secret.key"

    @property
    def images(self) -> Path:
        """The published images, each in a directory of its version."""
        return self.data / "images"

    @property
    def trusted_keys(self) -> Path:
        """The public keys of who may sign images."""
        return self.data / "trusted-keys"
