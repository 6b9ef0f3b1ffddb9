"""How the Redfish service answers: a resource, or DSP0266's error document. Pure; used by `redfish` and its parts."""

import json
from collections.abc import Mapping
from typing import Any

from bootos.lab.vendor_tools.silicon import Output

_REGISTRY = "Base.1.8"


class RedfishRefusal(Exception):
    """A request that the service does not carry out. `key` names the message in DMTF's Base registry."""

    def __init__(self, status: int, message: str, key: str = "GeneralError") -> None:
        super().__init__(message)
        self.status = status
        self.key = key


def build_reply(
    body: dict[str, Any], *, status: int = 200, etag: str = "", headers: Mapping[str, str] | None = None
) -> Output:
    """A resource."""
    files = {**(headers or {}), **({"ETag": etag} if etag else {})}
    return Output(code=status if status != 200 else 0, stdout=json.dumps(body), files=files)


def build_error(refused: RedfishRefusal) -> Output:
    """What went wrong, with the words in `@Message.ExtendedInfo`."""
    message_id = f"{_REGISTRY}.{refused.key}"
    info = [{"MessageId": message_id, "Message": str(refused), "Severity": "Critical"}]
    error = {
        "code": message_id,
        "message": "See @Message.ExtendedInfo.",
        "@Message.ExtendedInfo": info,
    }
    return Output(code=refused.status, stdout=json.dumps({"error": error}))
