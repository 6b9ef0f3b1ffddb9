"""A Redfish service that is not there: its resources were kept, and are read as if it answered. Nothing is changed."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from bootos.drivers.redfish.address import cut_own
from bootos.drivers.redfish.client import Client
from bootos.drivers.redfish.endpoint import Account, Endpoint
from bootos.drivers.redfish.failure import RedfishError
from bootos.drivers.redfish.reply import Reply
from bootos.masking import Hidden

_NOT_FOUND, _NOT_ALLOWED = 404, 405


def normalize_path(path: str) -> str:
    """How a resource is looked for: services differ in case and in slashes at the end."""
    return path.partition("#")[0].partition("?")[0].rstrip("/").lower()


class KeptClient(Client):
    """Reads `resources`, by normalised path (`Machine.resources`)."""

    def __init__(self, endpoint: Endpoint, resources: Mapping[str, Any]) -> None:
        super().__init__(endpoint, Account(user=endpoint.user, password=Hidden("")))
        self._resources = resources

    def __enter__(self) -> "KeptClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def _ask(self, method: str, path: str, what: str, **options: Any) -> Reply:
        body = self._resources.get(normalize_path(cut_own(self.endpoint.url, path)))
        if method != "get":
            raise RedfishError(f"{what}: nothing is changed on what was kept", status=_NOT_ALLOWED)
        if not isinstance(body, dict):
            raise RedfishError(f"{what}: {path} is not among what was kept", status=_NOT_FOUND)
        return Reply(status=200, body=body)
