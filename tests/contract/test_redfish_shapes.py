"""The Redfish drivers on services that show anything in the place of what schemas say: a value of another type, at each
place that a driver reads, one at a time. What is read of it is planned or told, and nothing is an exception.

The trees are those of real services and the lab's own. A place is tried once for a kind of resource, whatever tree
shows it, and settings and list items stand for each other.
"""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from redfishtree import SECRETS, TREES

from bootos.drivers.bios.redfish import BiosRedfishDriver
from bootos.drivers.contract import Forecast, Machine
from bootos.drivers.firmware.redfish import FirmwareRedfishDriver
from bootos.drivers.oob.redfish import RedfishDriver
from bootos.drivers.redfish.kept import normalize_path
from bootos.errors import BootosError
from bootos.lab.vendor_tools.redfish_spec import RedfishSpec
from bootos.lab.vendor_tools.redfish_tree import build_tree
from bootos.template.check import read_template
from bootos.template.model import Template
from bootos.wire.inventory import Bmc, Inventory

Place = tuple[str | int, ...]
WRONG: dict[str, Any] = {
    "null": None,
    "true": True,
    "infinite": float("inf"),
    "text": "x",
    "digits": "9" * 5000,
    "no-decimal": "²",
    "list": [],
    "object": {},
    "list-of-null": [None],
    "list-of-lists": [[[7]]],
    "list-of-objects": [{"x": None}],
    "object-of-null": {"x": None},
    "link-to-null": {"@odata.id": None},
}
DRIVERS = {"oob": RedfishDriver, "bios": BiosRedfishDriver, "firmware": FirmwareRedfishDriver}
LEAST = {"oob": 1500, "bios": 1000, "firmware": 1000}  # places that a driver reads
PACKAGE = {"version": "99.1", "package": "http://127.0.0.1:1/x.bin", "sha256": "ab" * 32}
OOB = {
    "redfish": {"address": "https://bmc", "user": "operator", "password": {"secret": "oob-admin"}},
    "users": [{"name": "fresh", "role": "administrator", "password": {"secret": "oob-ops"}}],
    "other_users": "disable",
    "power_policy": "on",
    "boot_device": "disk",
    "boot_order": ["*PXE*"],
    "network": {"source": "static", "address": "10.0.8.21/24", "vlan": 7},
    "reset": True,
}
BIOS = {"turbo": "disabled", "tpm": "disabled", "sriov": "enabled", "vendor": {"SysProfile": "Custom"}}
FIRMWARE = [
    {"component": component, "method": "redfish", "reboot": True, **PACKAGE}
    for component in ("bios", "bmc", "nic", "raid", "drive")
]


class Kept(dict[str, Any]):
    """Resources that know which of them were asked for."""

    def __init__(self, resources: dict[str, Any]) -> None:
        super().__init__(resources)
        self.asked: set[str] = set()

    def get(self, path: str, default: Any = None) -> Any:
        self.asked.add(path)
        return super().get(path, default)


@cache
def build_template() -> Template:
    template, problems = read_template({"name": "t", "oob": OOB, "bios": BIOS, "firmware": FIRMWARE})
    assert template is not None, problems
    return template


def list_trees() -> list[dict[str, Any]]:
    golden = [json.loads(path.read_text()) for path in sorted(TREES.glob("*.json"))]
    lab = [build_tree(RedfishSpec()), build_tree(RedfishSpec(slots=4))]
    return [{normalize_path(path): body for path, body in tree.items()} for tree in [*lab, *golden]]


def look(kind: str, resources: dict[str, Any]) -> None:
    """Read and plan. Raises BootosError, as the engine expects it."""
    driver: Any = DRIVERS[kind]()
    template = build_template()
    machine = Machine()
    machine.template, machine.secrets, machine.resources = template, SECRETS, resources
    inventory = Inventory(collected_at="2024-01-01T00:00:00Z", bmc=Bmc())
    driver.plan(driver.read(machine, inventory), template, SECRETS, Forecast())


def list_places(value: Any, place: Place = ()) -> Iterator[Place]:
    yield place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from list_places(inner, (*place, key))


def tell_kind(body: Any, place: Place) -> tuple[str | int, ...]:
    """What stands for the same as this place in another resource, list or setting."""
    last = ""
    kind: list[str | int] = [str(body.get("@odata.type", "")).partition(".")[0]]
    for key in place:
        is_one_of_many = isinstance(key, int) or last == "Attributes"
        last = "" if is_one_of_many else str(key)
        kind.append("*" if is_one_of_many else key)
    return tuple(kind)


def put(value: Any, place: Place, wrong: Any) -> Any:
    """A copy with the wrong value there."""
    if not place:
        return wrong
    changed: Any = dict(value) if isinstance(value, dict) else list(value)
    changed[place[0]] = put(value[place[0]], place[1:], wrong)
    return changed


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("kind", DRIVERS)
def test_a_value_of_another_type_is_no_exception(kind: str, wrong: Any) -> None:
    tried = set()
    for tree in list_trees():
        kept = Kept(tree)
        try:
            look(kind, kept)
        except BootosError:
            continue  # a part of a service, without what this driver needs
        for path in sorted(kept.asked & set(tree)):
            for place in list_places(tree[path]):
                which = tell_kind(tree[path], place)
                if which in tried:
                    continue
                tried.add(which)
                try:
                    look(kind, {**tree, path: put(tree[path], place, wrong)})
                except BootosError as cause:
                    assert str(cause)
    assert len(tried) >= LEAST[kind]


@pytest.mark.parametrize("kind", DRIVERS)
def test_resources_that_lead_to_themselves_and_to_each_other_are_read_to_an_end(kind: str) -> None:
    """Every link of every resource leads to the resource itself, then to one and the same."""

    def lead(value: Any, path: str) -> Any:
        if isinstance(value, dict):
            return {key: path if key == "@odata.id" else lead(inner, path) for key, inner in value.items()}
        return [lead(inner, path) for inner in value] if isinstance(value, list) else value

    for tree in list_trees():
        for target in ("", "/redfish/v1", "/redfish/v1/systems"):
            led = {path: lead(body, target or path) for path, body in tree.items()}
            try:
                look(kind, led)
            except BootosError as cause:
                assert str(cause)
