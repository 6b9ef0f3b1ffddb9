"""`disk.lvm`: volume groups over partitions, disks and arrays, and the logical volumes in them.

An existing group is taken over when one of its physical volumes is where the template wants it: what is missing is
added, what is too small is extended, nothing is shrunk or removed, and volumes that are not in the template stay.
Nothing is left active.
"""

from typing import Any

from bootos.drivers.contract import Forecast, Machine, Planned
from bootos.drivers.disk.driver import DiskDriver
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
from bootos.drivers.disk.groupplan import plan_group
from bootos.drivers.storage import volume
from bootos.drivers.storage.membership import find_memberships
from bootos.drivers.storage.selection import reserve_disks
from bootos.drivers.storage.state import Storage
from bootos.template.model import Template


class LvmDriver(DiskDriver):
    name = "disk.lvm"
    section = "disks.lvm"
    title = "Logical volumes"
    can = "be a physical volume"
    details = (CreateGroup, ExtendGroup, GrowVolume, MakeVolume, FinishVolume)

    def wants(self, template: Template) -> bool:
        return bool(template.volume_groups)

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

    def change(self, machine: Machine, detail: Any, secrets: dict[str, str]) -> None:
        match detail:
            case CreateGroup():
                apply_create(machine, detail)
            case ExtendGroup():
                run_lvm(machine, "vgextend", "--yes", detail.group, make_member(machine, detail.member))
            case GrowVolume() | MakeVolume():
                apply_size(machine, detail)
            case FinishVolume(group=group, name=name):
                with volume.opened(machine, group, name) as node:
                    machine.run(["wipefs", "--all", "--force", "--quiet", node])

    def export(self, state: Storage) -> dict[str, Any]:
        found = export_groups(state)
        return {"volume_groups": found} if found else {}
