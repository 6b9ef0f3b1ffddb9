"""What a Redfish service tells of a BMC, and what `oob.redfish` is to change there: the words of its plan."""

from typing import Any

import msgspec

from bootos.drivers.oob.bmc import Lan
from bootos.drivers.redfish.endpoint import Endpoint
from bootos.errors import Problem
from bootos.masking import Hidden
from bootos.template.model import OobNetwork

NAME = "oob.redfish"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account, or a free slot when `name` is empty (iDRAC, XCC: a fixed number of them). `right`: whether the
    password of the template logs on; None: not asked, or the service cannot tell. `privileges`: iLO's, of an account
    that shows no role; `oem` is the key they stand below. `tells_role` False: it shows neither."""

    path: str
    id: str
    name: str
    role: str
    tells_role: bool = True
    enabled: bool | None = None
    right: bool | None = None
    privileges: dict[str, bool] = {}
    oem: str = ""


class PowerPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What the machine does when mains power comes back: where it stands (`keys` lead to it in the resource `path`), as
    it is, and what the service calls it. `read_only`: it tells what the BIOS has."""

    path: str
    keys: tuple[str, ...]
    value: str
    words: dict[str, str]  # on, off, last
    read_only: bool = False


class BootEntry(msgspec.Struct, frozen=True, kw_only=True):
    reference: str
    title: str = ""


class Boot(msgspec.Struct, frozen=True, kw_only=True):
    """`override` as Redfish names it (None, Pxe, Hdd, ...); `when`: Disabled, Once, Continuous. `allowed`, `whens`:
    what each may be; empty: the service does not say. `is_order_whole` False: the order has entries that
    are no names, which a new order would lose."""

    override: str = ""
    when: str = ""
    allowed: tuple[str, ...] = ()
    whens: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    is_order_whole: bool = True
    entries: tuple[BootEntry, ...] = ()


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """The manager's network interface. `forms`: which of the properties that Redfish had over the years it has.
    `is_known`: it has the MAC or the address that the BMC itself tells, and not only looks like the one."""

    path: str
    name: str
    lan: Lan
    forms: tuple[str, ...] = ()
    is_known: bool = False


class State(msgspec.Struct, frozen=True, kw_only=True):
    """`obstacle`: what the template must say before anything can be read; then the rest is empty."""

    endpoints: tuple[Endpoint, ...] = ()
    obstacles: tuple[Problem, ...] = ()
    system: str = ""
    manager_reset: str = ""  # the target of the action that resets the manager
    reset_types: tuple[str, ...] = ()
    account_collection: str = ""
    accounts: tuple[Account, ...] = ()
    unread_accounts: tuple[str, ...] = ()  # those that the service listed and did not show
    roles: tuple[str, ...] = ()
    fixed_slots: bool = False
    vendor: str = ""  # the key of the service's Oem part: Dell, Hpe, Lenovo, ...
    logged_on_as: str = ""
    interface: Interface | None = None
    unread_interfaces: tuple[str, ...] = ()
    power: PowerPolicy | None = None
    boot: Boot = Boot()
    unread: tuple[str, ...] = ()  # what the service links and does not show, in its words
    takes_accounts: bool = True  # by POST, where there is no free slot


class SetResource(msgspec.Struct, frozen=True, kw_only=True):
    """A PATCH of `path`. `network`: what the interface must then show."""

    path: str
    body: dict[str, Any]
    network: OobNetwork | None = None


class SetAccount(msgspec.Struct, frozen=True, kw_only=True):
    """`create`: POST to the collection `path`; else PATCH of the account or free slot `path`."""

    path: str
    create: bool
    body: dict[str, Any]
    password: Hidden | None = None


class ResetManager(msgspec.Struct, frozen=True, kw_only=True):
    target: str
    kind: str
