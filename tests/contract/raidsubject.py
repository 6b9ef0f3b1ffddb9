"""The captured outputs of RAID tools, with how each is read and what it holds, to be mutated. What an output holds was
counted in the file, by eye and grep, and not by the parsers."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from mutation import Grammar
from mutationsubject import Subject, any_of, vary_json, vary_text
from toolanswers import NOTHING, ToolAnswers, read_golden

from bootos.drivers.raid import adaptecmodel, smartarraymodel
from bootos.drivers.raid.imsmplatform import parse_platform
from bootos.drivers.raid.megaraidcard import build_card
from bootos.drivers.raid.mvcli import build_controller as build_mv
from bootos.drivers.raid.sas3ircu import build_controller as build_ir
from bootos.drivers.storage.md import parse_export, parse_mdstat
from bootos.drivers.storage.state import Storage
from bootos.hardware import adaptec, mvcli, raidtool, sasircu, smartarray, storcli, storclireply
from bootos.hardware.mdexamine import parse_examine
from bootos.hardware.raid import build_md
from bootos.wire.inventory import RaidController

NOWHERE = Path("/nonexistent")  # the root of a machine whose programs are all in its PATH
Seen = tuple[list[RaidController], Any]


class Held(NamedTuple):
    """What an output holds: controllers, arrays, drives, and places of drives in arrays (hot spares of one as well)."""

    controllers: int
    arrays: int
    drives: int
    members: int


SSACLI = Grammar(
    read=any_of(
        """firmware, serial, pci address, mode, boot volume, raid 6, cache board, array, drive, fault, size, status,
        strip, caching, label, unique, disk name, interface, model, wwid, parity, group, smart path, sep"""
    ),
    spelled=any_of(
        """array, logical drive, physicaldrive, unassigned, serial number, firmware version, fault tolerance, status,
        drive type, interface type, size, controller mode, primary boot volume, model, caching, cache board present,
        strip size, pci address, raid 6"""
    ),
    section="\n   Frobnication Unit 1\n\n      Status: Failed\n      Serial Number: FROB1\n      Size: 1 TB\n\n",
    border=re.compile(r"^   (Array|Port Name|unassigned|SEP|Internal Drive Cage)", re.IGNORECASE),
    kept=re.compile(r" in Slot "),
)
_RULE = "-" * 70
ARCCONF = Grammar(
    read=any_of(
        """controller, firmware, driver name, boot, raid level, name, identifier, status, size, segment, drive, device,
        state, serial, model, vendor, ssd, speed, location, channel, cache, caching, spare, array, block, pci, world,
        parity, stripe, power state, legs, group"""
    ),
    spelled=any_of(
        """controllers found, controller information, logical device, logical drive, physical device, array, device #,
        hard drive, segment, raid level, status of, size, state, model, serial number, firmware, reported channel,
        reported location, total size, controller mode, stripe-unit, disk name"""
    ),
    section=f"""{_RULE}
Frobnication 3.0 information
{_RULE}
   Status of logical device                 : Failed
   State                                    : Failed
   Size                                     : 1 MB
   Controller Model                         : Frob
""",
    border=re.compile(r"^-{60,}\n.*\n-{60,}$"),
    kept=re.compile(r"^$"),
)

SMARTARRAY = {
    "h240": Held(1, 2, 2, 2),
    "p212-and-p410i": Held(2, 3, 18, 12),
    "p400i-unassigned": Held(1, 1, 4, 2),
    "p408i-a": Held(1, 1, 4, 4),
    "p410i-1tb": Held(1, 0, 2, 0),
    "p410-short": Held(2, 1, 8, 8),
    "p440-erasing": Held(1, 0, 1, 0),
    "p440ar": Held(1, 2, 8, 8),
    "p816i-a": Held(1, 3, 10, 10),
    "p816i-a-media-errors": Held(1, 3, 4, 6),  # two logical drives lie on the two drives of array B
    "p816i-a-short": Held(1, 11, 14, 12),
    "p822-empty": Held(1, 0, 7, 0),
    "p822-hba": Held(1, 0, 1, 0),
    "p822-raid50": Held(1, 1, 7, 6),
    "p822-two-arrays": Held(1, 2, 7, 5),
}
ADAPTEC = {
    "2025s-missing": Held(1, 1, 2, 1),  # the other segment is missing, and has no place
    "5405": Held(1, 1, 4, 4),
    "5405-jbod": Held(1, 1, 4, 3),
    "6405-global-spares": Held(1, 3, 18, 16),
    "6405-rebuilding": Held(1, 1, 4, 4),
    "6805e-failed": Held(1, 2, 8, 8),
    "6805q-maxcache": Held(1, 1, 8, 7),
    "7805q-dedicated-spares": Held(1, 3, 14, 11),
    "8805": Held(1, 1, 8, 8),
    "asr71605": Held(1, 1, 3, 3),  # the array has 16, of which the file shows 3
    "asr8885q-maxcache": Held(1, 2, 21, 18),
    "hba-1100": Held(1, 0, 7, 0),
    "inaccessible": Held(1, 0, 0, 0),
    "serveraid-8i": Held(1, 2, 6, 12),  # both arrays lie on all six drives, each of which is listed twice
    "serveraid-8k-l-spanned": Held(1, 1, 6, 6),
    "serveraid-8k": Held(1, 1, 2, 2),
    "serveraid-8k-raid6": Held(1, 1, 0, 0),  # the drives are not printed
    "smartraid-3154": Held(1, 2, 14, 14),
    "smartraid-3204-empty": Held(1, 0, 8, 0),
    "smartraid-3204-two-arrays": Held(1, 2, 8, 6),
}
STORCLI = {
    ("mr9270.c0_show_all", "mr9270.vall_show_all", "mr9270.eall_sall_show_all"): Held(1, 1, 8, 8),
    ("mr9560.c0", "mr9560.vall", "mr9560.sall"): Held(1, 12, 12, 12),
    ("mr9660.c0-free", "mr9660.vall", "mr9660.sall"): Held(1, 24, 24, 24),
    ("perc-h345.c0", "", ""): Held(1, 1, 2, 2),
    ("cisco-12g.c0-foreign", "", ""): Held(1, 3, 5, 3),
    ("rs3dc080.c0-foreign-incomplete", "", ""): Held(1, 1, 4, 0),  # rows of its drives are not in the file
    ("mr216i.c0", "", ""): Held(1, 1, 2, 2),
    ("perc-h740p.c0", "perc-h740p.vall", ""): Held(1, 1, 12, 10),
    ("perc-h965i.c0", "perc-h965i.vall", ""): Held(1, 1, 16, 14),
    ("cisco-24g.c0-show", "", ""): Held(1, 1, 1, 1),
    ("cisco-24g.show", "cisco-24g.vall", ""): Held(1, 1, 1, 1),
    ("rs3dc080.show", "", ""): Held(2, 0, 0, 0),  # 36 drives each are counted, and not listed
    ("3108-and-3008ir.call-show", "", ""): Held(3, 3, 39, 54),  # two arrays lie on the same 18 drives
    ("9260-4i.c0-show", "", ""): Held(1, 1, 4, 3),
    ("ucsc-m5hd.c0", "ucsc-m5hd.vall", ""): Held(1, 0, 2, 0),
    ("hba9500.c0", "", ""): Held(1, 0, 3, 0),
}


def count(seen: Seen) -> Held:
    controllers = seen[0]
    arrays = [array for card in controllers for array in card.arrays]
    return Held(
        len(controllers),
        len(arrays),
        sum(len(card.drives) for card in controllers),
        sum(len(array.drives) + len(array.hotspares) for array in arrays),
    )


def read_ssacli(text: str) -> tuple[list[RaidController], Any]:
    """What the inventory and the driver see."""
    told = raidtool.read_smartarray(ToolAnswers("ssacli", {}, otherwise=text).run, "ssacli")
    cards = [
        smartarraymodel.build_controller(found, number, Storage())
        for number, found in enumerate(smartarray.parse_config(text))
    ]
    return told.controllers, cards


def read_arcconf(text: str) -> tuple[list[RaidController], Any]:
    one = re.sub(r"(?i)(controllers found *: *)\d+", r"\g<1>1", text)
    told = raidtool.read_adaptec(ToolAnswers("arcconf", {}, otherwise=one).run, "arcconf")
    return told.controllers, adaptecmodel.build_controller(adaptec.parse_config(text), 0, [], Storage())


def read_storcli(main: str, volumes: str, drives: str) -> tuple[list[RaidController], Any]:
    rest = {"/call show all": main, "/c0/vall show all": volumes, "/c0/eall/sall show all": drives}
    tool = ToolAnswers("storcli64", {call: text or NOTHING for call, text in rest.items()})
    told = raidtool.read_megaraid(tool.run, "storcli64")
    return told.controllers, [
        build_card(card, None, Storage()) for card in storcli.read_controllers(tool.run, "storcli64")
    ]


IRCU = Grammar(
    read=any_of(
        """volume, raid level, raid support, size, phy, enclosure, slot, state, serial, guid, model, drive type,
        protocol, firmware, segment, bus, device, function, controller type, boot, manufacturer"""
    ),
    spelled=any_of(
        """controller information, ir volume, physical device, device is a hard disk, volume id, status of volume,
        raid level, serial no, controller type, drive type, guid, protocol, segment, raid support"""
    ),
    section=f"{_RULE}\nFrobnication information\n{_RULE}\n  State           : Failed (FLD)\n  Volume ID      : 99\n",
    border=ARCCONF.border,
    kept=re.compile(r"^$"),
)
SAS3IRCU = {"sas2008-raid1": Held(1, 1, 2, 2), "sas2008-ready": Held(1, 0, 12, 0)}


MVCLI = Grammar(
    read=any_of(
        """controller id, adapter, product, associated, progress, serialno, modelnumber, wwn, firmware,
        supported raid mode, maximum, stripe size, id, name, status, raid mode,
        size, bga, pds, setup, model, serial, ssd, block ids, type, bus device fun, device, vid, did, vd, pd, lba,
        sector, stripe, assigned"""
    ),
    spelled=any_of(
        "controller id, adapter id, product, firmware version, pd id, raid mode, pd raid setup, serial, model, status"
    ),
    section="\nFrobnication Information\n------------------------\nFrob:      1\nColour:    none\n\n",
    border=re.compile(r"^(Physical|Virtual) Disk Information$"),
    kept=re.compile(r"^$"),
)
MV = {"hba": "88se9230.hba", "vd": "raid1.vd", "pd": "88se9230.pd-free"}
MNV = {"hba": "88nr2241.hba", "vd": "88nr2241.vd", "pd": "88nr2241.pd"}
MV_WHOLE = {name: {kind: f"{name}.{kind}" for kind in MV} for name in ("boss-s1", "lenovo-m2")}


MDADM = Grammar(
    read=any_of("magic, uuid, level, name, size, minor, role, guid, subarray, slot, state, serial, devices"),
    spelled=any_of(
        "raid level, array uuid, array size, device role, this slot, subarray, map state, used dev size"
    ),
    section="  Frobnication : 1\n     Bad Blocks : none\n",
    border=re.compile(r"^/dev/\w+:$"),
    kept=re.compile(r"^$"),
)
PLATFORM = Grammar(
    read=any_of("platform, raid levels, chunk sizes"),
    spelled=any_of("platform, raid levels, chunk sizes"),
    section=" Frobnication : supported\n",
    border=re.compile(r"^ +Platform :"),
    kept=re.compile(r"^$"),
)
PLATFORMS = {"vroc": ((0, 1, 5, 10), 6), "rst": ((0, 5, 10), 6)}  # levels, numbers of strips
EXAMINE = {
    "hardware/mdadm/examine": Held(1, 2, 3, 3),
    "hardware/mdadm/ddf": Held(1, 1, 1, 1),
    "hardware/mdadm/imsm": Held(1, 1, 4, 3),
    "hardware/mdadm/imsm-of-no-name": Held(1, 2, 1, 2),
    "drivers/raid.mdadm/imsm/examine": Held(1, 2, 1, 2),
    "drivers/raid.mdadm/imsm-failed/examine": Held(1, 1, 2, 2),
    "drivers/raid.mdadm/imsm-spare/examine": Held(1, 2, 3, 4),
}
MDSTAT = {"levels": (3, 9), "building": (3, 9), "degraded": (3, 8), "read-only": (2, 6)}  # arrays, members
MDSTAT |= {"imsm": (3, 6), "imsm-failed": (2, 3)}  # a container is listed beside its arrays
TASKS = {"none": 0, "build": 1, "rebuild": 1, "two-tasks": 2}


def read_ircu(text: str) -> Seen:
    tool = ToolAnswers(
        "sas2ircu", {"LIST": read_golden("raid.sas3ircu/sas2008-raid1.list.txt"), "0 DISPLAY": text}
    )
    listed = sasircu.read_cards(tool.run, NOWHERE)
    told = raidtool.read_sasircu(tool.run, NOWHERE)
    assert listed is not None and told is not None
    return told.controllers, [build_ir(entry, Storage()) for entry in listed.cards]


def read_mv(kind: str, captured: dict[str, str]) -> Callable[[str], Seen]:
    """With the other answers as they were captured."""

    def read(text: str) -> Seen:
        texts = {
            key: text if key == kind else read_golden(f"raid.mvcli/{name}.txt")
            for key, name in captured.items()
        }
        tool = ToolAnswers("mvcli", {f"info -o {key}": answer for key, answer in texts.items()})
        listed = mvcli.read_cards(tool.run, NOWHERE)
        told = raidtool.read_mvcli(tool.run, NOWHERE)
        assert listed is not None and told is not None
        return told.controllers, [build_mv(card, Storage()) for card in listed.cards]

    return read


def read_examine(text: str) -> Seen:
    md = build_md(parse_examine(text), [], [])
    return [md] if md is not None else [], None


def read_storcli_part(names: tuple[str, str, str], part: int) -> Callable[[str], Seen]:
    """One of the three answers; the others as they were captured."""

    def read(text: str) -> Seen:
        texts = [read_golden(f"raid.megaraid/{name}.json") if name else "" for name in names]
        texts[part] = text
        return read_storcli(*texts)

    return read


def read_lone(text: str) -> Any:
    """The arrays and drives of one answer that a command reads."""
    (reply,) = storclireply.parse_reply(text)
    return leave_data(storcli.build_controller(reply, reply, [reply], reply))


def leave_data(card: storcli.StorController) -> storcli.StorController:
    """Without the answer itself, which a controller keeps for its driver."""
    return msgspec.structs.replace(card, data={})


def read_foreign(text: str) -> Any:
    """What drives brought with them."""
    (reply,) = storclireply.parse_reply(text)
    (main,) = storclireply.parse_reply(read_golden("raid.megaraid/perc-h345.c0.json"))
    return leave_data(storcli.build_controller(main, None, [], reply))


def list_storcli() -> Iterator[Subject]:
    seen: set[str] = set()
    for names, held in STORCLI.items():
        for part, name in enumerate(names):
            if name and name not in seen:
                seen.add(name)
                read = read_storcli_part(names, part)
                yield Subject("storcli", f"drivers/raid.megaraid/{name}.json", read, count, held, vary_json())
    lone: list[tuple[str, Callable[[str], Any], Callable[[Any], Any], Any]] = [
        ("mr9361.sall-dead-drive", read_lone, lambda card: len(card.drives), 3),
        ("mr9560.e251s12", read_lone, lambda card: len(card.drives), 1),
        ("mr9560.v228", read_lone, lambda card: (len(card.arrays), len(card.drives)), (1, 1)),
        ("mr9660.e320s0", read_lone, lambda card: len(card.drives), 1),
        ("mr9660.v1", read_lone, lambda card: (len(card.arrays), len(card.drives)), (1, 1)),
        ("vd-list.rawbd", read_lone, lambda card: len(card.arrays), 4),
        ("mr9270.c0_fall_show_all_absent", read_foreign, lambda card: len(card.foreign), 0),
        ("mr9270.c0_fall_show_all_present", read_foreign, lambda card: len(card.foreign), 1),
        ("rs3dc080.fall-two-foreign", read_foreign, lambda card: len(card.foreign), 1),
        ("rs3dc080.foreign-incomplete", read_foreign, lambda card: len(card.foreign), 1),
    ]
    for name, read_one, counted, number in lone:
        yield Subject("storcli", f"drivers/raid.megaraid/{name}.json", read_one, counted, number, vary_json())
    for name, fails in {
        "mr9560.create": False, "mr9560.create-fail": True, "mr9560.jbod-fail": True, "mr9660.create": False,
        "mr9660.delete-fail": True, "mr9660.jbod-fail": True, "rs3dc080.create": False,
        "perccli.no-controller": True, "storcli2.no-controller": False,
    }.items():  # fmt: skip
        yield Subject(
            "storcli",
            f"drivers/raid.megaraid/{name}.json",
            lambda text: [(reply.controller, reply.error) for reply in storclireply.parse_reply(text)],
            lambda seen: [bool(error) for _, error in seen],
            [fails],
            vary_json(),
        )


def list_md() -> Iterator[Subject]:
    for name, held in EXAMINE.items():
        yield Subject("mdadm", f"{name}.txt", read_examine, count, held, vary_text(MDADM))
    for name, can in PLATFORMS.items():
        yield Subject(
            "mdadm",
            f"drivers/raid.mdadm/platform/{name}.txt",
            parse_platform,
            lambda seen: (seen.levels, len(seen.strip_bytes)),
            can,
            vary_text(PLATFORM),
        )
    yield Subject(
        "mdadm",
        "drivers/raid.mdadm/platform/ahci.txt",
        lambda text: bool(parse_platform("", text).trouble),
        lambda seen: seen,
        True,
        vary_text(PLATFORM),
    )
    mdstat = msgspec.structs.replace(MDADM, read=any_of("md, super"))
    for name, numbers in MDSTAT.items():
        yield Subject(
            "mdstat",
            f"drivers/raid.mdadm/{name}/mdstat.txt",
            parse_mdstat,
            lambda seen: (len(seen), sum(len(entry.members) for entry in seen)),
            numbers,
            vary_text(mdstat),
        )
    exported = msgspec.structs.replace(MDADM, section="MD_FROB=1\nMD_FROB_DEV=/dev/frob\n")
    for name, values in {
        "building/detail-md125": 5, "building/detail-md126": 5, "building/detail-md127": 5,
        "degraded/detail-md125": 5, "degraded/detail-md126": 5, "degraded/detail-md127": 5,
        "levels/detail-md125": 5, "levels/detail-md126": 5, "levels/detail-md127": 5,
        "read-only/detail-md126": 5, "read-only/detail-md127": 5,
        "degraded/examine-nvme1n1": 4, "degraded/examine-sda": 4,
        "imsm/detail-md125": 3, "imsm/detail-md126": 3, "imsm/detail-md127": 4,
        "imsm-failed/detail-md126": 3, "imsm-failed/detail-md127": 4,
    }.items():  # fmt: skip
        yield Subject(
            "mdadm --export",
            f"drivers/raid.mdadm/{name}.txt",
            lambda text: {key: value for key, value in parse_export(text).items() if key in EXPORTED},
            len,
            values,
            vary_text(exported),
        )


EXPORTED = ("MD_LEVEL", "MD_DEVICES", "MD_UUID", "MD_NAME", "MD_METADATA")


def list_raid() -> Iterator[Subject]:
    """All of them."""
    for name, held in SMARTARRAY.items():
        yield Subject(
            "ssacli", f"drivers/raid.smartarray/{name}.txt", read_ssacli, count, held, vary_text(SSACLI)
        )
    for name, held in ADAPTEC.items():
        yield Subject(
            "arcconf", f"drivers/raid.adaptec/{name}.txt", read_arcconf, count, held, vary_text(ARCCONF)
        )
    tasks = msgspec.structs.replace(
        ARCCONF,
        read=any_of("logical device, operation, percentage"),
        spelled=any_of("logical device task, current operation"),
    )
    for name, number in TASKS.items():
        golden = f"drivers/raid.adaptec/status-{name}.txt"
        yield Subject("arcconf", golden, adaptec.parse_status, len, number, vary_text(tasks))
    golden = "drivers/raid.adaptec/list-3204.txt"
    yield Subject("arcconf", golden, adaptec.parse_count, lambda seen: seen, 1, vary_text(ARCCONF))
    yield from list_storcli()
    for name, held in SAS3IRCU.items():
        golden = f"drivers/raid.sas3ircu/{name}.display.txt"
        yield Subject("sas2ircu", golden, read_ircu, count, held, vary_text(IRCU))
    golden = "drivers/raid.sas3ircu/sas2008-raid1.list.txt"
    yield Subject("sas2ircu", golden, sasircu.parse_list, list, [0], vary_text(IRCU))
    for name, kind, held in (
        ("88se9230.hba", "hba", Held(1, 1, 1, 2)),
        ("raid1.vd", "vd", Held(1, 1, 1, 2)),
        ("88se9230.vd-offline", "vd", Held(1, 1, 1, 1)),
        ("rebuilding.vd", "vd", Held(1, 1, 1, 2)),
        ("88se9230.pd-free", "pd", Held(1, 1, 1, 2)),
        ("88nr2241.hba", "hba", Held(1, 1, 2, 2)),
        ("88nr2241.vd", "vd", Held(1, 1, 2, 2)),
        ("88nr2241.vd-rebuild", "vd", Held(1, 1, 2, 2)),
        ("88nr2241.pd", "pd", Held(1, 1, 2, 2)),
    ):
        read = read_mv(kind, MNV if name.startswith("88nr") else MV)
        yield Subject("mvcli", f"drivers/raid.mvcli/{name}.txt", read, count, held, vary_text(MVCLI))
    for name, names in MV_WHOLE.items():
        for kind in names:
            golden = f"drivers/raid.mvcli/{name}.{kind}.txt"
            yield Subject("mvcli", golden, read_mv(kind, names), count, Held(1, 1, 2, 2), vary_text(MVCLI))
    yield from list_md()
