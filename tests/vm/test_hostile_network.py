"""A network on which somebody else is: what goes over TLS without a word of it in the boot file, what a machine that
was told its server's CA does, and what a person sees where somebody stands between.
"""

import logging
import re
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from certificate import Authority
from chromium import chromium
from cryptography import x509
from middle import Middle
from playwright.sync_api import BrowserContext, Page

from bootos.lab.capture import read_capture
from bootos.lab.loopback import HOST_ADDRESS
from bootos.lab.machine import Machine
from bootos.lab.operator import Operator
from bootos.lab.scenario import Scenario
from bootos.lab.serial import SerialLine
from bootos.lab.server import LabServer
from bootos.lab.shell import run_in_shell
from bootos.lab.spec import BmcSpec, Identity, MachineSpec, NicSpec, boot_image
from bootos.waiting import wait_for
from bootos.wire import v2

__all__ = ["chromium"]

pytestmark = [pytest.mark.vm, pytest.mark.timeout(2400)]
log = logging.getLogger(__name__)

BOOT_S = 600.0
JOB_S = 600.0
GREETING = f"{v2.PREFIX}/"
WORDS = r"the words of this boot are: ([a-z]+(?: [a-z]+)*)"
DOCUMENTED = {"initrd", "console", "selinux", "biosdevname", "SERVER_ADDR"}
"""What stands in the APPEND line of the documented boot file, by its keys."""
TEMPLATE = """
name: oob
oob:
  network: {source: static, address: 10.0.9.21/24, gateway: 10.0.9.1}
  users: [{name: ops, role: administrator, password: {secret: oob-ops}}]
"""


def build_spec(number: int, **more: Any) -> MachineSpec:
    """A machine with a BMC; each has a name of its own."""
    return MachineSpec(
        name=f"hostile{number}",
        identity=Identity(product="Hostile R1", serial=f"HOSTILE-{number}"),
        nics=(NicSpec(mac=f"52:54:00:ba:d0:0{number}", boot=True),),
        bmc=BmcSpec(),
        **more,
    )


def store_documents(operator: Operator, directory: Path, password: str) -> None:
    (directory / "oob.yaml").write_text(TEMPLATE)
    operator.command("secret", "set", "oob-ops", "--file", "-", input=password)
    operator.command("template", "add", directory / "oob.yaml")


def create_job(operator: Operator, machine: Machine) -> int:
    words = ("--machine", machine.spec.identity.serial, "--template", "oob", "--no-reboot")
    return int(operator.command("job", "create", *words)["id"])


def read_plain_calls(machine: Machine) -> set[str]:
    """The paths that the boot card asked for over http, without the boot files."""
    capture = read_capture(machine.capture_path)
    names = {fetch.name.partition("?")[0] for fetch in capture.fetches if fetch.protocol == "http"}
    return names - {"/bootos/vmlinuz", "/bootos/initrd.img"}


def read_words(machine: Machine, *, after: int = 0) -> str:
    """The words that the console shows."""
    number = machine.wait_for_serial(WORDS, BOOT_S, after=after).number  # perhaps of a line that goes on
    wait_for(lambda: len(machine.serial.lines) > number, 60, what="the end of the line with the words")
    found = re.search(WORDS, machine.serial.lines[number].text)
    assert found is not None
    return found[1]


def check_configured(operator: Operator, machine: Machine, job: int, password: str) -> None:
    """The user is on the BMC, by its LAN port, and his password was nowhere on the machine's card."""
    shown = operator.wait_for_job(job, ["done"], JOB_S, machine=machine)
    assert shown["state"] == "done", shown["message"]
    assert machine.bmc is not None and machine.bmc.check_login("ops", password)
    assert password.encode() not in machine.capture_path.read_bytes()


def log_in(chromium: BrowserContext, server: LabServer) -> Page:
    page = chromium.new_page()
    page.goto(f"{server.operator_url}/login")
    page.fill("input[name=token]", (server.data / "operator.token").read_text().strip())
    page.press("input[name=token]", "Enter")
    page.wait_for_url(f"{server.operator_url}/")
    return page


def confirm_on_page(page: Page, server: LabServer, words: str) -> float:
    """What a person does who has the console's words before him. Returns the moment of it (`time.monotonic`)."""
    page.goto(f"{server.operator_url}/new")
    page.locator("tbody tr", has_text=words).locator("input[type=checkbox]").check()
    confirmed_at = time.monotonic()
    page.get_by_role("button", name="Confirm the marked ones").click()
    page.get_by_text("1 machine is confirmed").wait_for()
    return confirmed_at


def test_a_new_machine_with_the_documented_boot_file_waits_is_confirmed_by_its_words_and_gets_its_secret_over_tls(
    image: Path, output: Path, chromium: BrowserContext
) -> None:
    password = secrets.token_hex(7)
    with Scenario(output / "documented", needs=("machine", "pxe", "bmc")) as scenario:
        server = scenario.start_server(boot_files=image)
        operator = Operator(server.data)
        store_documents(operator, scenario.directory, password)
        spec = build_spec(1)
        operator.command("support", "add", "--vendor", spec.identity.vendor, "--product", "Hostile R1")
        boot_file = (server.tftp_root / "pxelinux.cfg/default").read_text()
        append = next(line for line in boot_file.splitlines() if line.startswith("APPEND "))
        assert {word.partition("=")[0] for word in append.split()[1:]} == DOCUMENTED
        assert "IPAPPEND 2" in boot_file and "https" not in boot_file

        machine = scenario.add_machine(spec, tftp_root=server.tftp_root, is_known=False)
        machine.power_on()
        words = read_words(machine)
        machine.wait_for_serial("registered as id:1: this machine is new", 60)
        machine.wait_for_serial("waiting for an order", 60)
        job = create_job(operator, machine)
        (row,) = operator.command("machine", "new")
        assert (row["sn"], row["words"]) == (spec.identity.serial, words)
        waiting = operator.command("job", "show", str(job))
        assert waiting["state"] == "queued" and "bootos machine confirm id:1" in waiting["message"]
        assert not machine.serial.has(f"job {job}: oob"), "a new machine got an order"

        page = log_in(chromium, server)
        confirmed_at = confirm_on_page(page, server, words)
        machine.wait_for_serial(f"job {job}: oob", 60)
        log.info("from the confirmation to the job: %.2f s", time.monotonic() - confirmed_at)
        check_configured(operator, machine, job, password)
        assert read_plain_calls(machine) == {GREETING}
        assert operator.command("machine", "show", spec.identity.serial)["confirmed_by"] == "words"


def test_a_machine_that_was_told_the_ca_registers_though_its_clock_says_2003_and_says_nothing_over_http(
    image: Path, output: Path
) -> None:
    password = secrets.token_hex(7)
    with Scenario(output / "pinned", needs=("machine", "bmc")) as scenario:
        server = scenario.start_server(boot_files=image)
        operator = Operator(server.data)
        store_documents(operator, scenario.directory, password)
        pin = operator.command("ca", "show")["fingerprint"]
        append = f"console=ttyS0,115200 DEVELOPER=1 SERVER_ADDR={server.guest_tls_url} SERVER_CA=sha256:{pin}"
        machine = scenario.add_machine(
            build_spec(2, clock="2003-01-01", boot=boot_image(image, append=append))
        )
        machine.power_on()
        machine.wait_for_serial(f"it is known by the CA certificate sha256:{pin}", BOOT_S)
        machine.wait_for_serial("waiting for an order", 120)
        certificate, *_ = x509.load_pem_x509_certificates((server.data / "tls/server.pem").read_bytes())
        _, said = run_in_shell(machine, "echo CLOCK=$(date +%s).")
        clocks = re.findall(r"CLOCK=(\d+)\.", said)
        assert clocks, said
        assert datetime.fromtimestamp(int(clocks[-1]), UTC) < certificate.not_valid_before_utc
        check_configured(operator, machine, create_job(operator, machine), password)
        assert read_plain_calls(machine) == set()
        assert operator.command("machine", "show", machine.spec.identity.serial)["confirmed_by"] == "import"


def test_a_man_in_the_middle_shows_by_other_words_and_is_refused_on_the_console_where_the_ca_was_told(
    image: Path, output: Path
) -> None:
    with Scenario(output / "middle", needs=("machine", "bmc")) as scenario:
        server = scenario.start_server(boot_files=image)
        operator = Operator(server.data)
        store_documents(operator, scenario.directory, secrets.token_hex(7))
        pin = operator.command("ca", "show")["fingerprint"]
        # He calls his CA as servers call theirs: it is not its name by which he is found out.
        his = Authority("his", organization="BootOS")
        with Middle(server.tls_url, his, scenario.directory / "middle") as middle:
            port = middle.plain_url.rpartition(":")[2]
            append = f"console=ttyS0,115200 DEVELOPER=1 SERVER_ADDR=http://{HOST_ADDRESS}:{port}"
            spec = build_spec(3, boot=boot_image(image, append=append))
            machine = scenario.add_machine(spec, is_known=False)
            machine.power_on()
            on_console = read_words(machine)
            machine.wait_for_serial("waiting for an order", 60)
            (row,) = operator.command("machine", "new")
            assert len(row["words"].split()) == 4 and row["words"] != on_console
            job = create_job(operator, machine)
            assert f"{v2.PREFIX}/register" in {path for path, _ in middle.said}

            seen, calls = len(machine.serial.lines), len(middle.said)
            code, _ = run_in_shell(
                machine,
                f"echo SERVER_CA=sha256:{pin} > /run/bootos/cmdline && systemctl restart bootos-agent",
            )
            assert code == 0
            refused = machine.wait_for_serial(
                rf"is not the server that this machine was told: .* sha256:{his.fingerprint}, and "
                rf"sha256:{pin} is asked for",
                BOOT_S,
                after=seen,
            )
            check_said_no_more(machine, middle, calls, refused)
            assert operator.command("job", "show", str(job))["state"] == "queued"


def check_said_no_more(machine: Machine, middle: Middle, calls: int, refused: SerialLine) -> None:
    """The agent tries again, and never comes further with him than to the greeting."""
    machine.wait_for_serial("is not the server that this machine was told", BOOT_S, after=refused.number + 1)
    later = {path for path, _ in middle.said[calls:]}
    assert GREETING in later and f"{v2.PREFIX}/register" not in later
