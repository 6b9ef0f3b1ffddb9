"""What a BMC offers beside its address and accounts, by ipmitool: LAN access, cipher suites, Serial over LAN, boot
device, event log. Pure: parsers, and what differs from the template; `ipmi` reads and carries out.

Sources: IPMI 2.0, 22.22 (channel access), 23.2 (LAN parameters 23 and 24), 26.2 (SOL parameters), 28.13 (boot options),
31 (System Event Log).
"""

import re
from collections.abc import Sequence

import msgspec

from bootos.drivers.contract import Change, Planned, Ruling
from bootos.drivers.oob.bmc import parse_fields
from bootos.drivers.oob.cipherplan import Login, plan_ciphers
from bootos.drivers.storage.content import Occupancy
from bootos.drivers.storage.desk import Taking, Word, judge
from bootos.hardware.bmccipher import Ciphers
from bootos.template.oob import Oob, OobSol

BOOT_SELECTORS = {
    "none": "No override",
    "pxe": "Force PXE",
    "disk": "Force Boot from default Hard-Drive",
    "cdrom": "Force Boot from CD/DVD",
    "bios": "Force Boot into BIOS Setup",
}
CLEAR_LOG = "oob.ipmi:log"
# The entry that many BMCs write into a log that they have cleared.
CLEARED = re.compile(r"log area (reset|cleared)", re.IGNORECASE)


class Sol(msgspec.Struct, frozen=True, kw_only=True):
    """Serial over LAN. Bit rates in bits per second, now and after a restart of the BMC; 0: the serial port's own."""

    enabled: bool = False
    bit_rate: int = 0
    kept_bit_rate: int = 0


class Boot(msgspec.Struct, frozen=True, kw_only=True):
    """The boot device override. `valid` False: the BIOS does not look at the rest."""

    device: str = "none"
    persistent: bool = False
    uefi: bool = False
    valid: bool = False


class EventLog(msgspec.Struct, frozen=True, kw_only=True):
    entries: int = 0
    newest: tuple[str, ...] = ()

    @property
    def is_clear(self) -> bool:
        """Empty, or with nothing but the entry that it was cleared."""
        return self.entries == 0 or (self.entries == 1 and any(CLEARED.search(line) for line in self.newest))


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """None: the BMC does not tell, and has it not, as far as can be known. `maker` is its IANA number; 0: not told."""

    maker: int = 0
    ciphers: Ciphers | None = None
    sol: Sol | None = None
    boot: Boot | None = None
    log: EventLog | None = None


class Commands(msgspec.Struct, frozen=True, kw_only=True):
    """ipmitool's words, one call each."""

    commands: tuple[tuple[str, ...], ...]


def parse_sol(text: str) -> Sol | None:
    """`ipmitool sol info CHANNEL`."""
    fields = parse_fields(text)
    if "enabled" not in fields:
        return None
    return Sol(
        enabled=fields["enabled"].lower() == "true",
        bit_rate=_read_rate(fields.get("volatile bit rate (kbps)", "")),
        kept_bit_rate=_read_rate(fields.get("non-volatile bit rate (kbps)", "")),
    )


def _read_rate(text: str) -> int:
    try:
        return round(float(text) * 1000)
    except ValueError:
        return 0  # "IPMI-Over-Serial-Setting"


def parse_boot(text: str) -> Boot | None:
    """`ipmitool chassis bootparam get 5`."""
    found = re.search(r"Boot Device Selector : (.+)", text)
    if found is None:
        return None
    said = found[1].strip()
    device = next((word for word, selector in BOOT_SELECTORS.items() if said.startswith(selector)), said)
    return Boot(
        device=device,
        persistent="Options apply to all future boots" in text,
        uefi="BIOS EFI boot" in text,
        valid="Boot Flag Valid" in text,
    )


def parse_log(info: str, listed: str) -> EventLog | None:
    """`ipmitool sel info` and `ipmitool sel list last N`."""
    entries = parse_fields(info).get("entries", "")
    if not entries.isdigit():
        return None
    lines = [" ".join(line.split()) for line in listed.splitlines() if "|" in line]
    return EventLog(entries=int(entries), newest=tuple(lines))


def plan_services(
    service: Service, oob: Oob, channel: int, *, uefi: bool, planned: Planned, login: Login | None = None
) -> None:
    """Actions and problems for everything the template asks; what it does not name stays as it is. `login` is what a
    change of the cipher suites is tried with."""
    if oob.cipher_suites is not None:
        plan_ciphers(
            service.ciphers,
            oob.cipher_suites,
            channel,
            planned,
            maker=service.maker,
            said=oob.cipher_index,
            login=login,
        )
    elif service.ciphers is not None and service.ciphers.has_open_suite_0(service.maker):
        planned.notes.append(
            "the BMC's cipher suite 0 is open: over the LAN it asks nobody for a password (oob.cipher_suites: [3, 17])"
        )
    if oob.sol is not None:
        _plan_sol(service.sol, oob.sol, channel, planned)
    if oob.boot_device is not None:
        _plan_boot(service.boot, oob.boot_device, uefi, planned)
    if oob.event_log is not None:
        _plan_log(service.log, planned)


def _plan_sol(found: Sol | None, wanted: OobSol, channel: int, planned: Planned) -> None:
    at = "oob.sol"
    if found is None:
        if wanted.enabled:
            planned.complain(at, "this BMC has no Serial over LAN")
        return
    changes: list[Change] = []
    commands: list[tuple[str, ...]] = []
    base = ("sol", "set")
    if found.enabled != wanted.enabled:
        words = {True: "enabled", False: "disabled"}
        changes.append(
            Change(what="Serial over LAN", before=words[found.enabled], after=words[wanted.enabled])
        )
        commands.append((*base, "enabled", str(wanted.enabled).lower(), str(channel)))
    if wanted.bit_rate is not None:
        rate = f"{wanted.bit_rate / 1000:.1f}"
        for what, now, name in (
            ("SOL bit rate", found.bit_rate, "volatile-bit-rate"),
            ("SOL bit rate after a restart of the BMC", found.kept_bit_rate, "non-volatile-bit-rate"),
        ):
            if now != wanted.bit_rate:
                changes.append(
                    Change(what=what, before=str(now or "the serial port's"), after=str(wanted.bit_rate))
                )
                commands.append((*base, name, rate, str(channel)))
    if not changes:
        planned.notes.append("Serial over LAN is as wanted")
        return
    plan_commands(planned, "sol", "set Serial over LAN", changes, at, commands)


def _plan_boot(found: Boot | None, wanted: str, uefi: bool, planned: Planned) -> None:
    at = "oob.boot_device"
    if found is None:
        planned.complain(at, "this BMC does not tell its boot device")
        return
    if wanted == "none":
        right = not found.valid or found.device == "none"
    else:
        right = (found.valid, found.persistent, found.device, found.uefi) == (True, True, wanted, uefi)
    if right:
        planned.notes.append("the BMC's boot device is as wanted")
        return
    now = f"{found.device}, {'every boot' if found.persistent else 'once'}" if found.valid else "none"
    change = Change(
        what="boot device", before=now, after=wanted if wanted == "none" else f"{wanted}, every boot"
    )
    options = ["persistent", "efiboot"] if uefi else ["persistent"]
    words = ("chassis", "bootdev", wanted) + (() if wanted == "none" else (f"options={','.join(options)}",))
    plan_commands(planned, "boot", f"set the boot device: {change.after}", [change], at, [words])


def _plan_log(found: EventLog | None, planned: Planned) -> None:
    at = "oob.event_log"
    if found is None:
        planned.complain(at, "this BMC does not show its event log")
        return
    planned.notes += [f"event log: {line}" for line in found.newest]
    if found.is_clear:
        planned.notes.append("the BMC's event log is clear")
        return
    change = Change(what="event log", before=f"{found.entries} entries", after="clear")
    lost = f"{found.entries} entries of the BMC's event log"
    ruling = judge(
        Taking(title="the BMC", path=at, cannot="cannot lose its event log"),
        Occupancy(content=(lost,)),
        Word(path=at, is_given=True),
    )
    plan_commands(planned, "log", "clear the event log", [change], at, [("sel", "clear")], ruling)


def plan_commands(
    planned: Planned,
    id: str,
    summary: str,
    changes: Sequence[Change],
    path: str,
    commands: Sequence[tuple[str, ...]],
    ruling: Ruling | None = None,
) -> None:
    """Plan an action that is carried out by commands of ipmitool."""
    detail = Commands(commands=tuple(commands))
    planned.act(f"oob.ipmi:{id}", summary, detail, path, *changes, ruling=ruling, estimate_s=5.0)
