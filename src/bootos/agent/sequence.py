"""What the agent does from its start to the reboot, in order: `run` is the table of contents.

Waiting is done for ever, with growing pauses, and said on every console. Only `main` calls this.
"""

import importlib
import logging
import threading
from typing import TYPE_CHECKING

import msgspec

from bootos import __version__
from bootos.agent.host.cmdline import read_cmdline
from bootos.agent.host.host import CA_FILE, Host, collect, pauses
from bootos.agent.network.place import may_be_at
from bootos.agent.network.uplink import Network
from bootos.agent.search import try_server, wait_for_server
from bootos.waiting import find_within, grow_pauses
from bootos.wire import v2
from bootos.wire.ability import OURS

if TYPE_CHECKING:
    from bootos.agent.session.client import Client
    from bootos.agent.session.reporter import Reporter

log = logging.getLogger(__name__)

# Imports take seconds on a slow machine, so functions below import where they use something. These modules are
# imported while the agent waits for DHCP; those of a job, which are most, while it waits for an order.
LATER = (
    "bootos.hardware.inventory",
    "bootos.agent.session.changeover",
    "bootos.agent.session.reporter",
    "bootos.drivers.registry",
)
FOR_A_JOB = ("bootos.agent.job.job",)


def run(host: Host) -> None:
    """The whole life of the agent in one boot. Returns only when the reboot was asked for and did not happen."""
    logging.getLogger("bootos").addHandler(host.early_log)
    wait_for_server_address(host)
    import_meanwhile(LATER)
    address = bring_up_network(host)
    early = (host.cmdline.pre or "", *host.cmdline.repositories)
    server_first = any(may_be_at(url, host.server_addr) for url in early)  # which it has once it answers
    client = wait_for_server(host) if server_first else None
    set_up_repositories(host)
    hooks = run_pre_hook(host)
    client = client or try_server(host)
    if client is not None:
        load_layers(host, client)
    collect(host)
    if client is None and not server_first:
        client = wait_for_server(host)
        if client is not None and load_layers(host, client):
            collect(host)
    if client is None:
        work_by_v1(host)
        return
    reporter = register(host, client, address, hooks)
    import_meanwhile(FOR_A_JOB)
    work(host, client, reporter)


def import_meanwhile(names: tuple[str, ...]) -> None:
    """Import modules in a thread of their own; who needs one before imports it, and waits."""
    threading.Thread(target=lambda: [importlib.import_module(name) for name in names], daemon=True).start()


def work(host: Host, client: "Client", reporter: "Reporter") -> None:
    """Job after job, until one ends with a reboot."""
    from bootos.agent.session.capturing import Capturer
    from bootos.agent.session.order import wait_for_order

    capturer = Capturer(host.machine, reporter.masker, host.cmdline.pxe_mac)
    while True:
        host.status.set(step="", step_number=0, step_count=0)
        host.status.wait_for("an order")
        order = wait_for_order(client, reporter, capturer, host.clock)
        from bootos.agent.job.ending import leave
        from bootos.agent.job.job import carry_out

        leave(host, carry_out(order, host, client, reporter))


def work_by_v1(host: Host) -> None:
    """The same with a server that only speaks Cloudboot v1."""
    from bootos.agent.cloudboot.flow import work_v1

    work_v1(host)


def wait_for_server_address(host: Host) -> None:
    """Read the kernel command line until it has a usable SERVER_ADDR."""
    for wait_s in grow_pauses(2.0, 300.0):
        host.cmdline = read_cmdline(host.machine.root)
        for problem in host.cmdline.problems:
            log.error("kernel command line: %s", problem)
        if host.server_addr:
            host.status.set(server=host.server_addr, mode="developer" if host.cmdline.developer else "user")
            log.info(
                "server %s, %s mode", host.server_addr, "developer" if host.cmdline.developer else "user"
            )
            return
        log.warning(
            "waiting for SERVER_ADDR: boot again with it, or at the shell write it to /run/bootos/cmdline"
        )
        host.status.wait_for(
            "SERVER_ADDR: boot again with it, or at the shell write it to /run/bootos/cmdline"
        )
        added = host.directory / "cmdline"
        before = added.stat().st_mtime_ns if added.exists() else 0
        find_within(
            lambda: added.exists() and added.stat().st_mtime_ns != before,  # noqa: B023
            wait_s,
            pause_s=1.0,
            clock=host.clock,
        )


def bring_up_network(host: Host) -> str:
    """eth0 is the NIC that PXE used; the interface that reaches the server is used, and its address returned."""
    host.status.wait_for("a network address")
    network = Network(
        host.machine.run,
        host.server_addr,
        host.cmdline.network,
        host.machine.root,
        on_change=lambda lines: host.status.set(network=lines),
        clock=host.clock,
    )
    host.uplink = network.bring_up(host.cmdline.pxe_mac)
    return host.uplink.address


def set_up_repositories(host: Host) -> None:
    """Those of REPO, so that PRE, scripts and the shell can `yum install` from them."""
    if host.cmdline.repositories:
        from bootos.agent.host.repository import write_repositories

        write_repositories(
            host.cmdline.repositories,
            host.machine.root,
            http=host.http,
            find_end=host.find_end,
            ca_file=str(host.directory / CA_FILE),
        )


def run_pre_hook(host: Host) -> list[v2.HookResult]:
    """PRE, right after the agent started (its URL needs the network). A failure is said and kept: the machine still
    registers, and with PRE_ON_ERROR=stop its jobs are refused (`job`, `cloudboot.flow`)."""
    if not host.cmdline.pre:
        return []
    from bootos.agent.hook.hook import run_given_hook

    host.status.do("running the PRE hook")
    result = run_given_hook("PRE", host, None)
    return [result] if result is not None else []


def load_layers(host: Host, client: "Client") -> bool:
    """The kernel modules that the server has for this machine's devices. Returns whether there were any."""
    from bootos.agent.hardware_layer import load_hardware_layers

    return load_hardware_layers(host, client)


def register(host: Host, client: "Client", address: str, hooks: list[v2.HookResult]) -> "Reporter":
    """Register and start reporting; what was and will be logged is seen at the server."""
    from bootos.agent.session.outbox import Outbox
    from bootos.agent.session.reporter import Reporter, ReportHandler

    outbox = Outbox(host.directory / "outbox.jsonl")
    reporter = Reporter(
        client, host.boot_id, lambda: claim_session(host, client, address), outbox, host.clock
    )
    reporter.update(msgspec.structs.replace(reporter.state, hooks=hooks))
    host.early_log.hand_over(logging.getLogger("bootos"), ReportHandler(reporter))
    host.status.wait_for("the server to take the registration")
    claim_session(host, client, address)
    reporter.start()
    return reporter


def claim_session(host: Host, client: "Client", address: str) -> None:
    """Register until the server accepts."""
    from bootos.agent.session.bootkey import draw_for
    from bootos.agent.session.client import Refused, Unreachable
    from bootos.drivers.registry import find_driver_names

    key = words = ""

    registration = v2.Registration(
        sn=host.sn,
        boot_id=host.boot_id,
        agent_version=__version__,
        image_version=host.image_version,
        developer=host.cmdline.developer,
        pxe_mac=host.mac or None,
        address=address,
        drivers=find_driver_names(host.inventory),
        abilities=list(OURS),
        ca_sha256=client.ca_sha256,
        inventory=host.inventory,
    )
    for wait_s in pauses():
        try:
            if client.ca_sha256 and not key:
                key, words = draw_for(client, host.directory, boot_id=host.boot_id, sn=host.sn)
            registered = client.register(msgspec.structs.replace(registration, key=key))
        except Unreachable as error:
            log.warning("waiting for the server to take the registration: %s", error)
        except Refused as error:
            log.warning("the server refuses this machine for now: %s", error)
            wait_s = float(error.retry_after_s or wait_s)
        else:
            word = format_machine_word(registered.machine_id)
            host.status.set(machine=word, words=words)
            host.machine_id = registered.machine_id
            log.info(
                "registered as %s%s",
                word,
                f": {registered.message}" if registered.message else "",
            )
            if words:
                log.info(
                    "the words of this boot are: %s (the server's page of this machine shows the same)", words
                )
            return
        host.clock.sleep(wait_s)


def format_machine_word(machine_id: str) -> str:
    """The server's id of the machine as its commands take it: a number alone would be a serial number there."""
    return f"id:{machine_id}" if machine_id.isdecimal() else machine_id
