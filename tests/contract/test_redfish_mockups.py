"""The Redfish drivers on trees in the shapes of DMTF's mockups, whole and with each of their resources missing: what
they plan can be carried out, what cannot be is a problem of the plan, and nothing is an exception.
"""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from carrying import apply, plan
from handclock import StillClock
from mockupservice import MockupService, serve_mockup
from mockuptrees import ACCOUNTS, ROOT, TREES, UUID, Tree, remove_link

from bootos.drivers.bios.redfish import BiosRedfishDriver
from bootos.drivers.contract import Driver, DriverError, Machine
from bootos.drivers.firmware.redfish import FirmwareRedfishDriver
from bootos.drivers.oob.redfish import RedfishDriver
from bootos.engine.plan import JobPlan
from bootos.wire.inventory import Bmc, Inventory, System

USER, PASSWORD = "admin", "s3cret-Enough"
SECRETS = {"admin": PASSWORD, "ops": "an0ther-Pass"}
OPS = {"name": "ops", "role": "operator", "password": {"secret": "ops"}}
STATIC = {"source": "static", "address": "10.0.8.21/24", "gateway": "10.0.8.1"}
OOB: dict[str, dict[str, Any]] = {
    "network": {"network": STATIC},
    "vlan": {"network": {**STATIC, "vlan": 7}},
    "dhcp": {"network": {"source": "dhcp"}},
    "user": {"users": [OPS]},
    "rename": {"users": [{**OPS, "name": "Administrator", "role": "user"}]},
    "power policy": {"power_policy": "on"},
    "boot device": {"boot_device": "disk"},
    "no boot device": {"boot_device": "none"},
    "boot order": {"boot_order": ["*PXE*"]},
    "reset": {"reset": True},
}
PACKAGE = {"version": "99.1", "package": "http://127.0.0.1:1/x.bin", "sha256": "ab" * 32}
SERIALS = {"bladed": "529QB2"}


def build_oob() -> Driver:
    return RedfishDriver(timeout_s=20, clock=StillClock(pace=10))


def build_firmware() -> Driver:
    return FirmwareRedfishDriver(timeout_s=20, clock=StillClock(pace=10))


def build_bios() -> Driver:
    return BiosRedfishDriver(timeout_s=20)


FIRMWARE = {"firmware": [{"component": "bios", "method": "redfish", "reboot": True, **PACKAGE}]}
BIOS = {"bios": {"vendor": {"UsbControl": "UsbDisabled"}}}
EVERYTHING = {
    "oob": {key: value for oob in OOB.values() for key, value in oob.items()} | OOB["vlan"] | OOB["user"]
}
ASKED: list[tuple[Callable[[], Driver], dict[str, Any]]] = [
    (build_oob, EVERYTHING),
    (build_bios, BIOS),
    (build_firmware, FIRMWARE),
]


def find_system(tree: Tree) -> System:
    """Of a mockup the first of its systems."""
    first = tree[f"{ROOT}/Systems"]["Members"][0]["@odata.id"].rstrip("/")
    told = {key: str(tree[first].get(key) or "") for key in ("Manufacturer", "SerialNumber", "UUID")}
    return System(vendor=told["Manufacturer"], serial=told["SerialNumber"], uuid=told["UUID"])


class Server:
    """A tree that is served, and the machine that asks it."""

    def __init__(self, service: MockupService, system: System) -> None:
        self.service = service
        self.inventory = Inventory(collected_at="2024-01-01T00:00:00Z", system=system, bmc=Bmc())

    def build(self, document: dict[str, Any]) -> dict[str, Any]:
        access = {"address": self.service.url, "user": USER, "password": {"secret": "admin"}}
        return {"name": "t", **document, "oob": {**document.get("oob", {}), "redfish": access}}

    def plan(self, driver: Driver, document: dict[str, Any]) -> JobPlan:
        return plan(self.build(document), Machine(), self.inventory, SECRETS, drivers=[driver])

    def apply(self, driver: Driver, document: dict[str, Any]) -> None:
        apply(self.build(document), Machine(), self.inventory, SECRETS, drivers=[driver])


def start(tree: Tree, name: str) -> Iterator[Server]:
    with serve_mockup(tree, USER, PASSWORD) as service:
        serial = SERIALS.get(name, "437XR1")
        yield Server(service, System(vendor="Contoso", serial=serial, uuid="" if name == "bladed" else UUID))


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    yield from start(TREES[request.param](), request.param)


@pytest.mark.parametrize("server", TREES, indirect=True)
@pytest.mark.parametrize("wanted", OOB)
def test_what_is_planned_of_the_bmc_is_carried_out_and_then_as_wanted(server: Server, wanted: str) -> None:
    template = {"oob": OOB[wanted]}
    planned = server.plan(build_oob(), template)
    assert planned.actions or planned.problems or planned.notes
    if planned.problems:
        assert all(problem.path.startswith("oob.") for problem in planned.problems)
        return
    server.apply(build_oob(), template)
    refused = [what for what in server.service.refused if what[2] != 401]
    assert refused == []
    assert wanted == "reset" or server.plan(build_oob(), template).actions == []


def count_actions(server: Server) -> dict[str, int]:
    plans = {name: server.plan(build_oob(), {"oob": oob}) for name, oob in OOB.items()}
    return {name: 0 if planned.problems else len(planned.actions) for name, planned in plans.items()}


@pytest.mark.parametrize(
    ("server", "missing"),
    [
        ("rackmount", set()),
        ("bladed", {"vlan", "power policy", "boot order", "reset", "no boot device"}),
        ("smartnic", {"power policy", "boot order"}),
        ("localstorage", {"power policy", "boot order"}),
    ],
    indirect=["server"],
)
def test_what_a_tree_has_is_planned_and_what_it_has_not_is_not(server: Server, missing: set[str]) -> None:
    planned = {name for name, count in count_actions(server).items() if count == 1}
    assert planned == set(OOB) - missing - {"dhcp"}


@pytest.mark.parametrize("server", ["bladed"], indirect=True)
def test_of_several_blades_the_one_with_this_serial_number_is_changed(server: Server) -> None:
    for wanted in ("boot device", "network"):
        server.apply(build_oob(), {"oob": OOB[wanted]})
    changed = {path for method, path in server.service.done if method == "PATCH"}
    assert changed == {
        f"{ROOT}/Systems/529QB2",
        f"{ROOT}/Managers/Blade2BMC/EthernetInterfaces/1",
    }


@pytest.mark.parametrize("server", TREES, indirect=True)
def test_a_bios_setting_is_staged_where_there_are_settings(
    server: Server, request: pytest.FixtureRequest
) -> None:
    planned = server.plan(build_bios(), BIOS)
    if "bladed" in request.node.name:
        assert [problem.message for problem in planned.problems] == [
            "the Redfish service of this machine shows no BIOS settings"
        ]
        return
    assert (planned.problems, len(planned.actions)) == ([], 1)


@pytest.mark.parametrize("server", TREES, indirect=True)
def test_firmware_is_planned_where_there_is_an_update_service(
    server: Server, request: pytest.FixtureRequest
) -> None:
    planned = server.plan(build_firmware(), FIRMWARE)
    if "rackmount" in request.node.name:
        assert (planned.problems, len(planned.actions)) == ([], 1)
    else:
        assert "takes no firmware" in str(planned.problems)


def find_read(name: str) -> list[str]:
    """Every resource but the root that the drivers read of a tree."""
    read: set[str] = set()
    for server in start(TREES[name](), name):
        for build, document in ASKED:
            server.plan(build(), document)
        read = server.service.read
    return sorted(read - {ROOT, "/redfish"})


@pytest.mark.parametrize("how", ["linked", "not linked"])
@pytest.mark.parametrize("name", TREES)
def test_a_resource_that_is_missing_is_at_most_a_problem_of_the_plan(name: str, how: str) -> None:
    serial = SERIALS.get(name, "437XR1")
    own = f"{ROOT}/Systems/{serial}"
    has_others = sum("SerialNumber" in body for body in TREES[name]().values()) > 1
    paths = [path for path in find_read(name) if path != own or not has_others]
    assert len(paths) > 10
    for path in paths:
        tree: Tree = TREES[name]()
        del tree[path]
        if how == "not linked":
            tree = {other: {"@odata.id": other, **remove_link(body, path)} for other, body in tree.items()}
        for server in start(tree, name):
            for build, document in ASKED:
                planned = server.plan(build(), document)
                assert planned.actions or planned.problems or planned.notes, (path, document)


@pytest.mark.parametrize("name", ["bladed", "smartnic"])
def test_a_service_without_this_system_and_with_others_is_another_machines(name: str) -> None:
    tree = TREES[name]()
    del tree[f"{ROOT}/Systems/{SERIALS.get(name, '437XR1')}"]
    for server in start(tree, name):
        for build, document in ASKED:
            with pytest.raises(DriverError, match="manages another machine"):
                server.plan(build(), document)


def test_a_machine_that_can_be_told_its_boot_device_for_once_only_is_not_told_it_for_good() -> None:
    tree = TREES["rackmount"]()
    boot = tree[f"{ROOT}/Systems/437XR1"]["Boot"]
    boot["BootSourceOverrideEnabled@Redfish.AllowableValues"] = ["Disabled", "Once"]
    for server in start(tree, "rackmount"):
        planned = server.plan(build_oob(), {"oob": OOB["boot device"]})
        assert [(problem.path, problem.hint) for problem in planned.problems] == [
            ("oob.boot_device", "it can be told Disabled, Once")
        ]
        server.apply(build_oob(), {"oob": OOB["no boot device"]})


def test_accounts_are_created_where_the_collection_takes_a_post_only() -> None:
    for server in start(TREES["rackmount"](), "rackmount"):
        server.service.allows[ACCOUNTS] = "GET, HEAD"
        planned = server.plan(build_oob(), {"oob": OOB["user"]})
        assert [(problem.path, problem.message) for problem in planned.problems] == [
            ("oob.users[0]", "this service creates no accounts, and 'ops' is not there")
        ]
        server.service.allows[ACCOUNTS] = "GET, HEAD, POST"
        server.apply(build_oob(), {"oob": OOB["user"]})
        assert server.service.done == [("POST", ACCOUNTS)]


def test_without_sessions_it_logs_on_with_every_request() -> None:
    tree = TREES["rackmount"]()
    for path in (f"{ROOT}/SessionService", f"{ROOT}/SessionService/Sessions"):
        del tree[path]
    del tree[ROOT]["Links"], tree[ROOT]["SessionService"]
    for server in start(tree, "rackmount"):
        server.apply(build_oob(), {"oob": OOB["boot device"]})
        assert server.service.done == [("PATCH", f"{ROOT}/Systems/437XR1")]


@pytest.mark.parametrize("lacking", ["takes_logins", "gives_tokens"])
def test_with_sessions_that_do_not_work_it_logs_on_with_every_request(lacking: str) -> None:
    for server in start(TREES["rackmount"](), "rackmount"):
        setattr(server.service, lacking, False)
        server.apply(build_oob(), {"oob": OOB["boot device"]})
        assert server.service.done == [("PATCH", f"{ROOT}/Systems/437XR1")]


def test_without_sessions_and_systems_it_is_a_problem_of_the_plan() -> None:
    tree = TREES["rackmount"]()
    for path in (f"{ROOT}/SessionService", f"{ROOT}/SessionService/Sessions", f"{ROOT}/Systems"):
        del tree[path]
    del tree[ROOT]["Links"], tree[ROOT]["SessionService"]
    for server in start(tree, "rackmount"):
        planned = server.plan(build_oob(), {"oob": OOB["boot device"]})
        assert [problem.path for problem in planned.problems] == ["oob"]


def read_mockup(directory: Path) -> Tree:
    """A mockup of DMTF's, as its files are: a folder for each resource, with an index.json."""
    tree: Tree = {}
    for file in directory.rglob("index.json"):
        place = file.parent.relative_to(directory).as_posix()
        tree[f"{ROOT}/{place}" if place != "." else ROOT] = json.loads(file.read_text())
    return tree


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["rackmount1", "bladed", "smartnic", "localstorage"])
def test_the_originals_are_planned_on_too(name: str) -> None:
    mockups = os.environ.get("MOCKUPS")
    if not mockups:
        pytest.skip("MOCKUPS names no directory with DMTF's mockups")
    whole = read_mockup(Path(mockups) / f"public-{name}")
    system = find_system(whole)
    runs = others = 0
    missing = {""}
    for path in ("", *sorted(whole)):
        if path not in missing:
            continue
        tree = {other: body for other, body in whole.items() if other != path}
        with serve_mockup(tree, USER, PASSWORD) as service:
            for build, document in ASKED:
                runs += 1
                try:
                    planned = Server(service, system).plan(build(), document)
                except DriverError as cause:
                    assert "manages another machine" in str(
                        cause
                    )  # its own system is the one that is missing
                    others += 1
                else:
                    assert planned.actions or planned.problems or planned.notes, (path, document)
            if not path:
                missing |= service.read - {ROOT}
    print(f"{name}: {runs} plans, {others} for another machine, no exception")
    assert runs > 30
    assert others <= len(ASKED)
