"""`make demo`: `run_demo` is the table of contents. Everything is done as an operator would do it, with `bootos`.

Two boots: the first configures the machine; the PXE file that its MAC upload made boots the second, whose "installer"
(a PRE script) reports its end to the server, which removes the file again.
"""

import json
import re
import secrets
import shutil
import threading
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

from bootos.errors import BootosError
from bootos.lab.capture import read_capture
from bootos.lab.demo import check
from bootos.lab.demo.elf import build_binary
from bootos.lab.demo.evidence import Evidence
from bootos.lab.demo.hardware import PXE_MAC, SERIAL, SPEC
from bootos.lab.demo.report import DemoReport
from bootos.lab.machine import Machine
from bootos.lab.operator import Operator
from bootos.lab.scenario import Scenario
from bootos.lab.serial import SerialLine
from bootos.lab.server import LabServer
from bootos.lab.watch import while_on
from bootos.waiting import wait_for

BOOT_DEADLINE_S = 600.0
JOB_DEADLINE_S = 900.0
INSTALL_DEADLINE_S = 600.0
POST_TEXT = "POST binary: made of machine code"
Say = Callable[[str], None]


def run_demo(image: Path, output: Path, say: Say, *, kill_server: bool = False) -> DemoReport:
    """Run the demo with its files in `output`. `kill_server`: SIGKILL the server in mid-job, and start it again."""
    evidence = Evidence(secrets.token_urlsafe(9))
    report = DemoReport()
    with Scenario(output, needs=("machine", "pxe", "bmc", "disk")) as scenario:
        server, operator = start_server(scenario, image)
        machine = scenario.add_machine(
            SPEC, tftp_root=server.tftp_root, on_line=lambda line: show_line(line, say)
        )
        store_documents(operator, server, evidence, say)
        power_on(machine, say)
        evidence.machine = wait_for_registration(machine, operator, say)
        job = start_job(operator, say)
        if kill_server:
            kill_in_mid_job(machine, server, operator, job, say)
        wait_for_handover(machine, operator, job, server, evidence, say)
        wait_for_second_boot(machine, operator, job, say)
        collect(machine, server, operator, job, evidence)
        report.timings_s = evidence.read_timings()
        report.image = json.loads((image / "manifest.json").read_text())
        check.check_all(report, evidence, machine, output)
    return report


def start_server(scenario: Scenario, image: Path) -> tuple[LabServer, Operator]:
    """The server, and its boot configuration: the documented one, with a serial console and the hooks."""
    server = scenario.prepare_server(boot_files=image)
    url = server.guest_url
    hooks = f"PRE={url}/bootos/files/pre.sh POST={url}/bootos/files/post"
    server.add_arguments("--public-url", url, "--append", f"console=ttyS0,115200 {hooks}")
    server.start()
    return server, Operator(server.data)


def store_documents(operator: Operator, server: LabServer, evidence: Evidence, say: Say) -> None:
    """Template, secret, PXE template, supported model, and the files that hooks are."""
    files = resources.files(__package__) / "files"
    with resources.as_file(files) as directory:
        target = server.data / "files"
        target.mkdir(parents=True, exist_ok=True)
        for name in ("pre.sh", "installer.sh"):
            shutil.copyfile(directory / name, target / name)
        (target / "post").write_bytes(build_binary(POST_TEXT))
        operator.command("secret", "set", "oob-ops", "--file", "-", input=evidence.password)
        operator.command("template", "add", directory / "template.yaml")
        operator.command("pxe", "add", "demo-installer", directory / "pxe.cfg")
    operator.command("support", "add", "--vendor", SPEC.identity.vendor, "--product", SPEC.identity.product)
    say(f"server {server.url}: template, PXE template, secret and supported model are stored")


def power_on(machine: Machine, say: Say) -> None:
    """Switch the machine on, and say what it is and what QEMU runs it with."""
    say(
        f"power on: {len(SPEC.disks)} disks, {len(SPEC.nics)} NICs (PXE on {PXE_MAC}), {SPEC.memory_mib} MiB, BMC"
    )
    machine.power_on()
    say(f"QEMU runs it with {machine.accelerator}: {machine.choice.reason}")


def show_line(line: SerialLine, say: Say) -> None:
    """The machine's console as it comes: what BootOS, its loader and the lab say, without the kernel's own lines."""
    if re.search(r"^Loading |BootOS: |bootos: |\.\.\. ok$|^lab: ", line.text):
        say(f"{line.at_s:7.1f} s | {line.text}")


def wait_for_registration(machine: Machine, operator: Operator, say: Say) -> dict[str, Any]:
    """The machine as the server shows it, as soon as it is registered. Raises when the deadline passes first."""
    find = while_on(machine, lambda: operator.find_machine(SERIAL))
    shown = wait_for(find, BOOT_DEADLINE_S, what="the registration", pause_s=1.0)
    say(f"registered: {shown['vendor']} {shown['product']}, serial number {shown['sn']}")
    return shown


def start_job(operator: Operator, say: Say) -> int:
    """Create the job as an operator does, and return its number."""
    created = operator.command(
        "job", "create", "--machine", SERIAL, "--template", "demo", "--pxe", "demo-installer"
    )
    say(f"job {created['id']} is started")
    return int(created["id"])


def kill_in_mid_job(machine: Machine, server: LabServer, operator: Operator, job: int, say: Say) -> None:
    """SIGKILL while an action is under way, and a new start ten seconds later."""

    def is_working() -> bool:
        steps = ((operator.find_job(job) or {}).get("report") or {}).get("steps", [])
        return any(step["state"] == "running" and step["id"] != "plan" for step in steps)

    wait_for(while_on(machine, is_working), JOB_DEADLINE_S, what="a running step")
    server.kill()
    say("the server was killed in mid-job")
    # the server is away for 10 seconds: this is the fault itself, nothing is waited for
    threading.Event().wait(10.0)
    server.start()
    say("the server was started again")


def wait_for_handover(
    machine: Machine, operator: Operator, job: int, server: LabServer, evidence: Evidence, say: Say
) -> None:
    """Until the job waits for its installer; the PXE file is read now, since it goes away at the end."""
    shown = operator.wait_for_job(job, ["installing"], JOB_DEADLINE_S, machine=machine)
    if shown["state"] != "installing":
        raise BootosError(f"the job ended as {shown['state']}: {shown['message']}")
    evidence.pxe_file = find_pxe_file(server).read_text()
    say("configured; the machine reboots into what its PXE file says")


def find_pxe_file(server: LabServer) -> Path:
    """Where the server puts the PXE file of the machine's next boot. The file may not be there."""
    return server.tftp_root / "pxelinux.cfg" / f"01-{PXE_MAC.replace(':', '-')}"


def wait_for_second_boot(machine: Machine, operator: Operator, job: int, say: Say) -> None:
    """Until the second boot's installer reported its end and switched the machine off."""
    shown = operator.wait_for_job(job, ["done"], INSTALL_DEADLINE_S, machine=machine)
    if shown["state"] != "done":
        raise BootosError(f"the job ended as {shown['state']}: {shown['message']}")
    machine.wait_for_exit(120.0)
    say("the second boot reported its end and powered off")


def collect(machine: Machine, server: LabServer, operator: Operator, job: int, evidence: Evidence) -> None:
    """Fill in what the checks look at: the job, its log, the machine, the serial console, the packets."""
    evidence.job = operator.command("job", "show", str(job))
    evidence.log = operator.command("job", "log", str(job))
    evidence.machine = operator.command("machine", "show", SERIAL)
    evidence.serial = list(machine.serial.lines)
    evidence.capture = read_capture(machine.capture_path)
    evidence.pxe_file_left = find_pxe_file(server).exists()
