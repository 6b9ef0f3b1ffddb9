"""What the demo says of hooks and trust, by console, job and packets."""

from collections.abc import Sequence
from typing import Literal

import pytest

from bootos.lab.capture import Capture, Fetch
from bootos.lab.demo.check import GREETING, INITRD, INSTALLED, check_hooks, check_job, check_trust
from bootos.lab.demo.evidence import Evidence
from bootos.lab.demo.report import DemoReport
from bootos.lab.serial import SerialLine

INITRD_BYTES = 1000
WORDS = "acid amber basin cabin"
CONSOLE = (
    "bootos: PRE | PRE script: Linux",
    "bootos: registered as id:1",
    f"bootos: the words of this boot are: {WORDS} (the server's page of this machine shows the same)",
    "bootos: POST | POST binary: made of machine code",
    "bootos: PRE | installer: progress 1 reported, HTTP 200",
)
BOOT = ("/bootos/vmlinuz", INITRD, GREETING)


def fetch(name: str) -> Fetch:
    protocol: Literal["tftp", "http", "tls"] = "tls" if name[0].isdigit() else "http"
    if name == "lpxelinux.0":
        protocol = "tftp"
    return Fetch(at_s=0.0, protocol=protocol, name=name, received_bytes=INITRD_BYTES)


def gather(
    *,
    first: Sequence[str] = (*BOOT, "10.0.2.2:8084"),
    second: Sequence[str] = (*BOOT, "10.0.2.2:8084", INSTALLED),
    console: Sequence[str] = CONSOLE,
    post_at: str = "2026-01-01T00:00:01.000Z",
    confirmed_by: str = "import",
) -> Evidence:
    evidence = Evidence("")
    names = ["lpxelinux.0", *first, "lpxelinux.0", *second]
    fetches = tuple(fetch(name) for name in names)
    evidence.capture = Capture(fetches=fetches, dhcp=(), received_bytes=0, packets=0, duration_s=0.0)
    evidence.serial = [
        SerialLine(number=number, at_s=0.0, cpu_s=0.0, text=text) for number, text in enumerate(console)
    ]
    steps = [
        {"id": "mac", "started_at": None, "ended_at": "2026-01-01T00:00:01.000Z"},
        {"id": "post", "started_at": post_at, "ended_at": None},
    ]
    hooks = [{"name": name, "exit_code": 0} for name in ("PRE", "POST")]
    evidence.job = {"report": {"steps": steps, "hooks": hooks}}
    evidence.machine = {"confirmed_by": confirmed_by, "words": WORDS}
    return evidence


def find_wrong(evidence: Evidence) -> list[str]:
    """The names of the checks that do not hold."""
    report = DemoReport(image={"files": [{"name": "initrd.img", "size_bytes": INITRD_BYTES}]})
    check_hooks(report, evidence)
    check_trust(report, evidence)
    return [check.name for check in report.checks if not check.ok]


def test_a_run_as_it_shall_be_passes() -> None:
    assert find_wrong(gather()) == []


@pytest.mark.parametrize(
    ("evidence", "wrong"),
    [
        (gather(first=(*BOOT, "10.0.2.2:8084", "/api/v2/agent/register")), ["TLS: calls without it, in each boot"]),
        (gather(second=(*BOOT, INSTALLED)[:-1]), ["TLS: calls without it, in each boot"]),
        (gather(first=BOOT), ["TLS: the agent's connections"]),
        (gather(first=(*BOOT, "10.0.2.2:8084", "10.0.2.2:9")), ["TLS: the agent's connections"]),
        (gather(confirmed_by="open"), ["machine: confirmed by"]),
        (
            gather(console=[line.replace(WORDS, "other words") for line in CONSOLE]),
            ["machine: console and server show the same words"],
        ),
        (gather(console=[CONSOLE[1], CONSOLE[0], *CONSOLE[2:]]), ["hooks: order on the console"]),
        (gather(post_at="2026-01-01T00:00:00.500Z"), ["hooks: POST after the MAC upload"]),
    ],
)  # fmt: skip
def test_each_thing_that_is_otherwise_is_told(evidence: Evidence, wrong: list[str]) -> None:
    assert find_wrong(evidence) == wrong


def test_a_job_whose_agent_sent_no_report_is_told_by_the_checks_of_hooks_and_steps() -> None:
    evidence = gather()
    evidence.job = {"report": None, "state": "queued"}
    assert find_wrong(evidence) == ["hooks: POST after the MAC upload", "hooks: exit codes"]
    report = DemoReport(image={"files": []})
    check_job(report, evidence)
    wrong = [check.name for check in report.checks if not check.ok]
    assert wrong == ["job: state", "job: steps", "job: every action done once"]
