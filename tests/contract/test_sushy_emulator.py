"""The Redfish drivers on sushy-tools' emulator, a service that others wrote: no sessions, no accounts, no ports of its
manager; with its fake driver, which needs no hypervisor.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bcrypt
import pytest
from carrying import apply, plan
from handclock import StillClock

from bootos.drivers.bios.redfish import BiosRedfishDriver
from bootos.drivers.contract import Driver, DriverError, Machine
from bootos.drivers.firmware.redfish import FirmwareRedfishDriver
from bootos.drivers.oob.redfish import RedfishDriver
from bootos.engine.plan import JobPlan
from bootos.waiting import find_within
from bootos.wire.inventory import Bmc, Inventory, System

UUID = "27946b59-9e44-4fa7-8e91-f3527a1ef094"  # of the fake driver's only system
START_S = 60.0
SECRETS = {"admin": "s3cret-Enough"}


class Emulator:
    """The running emulator, and the machine that asks it."""

    def __init__(self, url: str) -> None:
        self.secrets = dict(SECRETS)
        self._access = {"address": url, "user": "admin", "password": {"secret": "admin"}}
        system = System(vendor="Sushy Emulator", uuid=UUID)
        self._inventory = Inventory(collected_at="2024-01-01T00:00:00Z", system=system, bmc=Bmc())

    def build(self, document: dict[str, Any]) -> dict[str, Any]:
        return {"name": "t", **document, "oob": {**document.get("oob", {}), "redfish": self._access}}

    def plan(self, driver: Driver, document: dict[str, Any]) -> JobPlan:
        return plan(self.build(document), Machine(), self._inventory, self.secrets, drivers=[driver])

    def apply(self, driver: Driver, document: dict[str, Any]) -> None:
        apply(self.build(document), Machine(), self._inventory, self.secrets, drivers=[driver])


def start(directory: Path, *more: str) -> Iterator[Emulator]:
    """`more` are lines of its settings."""
    settings, log = directory / "settings.py", directory / "log"
    lines = (
        'SUSHY_EMULATOR_LISTEN_IP = "127.0.0.1"',
        "SUSHY_EMULATOR_LISTEN_PORT = 0",
        f'SUSHY_EMULATOR_STATE_DIR = "{directory}"',
        *more,
    )
    settings.write_text("\n".join(lines))
    program = Path(sys.executable).with_name("sushy-emulator")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "--fake", "--config", settings], cwd=directory, stdout=output, stderr=output
        )
    try:

        def is_listening() -> bool:
            assert process.poll() is None, log.read_text()
            return "Running on" in log.read_text()

        assert find_within(is_listening, START_S, pause_s=0.05), log.read_text()
        found = re.search(r"Running on (http://\S+)", log.read_text())
        assert found is not None
        yield Emulator(found[1])
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    yield from start(tmp_path)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Emulator]:
    """It asks for a password before it says whether there is what is asked for."""
    users = tmp_path / "htpasswd"
    users.write_bytes(b"admin:" + bcrypt.hashpw(SECRETS["admin"].encode(), bcrypt.gensalt(4)) + b"\n")
    yield from start(tmp_path, f'SUSHY_EMULATOR_AUTH_FILE = "{users}"')


def build_driver() -> RedfishDriver:
    return RedfishDriver(timeout_s=20, clock=StillClock(pace=10))


def test_a_boot_device_is_set_and_then_as_wanted(emulator: Emulator) -> None:
    template = {"oob": {"boot_device": "pxe"}}
    assert [action.id for action in emulator.plan(build_driver(), template).actions] == [
        "oob.redfish:boot_device"
    ]
    emulator.apply(build_driver(), template)
    planned = emulator.plan(build_driver(), template)
    assert (planned.actions, planned.problems) == ([], [])


def test_without_sessions_the_password_goes_with_every_request(guarded: Emulator) -> None:
    template = {"oob": {"boot_device": "pxe"}}
    guarded.apply(build_driver(), template)
    assert guarded.plan(build_driver(), template).actions == []


def test_a_wrong_password_is_told(guarded: Emulator) -> None:
    guarded.secrets["admin"] = "not-the-one"
    with pytest.raises(DriverError, match="refuses 'admin'"):
        guarded.plan(build_driver(), {"oob": {"boot_device": "pxe"}})


@pytest.mark.parametrize(
    ("oob", "path"),
    [
        ({"network": {"source": "static", "address": "10.0.8.21/24"}}, "oob.network"),
        ({"power_policy": "on"}, "oob.power_policy"),
        ({"boot_device": "bios"}, "oob.boot_device"),
        ({"boot_order": ["*"]}, "oob.boot_order"),
        ({"reset": True}, "oob.reset"),
    ],
)
def test_what_it_does_not_have_is_a_problem_of_the_plan(
    emulator: Emulator, oob: dict[str, Any], path: str
) -> None:
    planned = emulator.plan(build_driver(), {"oob": oob})
    assert ([problem.path for problem in planned.problems], planned.actions) == ([path], [])


def test_bios_settings_that_it_does_not_have_are_a_problem_of_the_plan(emulator: Emulator) -> None:
    planned = emulator.plan(BiosRedfishDriver(timeout_s=20), {"bios": {"vendor": {"BootMode": "Uefi"}}})
    assert [problem.message for problem in planned.problems] == [
        "the Redfish service of this machine shows no BIOS settings"
    ]


@pytest.mark.parametrize(
    ("component", "actions", "problems"),
    [("bmc", ["firmware.redfish:bmc:99.1"], []), ("bios", [], ["firmware[0].component"])],
)
def test_firmware_is_planned_of_what_tells_its_version(
    emulator: Emulator, component: str, actions: list[str], problems: list[str]
) -> None:
    package = {"version": "99.1", "package": "http://127.0.0.1:1/x.bin", "sha256": "ab" * 32}
    item = {"component": component, "method": "redfish", "reboot": True, **package}
    driver = FirmwareRedfishDriver(timeout_s=20, clock=StillClock(pace=10))
    planned = emulator.plan(driver, {"firmware": [item]})
    assert [action.id for action in planned.actions] == actions
    assert [problem.path for problem in planned.problems] == problems
