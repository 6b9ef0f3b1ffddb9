"""What yesterday's agents and server said to each other (`wire/`), and the types that yesterday's programs decode."""

import json
import lzma
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec

WIRE = Path(__file__).parent / "wire"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request and its answer. `who`: the agent, or the operator, whose calls made it come to this."""

    who: str
    method: str
    path: str
    headers: dict[str, str]
    body: str
    status: int
    content_type: str
    answer: str

    @property
    def session(self) -> str:
        """What the agent proved itself by; empty: nothing."""
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    @property
    def place(self) -> str:
        """The path without the query."""
        return self.path.partition("?")[0]

    def read_answer(self) -> Any:
        return json.loads(self.answer)


def read_calls(flow: str) -> list[Call]:
    """The calls of one flow, in the order of their answers."""
    text = lzma.decompress((WIRE / f"{flow}.jsonl.xz").read_bytes())
    return [msgspec.json.decode(line, type=Call) for line in text.splitlines()]


def list_flows(protocol: str) -> list[str]:
    """The names of the recorded flows of `v1` or `v2`."""
    return sorted(path.name.partition(".")[0] for path in WIRE.glob(f"{protocol}-*.jsonl.xz"))


def build_types() -> dict[str, type]:
    """The types of yesterday's wire by name, made of their JSON Schema: they decode what yesterday's did, refuse what
    those refused, and ignore the same unknown fields."""
    schema: dict[str, Any] = json.loads((WIRE / "schema.json").read_text())
    known: dict[str, Any] = {}

    def build(part: dict[str, Any]) -> Any:
        if "$ref" in part:
            return find(part["$ref"].rpartition("/")[2])
        if "anyOf" in part:
            union: Any = None
            for choice in part["anyOf"]:
                union = build(choice) if union is None else union | build(choice)
            return union
        if "enum" in part:
            return Literal[tuple(part["enum"])]
        match part.get("type"):
            case "array":
                return list[build(part["items"])] if "items" in part else list  # type: ignore[misc]
            case "object" if "properties" in part:
                return build_struct(part)
            case "object":
                more = part.get("additionalProperties")
                return dict[str, build(more)] if isinstance(more, dict) else dict  # type: ignore[misc]
        return {"string": str, "integer": int, "number": float, "boolean": bool, "null": None, None: Any}[
            part.get("type")
        ]

    def build_struct(part: dict[str, Any]) -> type:
        fields: list[Any] = []
        for name, field in part["properties"].items():
            if name in part.get("required", ()):
                fields.append((name, build(field)))
            else:
                make = partial(json.loads, json.dumps(field.get("default")))
                fields.append((name, build(field), msgspec.field(default_factory=make)))
        return msgspec.defstruct(part["title"], fields, kw_only=True)

    def find(name: str) -> Any:
        if name not in known:
            known[name] = build(schema[name])
        return known[name]

    return {name: find(name) for name in schema}


TYPES: dict[str, Any] = build_types()
ANSWERS: dict[str, Any] = {
    "/": TYPES["Greeting"],
    "/layers": list.__class_getitem__(TYPES["LayerOffer"]),
    "/register": TYPES["Registered"],
    "/order": TYPES["Order"],
    "/report": TYPES["Receipt"],
    "/mac": TYPES["MacAccepted"],
}
REQUESTS = {"/register": TYPES["Registration"], "/report": TYPES["Report"], "/mac": TYPES["MacUpload"]}
