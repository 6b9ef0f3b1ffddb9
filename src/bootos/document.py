"""Read a document a person wrote (YAML, TOML or JSON) into a typed model, reporting *every* problem at once.

msgspec stops at the first mistake; an operator wants all of them. `read_document` turns a file into plain
values, `convert_all` turns plain values into a msgspec model and collects a `Problem` with a path for each
unknown key, missing key, wrong type, value out of bounds. What is wrong is left out or defaulted, so that
later checks still see the rest. Used by `template` (templates) and `image` (recipes).
"""

import difflib
import functools
import json
import re
import tomllib
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

import msgspec
from msgspec import inspect as shape

from bootos.errors import BootosError, Problem, Problems, ProblemsError

if TYPE_CHECKING:
    from yaml import Node, SafeLoader

T = TypeVar("T")

MOST_DEPTH = 100  # of tables and lists, one inside the other
MOST_REPEATED = 100_000  # values that anchors of YAML put into further places
# TOML 1.0: strings and comments, as far as they go where they are not ended; and a key of many parts.
_STRING = re.compile(
    r'''"""(?:\\.|[^\\])*?(?:"""|\Z)|\'{3}.*?(?:\'{3}|\Z)|"(?:\\.|[^"\\\n])*+"?|'[^'\n]*+'?|#[^\n]*+''',
    re.DOTALL,
)
_DEEP_KEY = re.compile(rf"(?<![\w.-])[\w-]++(?:[ \t]*+\.[ \t]*+[\w-]++){{{MOST_DEPTH}}}")

_MISSING = object()


def read_document(path: Path) -> Any:
    """Read `path` by its suffix (.yaml, .yml, .toml, .json) into plain values. Raises BootosError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as cause:
        raise BootosError(f"{path} cannot be read: {cause.strerror}") from cause
    except UnicodeDecodeError as cause:
        raise BootosError(f"{path} is no text in UTF-8: {cause}", hint="store it in UTF-8") from cause
    return parse_document(text, format=path.suffix.lstrip(".").lower(), name=str(path))


def parse_document(text: str, *, format: str, name: str = "document", take_last: bool = False) -> Any:
    """Parse YAML, TOML or JSON text into plain values. Raises BootosError that names the line, and ProblemsError for
    keys that stand twice in one table, each with its place.

    `take_last`: of such keys the last counts, as it did in releases that stored the text. TOML allows none.
    """
    if format not in ("toml", "json", "yaml", "yml"):
        raise BootosError(f"{name} has an unknown format {format!r}", hint="use .yaml, .toml or .json")
    try:
        value = _parse(text, format, name, take_last=take_last)
        is_deep = is_deeper(value, MOST_DEPTH)
    except ValueError as cause:
        raise BootosError(f"{name} is not valid {format.upper()}: {cause}") from cause
    except RecursionError:
        is_deep = True
    if is_deep:
        hint = f"tables and lists go at most {MOST_DEPTH} deep"
        raise BootosError(f"{name} is nested too deep", hint=hint)
    return value


def is_deeper(value: Any, most: int) -> bool:
    """Whether plain values have more than `most` levels of tables and lists, one inside the other. What stands in many
    places, by an anchor of YAML, is looked at once a level."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(most):
        inner = (item for whole in level for item in (whole.values() if isinstance(whole, dict) else whole))
        level = list({id(item): item for item in inner if isinstance(item, dict | list)}.values())
    return bool(level)


def _parse(text: str, format: str, name: str, *, take_last: bool) -> Any:
    if format == "toml":
        if _DEEP_KEY.search(_STRING.sub("x", text)):  # tomllib takes the square of its parts
            raise RecursionError
        return tomllib.loads(text)
    if format == "json":
        if not take_last:
            json.loads(text, object_pairs_hook=functools.partial(_check_pairs, name))
        return json.loads(text)
    return _parse_yaml(text, name, take_last=take_last)


def _check_pairs(name: str, pairs: list[tuple[str, Any]]) -> None:
    """Check one object of JSON, whose parser tells no lines. Raises ProblemsError."""
    count = Counter(key for key, _ in pairs)
    problems = [
        Problem(path=key, message=f"this key stands {times} times in one object", hint="keep one of them")
        for key, times in count.items()
        if times > 1
    ]
    if problems:
        raise ProblemsError(name, problems)


def _parse_yaml(text: str, name: str, *, take_last: bool) -> Any:
    import yaml

    try:
        loader = yaml.SafeLoader(text)  # which reads the first characters, and may refuse them
        try:
            return _construct(loader, name, take_last=take_last)
        finally:
            loader.dispose()
    except yaml.YAMLError as cause:
        reason = str(cause).replace('in "<unicode string>", ', "in ")  # what yaml calls a text
        raise BootosError(f"{name} is not valid YAML: {reason}") from cause


def _construct(loader: "SafeLoader", name: str, *, take_last: bool) -> Any:
    root = loader.get_single_node()
    if root is None:
        return None
    if _repeats_much(root):
        raise BootosError(
            f"{name} is too large: its anchors repeat more than {MOST_REPEATED} values",
            hint="write fewer of them, or what they stand for",
        )
    problems = [] if take_last else list(_find_repeated(loader, root))
    if problems:
        raise ProblemsError(name, problems)
    return loader.construct_document(root)


def _repeats_much(root: "Node") -> bool:
    """Whether anchors put more than `MOST_REPEATED` values into further places: a few lines make millions so."""
    level: dict[int, tuple[Node, int]] = {id(root): (root, 1)}  # how often each stands at this depth
    seen: set[int] = set()
    count = 0
    for _ in range(MOST_DEPTH):
        seen |= set(level)
        count += sum(times for _, times in level.values())
        below: dict[int, tuple[Node, int]] = {}
        for node, times in level.values():
            for inner in _list_inner(node):
                below[id(inner)] = (inner, below.get(id(inner), (inner, 0))[1] + times)
        level = below
        if not level or count - len(seen) > MOST_REPEATED:
            break
    return count - len(seen) > MOST_REPEATED


def _list_inner(node: "Node") -> list["Node"]:
    """What stands in a list or a table of YAML."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _find_repeated(loader: "SafeLoader", root: "Node") -> Iterator[Problem]:
    """A problem for each key that stands in its table already; YAML 1.2, 3.2.1.3, wants them unique. A key that is also
    merged in (`<<`) is no such one: it is the way to say another value."""
    import yaml

    waiting: list[tuple[str, Node]] = [("", root)]
    seen: set[int] = set()  # what an anchor names may stand in many places
    while waiting:
        path, node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += [(_join(path, place), item) for place, item in enumerate(node.value)]
        if not isinstance(node, yaml.MappingNode):
            continue
        lines: dict[Any, int] = {}
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            value, line = loader.construct_object(key), key.start_mark.line + 1
            at = _join(path, key.value)
            if value in lines:
                message = f"line {line}: this key stands in line {lines[value]} already"
                yield Problem(path=at, message=message, hint="keep one of them")
            lines.setdefault(value, line)
            waiting.append((at, item))


def convert_all(value: Any, model: type[T]) -> tuple[T | None, list[Problem]]:
    """Convert plain values to `model`; returns (model or None, all problems).

    The model is None only when nothing usable is left (a required part is missing or wrong); optional parts
    that are wrong take their default, so later checks can go on.
    """
    problems = Problems()
    converted = _convert(value, _read_shape(cast(Hashable, model)), "", problems)
    return (None if converted is _MISSING else cast(T, converted)), problems


@functools.cache  # reading a model takes longer than checking an ordinary template with it
def _read_shape(model: Hashable) -> shape.Type:
    return shape.type_info(model)


def _join(path: str, key: object) -> str:
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else str(key)


def _convert(value: Any, kind: shape.Type, path: str, problems: Problems) -> Any:
    if isinstance(kind, shape.Metadata):
        return _convert(value, kind.type, path, problems)
    if isinstance(kind, shape.StructType):
        return _convert_struct(value, kind, path, problems)
    if isinstance(kind, (shape.ListType, shape.VarTupleType)):
        if not isinstance(value, list):
            problems.complain(path, f"must be a list, not {_name(value)}")
            return _MISSING
        items = [_convert(item, kind.item_type, _join(path, i), problems) for i, item in enumerate(value)]
        kept = [item for item in items if item is not _MISSING]
        return tuple(kept) if isinstance(kind, shape.VarTupleType) else kept
    if isinstance(kind, shape.DictType):
        if not isinstance(value, dict):
            problems.complain(path, f"must be a table, not {_name(value)}")
            return _MISSING
        pairs = {
            key: _convert(item, kind.value_type, _join(path, key), problems) for key, item in value.items()
        }
        return {key: item for key, item in pairs.items() if item is not _MISSING}
    if isinstance(kind, shape.UnionType):
        return _convert_union(value, kind, path, problems)
    if isinstance(kind, shape.AnyType):
        return value
    return _convert_leaf(value, kind, path, problems)


def _convert_struct(value: Any, kind: shape.StructType, path: str, problems: Problems) -> Any:
    if not isinstance(value, dict):
        problems.complain(path, f"must be a table, not {_name(value)}")
        return _MISSING
    known = {field.encode_name: field for field in kind.fields}
    for key in value:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(sorted(known))}"
            problems.complain(_join(path, key), "unknown key", hint)
    arguments: dict[str, Any] = {}
    usable = True
    for key, field in known.items():
        if key in value:
            converted = _convert(value[key], field.type, _join(path, key), problems)
            if converted is not _MISSING:
                arguments[field.name] = converted
            elif field.required:
                usable = False
        elif field.required:
            problems.complain(_join(path, key), "is required")
            usable = False
    if not usable:
        return _MISSING
    try:
        return kind.cls(**arguments)
    except ValueError as cause:
        problems.complain(path, str(cause))
        return _MISSING


def _convert_union(value: Any, kind: shape.UnionType, path: str, problems: Problems) -> Any:
    if value is None and kind.includes_none:
        return None
    options = [option for option in kind.types if not isinstance(option, shape.NoneType)]
    if len(options) == 1:
        return _convert(value, options[0], path, problems)
    structural = (shape.StructType, shape.ListType, shape.VarTupleType, shape.DictType)
    for option in options:
        if isinstance(option, (shape.StructType, shape.DictType)) and isinstance(value, dict):
            return _convert(value, option, path, problems)
        if isinstance(option, (shape.ListType, shape.VarTupleType)) and isinstance(value, list):
            return _convert(value, option, path, problems)
    leaves = [option for option in options if not isinstance(option, structural)]
    if not leaves:
        return _convert(value, options[0], path, problems)
    failures: list[Problem] = []
    for option in leaves:
        attempt = Problems()
        converted = _convert(value, option, path, attempt)
        if converted is not _MISSING:
            return converted
        failures += attempt
    problems.append(failures[0] if failures else Problem(path=path, message=f"must not be {_name(value)}"))
    return _MISSING


def _convert_leaf(value: Any, kind: shape.Type, path: str, problems: Problems) -> Any:
    if isinstance(kind, shape.EnumType):
        return _convert_choice(value, [member.value for member in kind.cls], kind.cls, path, problems)
    if isinstance(kind, shape.LiteralType):
        return _convert_choice(value, list(kind.values), None, path, problems)
    simple: dict[type[shape.Type], tuple[type | tuple[type, ...], str]] = {
        shape.StrType: (str, "text"),
        shape.IntType: (int, "a whole number"),
        shape.FloatType: ((int, float), "a number"),
        shape.BoolType: (bool, "true or false"),
        shape.NoneType: (type(None), "empty"),
    }
    wanted, words = simple.get(type(kind), (object, "a value"))
    if not isinstance(value, wanted) or (isinstance(value, bool) and not isinstance(kind, shape.BoolType)):
        problems.complain(path, f"must be {words}, not {_name(value)}")
        return _MISSING
    try:
        return msgspec.convert(value, _annotation(kind))
    except msgspec.ValidationError as cause:
        problems.complain(path, str(cause))
        return _MISSING


def _annotation(kind: shape.Type) -> Any:
    """The annotated type that msgspec itself checks, with the bounds of `kind`."""
    plain = {shape.StrType: str, shape.IntType: int, shape.FloatType: float, shape.BoolType: bool}
    names = ("min_length", "max_length", "pattern", "ge", "le", "gt", "lt", "multiple_of")
    bounds = {name: getattr(kind, name) for name in names if getattr(kind, name, None) is not None}
    base = plain.get(type(kind), Any)
    return Annotated[base, msgspec.Meta(**bounds)] if bounds else base


def _convert_choice(value: Any, allowed: Sequence[Any], enum: Any, path: str, problems: Problems) -> Any:
    if isinstance(value, (str, int)) and not isinstance(value, bool) and value in allowed:
        return enum(value) if enum is not None else value
    near = difflib.get_close_matches(str(value), [str(item) for item in allowed], n=1)
    listed = ", ".join(str(item) for item in allowed)
    hint = f"did you mean {near[0]!r}?" if near else ""
    problems.complain(path, f"{value!r} is not one of: {listed}", hint)
    return _MISSING


def _name(value: Any) -> str:
    names = {
        dict: "a table",
        list: "a list",
        str: "text",
        bool: "true/false",
        int: "a number",
        float: "a number",
    }
    return (
        "empty"
        if value is None
        else f"{names.get(type(value), type(value).__name__)} {_short(value)}".strip()
    )


def _short(value: Any) -> str:
    return repr(value) if isinstance(value, (str, int, float)) and len(repr(value)) < 40 else ""
