"""What the parts of one running server share. Made by `app`, given to every handler."""

import msgspec

from bootos.server.hub import Hub
from bootos.server.image.shelf import Shelf
from bootos.server.image.upload import Uploads
from bootos.server.presence import Presence
from bootos.server.settings import Settings
from bootos.server.store.engine import Store
from bootos.server.store.vault import Vault


class Context(msgspec.Struct, frozen=True, kw_only=True):
    settings: Settings
    store: Store
    hub: Hub
    presence: Presence  # of v2 sessions
    legacy_presence: Presence  # of v1 agents, which poll once a minute
    vault: Vault
    shelf: Shelf
    uploads: Uploads
    operator_token: str

    @property
    def public_url(self) -> str:
        """How machines reach this server."""
        settings = self.settings
        port = "" if settings.port == 80 else f":{settings.port}"
        return (settings.public_url or f"http://{settings.host}{port}").rstrip("/")
