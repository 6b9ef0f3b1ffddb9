"""How the Redfish service answers: a resource, or DSP0266's error document. Pure; used by `redfish` and its parts."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from bootos.lab.vendor_tools.silicon import Output

_REGISTRY = "Base.1.16"
_REALM = "the lab's BMC"


class RedfishRefusal(Exception):
    """A request that the service does not carry out. `key` names the message in DMTF's Base registry, `args` are what
    is filled into it there, `allow` the methods that the resource knows."""

    def __init__(
        self, status: int, message: str, key: str = "GeneralError", *, allow: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.key = key
        self.allow = allow


def build_message(key: str, text: str, severity: str = "Critical") -> dict[str, Any]:
    """A message of the Base registry, in the service's own words."""
    return {
        "@odata.type": "#Message.v1_1_2.Message",
        "MessageId": f"{_REGISTRY}.{key}",
        "Message": text,
        "MessageSeverity": severity,
        "Resolution": "None.",
    }


def make_etag(body: Mapping[str, Any]) -> str:
    """What changes with the resource and with nothing else (RFC 9110, 8.8.3)."""
    text = json.dumps({**body, "@odata.etag": ""}, sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'


def build_reply(
    body: dict[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Output:
    """A resource, with its ETag in the header and in the body."""
    etag = make_etag(body)
    shown = {**body, "@odata.etag": etag}
    files = {"ETag": etag, **(headers or {})}
    return Output(code=status if status != 200 else 0, stdout=json.dumps(shown), files=files)


def build_document(text: str, content_type: str) -> Output:
    """What is no resource: a document of OData, the versions there are."""
    return Output(stdout=text, files={"Content-Type": content_type})


def build_error(refused: RedfishRefusal) -> Output:
    """What went wrong, with the words in `@Message.ExtendedInfo`."""
    error = {
        "code": f"{_REGISTRY}.{refused.key}",
        "message": "See @Message.ExtendedInfo.",
        "@Message.ExtendedInfo": [build_message(refused.key, str(refused))],
    }
    files = {"Allow": ", ".join(refused.allow)} if refused.allow else {}
    if refused.status == 401:
        files["WWW-Authenticate"] = f'Basic realm="{_REALM}"'
    return Output(code=refused.status, stdout=json.dumps({"error": error}), files=files)
