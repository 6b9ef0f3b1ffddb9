"""`disk.lvm`: volume groups over partitions, disks and arrays, and the logical volumes in them.

An existing group is taken over when one of its physical volumes is where the template wants it: what is missing is
added, what is too small is extended, nothing is shrunk or removed, and volumes that are not in the template stay.
Nothing is left active.
"""

from typing import Any

from bootos.drivers.contract import Action, DriverError, Forecast, Machine, Match, Planned
from bootos.drivers.disk.export import export_groups
from bootos.drivers.disk.group import (
    CreateGroup,
    ExtendGroup,
    FinishVolume,
    GrowVolume,
    MakeVolume,
    apply_create,
    apply_size,
    make_member,
    run_lvm,
)
from bootos.drivers.disk.groupplan import DRIVER, plan_group
from bootos.drivers.storage import volume
from bootos.drivers.storage.array import resync_slowed
from bootos.drivers.storage.current import has_or_makes_disks
from bootos.drivers.storage.membership import find_memberships
from bootos.drivers.storage.read import read_storage
from bootos.drivers.storage.selection import reserve_disks
from bootos.drivers.storage.state import Storage
from bootos.template.model import Template
from bootos.wire.inventory import Inventory


class LvmDriver:
    name = DRIVER
    section = "disks.lvm"
    title = "Logical volumes"
    state_type = Storage

    def match(self, inventory: Inventory) -> Match | None:
        return Match(reason="every disk can be a physical volume") if has_or_makes_disks(inventory) else None

    def wants(self, template: Template) -> bool:
        return bool(template.volume_groups)

    def read(self, machine: Machine, inventory: Inventory) -> Storage:
        return read_storage(machine, inventory)

    def plan(
        self, state: Storage, template: Template, secrets: dict[str, str], forecast: Forecast
    ) -> Planned:
        planned = Planned()
        reserve_disks(template, state, forecast)
        for index, wanted in enumerate(template.volume_groups):
            at = f"volume_groups[{index}]"
            members = find_memberships(template, wanted.name, state, forecast, planned.problems)
            if members:
                plan_group(state, wanted, at, members, forecast, planned)
        return planned

    def apply(self, machine: Machine, action: Action, secrets: dict[str, str]) -> None:
        with resync_slowed(machine):
            match action.detail:
                case CreateGroup():
                    apply_create(machine, action.detail)
                case ExtendGroup():
                    node = make_member(machine, action.detail.member)
                    run_lvm(machine, "vgextend", "--yes", action.detail.group, node)
                case GrowVolume() | MakeVolume():
                    apply_size(machine, action.detail)
                case FinishVolume(group=group, name=name):
                    with volume.opened(machine, group, name) as node:
                        machine.run(["wipefs", "--all", "--force", "--quiet", node])
                case _:
                    raise DriverError(f"{self.name} has no action like {action.id}")

    def export(self, state: Storage) -> dict[str, Any]:
        found = export_groups(state)
        return {"volume_groups": found} if found else {}
