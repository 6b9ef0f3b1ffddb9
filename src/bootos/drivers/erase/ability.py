"""What a drive can do to forget: NVMe, ATA and SCSI, as their tools say. Pure; `disk.erase` uses it.

Order of strength: what the drive does to all of its media, spare areas included, before what it does to what is
addressed, before what the host writes.
"""

import json
import re
from typing import Any

import msgspec

STRENGTH = (
    ("nvme-sanitize", "block"),
    ("nvme-sanitize", "crypto"),
    ("nvme-sanitize", "overwrite"),
    ("nvme-format", "user-data"),
    ("nvme-format", "crypto"),
    ("ata-sanitize", "block"),
    ("ata-sanitize", "crypto"),
    ("ata-sanitize", "overwrite"),
    ("ata-security-erase", "enhanced"),
    ("ata-security-erase", "normal"),
    ("scsi-sanitize", "block"),
    ("scsi-sanitize", "crypto"),
    ("scsi-sanitize", "overwrite"),
    ("overwrite", "host"),
)

REASONS = {
    "nvme-sanitize": "the drive erases all of its media, spare areas included",
    "nvme-format": "the drive erases the namespace; it has no sanitize command that can be used",
    "ata-sanitize": "the drive erases all of its media, spare areas included",
    "ata-security-erase": "the drive erases itself; it has no sanitize command",
    "scsi-sanitize": "the drive erases all of its media, spare areas included",
    "overwrite": "every addressable block is overwritten; the drive has no command to erase itself",
}


class Ability(msgspec.Struct, frozen=True, kw_only=True):
    """What a drive can do. `ways` are (method, variant); `blocked` says why a method that it has cannot be used now.

    `running`: a sanitize goes on in the drive. `minutes` is the drive's own estimate of a security erase."""

    kind: str = "other"
    ways: tuple[tuple[str, str], ...] = (("overwrite", "host"),)
    blocked: dict[str, str] = {}
    running: bool = False
    minutes: int | None = None
    locked: bool = False
    enabled: bool = False  # ATA security is enabled: a password is set


def choose_way(ability: Ability, method: str) -> tuple[tuple[str, str] | None, str]:
    """((method, variant), why), or (None, what stands in the way). `auto` means the strongest, also when it is blocked
    at the moment: nobody gets a weaker erase without knowing."""
    ways = sorted(ability.ways, key=STRENGTH.index)
    if method == "auto":
        for way in ways:
            name = way[0]
            blocked = ability.blocked.get(name)
            if blocked and not blocked.startswith("it would erase"):
                return None, f"{name} is what this drive should be erased with, but {blocked}"
            if blocked:
                continue
            return way, f"the strongest that this drive has: {REASONS[name]}"
    for way in ways:
        if way[0] == method:
            blocked = ability.blocked.get(method)
            return (None, blocked) if blocked else (way, f"the template asks for it: {REASONS[method]}")
    has = ", ".join(dict.fromkeys(name for name, _ in ways))
    return None, f"this drive does not support {method}: it has {has}"


def parse_nvme(text: str, neighbours: tuple[str, ...] = (), status: int = 0) -> Ability:
    """`nvme id-ctrl -o json` (NVM Express Base: OACS bit 1, FNA, SANICAP bits 0 to 2). `neighbours` are other
    namespaces of the controller, `status` is the sanitize log's."""
    found = json.loads(text)
    oacs, fna, sanicap = (int(found.get(key) or 0) for key in ("oacs", "fna", "sanicap"))
    ways: list[tuple[str, str]] = []
    if sanicap & 2:
        ways.append(("nvme-sanitize", "block"))
    if sanicap & 1:
        ways.append(("nvme-sanitize", "crypto"))
    if sanicap & 4:
        ways.append(("nvme-sanitize", "overwrite"))
    if oacs & 2:
        ways.append(("nvme-format", "user-data"))
        ways += [("nvme-format", "crypto")] if fna & 4 else []
    blocked: dict[str, str] = {}
    if neighbours:
        reason = f"it would erase {', '.join(neighbours)} as well"
        blocked["nvme-sanitize"] = reason
        if fna & 3:  # FNA bits 0 and 1: format and secure erase act on all namespaces
            blocked["nvme-format"] = reason
    ways.append(("overwrite", "host"))
    return Ability(kind="nvme", ways=tuple(ways), blocked=blocked, running=status == 2)


def parse_sanitize_log(text: str) -> tuple[int, int]:
    """`nvme sanitize-log -o json`: (status: 0 never, 1 done, 2 running, 3 failed, 4 done and deallocated; progress in
    65536ths). Its shape differs between versions: a number, or a table with words."""
    try:
        log = _find_log(json.loads(text))
    except ValueError:
        return 0, 0xFFFF
    sstat: Any = log.get("sstat", 0)
    if isinstance(sstat, dict):
        sstat = sstat.get("status", 0)
    if isinstance(sstat, str):
        digits = re.search(r"\d+", sstat)
        sstat = int(digits.group()) if digits else 0
    return int(sstat) & 7, int(log.get("sprog", 0xFFFF))


def _find_log(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        if "sstat" in value:
            return value
        for inner in value.values():
            found = _find_log(inner)
            if found:
                return found
    return {}


def parse_hdparm(text: str, status: str = "") -> Ability | None:
    """`hdparm -I`, and `hdparm --sanitize-status`; None: not an ATA drive."""
    if "Model Number:" not in text:
        return None
    ways: list[tuple[str, str]] = []
    if re.search(r"^[ \t]*\*[ \t]*SANITIZE feature set", text, re.M):
        commands = {"BLOCK_ERASE_EXT": "block", "CRYPTO_SCRAMBLE_EXT": "crypto", "OVERWRITE_EXT": "overwrite"}
        for command, variant in commands.items():
            if re.search(rf"^[ \t]*\*[ \t]*{command}\b", text, re.M):
                ways.append(("ata-sanitize", variant))
    security = text.partition("Security:")[2]
    flags = {
        word: not negated
        for negated, word in re.findall(
            r"^[ \t]+(not[ \t]+)?(supported|enabled|locked|frozen)$", security, re.M
        )
    }
    blocked: dict[str, str] = {}
    if flags.get("supported"):
        if re.search(r"^[ \t]+supported: enhanced erase", security, re.M):
            ways.append(("ata-security-erase", "enhanced"))
        ways.append(("ata-security-erase", "normal"))
    if flags.get("frozen"):
        blocked["ata-security-erase"] = "the firmware has frozen its security settings"
    elif flags.get("locked") or flags.get("enabled"):
        blocked["ata-security-erase"] = "somebody has set a password on it"
    if "Sanitize Frozen" in status or "SD1" in status:
        blocked["ata-sanitize"] = "its sanitize commands are frozen"
    minutes = [int(number) for number in re.findall(r"(?<!\d)(\d+)min for", security)]
    ways.append(("overwrite", "host"))
    return Ability(
        kind="ata",
        ways=tuple(ways),
        blocked=blocked,
        running="SD2" in status,
        minutes=max(minutes, default=None),
        locked=flags.get("locked", False),
        enabled=flags.get("enabled", False),
    )


def parse_sanitize_status(text: str) -> tuple[str, int]:
    """`hdparm --sanitize-status`: (`running`, `done`, `failed`, `frozen` or `idle`; percent)."""
    percent = re.search(r"Progress:.*\((\d+)%\)", text)
    done = int(percent.group(1)) if percent else 0
    if "SD2" in text:
        return "running", done
    if "Completed Without Error" in text:
        return "done", 100
    if "SD1" in text:
        return "frozen", 0
    return ("failed", done) if "SD3" in text or "Failed" in text else ("idle", 0)


def parse_opcodes(text: str) -> Ability:
    """`sg_opcodes`: the names of the commands that a SCSI drive reports (SBC-4: SANITIZE, 48h)."""
    lowered = text.lower()
    names = {"block": "block erase", "crypto": "cryptographic erase", "overwrite": "overwrite"}
    ways = [
        ("scsi-sanitize", variant)
        for variant, name in names.items()
        if re.search(rf"sanitize, {name}", lowered)
    ]
    return Ability(kind="scsi", ways=(*ways, ("overwrite", "host")))
