"""The whole path, with the server killed in mid-job; then the same template once more on the same disks."""

import logging
from pathlib import Path

import msgspec
import pytest

from bootos.lab.demo.hardware import SERIAL, SPEC
from bootos.lab.demo.report import DemoReport, write_report
from bootos.lab.demo.run import run_demo
from bootos.lab.disk import fingerprint_disk
from bootos.lab.operator import Operator
from bootos.lab.scenario import Scenario
from bootos.lab.spec import boot_image

pytestmark = [pytest.mark.vm, pytest.mark.timeout(1800)]
log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def run(image: Path, output: Path) -> tuple[DemoReport, Path]:
    directory = output / "run"
    report = run_demo(image, directory, log.info, kill_server=True)
    write_report(report, directory / "report.json")
    return report, directory


def test_a_machine_is_configured_though_the_server_is_killed_in_mid_job(run: tuple[DemoReport, Path]) -> None:
    report, _ = run
    assert report.checks
    wrong = [
        f"{check.name}: expected {check.expected}, found {check.found}"
        for check in report.checks
        if not check.ok
    ]
    assert not wrong


def test_the_same_template_plans_nothing_on_the_same_machine_and_planning_writes_nothing(
    run: tuple[DemoReport, Path], image: Path
) -> None:
    _, directory = run
    with Scenario(directory, keep=True) as scenario:
        server = scenario.start_server(boot_files=image)
        operator = Operator(server.data)
        append = (
            f"console=ttyS0,115200 biosdevname=0 SERVER_ADDR={server.guest_url} BOOTIF=01-{SPEC.nics[1].mac}"
        )
        boot = boot_image(image, append=append)
        machine = scenario.add_machine(msgspec.structs.replace(SPEC, boot=boot))
        before = {disk.name: fingerprint_disk(machine.disk_path(disk.name)).digest for disk in SPEC.disks}
        machine.power_on()
        machine.wait_for_serial("waiting for an order", 400)
        created = operator.command("job", "create", "--machine", SERIAL, "--template", "demo", "--plan")
        job = operator.wait_for_job(created["id"], ["planned"], 300, machine=machine)
        machine.power_off()
        assert job["state"] == "planned", job["message"]
        assert [action["summary"] for step in job["report"]["steps"] for action in step["actions"]] == []
        after = {disk.name: fingerprint_disk(machine.disk_path(disk.name)).digest for disk in SPEC.disks}
        assert after == before
