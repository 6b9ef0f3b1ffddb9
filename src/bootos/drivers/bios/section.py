"""The `bios` section over any driver: plan it, export it. What all drivers of the package have in common. Pure."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from bootos.drivers.bios.names import add_locks, export_bios, resolve_bios
from bootos.drivers.bios.setting import Setting
from bootos.drivers.bios.settingplan import plan_settings
from bootos.drivers.contract import Planned
from bootos.template.model import Template

SECTION = "bios"

# Several of these drivers may take one machine. The kernel's interface needs no tool and no login. Redfish tells
# types, limits and dependencies. A vendor's tool is in the image because the operator wanted it there.
PRIORITY_FIRMWARE_ATTRIBUTES = 10
PRIORITY_REDFISH = 20
PRIORITY_VENDOR_TOOL = 30


class BiosState(msgspec.Struct, frozen=True, kw_only=True):
    """What a BIOS driver reads. `vendor` names the file of neutral names. `restart_pending`: the BIOS says that changes
    wait for a restart, and does not say which."""

    vendor: str
    settings: list[Setting]
    restart_pending: bool = False


def plan_bios(
    settings: Sequence[Setting], template: Template, vendor: str, driver: str, secrets: dict[str, str]
) -> Planned:
    """Plan the section against the machine's settings. `vendor` is that of `namefile.find_vendor`."""
    if template.bios is None:
        return Planned()
    known = add_locks(settings, vendor)
    wanted, problems = resolve_bios(template.bios, known, vendor)
    planned = plan_settings(known, wanted, driver)
    planned.problems[:0] = problems
    password = template.bios.password
    if password is not None and password.secret not in secrets:
        hint = f"bootos secret set {password.secret}, or --secrets FILE by hand"
        planned.complain("bios.password", f"the secret {password.secret!r} has no value", hint)
    if password is not None:
        planned.actions = [
            replace(action, detail=replace(action.detail, secret=password.secret))
            for action in planned.actions
        ]
    return planned


def export_section(settings: Sequence[Setting], vendor: str) -> dict[str, Any]:
    """`{"bios": {...}}`, or nothing when there is nothing to say."""
    section = export_bios(add_locks(settings, vendor), vendor)
    return {SECTION: section} if section else {}
