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


class OobSol(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Serial over LAN. `bit_rate` in bits per second; left out, it stays as it is."""

    enabled: bool = True
    bit_rate: Literal[9600, 19200, 38400, 57600, 115200] | None = None


class OobRedfish(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How the Redfish service is reached; for the sections that drivers named `*.redfish` carry out.

    Without `address` it is the host interface that SMBIOS names, else the BMC's LAN address. Without `user` a temporary
    account is asked for over IPMI, where the BMC gives them out."""

    address: str | None = None  # 10.0.8.21, [fd00::1]:8443, https://...; with http://... nothing is encrypted
    user: str | None = None
    password: Secret | str | None = None
    fingerprint: str | None = None  # SHA-256 of the service's certificate
    verify: bool = True


class Oob(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`cipher_suites` are the only ones that may then be used (IPMI 2.0, table 22-20): `[3, 17]`. `cipher_index` says
    which of the BMC's levels is a suite's, where that is not certain: that of its number, or that of its place in the
    list. `lan: disabled` closes the LAN port to IPMI. `other_users: disable` takes access from every named user that is
    not in `users`. `boot_device` holds for every boot; `event_log: clear` empties the System Event Log."""

    network: OobNetwork | None = None
    lan: Literal["enabled", "disabled"] | None = None
    users: list[OobUser] = []
    other_users: Literal["keep", "disable"] = "keep"
    cipher_suites: list[Annotated[int, Meta(ge=0, le=63)]] | None = None
    cipher_index: Literal["number", "place"] | None = None
    sol: OobSol | None = None
    boot_device: Literal["none", "pxe", "disk", "cdrom", "bios"] | None = None
    event_log: Literal["clear"] | None = None
    power_policy: Literal["on", "off", "last"] | None = None  # when mains power comes back
    boot_order: list[Annotated[str, Meta(min_length=1)]] = []  # these first: references or names, with `*`
    redfish: OobRedfish | None = None
    driver: str | None = None
    reset: bool = False  # cold reset of the BMC after a change
