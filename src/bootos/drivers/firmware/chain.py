"""From the present version to the one wanted, by way of others where packages ask for it. Pure; used by `plan`."""

from collections import deque
from collections.abc import Sequence

import msgspec

from bootos.drivers.firmware.version import compare_versions, is_same
from bootos.template.firmware import FirmwarePackage, FirmwareWanted, find_hops, parse_from


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """The packages to apply, in order; none when the version is there. With `obstacle` there is no way."""

    hops: tuple[FirmwarePackage, ...] = ()
    obstacle: str = ""
    hint: str = ""


def find_chain(present: str, wanted: FirmwareWanted) -> Chain:
    """The fewest packages that lead from `present` to the version wanted."""
    component, goal = wanted.component, wanted.version
    order = compare_versions(present, goal, component)
    if order == 0:
        return Chain()
    if order is None and not wanted.unordered:
        message = f"it has {present!r}, and whether {goal!r} is newer cannot be said"
        return Chain(obstacle=message, hint="unordered: true replaces it all the same")
    if order is not None and order > 0 and not wanted.allow_downgrade:
        message = f"it has {present}, which is newer than {goal}"
        return Chain(obstacle=message, hint="allow_downgrade: true lets it go back, where the hardware does")
    packages = find_hops(wanted)
    ways: deque[tuple[str, tuple[FirmwarePackage, ...]]] = deque([(present, ())])
    seen = [present]
    while ways:
        at, hops = ways.popleft()
        for package in packages:
            if not is_applicable(package, at, component) or not _leads(
                at, package.version, goal, order, component
            ):
                continue
            if is_same(package.version, goal, component):
                return Chain(hops=(*hops, package))
            if not any(is_same(package.version, version, component) for version in seen):
                seen.append(package.version)
                ways.append((package.version, (*hops, package)))
    return _tell_missing(present, wanted, packages)


def is_applicable(package: FirmwarePackage, version: str, component: str) -> bool:
    """Whether `from` lets the package be applied on this version: one of those listed, or within all comparisons."""
    conditions = parse_from(package.from_)
    if not conditions or any(not c.sign and is_same(version, c.version, component) for c in conditions):
        return True
    ranges = [condition for condition in conditions if condition.sign]
    return bool(ranges) and all(_holds(version, c.sign, c.version, component) for c in ranges)


def _holds(version: str, sign: str, bound: str, component: str) -> bool:
    order = compare_versions(version, bound, component)
    if order is None:
        return False
    return {">=": order >= 0, "<=": order <= 0, ">": order > 0, "<": order < 0}[sign]


def _leads(at: str, to: str, goal: str, direction: int | None, component: str) -> bool:
    """Whether a hop goes towards the goal and not past it."""
    if direction is None:
        return not is_same(at, to, component)
    step, left = compare_versions(at, to, component), compare_versions(to, goal, component)
    return step == direction and left in (0, direction)


def _tell_missing(present: str, wanted: FirmwareWanted, packages: Sequence[FirmwarePackage]) -> Chain:
    """Go back from the goal as far as packages lead: what the first of them asks for is the hop that is missing."""
    component = wanted.component
    last = next(package for package in packages if is_same(package.version, wanted.version, component))
    passed = [last]
    while True:
        before = next(
            (
                package
                for package in packages
                if package not in passed and is_applicable(last, package.version, component)
            ),
            None,
        )
        if before is None:
            break
        passed.append(before)
        last = before
    asked = last.from_ if isinstance(last.from_, str) else " ".join(last.from_ or [])
    return Chain(
        obstacle=f"no chain of packages leads from {present} to {wanted.version}: the package of {last.version} may"
        f" be applied on {asked or 'every version'} only",
        hint=f"a package is missing that brings {present} to {asked or last.version}",
    )
