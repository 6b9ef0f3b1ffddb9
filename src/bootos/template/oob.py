"""The `oob` section: network and accounts of the BMC."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from bootos.template.value import Secret


class OobNetwork(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`address` carries its prefix: `10.0.8.21/24`."""

    source: Literal["static", "dhcp"]
    address: str | None = None
    gateway: str | None = None
    vlan: int | None = None


class OobUser(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A BMC account (IPMI v2: names up to 16 bytes, passwords up to 20)."""

    name: Annotated[str, Meta(min_length=1, max_length=16)]
    role: Literal["administrator", "operator", "user", "none"] = "administrator"
    password: Secret | str | None = None
    enabled: bool = True


class Oob(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    network: OobNetwork | None = None
    users: list[OobUser] = []
    reset: bool = False  # cold reset of the BMC after a change
