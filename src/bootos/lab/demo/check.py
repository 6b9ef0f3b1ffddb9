"""The demo's checks, each made from outside the guest: disk images, the BMC over LAN, packets, the server's answers."""

import re
from pathlib import Path
from typing import Any

from bootos.errors import BootosError
from bootos.lab.capture import Fetch
from bootos.lab.demo.evidence import Evidence
from bootos.lab.demo.hardware import (
    DATA_PARTITIONS,
    MODULES,
    OOB_ADDRESS,
    OOB_USER,
    OS_PARTITIONS,
    OTHER_MAC,
    PXE_MAC,
    SERIAL,
    SPEC,
    TRANSPORTS,
)
from bootos.lab.demo.report import DemoReport
from bootos.lab.disk import read_partition_filesystems
from bootos.lab.machine import Machine
from bootos.lab.md_array import MdMember, build_array_view, read_md_arrays
from bootos.lab.serial import REGISTERED

MIB = 1024 * 1024
INITRD = "/bootos/initrd.img"
GREETING = "/api/v2/agent/"
INSTALLED = "/api/osinstall/v1/report/deviceInstallInfo"
WORDS = r"the words of this boot are: ([a-z]+(?: [a-z]+)*)"
IMAGE_BUDGET_BYTES = 140 * 1000 * 1000
CONSOLE_ORDER = ("rootfs extracted", "switch to rootfs", "BootOS: init", "BootOS: agent", "BootOS: shell")


def check_all(report: DemoReport, evidence: Evidence, machine: Machine, output: Path) -> None:
    """Every check, in the order of the boot."""
    check_console(report, evidence)
    check_inventory(report, evidence.machine["inventory"])
    check_disks(report, evidence.machine["inventory"], machine, output)
    check_bmc(report, evidence, machine)
    check_pxe(report, evidence)
    check_hooks(report, evidence)
    check_trust(report, evidence)
    check_job(report, evidence)
    check_secret(report, evidence, output)
    check_image(report)


def check_console(report: DemoReport, evidence: Evidence) -> None:
    """The serial console showed the boot's milestones in the documented order."""
    text = "\n".join(line.text for line in evidence.serial)
    places = [text.find(word) for word in CONSOLE_ORDER]
    found = [word for word, place in zip(CONSOLE_ORDER, places, strict=True) if place >= 0]
    ok = found == list(CONSOLE_ORDER) and places == sorted(places)
    report.note("console: documented order", " -> ".join(CONSOLE_ORDER), " -> ".join(found), ok=ok)


def check_inventory(report: DemoReport, inventory: dict[str, Any]) -> None:
    """The inventory equals what QEMU was given."""
    identity = SPEC.identity
    system, chassis, bios = inventory["system"], inventory["chassis"], inventory["bios"]
    pairs = {
        "system": (
            [
                identity.vendor,
                identity.product,
                identity.version,
                identity.serial,
                identity.told_uuid,
                identity.sku,
            ],
            [system[key] for key in ("vendor", "product", "version", "serial", "uuid", "sku")],
        ),
        "asset tag and chassis": (
            [identity.asset_tag, identity.chassis_serial],
            [chassis["asset_tag"], chassis["serial"]],
        ),
        "BIOS": (
            [identity.bios_vendor, identity.bios_version, identity.bios_date, "bios"],
            [bios[key] for key in ("vendor", "version", "date", "boot_mode")],
        ),
        "board": (
            [identity.board_product, identity.board_serial],
            [inventory["board"][key] for key in ("product", "serial")],
        ),
        "processors": (SPEC.cpus, inventory["cpu"]["threads"]),
        "memory": (SPEC.memory_mib * MIB, inventory["memory"]["total_bytes"]),
        "DIMMs": (
            [[identity.dimm_vendor, identity.dimm_part, identity.dimm_serial, identity.dimm_speed]],
            [
                [dimm[key] for key in ("vendor", "part", "serial", "speed_mts")]
                for dimm in inventory["memory"]["dimms"]
            ],
        ),
        "disks": (
            sorted([disk.serial, disk.size_mib * MIB, TRANSPORTS[disk.bus]] for disk in SPEC.disks),
            sorted([disk["serial"], disk["size_bytes"], disk["transport"]] for disk in inventory["disks"]),
        ),
        "WWNs and rotation": (
            sorted([disk.wwn, disk.rotational] for disk in SPEC.disks if disk.bus == "sata"),
            sorted([d["wwn"], d["rotational"]] for d in inventory["disks"] if d["transport"] == "sata"),
        ),
        "NICs": (
            sorted([nic.mac, MODULES[nic.model]] for nic in SPEC.nics),
            sorted([nic["mac"], nic["driver"]] for nic in inventory["nics"]),
        ),
        "eth0 is the PXE NIC, the second card": (
            [["eth0", PXE_MAC, True], ["eth1", OTHER_MAC, False]],
            sorted([nic["name"], nic["mac"], nic["is_pxe"]] for nic in inventory["nics"]),
        ),
        "BMC": (
            list(OOB_ADDRESS),
            [(inventory["bmc"] or {}).get(key) for key in ("address", "netmask", "gateway")],
        ),
        "physical, not virtual": (None, inventory["virtual"]),
        "PCI devices without a kernel module": (
            [],
            [d["address"] for d in inventory["pci"] if d["needs_module"] and not d["kernel_module"]],
        ),
    }
    for name, (expected, found) in pairs.items():
        report.compare(f"inventory: {name}", expected, found)


def check_disks(report: DemoReport, inventory: dict[str, Any], machine: Machine, output: Path) -> None:
    """The disk images as they lie on the host: arrays, partitions, file systems."""
    files = {disk.serial: machine.disk_path(disk.name) for disk in SPEC.disks}
    numbered = [disk["serial"] for disk in sorted(inventory["disks"], key=lambda disk: disk["index"])]
    serials = {str(path): serial for serial, path in files.items()}
    arrays = read_md_arrays(list(files.values()))
    check_array(report, arrays.get("os", []), serials, "os", 1, numbered[0:2], numbered[2:3])
    check_array(report, arrays.get("data", []), serials, "data", 5, numbered[3:6], [])
    for name, wanted in (("os", OS_PARTITIONS), ("data", DATA_PARTITIONS)):
        check_partitions(report, arrays.get(name, []), name, wanted, output / f"{name}.view")


def check_array(
    report: DemoReport,
    members: list[MdMember],
    serials: dict[str, str],
    name: str,
    level: int,
    active: list[str],
    spare: list[str],
) -> None:
    """Level and members, by mdadm --examine. A RAID 5 that is still being built has its last member rebuilding."""
    found = {
        "level": sorted({member.level for member in members}),
        "active": sorted(serials[member.path] for member in members if not member.is_spare),
        "spare": sorted(serials[member.path] for member in members if member.is_spare),
    }
    expected = {"level": [level], "active": sorted(active), "spare": sorted(spare)}
    report.compare(f"disks: array {name}", expected, found)


def check_partitions(
    report: DemoReport,
    members: list[MdMember],
    name: str,
    wanted: tuple[tuple[str, str, str, int | None], ...],
    view: Path,
) -> None:
    """Partition names, sizes and file systems on an array, read from its members' files."""
    expected = [[part, kind, label, size or "rest"] for part, kind, label, size in wanted]
    try:
        found: Any = [
            [part.name, fs.type if fs else "", fs.label if fs else "", part.size_bytes // MIB]
            for part, fs in read_partition_filesystems(build_array_view(members, view))
        ]
    except BootosError as error:
        found = str(error)
    finally:
        view.unlink(missing_ok=True)
    if isinstance(found, list) and len(found) == len(wanted):
        for row, (_, _, _, size) in zip(found, wanted, strict=True):
            if size is None and row[3] > 256:
                row[3] = "rest"
    report.compare(f"disks: partitions and file systems on {name}", expected, found)


def check_bmc(report: DemoReport, evidence: Evidence, machine: Machine) -> None:
    """What the BMC says over its LAN port, and who may log in."""
    assert machine.bmc is not None
    lan = machine.bmc.read_lan()
    found = [lan.get(key, "") for key in ("ip_addr", "subnet_mask", "default_gw_ip_addr")]
    report.compare("BMC: static address, netmask, gateway", list(OOB_ADDRESS), found)
    report.compare(
        "BMC: new user logs in over LAN", True, machine.bmc.check_login(OOB_USER, evidence.password)
    )
    report.compare(
        "BMC: a wrong password is refused", False, machine.bmc.check_login(OOB_USER, "not-this-one")
    )


def check_pxe(report: DemoReport, evidence: Evidence) -> None:
    """The PXE file's content, and who fetched it in which boot."""
    name = f"pxelinux.cfg/01-{PXE_MAC.replace(':', '-')}"
    ok = f"INSTALL_SN={SERIAL}" in evidence.pxe_file and "{" not in evidence.pxe_file
    report.note("PXE file: filled in for this machine", f"INSTALL_SN={SERIAL}", evidence.pxe_file, ok=ok)
    boots = read_complete_boots(evidence, _initrd_bytes(report))
    report.compare("boots through PXE", 2, len(boots))
    fetched = [[fetch.found for fetch in boot if fetch.name.lstrip("/") == name] for boot in boots]
    report.compare("PXE file: not there in boot 1, fetched in boot 2", [[False], [True]], fetched)
    default = [any(fetch.name.endswith("pxelinux.cfg/default") for fetch in boot) for boot in boots]
    report.compare("pxelinux.cfg/default: fetched in boot 1 only", [True, False], default)
    loaded = [sorted({f.name for f in boot if f.protocol == "http" and _is_boot_file(f)}) for boot in boots]
    report.compare("kernel and initrd by HTTP", [["/bootos/initrd.img", "/bootos/vmlinuz"]] * 2, loaded)
    report.compare("PXE file: removed when the installer was done", False, evidence.pxe_file_left)


def read_complete_boots(evidence: Evidence, initrd_bytes: int) -> list[tuple[Fetch, ...]]:
    """The boots that loaded a whole initrd. A boot that PXELINUX gave up and tried again is left out."""
    assert evidence.capture is not None
    boots = evidence.capture.read_boots()
    return [
        boot for boot in boots if any(f.name == INITRD and f.received_bytes >= initrd_bytes for f in boot)
    ]


def _is_boot_file(fetch: Fetch) -> bool:
    return fetch.name in ("/bootos/vmlinuz", INITRD)


def _initrd_bytes(report: DemoReport) -> int:
    return next(int(file["size_bytes"]) for file in report.image["files"] if file["name"] == "initrd.img")


def check_hooks(report: DemoReport, evidence: Evidence) -> None:
    """PRE before the registration, by the console; POST after the MAC upload, by the job; output and exit codes."""
    texts = [line.text for line in evidence.serial]
    marks = {"PRE": r"PRE \| ", "registered": REGISTERED, "POST": r"POST \| "}
    firsts = {
        name: next((number for number, text in enumerate(texts) if re.search(mark, text)), -1)
        for name, mark in marks.items()
    }
    found = sorted((name for name, place in firsts.items() if place >= 0), key=lambda name: firsts[name])
    report.compare("hooks: order on the console", list(marks), found)
    ended = {step["id"]: step.get("ended_at") or "" for step in evidence.report["steps"]}
    began = {step["id"]: step.get("started_at") or "" for step in evidence.report["steps"]}
    ok = "" < ended.get("mac", "") <= began.get("post", "")
    moments = f"MAC {ended.get('mac', '')}, POST {began.get('post', '')}"
    report.note("hooks: POST after the MAC upload", "MAC, POST", moments, ok=ok)
    hooks = [[hook["name"], hook["exit_code"]] for hook in evidence.report.get("hooks", [])]
    report.compare("hooks: exit codes", [["PRE", 0], ["POST", 0]], hooks)
    printed = [line.text for line in evidence.serial if re.search(r"(PRE|POST) \| ", line.text)]
    ok = any("PRE script:" in line for line in printed) and any("POST binary:" in line for line in printed)
    report.note("hooks: script and binary printed", "PRE script: ..., POST binary: ...", printed, ok=ok)


def check_trust(report: DemoReport, evidence: Evidence) -> None:
    """The documented boot file says nothing of TLS. Still only the greeting went over http, by the packets, beside boot
    files and what the installer calls; and the server knows which machine it is, and over which connection."""
    boots = read_complete_boots(evidence, _initrd_bytes(report))
    calls = [
        sorted(
            {
                fetch.name.partition("?")[0]
                for fetch in boot
                if fetch.protocol == "http" and not _is_boot_file(fetch)
            }
        )
        for boot in boots
    ]
    report.compare("TLS: calls without it, in each boot", [[GREETING], [INSTALLED, GREETING]], calls)
    ends = {fetch.name for fetch in (boots[0] if boots else ()) if fetch.protocol == "tls"}
    report.note("TLS: the agent's connections", "the server's TLS end", sorted(ends), ok=len(ends) == 1)
    report.compare("machine: confirmed by", "import", evidence.machine["confirmed_by"])
    said = [found[1] for line in evidence.serial if (found := re.search(WORDS, line.text))]
    report.compare("machine: console and server show the same words", said[-1:], [evidence.machine["words"]])


def check_job(report: DemoReport, evidence: Evidence) -> None:
    """The job's end, and that no action was done twice."""
    report.compare("job: state", "done", evidence.job["state"])
    steps = {step["id"]: step["state"] for step in evidence.report["steps"]}
    names = ("plan", "raid.mdadm", "oob.ipmi", "disk.partition", "disk.filesystem", "mac", "post")
    wanted = dict.fromkeys(names, "done")
    report.compare("job: steps", wanted, steps)
    summaries = [action["summary"] for step in evidence.report["steps"] for action in step["actions"]]
    lines = [
        line["text"].partition(": ")[2] for line in evidence.log if not line["text"].startswith("plan: ")
    ]
    counts = {summary: lines.count(summary) for summary in summaries}
    twice = {summary: count for summary, count in counts.items() if count != 1}
    report.note(
        "job: every action done once",
        f"{len(summaries)} actions",
        twice or len(summaries),
        ok=bool(summaries) and not twice,
    )


def check_secret(report: DemoReport, evidence: Evidence, output: Path) -> None:
    """The OOB password stands in no log, report or console."""
    texts = {
        str(path.relative_to(output)): path.read_text(errors="replace")
        for pattern in ("**/*.log", "**/serial*.raw")
        for path in output.glob(pattern)
    }
    texts["job"] = f"{evidence.job}{evidence.log}{evidence.machine}"
    leaks = sorted(name for name, text in texts.items() if evidence.password in text)
    report.note(
        "secret: in no log, report or console",
        f"0 of {len(texts)} texts",
        leaks,
        ok=bool(texts) and not leaks,
    )


def check_image(report: DemoReport) -> None:
    """Kernel and initrd together are within the budget."""
    size = sum(file["size_bytes"] for file in report.image["files"])
    ok = size <= IMAGE_BUDGET_BYTES
    report.note(
        "image: vmlinuz + initrd.img", f"<= {IMAGE_BUDGET_BYTES / 1e6:.0f} MB", f"{size / 1e6:.1f} MB", ok=ok
    )
