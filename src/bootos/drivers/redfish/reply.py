"""What a Redfish service answers: links, messages, the state of a task. Pure."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

_RESERVED = (
    "%/:?#[]@!$&'()*+,;=~"  # RFC 3986: what stands in an address as it is, beside letters, digits, - . _
)


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """`body` is the JSON object that came, empty when there was none. `allow`: the methods that the resource knows;
    empty: the service does not say. `size`: bytes of the body."""

    status: int
    body: dict[str, Any] = {}
    location: str = ""
    etag: str = ""
    allow: tuple[str, ...] = ()
    size: int = 0


def read_links(value: Any) -> list[str]:
    """The addresses in a list of references. What no address may hold (RFC 3986) is escaped, so that an address
    can be asked for, logged and shown, whatever a service sends."""
    items = value if isinstance(value, list) else [value]
    return [
        quote(str(item["@odata.id"]), safe=_RESERVED, errors="backslashreplace")
        for item in items
        if isinstance(item, dict) and "@odata.id" in item
    ]


def read_link(body: Mapping[str, Any], *keys: str) -> str:
    """The address of one reference inside a resource; empty when it is not there."""
    value: Any = body
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    links = read_links(value)
    return links[0] if links else ""


def read_next(body: Mapping[str, Any]) -> str:
    """The address of a collection's next page; empty when this is the last."""
    link = body.get("Members@odata.nextLink") or body.get("@odata.nextLink")
    links = read_links(link if isinstance(link, dict) else {"@odata.id": link} if link else None)
    return links[0] if links else ""


def read_object(value: Any) -> dict[str, Any]:
    """An object inside a resource; empty for whatever else stands in its place."""
    return value if isinstance(value, dict) else {}


def read_objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; none for whatever else stands in its place."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def read_texts(value: Any) -> tuple[str, ...]:
    """The texts of a list; none for whatever else stands in its place."""
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def read_int(value: Any) -> int | None:
    """A whole number, which some services send as a text; None for whatever else stands in its place."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def read_messages(body: Mapping[str, Any]) -> list[str]:
    """What a service says: the extended information of an error or a reply, or the messages of a task."""
    error = body.get("error")
    source = error if isinstance(error, dict) else body
    listed: Any = source.get("@Message.ExtendedInfo") or source.get("Messages") or []
    found: list[str] = []
    for item in listed if isinstance(listed, list) else []:
        if isinstance(item, dict):
            text = str(item.get("Message") or item.get("MessageId") or "").strip()
            arguments = item.get("MessageArgs")
            if not item.get("Message") and isinstance(arguments, list) and arguments:
                text += f" ({', '.join(map(str, arguments))})"
            if text and text not in found:
                found.append(text)
    if not found and source.get("message"):
        found.append(str(source["message"]))
    return found


def read_task_state(reply: Reply) -> str:
    """TaskState; iDRAC's jobs have a JobState in its place; a task monitor only answers 202 until the end."""
    if "JobState" in reply.body and "TaskState" not in reply.body:
        state = str(reply.body["JobState"])
        if state in ("Completed", "Scheduled", "ReadyForExecution"):
            return state
        return "Exception" if "Fail" in state or "Error" in state else "Running"
    return str(reply.body.get("TaskState", "Running" if reply.status == 202 else "Completed"))


def tell_percent(body: Mapping[str, Any]) -> str:
    """How far a task is; empty when it does not tell."""
    value = body.get("PercentComplete")
    return f"{value} %" if isinstance(value, int) else ""


def is_scheduled(body: Mapping[str, Any]) -> bool:
    """iDRAC: a job that waits for the restart is a task that "runs" (Oem.Dell.JobState)."""
    if body.get("JobState") in ("Scheduled", "ReadyForExecution"):
        return True
    oem = body.get("Oem")
    dell = oem.get("Dell") if isinstance(oem, dict) else None
    return isinstance(dell, dict) and dell.get("JobState") in ("Scheduled", "ReadyForExecution")
