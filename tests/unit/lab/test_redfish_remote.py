"""Power, virtual CD and boot override by Redfish, over HTTP, on a chassis that keeps what was done to it."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from webfiles import FileHandler, serve_files

from bootos.errors import BootosError
from bootos.lab.chassis import Chassis
from bootos.lab.redfish import RedfishService
from bootos.lab.redfish_request import ask_redfish
from bootos.lab.vendor_tools.redfish import RedfishTool
from bootos.lab.vendor_tools.redfish_path import CD, MANAGER, SYSTEM
from bootos.lab.vendor_tools.redfish_remote import use_up_override
from bootos.lab.vendor_tools.redfish_spec import RedfishSpec
from bootos.lab.vendor_tools.redfish_state import find_state, start_redfish
from bootos.lab.vendor_tools.silicon import Silicon, SiliconSpec

INSERT = f"{CD}/Actions/VirtualMedia.InsertMedia"
EJECT = f"{CD}/Actions/VirtualMedia.EjectMedia"
RESET = f"{SYSTEM}/Actions/ComputerSystem.Reset"
ISO = bytes(0x8001) + b"CD001" + bytes(2042)


class Recorder(Chassis):
    """Keeps what was done; a broken one does nothing."""

    def __init__(self) -> None:
        self.on = False
        self.is_broken = False
        self.done: list[str] = []

    def is_on(self) -> bool:
        return self.on

    def power_on(self) -> None:
        if self.is_broken:
            raise BootosError("QEMU did not start: out of smoke")
        self.on = True
        self.done.append("on")

    def power_off(self) -> None:
        self.on = False
        self.done.append("off")

    def press_power_button(self) -> None:
        self.done.append("button")

    def reset(self) -> None:
        self.done.append("reset")

    def insert_medium(self, path: Path) -> None:
        self.done.append(f"insert {path.name}")

    def eject_medium(self) -> None:
        self.done.append("eject")

    def set_boot_device(self, target: str) -> None:
        self.done.append(f"boot {target or 'as usual'}")


class Bmc:
    """A service with a virtual CD, and a web server with an ISO."""

    def __init__(self, directory: Path, site: str, spec: RedfishSpec) -> None:
        self.silicon = Silicon(SiliconSpec(), directory / "silicon.json", tools=[RedfishTool()])
        self.chassis = self.silicon.chassis = Recorder()
        self.site = site
        start_redfish(self.silicon, spec)
        self.service = RedfishService(self.silicon, tls=False)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        return ask_redfish(self.service, RedfishSpec(), method, path, body)

    def refuse(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, str, str]:
        """The status, the message's key in the Base registry, its words."""
        status, answer = self.ask(method, path, body)
        info = answer["error"]["@Message.ExtendedInfo"][0]
        return status, info["MessageId"].rpartition(".")[2], info["Message"]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "www").mkdir()
    (tmp_path / "www/bootos.iso").write_bytes(ISO)
    (tmp_path / "www/page.html").write_text("<h1>It works</h1>")

    class Handler(FileHandler):
        def do_GET(self) -> None:
            if self.path == "/short.iso":
                self.send_response(200)
                self.send_header("Content-Length", str(2 * len(ISO)))
                self.end_headers()
                self.wfile.write(ISO)
            else:
                super().do_GET()

    with serve_files(tmp_path / "www", Handler) as url:
        yield url


@pytest.fixture
def bmc(tmp_path: Path, site: str) -> Iterator[Bmc]:
    one = Bmc(tmp_path, site, RedfishSpec(virtual_cd=True))
    yield one
    one.service.close()


def test_a_medium_is_loaded_inserted_and_ejected(bmc: Bmc, tmp_path: Path) -> None:
    _, manager = bmc.ask("GET", MANAGER)
    _, media = bmc.ask("GET", manager["VirtualMedia"]["@odata.id"])
    assert media["Members"] == [{"@odata.id": CD}]
    _, empty = bmc.ask("GET", CD)
    assert (empty["Inserted"], empty["ConnectedVia"], empty["MediaTypes"]) == (
        False,
        "NotConnected",
        ["CD", "DVD"],
    )
    target = empty["Actions"]["#VirtualMedia.InsertMedia"]["target"]
    assert bmc.ask("POST", target, {"Image": f"{bmc.site}/bootos.iso", "Inserted": True})[0] == 204
    assert (tmp_path / "virtual-cd.iso").read_bytes() == ISO
    _, full = bmc.ask("GET", CD)
    assert (full["Inserted"], full["ConnectedVia"], full["WriteProtected"]) == (True, "URI", True)
    assert (full["Image"], full["ImageName"], full["TransferProtocolType"]) == (
        f"{bmc.site}/bootos.iso",
        "bootos.iso",
        "HTTP",
    )
    assert bmc.ask("POST", full["Actions"]["#VirtualMedia.EjectMedia"]["target"], {})[0] == 204
    assert bmc.ask("GET", CD)[1] == empty
    assert bmc.chassis.done == ["insert virtual-cd.iso", "eject"]
    assert not (tmp_path / "virtual-cd.iso").exists()
    assert bmc.ask("POST", EJECT, {})[0] == 204
    assert bmc.chassis.done == ["insert virtual-cd.iso", "eject"]


def test_a_password_in_the_url_is_not_shown(bmc: Bmc) -> None:
    bmc.ask("POST", INSERT, {"Image": f"{bmc.site.replace('//', '//me:s3cret@')}/bootos.iso"})
    shown = bmc.ask("GET", CD)[1]
    assert shown["Inserted"] and "s3cret" not in shown["Image"]


def test_a_second_medium_is_refused_until_the_first_is_ejected(bmc: Bmc) -> None:
    image = {"Image": f"{bmc.site}/bootos.iso"}
    bmc.ask("POST", INSERT, image)
    status, key, words = bmc.refuse("POST", INSERT, image)
    assert (status, key) == (409, "ResourceInUse")
    assert image["Image"] in words


@pytest.mark.parametrize(
    ("page", "key"),
    [
        ("missing.iso", "CouldNotEstablishConnection"),
        ("short.iso", "CouldNotEstablishConnection"),
        ("page.html", "ResourceAtUriInUnknownFormat"),
    ],
)
def test_what_cannot_be_loaded_whole_is_not_inserted(bmc: Bmc, tmp_path: Path, page: str, key: str) -> None:
    status, said, words = bmc.refuse("POST", INSERT, {"Image": f"{bmc.site}/{page}"})
    assert (status, said) == (400, key)
    assert page in words
    assert bmc.ask("GET", CD)[1]["Inserted"] is False
    assert bmc.chassis.done == []
    assert not list(tmp_path.glob("virtual-cd*"))


@pytest.mark.parametrize(
    ("request_body", "key"),
    [
        ({}, "ActionParameterMissing"),
        ({"Image": 7}, "ActionParameterMissing"),
        ({"Image": "//host/share/bootos.iso"}, "ActionParameterValueFormatError"),
        ({"Image": "http://[fe80/bootos.iso"}, "ActionParameterValueFormatError"),
        ({"Image": "http://host:door/bootos.iso"}, "CouldNotEstablishConnection"),
        ({"Image": "http://h/a.iso", "WriteProtected": False}, "ActionParameterValueFormatError"),
        ({"Image": "http://h/a.iso", "TransferProtocolType": "NFS"}, "ActionParameterValueFormatError"),
        ({"Image": "http://h/a.iso", "UserName": "me"}, "ActionParameterUnknown"),
    ],
)
def test_what_the_drive_cannot_do_is_refused(bmc: Bmc, request_body: dict[str, Any], key: str) -> None:
    assert bmc.refuse("POST", INSERT, request_body)[:2] == (400, key)


def test_power_goes_to_the_machine_and_is_told(bmc: Bmc) -> None:
    assert bmc.ask("GET", SYSTEM)[1]["PowerState"] == "Off"
    assert bmc.refuse("POST", RESET, {"ResetType": "GracefulShutdown"})[:2] == (
        409,
        "ChassisPowerStateOnRequired",
    )
    assert bmc.ask("POST", RESET, {"ResetType": "On"})[0] == 204
    assert bmc.ask("GET", SYSTEM)[1]["PowerState"] == "On"
    for how in ("ForceRestart", "GracefulShutdown", "ForceOff"):
        assert bmc.ask("POST", RESET, {"ResetType": how})[0] == 204
    assert bmc.ask("POST", RESET, {"ResetType": "ForceRestart"})[0] == 204
    assert bmc.chassis.done == ["on", "reset", "button", "off", "on"]


def test_an_unknown_reset_is_refused_with_those_there_are(bmc: Bmc) -> None:
    status, key, words = bmc.refuse("POST", RESET, {"ResetType": "Nmi"})
    assert (status, key) == (400, "ActionParameterValueFormatError")
    assert "ForceRestart" in words
    assert bmc.refuse("POST", RESET, {})[:2] == (400, "ActionParameterMissing")


def test_a_machine_that_does_not_start_is_no_success(bmc: Bmc) -> None:
    bmc.chassis.is_broken = True
    status, key, words = bmc.refuse("POST", RESET, {"ResetType": "On"})
    assert (status, key) == (500, "InternalError")
    assert "out of smoke" in words


def test_an_override_for_once_is_gone_after_the_next_boot(bmc: Bmc) -> None:
    once = {"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Cd"}
    assert bmc.ask("PATCH", SYSTEM, {"Boot": once})[0] == 200
    assert bmc.chassis.done == ["boot Cd"]
    use_up_override(bmc.silicon, find_state(bmc.silicon)["tree"], time.monotonic())
    assert bmc.chassis.done == ["boot Cd", "boot as usual"]
    boot = bmc.ask("GET", SYSTEM)[1]["Boot"]
    assert (boot["BootSourceOverrideEnabled"], boot["BootSourceOverrideTarget"]) == ("Disabled", "None")


def test_an_override_set_after_the_firmware_chose_is_for_the_next_boot(bmc: Bmc) -> None:
    chosen_at = time.monotonic()  # what the firmware said then is heard only after the request
    once = {"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Cd"}
    bmc.ask("PATCH", SYSTEM, {"Boot": once})
    use_up_override(bmc.silicon, find_state(bmc.silicon)["tree"], chosen_at)
    assert bmc.chassis.done == ["boot Cd"]
    boot = bmc.ask("GET", SYSTEM)[1]["Boot"]
    assert {key: boot[key] for key in once} == once


def test_a_continuous_override_stays(bmc: Bmc) -> None:
    always = {"BootSourceOverrideEnabled": "Continuous", "BootSourceOverrideTarget": "Pxe"}
    bmc.ask("PATCH", SYSTEM, {"Boot": always})
    use_up_override(bmc.silicon, find_state(bmc.silicon)["tree"], time.monotonic())
    boot = bmc.ask("GET", SYSTEM)[1]["Boot"]
    assert {key: boot[key] for key in always} == always
    assert bmc.chassis.done == ["boot Pxe"]


@pytest.mark.parametrize(
    ("boot", "key"),
    [
        ({"BootSourceOverrideTarget": "Zip"}, "PropertyValueNotInList"),
        ({"BootSourceOverrideEnabled": "Sometimes"}, "PropertyValueNotInList"),
        ("Cd", "PropertyValueTypeError"),
    ],
)
def test_an_override_that_does_not_exist_changes_nothing(bmc: Bmc, boot: object, key: str) -> None:
    before = bmc.ask("GET", SYSTEM)[1]
    assert bmc.refuse("PATCH", SYSTEM, {"Boot": boot})[:2] == (400, key)
    assert bmc.ask("GET", SYSTEM)[1] == before
    assert bmc.chassis.done == []


def test_a_bmc_without_a_virtual_cd_has_none_of_it(tmp_path: Path, site: str) -> None:
    plain = Bmc(tmp_path, site, RedfishSpec())
    try:
        assert "VirtualMedia" not in plain.ask("GET", MANAGER)[1]
        assert plain.refuse("POST", INSERT, {"Image": f"{site}/bootos.iso"})[0] == 404
    finally:
        plain.service.close()
