"""The lab's Redfish service before DMTF's own validators, over HTTPS on the loopback: none of what they look at fails.

What the service does not offer (events, SSDP, query parameters) they pass over; how much they look at has a floor, so
that nothing passes by vanishing. The schemas that `redfish-service-validator` compares with are not in this repository:
it runs where `SCHEMAS` names a directory with DMTF's CSDL files (docs/lab.md).
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redfishmachine import RedfishMachine, serve

from bootos.lab.chassis import Chassis
from bootos.lab.vendor_tools.redfish_remote import use_up_override
from bootos.lab.vendor_tools.redfish_spec import RedfishSpec

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]

DEADLINE_S = 500
SLOTS = pytest.mark.parametrize("bmc", [0, 4], ids=["accounts", "slots"], indirect=True)


class Box(Chassis):
    """A machine whose firmware boots at once, and ends an override for one boot as it does."""

    def __init__(self, bmc: RedfishMachine) -> None:
        self._bmc = bmc
        self._on = True

    def is_on(self) -> bool:
        return self._on

    def power_on(self) -> None:
        self._on = True
        use_up_override(self._bmc.silicon, self._bmc.tree, time.monotonic())

    def power_off(self) -> None:
        self._on = False

    def reset(self) -> None:
        self.power_on()


@pytest.fixture
def bmc(request: pytest.FixtureRequest) -> Iterator[RedfishMachine]:
    with serve(RedfishSpec(slots=getattr(request, "param", 0), virtual_cd=True)) as machine:
        machine.silicon.chassis = Box(machine)
        yield machine


def run_validator(bmc: RedfishMachine, program: str, directory: Path, *options: str) -> dict[str, int]:
    """The counts of the validator's summary; the checks that fail are in the error."""
    # with these `requests` would not let itself be told to take a certificate that nobody signed
    signed = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    ended: subprocess.CompletedProcess[str] = subprocess.run(
        [
            str(Path(sys.executable).with_name(program)),
            *("--user", bmc.spec.user, "--password", bmc.spec.password),
            *("--rhost", f"https://127.0.0.1:{bmc.service.port}", "--report-dir", str(directory), *options),
        ],
        cwd=directory,
        env={name: value for name, value in os.environ.items() if name not in signed},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    logs = [*directory.rglob("*.log"), *directory.rglob("*.tsv")]
    lines = [line for log in logs for line in log.read_text().splitlines()]
    failed = "\n".join(line for line in lines if re.search(r"\bFAIL\b|\bERROR\b", line))
    assert ended.returncode == 0, f"{ended.stdout[-2000:]}{ended.stderr[-2000:]}\n{failed}"
    counts = read_counts(ended.stdout)
    print(program, counts)
    return counts


def read_counts(printed: str) -> dict[str, int]:
    """PASS, WARN, FAIL, NOT TESTED of a validator's summary, which has one of two forms."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", printed)
    if found := re.search(r"Summary - (.*)", plain):
        return {name: int(count) for name, count in re.findall(r"(\w+): (\d+)", found[1])}
    names, counts = re.findall(r"^\|(.*)\|$", plain, re.MULTILINE)[-2:]
    return dict(zip((name.strip() for name in names.split("|")), map(int, counts.split("|")), strict=True))


@SLOTS
def test_the_protocol_is_spoken_as_dsp0266_says(bmc: RedfishMachine, tmp_path: Path) -> None:
    options = ("--no-cert-check", "--avoid-http-redirect", "--report-type", "tsv")
    counts = run_validator(bmc, "rf_protocol_validator", tmp_path, *options)
    assert (counts["FAIL"], counts["WARN"]) == (0, 0)
    assert counts["PASS"] >= 320


def test_what_people_do_with_a_bmc_can_be_done(bmc: RedfishMachine, tmp_path: Path) -> None:
    counts = run_validator(bmc, "rf_use_case_checkers", tmp_path)
    assert (counts["FAIL"], counts["WARN"]) == (0, 0)
    assert counts["PASS"] >= 50


@pytest.mark.parametrize("bmc", [4], indirect=True)
def test_accounts_can_be_made_of_free_slots(bmc: RedfishMachine, tmp_path: Path) -> None:
    options = ("--test-list", "AccountManagement")
    counts = run_validator(bmc, "rf_use_case_checkers", tmp_path, *options)
    assert (counts["FAIL"], counts["WARN"]) == (0, 0)
    assert counts["PASS"] >= 9


@SLOTS
def test_every_resource_is_of_its_schema(bmc: RedfishMachine, tmp_path: Path) -> None:
    schemas = os.environ.get("SCHEMAS")
    if not schemas:
        pytest.skip("SCHEMAS names no directory with DMTF's schemas")
    options = ("--skipschema", "--schema_directory", str(Path(schemas).absolute()))
    counts = run_validator(bmc, "rf_service_validator", tmp_path, *options)
    assert counts["FAIL"] == 0
    assert counts["PASS"] >= 480
