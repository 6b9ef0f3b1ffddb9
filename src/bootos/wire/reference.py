"""The reference page of a template, `docs/template-reference.md`: every key, from the models and their comments.

`make schema` writes it; a test says when it is out of date. What a key means stands where it is defined: in
the model's docstring, in a `Meta` description, or in the comment at the end of its line.
"""

import inspect
import re
import tokenize
from collections.abc import Iterator
from enum import Enum
from io import StringIO
from typing import Any

import msgspec
from msgspec import inspect as shape

from bootos.template.model import Template

HEAD = """# Template reference

Every key of a template, made from the code by `make schema`; do not edit it. How the sections work, with examples:
[template.md](template.md). The same as JSON Schema: [template.schema.json](template.schema.json).
"""


def build_reference() -> str:
    """The whole page."""
    parts = [HEAD]
    for title, model in walk_models(Template):
        parts.append(_build_section(title, model))
    return "\n".join(parts)


def walk_models(root: type[msgspec.Struct]) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    """Every model with the place where it is used first (`raid.arrays[]`), the outer ones first."""
    seen: set[type] = set()
    waiting: list[tuple[str, type[msgspec.Struct]]] = [("", root)]
    while waiting:
        place, model = waiting.pop(0)
        if model in seen:
            continue
        seen.add(model)
        yield place, model
        inner = []
        for field in _read_fields(model):
            path = f"{place}.{field.encode_name}" if place else field.encode_name
            inner += [(f"{path}{suffix}", found) for suffix, found in _find_models(field.type)]
        waiting = inner + waiting


def _read_fields(model: type[msgspec.Struct]) -> tuple[shape.Field, ...]:
    described = shape.type_info(model)
    assert isinstance(described, shape.StructType)
    return described.fields


def _find_models(kind: shape.Type) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    if isinstance(kind, shape.Metadata):
        yield from _find_models(kind.type)
    elif isinstance(kind, shape.StructType):
        yield "", kind.cls
    elif isinstance(kind, (shape.ListType, shape.VarTupleType)):
        yield from ((f"[]{suffix}", found) for suffix, found in _find_models(kind.item_type))
    elif isinstance(kind, shape.DictType):
        yield from ((f".NAME{suffix}", found) for suffix, found in _find_models(kind.value_type))
    elif isinstance(kind, shape.UnionType):
        for option in kind.types:
            yield from _find_models(option)


def _build_section(place: str, model: type[msgspec.Struct]) -> str:
    title = f"## `{place}`" if place else "## The document"
    lines = [title, ""]
    doc = inspect.getdoc(model) if model.__doc__ and "__doc__" in vars(model) else ""
    if doc:
        lines += [doc, ""]
    comments = read_comments(model)
    lines += ["| key | value | default | |", "| --- | --- | --- | --- |"]
    for field in _read_fields(model):
        words = describe_meta(field.type) or comments.get(field.name, "")
        cells = [f"`{field.encode_name}`", describe_type(field.type), describe_default(field), words]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def read_comments(model: type[msgspec.Struct]) -> dict[str, str]:
    """The comment at the end of each field's line."""
    comments: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if not (isinstance(base, type) and issubclass(base, msgspec.Struct) and base is not msgspec.Struct):
            continue
        for token in tokenize.generate_tokens(StringIO(inspect.getsource(base)).readline):
            field = re.match(r"\s*(\w+)\s*:", token.line)
            if token.type == tokenize.COMMENT and field and not token.line.lstrip().startswith("#"):
                comments[field[1]] = token.string.lstrip("# ")
    return comments


def describe_meta(kind: shape.Type) -> str:
    """The description of a `Meta`."""
    if isinstance(kind, shape.Metadata):
        return (kind.extra_json_schema or {}).get("description", "") or describe_meta(kind.type)
    return ""


def describe_type(kind: shape.Type) -> str:
    """What may be written, in a few words."""
    if isinstance(kind, shape.Metadata):
        return describe_type(kind.type)
    if isinstance(kind, shape.StructType):
        return "table, below"
    if isinstance(kind, (shape.ListType, shape.VarTupleType)):
        return f"list of {describe_type(kind.item_type)}".replace("list of table,", "list of tables,")
    if isinstance(kind, shape.DictType):
        return f"table of {describe_type(kind.value_type)}"
    if isinstance(kind, shape.UnionType):
        options = [describe_type(option) for option in kind.types if not isinstance(option, shape.NoneType)]
        return " or ".join(dict.fromkeys(options))
    if isinstance(kind, shape.EnumType):
        return ", ".join(f"`{member.value}`" for member in kind.cls)
    if isinstance(kind, shape.LiteralType):
        return ", ".join(f"`{value}`" for value in kind.values)
    words = {
        shape.StrType: "text",
        shape.IntType: "number",
        shape.FloatType: "number",
        shape.BoolType: "`true`, `false`",
    }
    return words.get(type(kind), "any value") + _describe_bounds(kind)


def _describe_bounds(kind: shape.Type) -> str:
    limits = {
        "min_length": "at least {} long",
        "max_length": "at most {} long",
        "ge": "from {}",
        "le": "to {}",
    }
    limits |= {"gt": "more than {}", "lt": "less than {}", "pattern": "like `{}`"}
    found = [(text, getattr(kind, name, None)) for name, text in limits.items()]
    words = ", ".join(text.format(value) for text, value in found if value is not None)
    return f" ({words})" if words else ""


def describe_default(field: shape.Field) -> str:
    """`required`, or the value when the key is left out; nothing where that means: not touched."""
    if field.required:
        return "required"
    value: Any = field.default
    if value is msgspec.NODEFAULT or value is None or value in ("", [], {}, ()):
        return ""
    if isinstance(value, Enum):
        value = value.value
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
