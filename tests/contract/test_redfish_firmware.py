"""`firmware.redfish` against a lab machine's Redfish service: push, fetch, tasks, hops with a restart between them."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from carrying import Recorder, carry_through
from handclock import StillClock
from redfishmachine import RedfishMachine, serve

from bootos.drivers.contract import Forecast
from bootos.drivers.firmware.redfish import FirmwareRedfishDriver, RedfishFirmwareState
from bootos.drivers.redfish.client import Client
from bootos.drivers.redfish.endpoint import Account, Endpoint
from bootos.drivers.redfish.failure import RedfishError
from bootos.drivers.redfish.reply import Reply
from bootos.drivers.redfish.task import wait_for_task
from bootos.engine.run import Past, Run
from bootos.engine.watcher import StepFailed
from bootos.lab.vendor_tools.redfish_path import INVENTORY, SYSTEM, UPDATE
from bootos.lab.vendor_tools.redfish_spec import RedfishSpec
from bootos.masking import Hidden

TASK = "/redfish/v1/TaskService/Tasks/9"


class Shop:
    """Serves packages by their names."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        shop = self

        class Handler(http.server.BaseHTTPRequestHandler):
            # head and body are two writes, and with Nagle's algorithm the second waits for an ACK
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                content = shop.files.get(self.path)
                self.send_response(200 if content is not None else 404)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def add(self, component: str, version: str) -> dict[str, Any]:
        """A package; returns what a template says of it."""
        name = f"/{component}-{version}.bin"
        head = msgspec.json.encode({"component": component, "version": version})
        self.files[name] = head + b"\n\r\n--boundary\x00" + bytes(range(256))
        url = f"http://127.0.0.1:{self._server.server_address[1]}{name}"
        return {"version": version, "package": url, "sha256": hashlib.sha256(self.files[name]).hexdigest()}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.close()


@pytest.fixture
def bmc(tmp_path: Any) -> Iterator[RedfishMachine]:
    with serve(RedfishSpec(tls=False)) as machine:
        machine.machine.root = tmp_path
        yield machine


def build_driver() -> FirmwareRedfishDriver:
    clock = StillClock(pace=10)
    return FirmwareRedfishDriver(timeout_s=20, clock=clock)


def carry_out(driver: FirmwareRedfishDriver, bmc: RedfishMachine, template: dict[str, Any]) -> list[str]:
    """The whole job with its restarts; returns the ids that were carried out."""

    def start(past: Past, recorder: Recorder) -> Run:
        return bmc.build_run(driver, template, past=past, watcher=recorder)

    return carry_through(start, bmc.silicon.boot)


def test_a_bios_is_pushed_and_runs_after_the_restart(bmc: RedfishMachine, shop: Shop) -> None:
    item = {"component": "bios", "method": "redfish", **shop.add("BIOS", "2.2.0")}
    template = bmc.build({"firmware": [item]})
    assert carry_out(build_driver(), bmc, template) == ["firmware.redfish:bios:2.2.0"]
    assert bmc.tree[SYSTEM]["BiosVersion"] == "2.2.0"
    assert bmc.plan(build_driver(), template).actions == []


def test_two_hops_go_one_after_the_other(bmc: RedfishMachine, shop: Shop) -> None:
    hops = [{**shop.add("BIOS", "2.5.0"), "from": "2.1.0"}, {**shop.add("BIOS", "3.0.1"), "from": "2.5.0"}]
    template = bmc.build(
        {"firmware": [{"component": "bios", "method": "redfish", "version": "3.0.1", "packages": hops}]}
    )
    done = carry_out(build_driver(), bmc, template)
    assert done == ["firmware.redfish:bios:2.5.0", "firmware.redfish:bios:3.0.1"]
    assert bmc.tree[f"{INVENTORY}/BIOS"]["Version"] == "3.0.1"


def test_a_bmc_takes_its_firmware_at_once_and_goes_before_the_bios(bmc: RedfishMachine, shop: Shop) -> None:
    items = [
        {"component": "bios", "method": "redfish", **shop.add("BIOS", "2.2.0")},
        {"component": "bmc", "method": "redfish", **shop.add("BMC", "1.11.0")},
    ]
    done = carry_out(build_driver(), bmc, bmc.build({"firmware": items}))
    assert done == ["firmware.redfish:bmc:1.11.0", "firmware.redfish:bios:2.2.0"]


def test_a_service_without_push_fetches_the_package_itself(bmc: RedfishMachine, shop: Shop) -> None:
    del bmc.tree[UPDATE]["MultipartHttpPushUri"]
    item = {"component": "bmc", "method": "redfish", **shop.add("BMC", "1.11.0")}
    assert carry_out(build_driver(), bmc, bmc.build({"firmware": [item]})) == ["firmware.redfish:bmc:1.11.0"]
    assert any(call[2].endswith("SimpleUpdate") for call in bmc.silicon.calls)


def test_a_wrong_checksum_reaches_no_bmc(bmc: RedfishMachine, shop: Shop) -> None:
    item = {"component": "bmc", "method": "redfish", **shop.add("BMC", "1.11.0"), "sha256": "ab" * 32}
    with pytest.raises(StepFailed, match=r"sha256|SHA-256"):
        carry_out(build_driver(), bmc, bmc.build({"firmware": [item]}))
    assert not any("push" in call[2] for call in bmc.silicon.calls)


def test_a_task_that_fails_half_way_names_the_part_and_says_why(bmc: RedfishMachine, shop: Shop) -> None:
    bmc.misbehave("fail-half", f"task {INVENTORY}/BIOS")
    item = {"component": "bios", "method": "redfish", **shop.add("BIOS", "2.2.0")}
    with pytest.raises(StepFailed, match=r"BIOS to 2\.2\.0: .*ended with Exception: .*could not be verified"):
        carry_out(build_driver(), bmc, bmc.build({"firmware": [item]}))


def follow(bmc: RedfishMachine, *states: str) -> tuple[bool, float]:
    """Follow a task that is in these states, one after the other, and stays in the last. Returns whether it waits for
    the restart, and the seconds that it took."""
    left = list(states)

    class Passing(StillClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if len(left) > 1:
                left.pop(0)
                bmc.tree[TASK]["TaskState"] = left[0]

    bmc.tree[TASK] = {
        "@odata.id": TASK,
        "@odata.type": "#Task.v1_7_1.Task",
        "Id": "9",
        "Name": "9",
        "TaskState": left[0],
        "TaskStatus": "OK",
    }
    url, clock = f"{bmc.service.scheme}://127.0.0.1:{bmc.service.port}", Passing()
    account = Account(user=bmc.spec.user, password=Hidden(bmc.spec.password))
    with Client(Endpoint(url=url, reason="it is the lab's"), account, clock=clock) as client:
        reply = Reply(status=202, body={"@odata.id": TASK, "TaskState": left[0]})
        return wait_for_task(client, reply, what="flash", deadline_s=100), clock.now_s


@pytest.mark.parametrize(
    ("states", "waits", "passed_s"),
    [
        (["Completed"], False, 0),
        (["New", "Running", "Completed"], False, 4),
        (["Running", "Pending"], True, 2),
        (["Running"] * 50 + ["Completed"], False, 100),
    ],
)
def test_a_task_is_followed_to_its_end_or_to_the_restart_it_waits_for(
    bmc: RedfishMachine, states: list[str], waits: bool, passed_s: float
) -> None:
    assert follow(bmc, *states) == (waits, passed_s)


def test_a_task_that_does_not_end_is_given_up_at_the_deadline(bmc: RedfishMachine) -> None:
    said = r"flash: the service's task is still Running after 100 s \(Running\)"
    with pytest.raises(RedfishError, match=said):
        follow(bmc, "New", "Running")


def test_a_bios_that_says_yes_and_keeps_its_version_is_planned_again(bmc: RedfishMachine, shop: Shop) -> None:
    bmc.misbehave("ignore", f"boot {INVENTORY}/BIOS")
    item = {"component": "bios", "method": "redfish", **shop.add("BIOS", "2.2.0")}
    template = bmc.build({"firmware": [item]})
    with pytest.raises(StepFailed, match=r"rebooted, and it did not take: .*2\.2\.0"):
        carry_out(build_driver(), bmc, template)
    assert [action.id for action in bmc.plan(build_driver(), template).actions] == [
        "firmware.redfish:bios:2.2.0"
    ]


def test_a_bmc_that_says_yes_and_keeps_its_version_fails_by_name(bmc: RedfishMachine, shop: Shop) -> None:
    bmc.misbehave("ignore", f"task {INVENTORY}/BMC")
    item = {"component": "bmc", "method": "redfish", **shop.add("BMC", "1.11.0")}
    with pytest.raises(StepFailed, match=r"BMC to 1\.11\.0: .*reported success, but BMC has 1\.10\.0"):
        carry_out(build_driver(), bmc, bmc.build({"firmware": [item]}))


def test_what_the_service_says_against_an_image_is_told(bmc: RedfishMachine, shop: Shop) -> None:
    item = {"component": "bios", "method": "redfish", **shop.add("CPLD", "9.9.9")}
    with pytest.raises(StepFailed, match="The image is for CPLD, which this machine does not have"):
        carry_out(build_driver(), bmc, bmc.build({"firmware": [item]}))


def test_a_state_survives_being_saved(bmc: RedfishMachine, shop: Shop) -> None:
    item = {"component": "bios", "method": "redfish", **shop.add("BIOS", "2.2.0")}
    driver = build_driver()
    run = bmc.build_run(driver, bmc.build({"firmware": [item]}))
    assert run.template is not None
    state = driver.read(bmc.machine, bmc.inventory)
    saved = msgspec.json.decode(msgspec.json.encode(state), type=RedfishFirmwareState)
    assert len(driver.plan(saved, run.template, {}, Forecast()).actions) == 1
