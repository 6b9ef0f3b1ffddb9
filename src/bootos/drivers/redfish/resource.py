"""Which resources of a Redfish service are this machine's: its system and its manager.

A wrong address must not configure a neighbour: UUID and serial number are compared with the inventory's.
"""

import uuid
from typing import Any

from bootos.drivers.contract import DriverError
from bootos.drivers.redfish.client import ROOT, Client
from bootos.drivers.redfish.reply import read_link
from bootos.errors import Problem
from bootos.wire.inventory import Inventory, System


class NotShownError(DriverError):
    """The service does not have what a section of the template is about. A driver's plan tells it as a problem."""

    def build_problem(self, path: str) -> Problem:
        """The same words at a path of the template."""
        return Problem(path=path, message=str(self), hint=self.hint)


def find_system(client: Client, inventory: Inventory) -> dict[str, Any]:
    """The system that is this machine. Raises NotShownError when there is none, DriverError for another."""
    collection = read_link(client.get(ROOT).body, "Systems")
    systems = list(client.get_members(collection)) if collection else []
    if not systems:
        said = f": {'; '.join(client.unread)}" if client.unread else ""
        raise NotShownError(f"the Redfish service at {client.endpoint.url} shows no systems{said}")
    judged = [(is_same(system, inventory.system), system) for system in systems]
    certain = [system for verdict, system in judged if verdict]
    if certain:
        return certain[0]
    possible = [system for verdict, system in judged if verdict is None]
    if len(possible) > 1:  # a board of GPUs is a system of its own, without a BIOS
        possible = [system for system in possible if system.get("BiosVersion") or read_link(system, "Bios")]
    if len(possible) == 1:
        return possible[0]
    others = ", ".join(_describe(system) for system in systems)
    mine = " ".join(filter(None, (inventory.system.product, inventory.system.serial, inventory.system.uuid)))
    raise DriverError(
        f"the Redfish service at {client.endpoint.url} manages another machine: {others}; this one is {mine}",
        hint=f"the address is by {client.endpoint.reason}",
    )


def find_manager(client: Client, system: dict[str, Any]) -> dict[str, Any]:
    """The BMC that manages the system; empty when the service shows none. Raises RedfishError."""
    path = read_link(system, "Links", "ManagedBy")
    if not path:
        collection = read_link(client.get(ROOT).body, "Managers")
        return next(client.get_members(collection), {}) if collection else {}
    found = client.look(path)
    return found.body if found is not None else {}


def is_same(system: dict[str, Any], machine: System) -> bool | None:
    """Whether a system of the service is this machine; None when they have nothing to compare."""
    verdicts: list[bool] = []
    told = _parse_uuid(system.get("UUID"))
    mine = _parse_uuid(machine.uuid)
    if told is not None and mine is not None:
        # makers differ in the byte order of the UUID
        verdicts.append(mine in (told, uuid.UUID(bytes_le=told.bytes)))
    serials = {str(system.get(key)).strip().upper() for key in ("SerialNumber", "SKU") if system.get(key)}
    if serials and machine.serial:
        # Dell's service has the serial number in the SKU
        verdicts.append(machine.serial.strip().upper() in serials)
    return any(verdicts) if verdicts else None


def _parse_uuid(text: Any) -> uuid.UUID | None:
    try:
        value = uuid.UUID(str(text))
    except ValueError:
        return None
    return value if value.int else None


def _describe(system: dict[str, Any]) -> str:
    words = (system.get("Model"), system.get("SerialNumber") or system.get("SKU"), system.get("UUID"))
    return " ".join(str(word) for word in words if word) or str(system.get("Id"))
