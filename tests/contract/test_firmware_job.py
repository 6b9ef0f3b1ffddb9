"""A firmware job as the agent carries it out at a server over TLS: from the greeting to the last report, with the
reboot that the flash needs. The package lies at the server, and is fetched over the CA that the machine was told."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
from certificate import Authority
from handclock import StillClock
from peer import Peer
from siliconmachine import SiliconMachine

from bootos.agent.host.cmdline import parse_cmdline
from bootos.agent.host.host import Host
from bootos.agent.job.ending import Next
from bootos.agent.job.job import carry_out
from bootos.agent.search import wait_for_server
from bootos.agent.sequence import register
from bootos.lab.vendor_tools.firmware_package import FirmwarePackage, build_package, list_history
from bootos.lab.vendor_tools.silicon import SiliconSpec
from bootos.wire import v2
from bootos.wire.inventory import Bios, Inventory, System

PACKAGE = "/bootos/files/BIOS_2.10.0.BIN"
ID = "firmware.package:bios:2.10.0"


class Place:
    """A server that is greeted by http and has a TLS end with the package, and a machine with BIOS 2.2.11."""

    def __init__(self, directory: Path, plain: Peer, secure: Peer, authority: Authority) -> None:
        self.directory, self.plain, self.secure, self.authority = directory, plain, secure, authority
        state = {"bios": {"version": "2.2.11"}, "firmware": {"versions": {}}}
        self.here = SiliconMachine(directory, SiliconSpec(state=state), tools=(FirmwarePackage(),))
        self.boots = 0

    def boot(self, version: str) -> Host:
        """The machine starts, and has this BIOS now."""
        self.boots += 1
        self.here.silicon.boot()
        host = Host(self.here.machine, f"boot-{self.boots}", clock=StillClock())
        shutil.rmtree(host.directory, ignore_errors=True)  # it is in memory
        host.directory.mkdir(parents=True)
        line = f"SERVER_ADDR={self.plain.url} SERVER_CA=sha256:{self.authority.fingerprint}"
        host.cmdline = msgspec.structs.replace(parse_cmdline(line), pxe_mac="52:54:00:00:00:01")
        host.inventory = Inventory(
            collected_at="2024-01-01T00:00:00Z",
            system=System(vendor="Dell Inc.", product="PowerEdge R740", serial="SN001"),
            bios=Bios(version=version),
        )
        return host

    def build_order(self, **more: object) -> v2.Order:
        """The package is named as operators write it: at the address that the machine was given."""
        digest = hashlib.sha256(self.secure.files[PACKAGE]).hexdigest()
        item = {"component": "bios", "version": "2.10.0", "method": "package", "sha256": digest}
        template = {"name": "t", "firmware": [{**item, "package": f"{self.plain.url}{PACKAGE}"}]}
        return v2.Order(job_id="7", template_name="t", template=template, reboot=True, **more)  # type: ignore[arg-type]

    def read_report(self) -> v2.Report:
        """The last one of this boot."""
        return [report for report in self.secure.reports if report.boot_id == f"boot-{self.boots}"][-1]

    def carry_out(self, host: Host, order: v2.Order) -> Next:
        """What comes after the job, which is done or waits for a reboot."""
        client = wait_for_server(host)
        assert client is not None
        reporter = register(host, client, "10.0.2.15", [])
        return carry_out(order, host, client, reporter)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    authority = Authority()
    with ExitStack() as stack:
        plain, secure = Peer(), Peer(authority.write(tmp_path / "server"))
        stack.callback(plain.close)
        stack.callback(secure.close)
        plain.tls = v2.TlsOffer(url=secure.url, ca_sha256=authority.fingerprint)
        secure.files = {PACKAGE: build_package("bios", "2.10.0")}
        (tmp_path / "machine").mkdir()
        yield Place(tmp_path / "machine", plain, secure, authority)


def test_a_firmware_job_is_carried_out_with_a_package_from_the_servers_tls_end(place: Place) -> None:
    assert place.carry_out(place.boot("2.2.11"), place.build_order()) is Next.REBOOT_INSIDE
    assert PACKAGE in place.secure.queries
    steps = place.read_report().steps
    states = {step.id: step.state for step in steps}
    states |= {action.id: action.state for step in steps for action in step.actions}
    assert states[ID] is v2.StepState.REBOOTING
    assert list_history(place.here.silicon) == []
    again = place.build_order(attempt=2, earlier=states, earlier_boot_id="boot-1")
    assert place.carry_out(place.boot("2.10.0"), again) is Next.REBOOT
    assert list_history(place.here.silicon) == ["2.10.0"]
    assert place.read_report().state is v2.JobState.SUCCEEDED
    assert place.secure.queries.count(PACKAGE) == 1
    assert place.secure.macs == ["52:54:00:00:00:01"]
    assert place.plain.queries == ["/", "/"], "only greetings went without TLS"


def test_a_package_that_is_another_one_at_the_tls_end_fails_the_job_and_is_not_run(place: Place) -> None:
    order = place.build_order()
    place.secure.files[PACKAGE] = build_package("bios", "9.9.9")
    assert place.carry_out(place.boot("2.2.11"), order) is Next.ORDER
    assert place.read_report().state is v2.JobState.FAILED
    assert "sha256" in place.read_report().message
    assert not any(words[0].endswith(".BIN") for words in place.here.calls)
    assert place.secure.macs == []
