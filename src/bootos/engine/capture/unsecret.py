"""Mask what a tool's output or a file holds of passwords, keys and SNMP communities, by what the line, key, element or
setting is called. Pure; every pattern has a bound, as the text may be large and strange.
"""

import json
import re
from typing import Any

from bootos.masking import MASK

_KEYS = "private|api|bmc|kg|secret|encryption|security|access|shared|ssh|host|session"
_SECRET = (
    r"(?:community|passwor[dt]|passwd|pass(?:phrase|code|key)|pwd|secret|credential|salt|hash|token"
    rf"|(?:{_KEYS})[ _.-]{{0,3}}key(?!board)|(?<![a-z])k_?g(?![a-z])"
    r"|(?<![a-z])pins?(?![a-z])|(?-i:(?<=[a-z])P(?:in|IN)(?![a-z])))"
)
_CALLED = re.compile(_SECRET, re.IGNORECASE)
# `SNMP Community String   : public`, `User 2: password: abc`, `#SetupPassword=...`
_LINE = re.compile(rf'{_SECRET}[^\n:=<>"]{{0,120}}[:=][ \t]{{0,80}}(?=[^\s])', re.IGNORECASE)
# `"Password": "..."` where it stands in what is no JSON
_JSON = re.compile(
    r'("([^"\n]{0,200})"[ \t]{0,40}:\s{0,80})("(?:[^"\\\n]|\\.){0,4000}"?|\[[^\[\]]{0,4000}\]?|-?[0-9][0-9.]{0,40})'
)
_STRING = re.compile(r'"(?:[^"\\\n]|\\.){0,4000}"?')
_TAG = re.compile(r"<(/?)([\w:.-]{1,64})([^<>]{0,2000})>")
_ATTRIBUTE = re.compile(r"""([\w:.-]{1,64})(\s{0,20}=\s{0,20})("[^"]{0,2000}"|'[^']{0,2000}')""")
_PEM = re.compile(r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----)(?:(?!-----END).)*", re.DOTALL)
_VALUE = re.compile(r"value|current|pending|data|default|^new|^text$|^string$", re.IGNORECASE)
_NAME = re.compile(r"name|^id$|^key$|attribute|^setting$|label", re.IGNORECASE)
_HARMLESS = re.compile(
    r"enabled?|disabled?|(not )?(set|available|applicable|supported|installed|required)|unsupported|n/?a|none|null"
    r"|yes|no|on|off|true|false|unknown|sha-?[0-9]{1,4}|\*{2,}|",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"-?[0-9]{1,8}")
# What is told about a password, and is no password: its length, when it ends.
_ABOUT = re.compile(
    r"length|size|min|max|expir|count|threshold|retr|attempt|days|age|history|complex|strength|revision|policy",
    re.I,
)
_SEGMENT = re.compile(rb"[\t\n\r\x20-\x7e]{6,}")


def mask_text(text: str) -> str:
    """The text with the values of what is called a secret masked."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            return _mask_json(text)
        except (ValueError, RecursionError):
            pass
    return _mask_plain(text)


def _mask_json(text: str) -> str:
    """Raises ValueError, RecursionError for what is no JSON, or none that can be written again."""
    value = json.loads(text)
    masked = _mask_value(value)
    if masked == value:
        return text
    indent = 2 if "\n" in text.strip() else None
    written = json.dumps(masked, indent=indent, ensure_ascii=False)
    written.encode()  # half a character can be read, and not written
    return written


def mask_bytes(raw: bytes) -> bytes:
    """What is no text, with the texts in it masked; every byte else stays where it is."""

    def mask(found: re.Match[bytes]) -> bytes:
        text = found[0].decode("ascii")
        masked = _mask_plain(text)
        return found[0] if masked == text else masked[: len(text)].ljust(len(text), "*").encode()

    return _SEGMENT.sub(mask, raw)


def _is_harmless(value: str, called: str = "") -> bool:
    value = value.strip().rstrip(",;").strip("\"' \t")
    return bool(
        _HARMLESS.fullmatch(value) or value == MASK or (_NUMBER.fullmatch(value) and _ABOUT.search(called))
    )


def _mask_plain(text: str) -> str:
    text = _PEM.sub(rf"\1{MASK}", text)
    text = "\n".join(map(_mask_line, text.split("\n")))
    if ":" in text and '"' in text:
        text = _JSON.sub(_mask_pair, text)
    return _mask_xml(text) if "<" in text else text


def _mask_line(line: str) -> str:
    found = _LINE.search(line)
    while found is not None:
        value = line[found.end() :]
        if not _is_harmless(value, line[: found.end()]):
            return line[: found.end()] + MASK
        found = _LINE.search(line, found.end())
    return line


def _mask_pair(found: re.Match[str]) -> str:
    called, value = found[2], found[3]
    if not _CALLED.search(called):
        return found[0]
    if value.startswith("["):
        return found[1] + _STRING.sub(f'"{MASK}"', value)
    return found[0] if _is_harmless(value, called) else f'{found[1]}"{MASK}"'


def _mask_xml(text: str) -> str:
    """Elements and attributes that are called a secret, and the value of a setting whose name is."""
    shown: list[str] = []
    done = 0
    inside = ""  # the element of a secret that is open
    for tag in _TAG.finditer(text):
        if tag.start() < done:  # in what is masked
            continue
        is_end, name, attributes = bool(tag[1]), tag[2], tag[3]
        if is_end:
            inside = "" if name == inside else inside
            continue
        told = [found[3] for found in _ATTRIBUTE.finditer(attributes) if _NAME.search(found[1])]
        is_secret = any(_CALLED.search(word) for word in (name, *told))
        called = " ".join((name, *told))
        replaced = _ATTRIBUTE.sub(
            lambda found, is_secret=is_secret, called=called: _mask_attribute(found, called, is_secret),
            attributes,
        )
        shown += [text[done : tag.start(3)], replaced, ">"]
        done = tag.end()
        if is_secret or (inside and _VALUE.search(name)):
            end = text.find("<", done)
            if text.startswith("<![CDATA[", done):
                end = text.find("]]>", done)
                shown.append("<![CDATA[")
                done += len("<![CDATA[")
            end = len(text) if end < 0 else end
            content = text[done:end]
            shown.append(content if _is_harmless(content, called) else MASK)
            done = end
        if is_secret and not inside and not attributes.endswith("/"):
            inside = name
    return "".join([*shown, text[done:]])


def _mask_attribute(found: re.Match[str], called: str, is_secret: bool) -> str:
    is_value = (is_secret and _VALUE.search(found[1])) or _CALLED.search(found[1])
    if not is_value or _is_harmless(found[3], f"{called} {found[1]}"):
        return found[0]
    return f'{found[1]}{found[2]}"{MASK}"'


def _mask_value(value: Any, called: str = "", *, is_secret: bool = False) -> Any:
    """A value of JSON; `called` is its key."""
    if isinstance(value, dict):
        names = [item for key, item in value.items() if isinstance(item, str) and _NAME.search(key)]
        named = next((name for name in names if _CALLED.search(name)), "")
        return {
            key: _mask_value(
                item,
                f"{named} {key}",
                is_secret=bool(_CALLED.search(key)) or bool((named or is_secret) and _VALUE.search(key)),
            )
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_mask_value(item, called, is_secret=is_secret) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    if is_secret:
        return value if _is_harmless(str(value), called) else MASK
    return _mask_plain(value) if isinstance(value, str) else value
