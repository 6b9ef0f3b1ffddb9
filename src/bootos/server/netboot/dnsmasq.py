"""DHCP and TFTP for booting, by dnsmasq: its configuration (pure), and the process beside the server.

Called by `serve` with --netboot. What a client is, is told by option 93 (RFC 4578 and the IANA list of processor
architecture types); iPXE says so itself in its user class.
"""

import ipaddress
import json
import logging
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bootos.errors import BootosError
from bootos.files import write_atomically
from bootos.process import Child, run, start
from bootos.server.netboot.loader import Offer, find_offer, read_stamp
from bootos.server.netboot.tree import IPXE_SCRIPT
from bootos.server.settings import Settings
from bootos.waiting import find_within

log = logging.getLogger(__name__)

BIOS, UEFI_X64, UEFI_BC, HTTP_X64 = 0, 7, 9, 16  # firmware says 7 or 9 for x86-64 UEFI
START_S = 10.0  # dnsmasq ends within this time when it cannot bind its ports
WATCH_S = 2.0


def read_address(interface: str) -> ipaddress.IPv4Interface:
    """The IPv4 address of an interface, with its network. Raises BootosError."""
    answer = run(["ip", "-j", "-4", "addr", "show", "dev", interface], check=False)
    if answer.returncode != 0:
        raise BootosError(f"there is no interface {interface!r}", hint="`ip link` lists them")
    for link in json.loads(answer.stdout or "[]"):
        for address in link.get("addr_info", []):
            return ipaddress.IPv4Interface(f"{address['local']}/{address['prefixlen']}")
    raise BootosError(
        f"{interface} has no IPv4 address", hint=f"give it one: ip addr add ADDRESS/PREFIX dev {interface}"
    )


def parse_range(text: str) -> tuple[ipaddress.IPv4Address, ipaddress.IPv4Address]:
    """The first and the last address of FIRST-LAST. Raises BootosError."""
    first, mark, last = text.replace(" ", "").partition("-")
    try:
        found = (ipaddress.IPv4Address(first), ipaddress.IPv4Address(last))
    except ValueError as cause:
        raise BootosError(
            f"{text!r} is no range of addresses", hint="FIRST-LAST, 10.0.0.100-10.0.0.200"
        ) from cause
    if not mark or found[0] > found[1]:
        raise BootosError(f"{text!r} ends before it begins", hint="FIRST-LAST, 10.0.0.100-10.0.0.200")
    return found


def render_dnsmasq(
    settings: Settings, address: ipaddress.IPv4Interface, public_url: str, offer: Offer
) -> str:
    """The text of the configuration file (dnsmasq(8)). Raises BootosError when the range is outside the interface's
    network."""
    network, data = address.network, settings.data.absolute()
    netboot_url = f"{public_url}/bootos/netboot"
    lines = [
        "# Written by the BootOS server at each start.",
        "port=0",  # port 0: no DNS
        f"interface={settings.netboot}",
        "except-interface=lo",
        "bind-interfaces",
        "no-resolv",
        "no-hosts",
        "log-dhcp",
        "enable-tftp",
        f"tftp-root={data / 'tftp'}",
        f"dhcp-leasefile={data / 'dnsmasq.leases'}",
        "",
        "dhcp-userclass=set:ipxe,iPXE",
        f"dhcp-match=set:bios,option:client-arch,{BIOS}",
        f"dhcp-match=set:uefi,option:client-arch,{UEFI_X64}",
        f"dhcp-match=set:uefi,option:client-arch,{UEFI_BC}",
        f"dhcp-match=set:http,option:client-arch,{HTTP_X64}",
        "",
    ]
    if settings.dhcp_range:
        first, last = parse_range(settings.dhcp_range)
        for end in (first, last):
            if end not in network:
                raise BootosError(
                    f"{end} is not in {network}, the network of {settings.netboot}",
                    hint="choose another --dhcp-range",
                )
        lines += [
            f"dhcp-range={first},{last},{network.netmask},1h",
            f"dhcp-boot=tag:ipxe,{netboot_url}/{IPXE_SCRIPT}",
        ]
        if offer.bios:
            lines.append(f"dhcp-boot=tag:bios,tag:!ipxe,{offer.bios}")
        if offer.uefi:
            lines.append(f"dhcp-boot=tag:uefi,tag:!ipxe,{offer.uefi}")
        if offer.http:
            # UEFI HTTP Boot (UEFI 2.11, 24.7.3) accepts an answer only with this vendor class, and its boot file is a
            # URL.
            lines.append(f"dhcp-boot=tag:http,tag:!ipxe,{netboot_url}/{offer.http}")
            lines.append("dhcp-option-force=tag:http,tag:!ipxe,60,HTTPClient")
    else:
        lines += [
            f"dhcp-range={network.network_address},proxy,{network.netmask}",
            f"dhcp-boot=tag:ipxe,{netboot_url}/{IPXE_SCRIPT}",
        ]
        services = {"x86PC": offer.bios, "X86-64_EFI": offer.uefi, "BC_EFI": offer.uefi}
        lines += [f"pxe-service=tag:!ipxe,{arch},BootOS,{name}" for arch, name in services.items() if name]
    return "\n".join(lines) + "\n"


@contextmanager
def run_dnsmasq(settings: Settings, public_url: str) -> Iterator[None]:
    """Answer DHCP and TFTP on the interface until the end. Raises BootosError when that cannot be started."""
    program = shutil.which("dnsmasq") or shutil.which("dnsmasq", path="/usr/sbin:/sbin")
    if program is None:
        raise BootosError("--netboot needs dnsmasq", hint="apt-get install dnsmasq-base")
    address = read_address(settings.netboot)
    path, log_path = settings.data / "dnsmasq.conf", settings.data / "dnsmasq.log"
    seen = read_stamp(settings)
    written = _write(path, settings, address, public_url)
    log_path.unlink(missing_ok=True)
    argv = [
        # dnsmasq ends with the server, also when the server is killed: the kernel sends SIGTERM when the thread that
        # started dnsmasq ends (the main thread or the watcher). A change of user or group would cancel this, so both
        # stay root.
        *("setpriv", "--pdeathsig", "TERM"),
        program,
        "--keep-in-foreground",
        f"--conf-file={path}",
        "--user=root",
        "--group=root",
        "--log-facility=-",
        "--pid-file=",
    ]
    stop = threading.Event()
    child = _start(argv, log_path)
    kind = f"addresses {settings.dhcp_range}" if settings.dhcp_range else "beside the network's DHCP server"
    log.info("booting over %s (%s), %s; dnsmasq's log is %s", settings.netboot, address, kind, log_path)

    def watch() -> None:
        nonlocal child, seen, written
        while not stop.wait(WATCH_S):
            before = written
            try:
                # the default image may have changed, and with it the loaders
                if (stamp := read_stamp(settings)) != seen:
                    seen = stamp
                    written = _write(path, settings, address, public_url)
                if written != before:
                    log.info("other boot loaders are offered from now on: dnsmasq is started again")
                    child.stop()
                elif (code := child.poll()) is not None:
                    log.error("dnsmasq ended with exit code %d and is started again; see %s", code, log_path)
                else:
                    continue
                child = _start(argv, log_path)
            except (BootosError, OSError) as error:
                log.error("%s", error)

    watcher = threading.Thread(target=watch, name="dnsmasq", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join(START_S)
        child.stop()


def _write(path: Path, settings: Settings, address: ipaddress.IPv4Interface, public_url: str) -> str:
    """The configuration for the loaders that there are now; the log says which boot paths lack theirs."""
    offer = find_offer(settings)
    for problem in offer.problems:
        log.warning("%s", problem)
    text = render_dnsmasq(settings, address, public_url, offer)
    write_atomically(path, text.encode(), mode=0o644)
    return text


def _start(argv: list[str], log_path: Path) -> Child:
    """dnsmasq, once it says that it serves TFTP. Raises BootosError with its words when it ends before."""
    begin = log_path.stat().st_size if log_path.exists() else 0
    child = start(argv, log_path=log_path)

    def read_said() -> str:
        return log_path.read_text(errors="replace")[begin:]

    def is_decided() -> bool:
        return child.poll() is not None or "TFTP root is" in read_said()

    find_within(is_decided, START_S, pause_s=0.05)
    if "TFTP root is" in read_said():
        return child
    child.stop()
    raise BootosError(
        f"dnsmasq did not start: {read_said().strip()[-500:]}",
        hint="is another DHCP or TFTP server running on this host?",
    )
