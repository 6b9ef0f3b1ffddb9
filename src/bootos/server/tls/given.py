"""Certificates that the site made (`--tls-cert`, `--tls-key`): they are used as they are, and read again when they
change."""

from pathlib import Path

from cryptography import x509

from bootos.errors import BootosError
from bootos.server.tls.authority import Authority
from bootos.server.tls.certificate import is_address, read_names


class GivenAuthority(Authority):
    """Certificates that the site made: `cert` is a chain that begins with the server's, `key` its key, both PEM. They
    are read again when the files have changed. Raises BootosError when they cannot be used."""

    is_own = False

    def __init__(self, cert: Path, key: Path) -> None:
        super().__init__()
        self._cert, self._key = cert, key
        self._seen: object = None
        try:
            self.renew()
        except (OSError, ValueError) as cause:
            raise BootosError(
                f"the certificate {cert} with the key {key} cannot be used: {cause}",
                hint="--tls-cert is PEM with the server's certificate first, --tls-key its key without a password",
            ) from cause

    def renew(self) -> str:
        stats = [path.stat() for path in (self._cert, self._key)]
        seen = [(stat.st_mtime_ns, stat.st_ino, stat.st_size) for stat in stats]
        if seen == self._seen:
            return ""
        chain = x509.load_pem_x509_certificates(self._cert.read_bytes())
        self.tls.load_cert_chain(self._cert, self._key, password=lambda: "")
        self.leaf, self.certificate = chain[0], chain[-1]
        is_first, self._seen = self._seen is None, seen
        return "" if is_first else f"the certificate {self._cert} was read again"

    def find_name(self) -> str:
        names = read_names(self.leaf)
        name = next((name for name in names if not is_address(name)), "")
        return name.replace("*", "bootos", 1)
