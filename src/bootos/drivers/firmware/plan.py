"""One planner for all ways to apply firmware: which parts an item means, the chain of each, one action per hop. Pure.

A driver gives it what it read and a `Recipe` for each item; it gets all hops up to the version wanted. Hops behind a
reboot are planned as they will be: the next reading plans them again under the same ids.
"""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from bootos.drivers.contract import Action, Change, Planned
from bootos.drivers.firmware.chain import Chain, find_chain
from bootos.drivers.firmware.state import FirmwareState, Installed
from bootos.errors import Problem
from bootos.template.firmware import FirmwarePackage, FirmwareSelect, FirmwareWanted, Method, find_method

# The BMC is first, as a newer BIOS may need it. Drives are last, as controllers are the way to them.
ORDER = ("bmc", "bios", "raid", "nic", "drive")
NAMES = {"bmc": "BMC", "bios": "BIOS", "raid": "RAID controller", "nic": "NIC", "drive": "drive"}
_MOST_LISTED = 8


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How a driver applies a package to some parts. `resumable`: one that was cut off may be begun again, by what the
    vendor documents. `data` is the driver's own."""

    reboot: bool
    estimate_s: float
    timeout_s: float
    resumable: bool = False
    data: Any = None


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """The `detail` of an action: a package for some parts."""

    component: str
    title: str
    before: str
    package: FirmwarePackage
    parts: tuple[Installed, ...]
    recipe: Recipe


Prepare = Callable[[FirmwareWanted, Sequence[Installed]], Recipe | Problem]


def plan_firmware(
    driver: str, method: Method, state: FirmwareState, wanted: Sequence[FirmwareWanted], prepare: Prepare
) -> Planned:
    """Plan all items of this method. `prepare` says how an item is applied, or what stands in the way; its problems
    need no path but that below the item."""
    planned = Planned()
    mine = [(index, item) for index, item in enumerate(wanted) if find_method(item) == method]
    for index, item in sorted(mine, key=lambda pair: ORDER.index(pair[1].component)):
        _plan_item(driver, state, item, f"firmware[{index}]", prepare, planned)
    return planned


def _plan_item(
    driver: str, state: FirmwareState, item: FirmwareWanted, at: str, prepare: Prepare, planned: Planned
) -> None:
    parts = [
        part for part in state.installed if part.component == item.component and _fits(part, item.select)
    ]
    if not parts:
        planned.problems.append(_tell_none(state, item, at))
        return
    chains: list[tuple[Installed, Chain]] = []
    before = len(planned.problems)
    for part in parts:
        if part.version is None:
            message = f"{part.title}: its version cannot be read, so nobody knows whether it needs this"
            planned.complain(at, message, state.obstacle or state.hint)
            continue
        if part.source == "ipmitool" and item.version.count(".") > part.version.count("."):
            message = (
                f"{part.title}: IPMI shows {part.version} and no more, which may be {item.version} or not"
            )
            hint = f"a layer with its maker's tool shows all of it; or write the version as {part.version}"
            planned.complain(f"{at}.version", message, hint)
            continue
        chain = find_chain(part.version, item)
        if chain.obstacle:
            planned.complain(f"{at}.version", f"{part.title}: {chain.obstacle}", chain.hint)
        elif not chain.hops:
            planned.notes.append(f"{part.title} has version {part.version}, as wanted")
        else:
            chains.append((part, chain))
    if len(planned.problems) > before or not chains:
        return
    longest = max((chain.hops for _, chain in chains), key=len)
    odd = [part for part, chain in chains if chain.hops != longest[len(longest) - len(chain.hops) :]]
    if odd:
        message = (
            f"its parts go different ways to {item.version}: {'; '.join(map(_tell, parts[:_MOST_LISTED]))}"
        )
        planned.complain(at, message, "give each its own item, by select")
        return
    if state.obstacle:
        planned.complain(at, state.obstacle, state.hint)
        return
    recipe = prepare(item, [part for part, _ in chains])
    if isinstance(recipe, Problem):
        path = f"{at}.{recipe.path}" if recipe.path else at
        planned.problems.append(msgspec.structs.replace(recipe, path=path))
        return
    actions = _build_actions(driver, item, at, chains, longest, recipe)
    cut_off = actions[0].id in state.begun
    if cut_off and not (recipe.resumable or item.resume):
        first: Hop = actions[0].detail
        message = (
            f"the flash of {first.title} to {first.package.version} was cut off, and {first.before} is still what it"
            " has: whether it is half written cannot be told"
        )
        hint = "look at the machine; resume: true lets the flash be repeated"
        planned.complain(f"{at}.resume", message, hint)
        return
    if cut_off:
        planned.notes.append(f"{actions[0].summary}: was cut off before, and is begun again")
    planned.actions += actions


def _build_actions(
    driver: str,
    item: FirmwareWanted,
    at: str,
    chains: Sequence[tuple[Installed, Chain]],
    longest: Sequence[FirmwarePackage],
    recipe: Recipe,
) -> list[Action]:
    planned = Planned()
    subject = build_subject(item)
    for number, package in enumerate(longest):
        left = len(longest) - number
        having = [(part, chain) for part, chain in chains if len(chain.hops) >= left]
        versions = {part.id: _find_before(part, chain, left) for part, chain in having}
        titles = ", ".join(part.title for part, _ in having)
        hop = Hop(
            component=item.component,
            title=titles,
            before=", ".join(dict.fromkeys(versions.values())),
            package=package,
            parts=tuple(part for part, _ in having),
            recipe=recipe,
        )
        step = f" (hop {number + 1} of {len(longest)})" if len(longest) > 1 else ""
        planned.act(
            f"{driver}:{subject}:{package.version}",
            f"{titles}: {hop.before} -> {package.version}{step}",
            hop,
            at,
            *(
                Change(what=f"{part.title} firmware", before=versions[part.id], after=package.version)
                for part, _ in having
            ),
            reboot=recipe.reboot,
            estimate_s=recipe.estimate_s,
        )
    return planned.actions


def _find_before(part: Installed, chain: Chain, left: int) -> str:
    done = len(chain.hops) - left
    return chain.hops[done - 1].version if done else part.version or ""


def build_subject(item: FirmwareWanted) -> str:
    """What an item is about, in an action's id: `bios`, `nic[model=*X710*]`."""
    if item.select is None:
        return item.component
    words = [
        f"{name}={getattr(item.select, name)}"
        for name in ("model", "device", "slot")
        if getattr(item.select, name) is not None
    ]
    return f"{item.component}[{' '.join(words)}]" if words else item.component


def _fits(part: Installed, select: FirmwareSelect | None) -> bool:
    if select is None:
        return True
    device = (part.device or "").removeprefix("/dev/")
    pairs = (
        (part.model or "", select.model),
        (device, select.device.removeprefix("/dev/") if select.device is not None else None),
        (part.slot or "", select.slot),
    )
    return all(
        pattern is None or (value != "" and fnmatchcase(value.lower(), pattern.lower()))
        for value, pattern in pairs
    )


def _tell_none(state: FirmwareState, item: FirmwareWanted, at: str) -> Problem:
    name = NAMES[item.component]
    there = [part for part in state.installed if part.component == item.component]
    if item.select is not None and there:
        listed = "; ".join(_tell(part) for part in there[:_MOST_LISTED])
        return Problem(path=f"{at}.select", message=f"no {name} fits", hint=f"this machine has {listed}")
    hint = f"{state.obstacle} ({state.hint})" if state.obstacle else "the inventory shows what is known"
    message = f"this machine has no {name} whose firmware can be read"
    return Problem(path=f"{at}.component", message=message, hint=hint)


def _tell(part: Installed) -> str:
    return f"{part.title}: {part.version or 'unknown'}"
