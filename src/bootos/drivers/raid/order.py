"""What a plan tells a hardware RAID controller to do: the `detail` of the actions that `hardware.plan_controllers`
makes and each vendor's driver carries out. `controller` is the `id` of a `Controller` everywhere.
"""

import msgspec

from bootos.drivers.storage.controller import Initialization, Mode, ReadPolicy, SpareKind, WritePolicy


class Order(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`device` is the kernel's disk that goes away, with all that it holds; empty: none does."""

    controller: str
    device: str = ""


class SetMode(Order, frozen=True, kw_only=True, tag=True):
    """Switch the whole controller (raid, hba). Its action has `reboot` when that needs one."""

    mode: Mode


class ImportForeign(Order, frozen=True, kw_only=True, tag=True):
    """Take over every configuration that drives brought with them."""


class ClearForeign(Order, frozen=True, kw_only=True, tag=True):
    """Forget every configuration that drives brought with them: their data is lost."""


class DeleteArray(Order, frozen=True, kw_only=True, tag=True):
    array: str  # the id of an `Array`
    name: str


class RemoveSpare(Order, frozen=True, kw_only=True, tag=True):
    """`array` is the id of the array that a dedicated spare belongs to; None when the spare is global."""

    drive: str
    array: str | None = None


class SetJbod(Order, frozen=True, kw_only=True, tag=True):
    """Hand a drive to the kernel, or (`on` False) take it back for arrays."""

    drive: str
    on: bool


class CreateArray(Order, frozen=True, kw_only=True, tag=True):
    """`size_bytes` None: all of the drives. `spans` are the drives once more, by span (levels 10, 50, 60)."""

    name: str
    level: int
    drives: tuple[str, ...]
    spans: tuple[tuple[str, ...], ...]
    hotspares: tuple[str, ...] = ()  # dedicated hot spares; a global one is an order of its own
    strip_bytes: int | None = None
    size_bytes: int | None = None
    read_policy: ReadPolicy | None = None
    write_policy: WritePolicy | None = None
    initialize: Initialization | None = None  # None: the controller's default
    boot: bool = False


class AddSpare(Order, frozen=True, kw_only=True, tag=True):
    """`array` names the existing one that a dedicated spare is for (`Array.id`)."""

    drive: str
    kind: SpareKind
    array: str | None = None


class SetPolicy(Order, frozen=True, kw_only=True, tag=True):
    """Of an existing array; None is left as it is."""

    array: str
    name: str
    read_policy: ReadPolicy | None = None
    write_policy: WritePolicy | None = None


class SetBootArray(Order, frozen=True, kw_only=True, tag=True):
    array: str
    name: str
