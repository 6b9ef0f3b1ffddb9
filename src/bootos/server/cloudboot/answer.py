"""The one renderer of every answer of Cloudboot v1: text and JSON that no browser runs.

Most of what v1 answers was sent by machines without a login. So each is plain text or JSON, by its own type; the
server's `plane` adds the headers of all answers to machines.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Response

from bootos.wire import cloudboot_v1 as v1

JSON = "application/json; charset=utf-8"
TEXT = "text/plain"  # sent with charset=utf-8, like all text

# The messages of existing servers: some clients show them, and some compare them.
DONE = "操作成功"
MALFORMED = "参数错误"
NO_SN = "SN参数不能为空!"
NO_DEVICE = "该设备不存在!"
NOT_IN_LIST = "该设备不在安装列表里!"
NOT_FOUND = "record not found"
NO_ROW = "设备不存在!"  # of getDeviceBySn, which says it in its own way


class Text(msgspec.Struct, frozen=True):
    """An answer whose body is this text, such as an answer file."""

    text: str


class Variables(msgspec.Struct, frozen=True):
    """An answer that installers source: `KEY="value"` lines. Empty values are left out, except those in `always`."""

    values: Mapping[str, str]
    always: tuple[str, ...] = ()


class Unserved(msgspec.Struct, frozen=True):
    """The answer to a path that is no call of v1, or to a call that is not served: `status`, and `{"Error": ...}` as v1
    writes it."""

    status: int
    error: str


Answer = v1.Envelope | Text | Variables | Unserved


class SaidError(Exception):
    """Ends a call with an answer whose Status is error. `content` UNSET leaves the key out."""

    def __init__(self, message: str, content: Any = msgspec.UNSET) -> None:
        super().__init__(message)
        self.answer = v1.Envelope(status=v1.ERROR, message=message, content=content)


def succeed(content: Any = msgspec.UNSET, message: str = DONE) -> v1.Envelope:
    """An answer whose Status is success. `content` UNSET leaves the key out."""
    return v1.Envelope(status=v1.SUCCESS, message=message, content=content)


def render(answer: Answer) -> Response[bytes]:
    """The response for any answer of v1; there is no other way to one."""
    if isinstance(answer, Text):
        return build_response(answer.text.encode(), TEXT)
    if isinstance(answer, Variables):
        return build_response(format_variables(answer).encode(), TEXT)
    if isinstance(answer, Unserved):
        return build_response(msgspec.json.encode({"Error": answer.error}), JSON, answer.status)
    return build_response(v1.encode_envelope(answer), JSON)


def build_response(body: bytes, media_type: str, status: int = 200) -> Response[bytes]:
    """A response of this type; `plane` gives it the headers that keep a browser from running it."""
    return Response(body, status_code=status, media_type=media_type)


def format_variables(answer: Variables) -> str:
    """One `KEY="value"` a line, without a line end after the last. Installers source it (POSIX, XCU 2.2.3)."""
    lines = []
    for key, value in answer.values.items():
        quoted = quote(value)
        if quoted or key in answer.always:
            lines.append(f'{key}="{quoted}"')
    return "\n".join(lines)


def quote(value: str) -> str:
    """A value as it stands between the double quotes of a shell; what a shell would act on has a backslash before it.
    Empty for a value with control characters or line ends, which would be further lines of the file."""
    if any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in value):
        return ""
    return re.sub(r'([\\"$`])', r"\\\1", value)
