"""What the parts of one running server share. Made by `app`, given to every operation and handler."""

import msgspec

from bootos.server.health import Health
from bootos.server.hub import Hub
from bootos.server.image.shelf import Shelf
from bootos.server.image.upload import Uploads
from bootos.server.netboot.pxe_directory import PxeDirectory
from bootos.server.netboot.tree import NetbootTree
from bootos.server.presence import Presence
from bootos.server.rate import Rate
from bootos.server.settings import Settings
from bootos.server.store.engine import Store
from bootos.server.store.vault import Vault
from bootos.server.term import Terms
from bootos.server.tls.authority import Authority


class TlsEnd(msgspec.Struct, frozen=True, kw_only=True):
    """Where machines reach this server over TLS, and the SHA-256 of the CA certificates (DER, in hex) that they may
    know it by, the newest first. Empty: there is no such end."""

    url: str = ""
    fingerprints: tuple[str, ...] = ()


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """One server: its settings, its store, and what it keeps in memory and in its data directory."""

    settings: Settings
    store: Store
    hub: Hub
    presence: Presence  # when v2 sessions were last heard
    legacy_presence: Presence  # when v1 agents were last heard; they poll once a minute
    vault: Vault
    shelf: Shelf
    uploads: Uploads
    pxe: PxeDirectory
    tree: NetbootTree
    operator_token: str
    registrations: Rate  # by address
    new_registrations: Rate  # of machines that nobody confirmed
    rule_terms: Terms  # of rules of enrolment
    health: Health
    authority: Authority

    @property
    def public_url(self) -> str:
        """How machines reach this server."""
        return self.settings.machine_url

    @property
    def operator_url(self) -> str:
        """How operators reach this server."""
        return self.settings.operator_url

    @property
    def tls_url(self) -> str:
        """How machines reach this server over TLS; empty when they do not."""
        return self.settings.tls_url

    @property
    def tls(self) -> TlsEnd:
        """Where that is, and which authorities may be known there."""
        return TlsEnd(url=self.tls_url, fingerprints=tuple(self.authority.fingerprints))
