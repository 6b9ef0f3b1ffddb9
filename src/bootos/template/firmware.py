"""The `firmware` section: which versions the parts of a machine shall have, and the packages that bring them.

How two versions compare, and what a vendor's package needs to be told, is the drivers' affair.
"""

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Component = Literal["bios", "bmc", "raid", "nic", "drive"]
Method = Literal["package", "fwupd", "flashrom", "redfish"]
Version = Annotated[str, Meta(min_length=1, max_length=100)]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-fA-F]{64}$")]


class FirmwareSelect(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which of several devices; every key that is given must hold. With wildcards, upper and lower case alike."""

    model: str | None = None
    device: str | None = None  # eth0, /dev/sda, nvme0n1
    slot: str | None = None  # PCI address


class FirmwarePackage(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One hop of a chain. `from`: the versions it may be applied on; every version when left out."""

    version: Version
    package: str
    sha256: Sha256
    size_bytes: int | None = None
    from_: str | list[str] | None = msgspec.field(default=None, name="from")


class FirmwareWanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A version wanted. Either `package` with its `sha256` brings it, or some of `packages`, one after the other."""

    component: Component
    version: Version
    select: FirmwareSelect | None = None
    package: str | None = None
    sha256: Sha256 | None = None
    size_bytes: int | None = None
    from_: str | list[str] | None = msgspec.field(default=None, name="from")
    packages: list[FirmwarePackage] = []
    method: Method | None = None
    format: str | None = None  # the vendor of the package, where neither its name nor the machine tells it
    options: list[str] | None = None  # for the package, instead of those its vendor documents
    done_codes: list[int] | None = None  # exit codes of the package, beside those its vendor documents
    reboot_codes: list[int] | None = None
    reboot: bool | None = None  # whether it takes effect with a reboot
    timeout_s: Annotated[int, Meta(ge=1)] | None = None
    allow_downgrade: bool = False
    unordered: bool = False  # the versions have no order: one is either the same or another
    resume: bool = False  # an update that was interrupted may be repeated
    may_brick: bool = False  # needed by the method flashrom, which may leave the machine unable to start


def find_method(wanted: FirmwareWanted) -> Method:
    """How it is applied: as the item says; else a cabinet (.cab) by fwupd, any other file as its vendor's package."""
    if wanted.method is not None:
        return wanted.method
    return "fwupd" if all(_is_cabinet(hop.package) for hop in find_hops(wanted)) else "package"


def _is_cabinet(url: str) -> bool:
    return url.partition("#")[0].partition("?")[0].lower().endswith(".cab")


def find_hops(wanted: FirmwareWanted) -> list[FirmwarePackage]:
    """The packages of an item, in either form it may be written."""
    if wanted.package is None or wanted.sha256 is None:
        return wanted.packages
    single = FirmwarePackage(
        version=wanted.version,
        package=wanted.package,
        sha256=wanted.sha256,
        size_bytes=wanted.size_bytes,
        from_=wanted.from_,
    )
    return [single, *wanted.packages]


class Condition(msgspec.Struct, frozen=True):
    """One part of `from`: `sign` is empty for exactly this version."""

    sign: Literal["", ">=", "<=", ">", "<"]
    version: str


def parse_from(value: str | list[str] | None) -> list[Condition]:
    """`>=2.10.0` or `2.10.0`, or a list of them. Raises ValueError for one without a version."""
    if value is None:
        return []
    conditions = []
    for text in [value] if isinstance(value, str) else value:
        found = re.fullmatch(r"\s*(>=|<=|>|<|)\s*([^<>=\s].*?)\s*", text)
        if found is None:
            raise ValueError(f"{text!r} is no version and no range as >=2.10.0")
        conditions.append(Condition(found[1], found[2]))  # type: ignore[arg-type]
    return conditions
