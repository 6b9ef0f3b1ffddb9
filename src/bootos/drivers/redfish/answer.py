"""What came over HTTP as a `Reply`: the JSON object of an answer, and the headers that count. Pure."""

import json
from typing import Any

from bootos.document import MOST_DEPTH, is_deeper
from bootos.drivers.redfish.failure import RedfishError
from bootos.drivers.redfish.reply import Reply


def parse_answer(response: Any, *, what: str, url: str) -> Reply:
    """An answer of the service at `url` to `what` was asked. Raises RedfishError for what is no resource."""
    content: bytes = response.content
    body: Any = {}
    said = ""
    try:
        body = _parse_json(content) if content.strip() else {}
    except (ValueError, RecursionError) as cause:
        said = f"the Redfish service at {url} said something that makes no sense: {cause}"
    if not said and not isinstance(body, dict):
        said = "the Redfish service sent something else than a resource"
    elif is_deeper(body, MOST_DEPTH):  # the deepest resource of DMTF's mockups has 9
        said = f"the Redfish service sent a resource that is nested deeper than {MOST_DEPTH} levels"
    if said:
        raise RedfishError(f"{what}: {said}", status=response.status_code)
    headers = response.headers
    location = headers.get("Location") or headers.get("Content-Location", "")
    return Reply(
        status=response.status_code,
        body=body,
        location=location if response.status_code in (201, 202, 204) else "",
        etag=headers.get("ETag") or str(body.get("@odata.etag", "")),
        allow=tuple(filter(None, (word.strip() for word in headers.get("Allow", "").split(",")))),
        size=len(content),
    )


def _parse_json(content: bytes) -> Any:
    """JSON is UTF-8 (RFC 8259); what is not is taken for Latin-1. Raises ValueError, RecursionError."""
    try:
        return json.loads(content)
    except UnicodeDecodeError:
        return json.loads(content.decode("latin-1"))
