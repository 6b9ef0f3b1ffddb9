"""A BMC's cipher suites, changed from inside the machine and tried from outside, on a BMC that has the levels by the
number of the suite and on one that has them by place."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from bootos.lab.machine import Machine
from bootos.lab.operator import Operator
from bootos.lab.scenario import Scenario
from bootos.lab.spec import BmcSpec, MachineSpec, NicSpec, boot_image

pytestmark = [pytest.mark.vm, pytest.mark.full, pytest.mark.timeout(1800)]

SUPERMICRO, AMI = 10876, 20974
OTHER = {"number": "place", "place": "number"}
SPOKEN = (1, 2, 3, 6)  # of the BMC's, by ipmitool
TEMPLATE = """
name: {name}
oob:
  network: {{source: static, address: 10.0.9.21/24, gateway: 10.0.9.1}}
  users: [{{name: ops, role: administrator, password: {{secret: oob-ops}}}}]
  cipher_suites: {suites}
"""


def find_open(machine: Machine, password: str) -> list[int]:
    """The suites with which the account gets in from outside."""
    assert machine.bmc is not None
    return [suite for suite in SPOKEN if machine.bmc.check_login("ops", password, suite=suite)]


def run_job(operator: Operator, machine: Machine, name: str, suites: Sequence[int], more: str = "") -> Any:
    template = machine.directory / f"{name}.yaml"
    template.write_text(TEMPLATE.format(name=name, suites=list(suites)) + more)
    operator.command("template", "add", template)
    serial = machine.spec.identity.serial
    created = operator.command("job", "create", "--machine", serial, "--template", name, "--no-reboot")
    job = operator.wait_for_job(created["id"], ["done", "failed"], 600, machine=machine)
    return job, str(operator.command("job", "log", str(created["id"])))


@pytest.mark.parametrize(("index", "maker"), [("number", SUPERMICRO), ("place", AMI)])
def test_suites_are_changed_with_a_login_as_proof_and_taken_back_where_it_fails(
    index: Literal["number", "place"], maker: int, image: Path, output: Path
) -> None:
    password = secrets.token_urlsafe(9)
    with Scenario(output / index, needs=("machine", "bmc")) as scenario:
        server = scenario.start_server(boot_files=image)
        operator = Operator(server.data)
        nic = NicSpec(mac="52:54:00:00:b0:01", boot=True)
        append = f"console=ttyS0,115200 SERVER_ADDR={server.guest_url} DEVELOPER=1"
        spec = MachineSpec(
            name="oob",
            nics=(nic,),
            bmc=BmcSpec(maker=maker, cipher_index=index),
            boot=boot_image(image, append=append),
        )
        operator.command("secret", "set", "oob-ops", "--file", "-", input=password)
        machine = scenario.add_machine(spec)
        machine.power_on()
        machine.wait_for_serial("waiting for an order", 600)

        job, text = run_job(operator, machine, "proven", [2, 3])
        assert job["state"] == "done", job["message"]
        assert "logged in to the BMC as ops with cipher suite 3" in text
        assert find_open(machine, password) == [2, 3]

        wrong = f"  cipher_index: {OTHER[index]}\n"
        job, _ = run_job(operator, machine, "locks-out", [3], wrong)
        assert job["state"] == "failed"
        assert "could not log in to the BMC at 10.0.9.21 any more" in job["message"]
        assert find_open(machine, password) == [2, 3]
