"""Where the physical volumes of a group shall be, on this machine. Pure; used by `disk.lvm`."""

import msgspec

from bootos.drivers.contract import Forecast
from bootos.drivers.storage.selection import select_targets
from bootos.drivers.storage.state import Storage
from bootos.errors import Problem
from bootos.template.model import Template


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """One place. `number` None: the whole disk or array. `fresh`: an earlier action of the plan makes it or empties it.
    `owner` is the place in the template whose `wipe` counts, `place` what ids of actions call it."""

    device: str
    place: str
    disk: str
    number: int | None
    size_bytes: int | None
    fresh: bool
    path: str
    owner: str
    wipe: bool


def find_memberships(
    template: Template, group: str, state: Storage, forecast: Forecast, problems: list[Problem]
) -> list[Membership]:
    """All places of a group, in the order of the template; notes the whole disks among them as taken."""
    found: list[Membership] = []
    for index, disk in enumerate(template.disks):
        at = f"disks[{index}]"
        if disk.volume_group == group:
            targets, more = select_targets(disk.select, at, state, forecast)
            problems += more
            for target in targets:
                forecast.taken.setdefault(target.device, at)
                fresh = not target.exists or target.device in forecast.freed
                found.append(
                    Membership(
                        device=target.device,
                        place=target.place,
                        disk=target.device,
                        number=None,
                        size_bytes=target.size_bytes,
                        fresh=fresh,
                        path=at,
                        owner=at,
                        wipe=disk.wipe,
                    )
                )
        for number, part in enumerate(disk.partitions):
            here = f"{at}.partitions[{number}]"
            if part.volume_group != group:
                continue
            found += [
                Membership(
                    device=place.device,
                    place=place.place or place.device,
                    disk=place.disk,
                    number=number + 1,
                    size_bytes=place.size_bytes,
                    fresh=not place.kept,
                    path=here,
                    owner=at,
                    wipe=disk.wipe,
                )
                for place in forecast.partitions
                if place.path == here
            ]
    return found
