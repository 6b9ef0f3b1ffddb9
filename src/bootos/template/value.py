"""Kinds of values that several sections of a template use."""

from typing import Annotated

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,35}$")]


class Secret(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A reference to a value that lives encrypted on the server."""

    secret: str
