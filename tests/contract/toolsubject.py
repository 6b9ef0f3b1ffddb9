"""The captured outputs of the other tools, with how each is read and what it holds, to be mutated. What an output holds
was counted in the file."""

import json
import re
from collections.abc import Iterator
from typing import Any

from mutation import Mutation, mutate_xml
from mutationsubject import TEXT_SEEDS, Subject, build_grammar, vary_json, vary_text

from bootos.drivers.bios import racadm
from bootos.drivers.bios import sum as sum_tool
from bootos.drivers.erase.ability import parse_hdparm, parse_nvme, parse_opcodes, parse_sanitize_status
from bootos.drivers.firmware.flashrom import VERIFIED
from bootos.drivers.firmware.fwupd import parse_devices
from bootos.drivers.firmware.vendor import find_queries
from bootos.drivers.nvme.namespace import parse_created, parse_namespace_list
from bootos.drivers.oob.bmc import parse_access, parse_enabled, parse_lan, parse_users
from bootos.drivers.storage.lsblk import parse_lsblk
from bootos.drivers.storage.read import parse_sfdisk, parse_wipefs
from bootos.engine.capture.block import build_lsblk
from bootos.engine.capture.source import RawFile
from bootos.hardware.bmc import add_lan, parse_lan_channels, parse_maker, parse_mc_info
from bootos.hardware.bmccipher import parse_ciphers
from bootos.hardware.health import parse_nvme_log, parse_smartctl
from bootos.hardware.lldp import parse_networkctl_lldp
from bootos.hardware.nic import parse_ethtool_info
from bootos.process import Command, ToolError
from bootos.wire.inventory import Bmc

# Goldens that are no output of a tool, or are tried in another way.
NOT_MUTATED = {
    "drivers/bios.names/": "attributes of Redfish services, without the answers around them",
    "drivers/redfish/": "resources of Redfish services: test_mockup_trees leaves each of them out",
    "drivers/redfish.trees/": "as above",
    "drivers/firmware.redfish/": "versions alone, as services show them",
    "drivers/raid.sas3ircu/sas2008-raid1.status": "the stand-in's answer to STATUS, which nothing reads",
    "drivers/raid.sas3ircu/sas2008-ready.status": "as above",
    "hardware/machines/": "whole machines; the outputs of their tools are mutated alone",
    "hardware/proc/": "files of the kernel, into which nothing warns",
    "hardware/pci/": "pci.ids, a list of names",
    "hardware/smbios/": "tables in binary form, which have no lines",
}

MC_INFO = build_grammar(
    "manufacturer, firmware, ipmi version",
    "manufacturer id, manufacturer name, firmware revision, ipmi version, device id",
    "Frobnication Support :\n    Frob Device\n    Frob Revision\n",
)
LAN = build_grammar(
    "ip address, mac, subnet, gateway, vlan, cipher",
    "ip address source, ip address, mac address, subnet mask, default gateway ip, 802.1q vlan, cipher suite priv max",
    "Frobnication Mode       : Enabled\n                        : Frob IP Address\n",
)
CHANNEL = build_grammar(
    "channel, access mode, user, enable, privilege",
    "channel 0x, channel medium type, access mode, enable status, user id",
    "  Frobnication Settings\n    Frob                : enabled\n",
)
ETHTOOL = build_grammar("firmware, driver", "firmware-version, driver, version", "supports-frob: yes\n")
NOTHING = build_grammar("", "", "\nFrobnication unit\n  Frob is on\n\n")
RACADM = build_grammar("", "", "[Frobnication]\n\n")
FWVERSION = build_grammar("version", "bios version, idrac version", " Frob Version             = none\n")


def same(seen: Any) -> Any:
    return seen


def read_lan(text: str) -> Any:
    bmc = Bmc()
    add_lan(bmc, text)
    return [bmc, parse_lan(text), parse_ciphers(text)]


def list_ipmitool() -> Iterator[Subject]:
    for name, held in {
        "dell-mc-info": ("DELL Inc", "2.70", 674),
        "intel-mc-info": ("Intel", "1.74", 343),
        "ipmi_sim-mc-info": (None, "2.11", 0),
        "supermicro-mc-info-47488": ("Supermicro", "3.20", 47488),
    }.items():
        yield Subject(
            "ipmitool mc",
            f"hardware/ipmitool/{name}.txt",
            lambda text: [parse_mc_info(text), parse_maker(text)],
            lambda seen: (seen[0].vendor, seen[0].firmware, seen[1]),
            held,
            vary_text(MC_INFO),
        )
    for place, address, suites in (
        ("hardware/ipmitool/hpe-lan-print-2.txt", "192.168.0.37", 4),
        ("hardware/ipmitool/ipmi_sim-lan-print-1.txt", "10.0.9.21", 15),
        ("hardware/ipmitool/supermicro-lan-print-1.txt", None, 0),
        ("drivers/oob.ipmi/lan-print-1.txt", "10.0.8.21", 15),
        ("drivers/oob.ipmi/lan-print-by-place.txt", None, 11),
        ("drivers/oob.ipmi/lan-print-supermicro-suite-3.txt", "192.0.2.35", 8),
        ("drivers/oob.ipmi/lan-print-supermicro.txt", "192.0.2.35", 8),
    ):
        yield Subject(
            "ipmitool lan",
            place,
            read_lan,
            lambda seen: (seen[0].address, len(seen[2].suites) if seen[2] else 0),
            (address, suites),
            vary_text(LAN),
        )
    for place, channels, is_open in (
        ("hardware/ipmitool/ipmi_sim-channel-info-1.txt", [1], True),
        ("drivers/oob.ipmi/channel-info-1.txt", [1], True),
        ("drivers/oob.ipmi/channel-info-15.txt", [], True),
    ):
        yield Subject(
            "ipmitool channel",
            place,
            lambda text: [parse_lan_channels(text), parse_access(text)],
            same,
            [channels, is_open],
            vary_text(CHANNEL),
        )
    golden = "drivers/oob.ipmi/channel-getaccess-1-2.txt"
    yield Subject(
        "ipmitool channel", golden, lambda text: [parse_enabled(text)], same, [None], vary_text(CHANNEL)
    )
    golden = "drivers/oob.ipmi/user-list-1.csv"
    yield Subject("ipmitool user", golden, parse_users, len, 63, vary_text(NOTHING))


def list_hardware() -> Iterator[Subject]:
    for name, version in {"info-e1000e": "2.1-0", "info-virtio": None}.items():
        golden = f"hardware/ethtool/{name}.txt"
        yield Subject(
            "ethtool", golden, lambda text: [parse_ethtool_info(text)], same, [version], vary_text(ETHTOOL)
        )
    golden = "hardware/lldp/networkctl.json"
    yield Subject("networkctl", golden, parse_networkctl_lldp, len, 1, vary_json())
    for name, hours in {"smart-log-qemu": 0, "smart-log-worn": 43210}.items():
        golden = f"hardware/nvme/{name}.json"
        yield Subject("nvme", golden, parse_nvme_log, lambda seen: seen.power_on_hours, hours, vary_json())
    for name, held in {
        "failing": (False, 61234, 4095),
        "hdd-seagate-st3500418as": (True, 44670, 1),
        "nvme-samsung-pm1725": (False, 18376, None),
        "sas-seagate-st373453lc": (True, 102880, 260),
        "sas-seagate-uncorrected": (True, 102880, 260),
        "ssd-intel-s3520": (True, 21213, 0),
        "ssd-wear-log": (True, None, 0),
    }.items():
        yield Subject(
            "smartctl",
            f"hardware/smartctl/{name}.json",
            parse_smartctl,
            lambda seen: (seen.passed, seen.power_on_hours, seen.reallocated_sectors),
            held,
            vary_json(),
        )
    golden = "hardware/smartctl/cannot-open.json"
    said = "smartctl says: Smartctl open device: /dev/sdz failed: No such device"
    yield Subject("smartctl", golden, read_refusal, same, said, vary_json())


def read_refusal(text: str) -> str:
    try:
        return f"{parse_smartctl(text)}"
    except ToolError as cause:
        return f"{cause}"


def read_group(text: str) -> Any:
    return racadm.parse_group(text, "Group")


def vary_xml(text: str) -> Iterator[Mutation]:
    return mutate_xml(text, TEXT_SEEDS)


def list_bios() -> Iterator[Subject]:
    for name, number in {
        "r320-boot-settings": 4,
        "serial-comm": 5,
        "t640-controlled-turbo-pending": 1,
        "uefi-boot-settings": 11,
    }.items():
        golden = f"drivers/bios.racadm/{name}.txt"
        yield Subject("racadm", golden, read_group, len, number, vary_text(RACADM))
    golden = "drivers/bios.racadm/jobqueue-scheduled.txt"
    yield Subject("racadm", golden, racadm.find_bios_job, same, "JID_xxxxxx", vary_text(RACADM))
    for name, number in {"x11dph-t": 44, "x11dpt-b": 313, "x11sch-f": 19, "x11sdv-8c-tp8f": 261}.items():
        golden = f"drivers/bios.sum/{name}.xml"
        yield Subject(
            "sum",
            golden,
            lambda text: sum_tool.parse_config(text.encode(errors="surrogateescape")),
            len,
            number,
            vary_xml,
        )


def list_sizes(text: str) -> Any:
    """Devices by path; one that lies on several is listed under each."""
    return {
        path: (item["type"], int(item["size"]), int(item["log-sec"]), item["mountpoints"])
        for path, item in parse_lsblk(text).items()
    }


def list_flat(text: str) -> Any:
    """Those of a list without a tree, as a capture understands them."""
    answer = build_lsblk([RawFile(name="lsblk.json", data=text.encode())]).answer(Command(["lsblk"]))
    return list_sizes(answer or '{"blockdevices": []}')


def list_drives() -> Iterator[Subject]:
    for name, ways in {"hdparm-frozen": 3, "hdparm-sandisk-extreme": 4}.items():
        yield Subject(
            "hdparm",
            f"drivers/disk.erase/{name}.txt",
            lambda text: [parse_hdparm(text)],
            lambda seen: len(seen[0].ways),
            ways,
            vary_text(
                build_grammar(
                    "", "", "Frobnication:\n\t   *\tFROB feature set\n", border=r"^(Security|Standards)"
                )
            ),
        )
    for name, state in {"done": ("done", 100), "running": ("running", 25)}.items():
        golden = f"drivers/disk.erase/hdparm-sanitize-status-{name}.txt"
        yield Subject("hdparm", golden, parse_sanitize_status, same, state, vary_text(NOTHING))
    golden = "drivers/disk.erase/sg-opcodes-seagate-st10000nm0226.txt"
    yield Subject("sg_opcodes", golden, parse_opcodes, lambda seen: len(seen.ways), 3, vary_text(NOTHING))
    for place, ways in (("disk.erase/nvme-id-ctrl-wdc-sn730", 5), ("disk.nvme/id-ctrl-micron-9300", 3)):
        golden = f"drivers/{place}.json"
        yield Subject("nvme", golden, parse_nvme, lambda seen: len(seen.ways), ways, vary_json())
    golden = "drivers/disk.nvme/list-ns.json"
    bare = vary_json(has_bad_rows=False)  # a row that cannot be read is not passed over
    yield Subject("nvme", golden, lambda text: parse_namespace_list(json.loads(text)), same, [2, 5], bare)
    golden = "drivers/disk.nvme/create-ns.txt"
    yield Subject("nvme", golden, lambda text: [parse_created(text)], same, [28], vary_text(NOTHING))
    at = "drivers/disk.partition/nine-disks"
    yield Subject("lsblk", f"{at}/lsblk.json", list_sizes, len, 25, bare)
    flat = "drivers/disk.partition/flat-list/lsblk.json"
    yield Subject("lsblk", flat, list_flat, len, 15, vary_json())
    for name, number in {"wipefs": 9, "wipefs-md126": 5}.items():
        yield Subject("wipefs", f"{at}/{name}.json", parse_wipefs, len, number, bare)
    for name, number in {"sfdisk-md126": 4, "sfdisk-nvme1n1": 3, "sfdisk-sdc": 2}.items():
        yield Subject(
            "sfdisk",
            f"{at}/{name}.json",
            lambda text: parse_sfdisk(text, "/dev/x"),
            lambda seen: len(seen.slices),
            number,
            bare,
        )


def list_firmware() -> Iterator[Subject]:
    golden = "drivers/firmware.fwupd/workstation.json"
    yield Subject("fwupd", golden, parse_devices, len, 2, vary_json())
    for name, held in {"getbiosinfo-showall": ["1.0"], "getversion": ["2.10.0", "4.40.00.00"]}.items():
        yield Subject(
            "racadm, sum",
            f"drivers/firmware.package/{name}.txt",
            find_versions,
            same,
            held,
            vary_text(FWVERSION),
        )
    for name, is_done in {"unknown-state": False, "verified": True}.items():
        yield Subject(
            "flashrom",
            f"drivers/firmware.flashrom/{name}.txt",
            lambda text: [any(word in text for word in VERIFIED)],
            same,
            [is_done],
            vary_text(NOTHING),
        )


def find_versions(text: str) -> list[str]:
    """By the patterns of `vendor.toml`."""
    queries = [query for vendor in ("Dell Inc.", "Supermicro") for query in find_queries(vendor)]
    patterns = [pattern for query in queries for pattern in query.versions.values()]
    return [found[1] for pattern in dict.fromkeys(patterns) if (found := re.search(pattern, text))]


def list_tools() -> Iterator[Subject]:
    """All of them."""
    for lister in (list_ipmitool, list_hardware, list_bios, list_drives, list_firmware):
        yield from lister()
