"""Every captured output of a RAID tool, mutated: what was read before is read still, and nothing is added. What an
output holds was counted in the file, by eye and grep, and not by the parsers."""

import json
import random
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec
import pytest
from mutation import Grammar, Mutation, mutate_json, mutate_text
from toolanswers import NOTHING, ToolAnswers, read_golden

from bootos.drivers.raid import adaptecmodel, smartarraymodel
from bootos.drivers.raid.megaraidcard import build_card
from bootos.drivers.raid.mvcli import build_controller as build_mv
from bootos.drivers.raid.sas3ircu import build_controller as build_ir
from bootos.drivers.storage.md import parse_mdstat
from bootos.drivers.storage.state import Storage
from bootos.hardware import adaptec, mvcli, raidtool, sasircu, smartarray, storcli
from bootos.hardware.mdexamine import parse_examine
from bootos.hardware.raid import build_md
from bootos.wire.inventory import RaidController

TEXT_SEEDS = range(64)  # each of the eight kinds eight times
JSON_SEEDS = range(32)  # each of the four kinds eight times


Reader = Callable[[str], tuple[list[RaidController], Any]]


class Held(NamedTuple):
    """What an output holds: controllers, arrays, drives, and places of drives in arrays (hot spares of one as well)."""

    controllers: int
    arrays: int
    drives: int
    members: int


def any_of(words: str) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(word.strip()) for word in words.split(",")), re.IGNORECASE)


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


def count(controllers: list[RaidController]) -> Held:
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


def tell(seen: tuple[list[RaidController], Any]) -> Any:
    """Everything that is seen, comparable."""
    return msgspec.to_builtins(seen[0]), msgspec.to_builtins(seen[1])


def find_changes(read: Reader, text: str, held: Held, mutations: Iterable[Mutation]) -> list[str]:
    """The mutations after which something else is seen. Raises AssertionError when the output is not read right."""
    before = read(text)
    assert count(before[0]) == held
    return [
        f"{entry.kind}, seed {entry.seed}" for entry in mutations if tell(read(entry.text)) != tell(before)
    ]


@pytest.mark.parametrize("name", SMARTARRAY)
def test_ssacli_is_read_the_same_whatever_stands_around(name: str) -> None:
    text = read_golden(f"raid.smartarray/{name}.txt")
    assert find_changes(read_ssacli, text, SMARTARRAY[name], mutate_text(text, TEXT_SEEDS, SSACLI)) == []


@pytest.mark.parametrize("name", ADAPTEC)
def test_arcconf_is_read_the_same_whatever_stands_around(name: str) -> None:
    text = read_golden(f"raid.adaptec/{name}.txt")
    assert find_changes(read_arcconf, text, ADAPTEC[name], mutate_text(text, TEXT_SEEDS, ARCCONF)) == []


@pytest.mark.parametrize("names", STORCLI, ids=[names[0] for names in STORCLI])
@pytest.mark.parametrize("part", [0, 1, 2], ids=["controller", "arrays", "drives"])
def test_storcli_is_read_the_same_whatever_else_it_prints(names: tuple[str, str, str], part: int) -> None:
    if not names[part]:
        pytest.skip("no answer of this kind was published")
    texts = [read_golden(f"raid.megaraid/{name}.json") if name else "" for name in names]

    def read(text: str) -> tuple[list[RaidController], Any]:
        return read_storcli(*[text if place == part else other for place, other in enumerate(texts)])

    assert (
        find_changes(read, texts[part], STORCLI[names], mutate_json(texts[part], JSON_SEEDS, frozenset()))
        == []
    )


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


@pytest.mark.parametrize("name", SAS3IRCU)
def test_sas3ircu_is_read_the_same_whatever_stands_around(name: str) -> None:
    listed = read_golden("raid.sas3ircu/sas2008-raid1.list.txt")

    def read(text: str) -> tuple[list[RaidController], Any]:
        tool = ToolAnswers("sas2ircu", {"LIST": listed, "0 DISPLAY": text})
        told = raidtool.read_sasircu(tool.run, "sas2ircu")
        return told.controllers, [
            build_ir(entry, Storage()) for entry in sasircu.read_controllers(tool.run, "sas2ircu")
        ]

    text = read_golden(f"raid.sas3ircu/{name}.display.txt")
    assert find_changes(read, text, SAS3IRCU[name], mutate_text(text, TEXT_SEEDS, IRCU)) == []


MVCLI = Grammar(
    read=any_of(
        """controller id, product, firmware, supported raid mode, maximum, stripe size, id, name, status, raid mode,
        size, bga, pds, setup, model, serial, ssd type, block ids, type"""
    ),
    spelled=any_of(
        "controller id, product, firmware version, pd id, raid mode, pd raid setup, serial, model, status"
    ),
    section="\nFrobnication Information\n------------------------\nFrob:      1\nColour:    none\n\n",
    border=re.compile(r"^(Physical|Virtual) Disk Information$"),
    kept=re.compile(r"^$"),
)
MV = {"hba": "88se9230.hba", "vd": "raid1.vd", "pd": "88se9230.pd-free"}


@pytest.mark.parametrize(
    ("kind", "name", "held"),
    [
        ("hba", MV["hba"], Held(1, 1, 1, 2)),
        ("vd", MV["vd"], Held(1, 1, 1, 2)),
        ("vd", "88se9230.vd-offline", Held(1, 1, 1, 1)),
        ("pd", MV["pd"], Held(1, 1, 1, 2)),
    ],
)
def test_mvcli_is_read_the_same_whatever_stands_around(kind: str, name: str, held: Held) -> None:
    texts = {key: read_golden(f"raid.mvcli/{value}.txt") for key, value in MV.items()}

    def read(text: str) -> tuple[list[RaidController], Any]:
        answers = {f"info -o {key}": text if key == kind else value for key, value in texts.items()}
        tool = ToolAnswers("mvcli", answers)
        told = raidtool.read_mvcli(tool.run, "mvcli")
        cards = mvcli.read_controllers(tool.run, "mvcli")
        return told.controllers, [build_mv(entry, Storage()) for entry in cards]

    text = read_golden(f"raid.mvcli/{name}.txt")
    assert find_changes(read, text, held, mutate_text(text, TEXT_SEEDS, MVCLI)) == []


MDADM = Grammar(
    read=any_of("magic, uuid, level, name, size, minor, role, guid, subarray, slot, state, serial, devices"),
    spelled=any_of(
        "raid level, array uuid, array size, device role, this slot, subarray, map state, used dev size"
    ),
    section="  Frobnication : 1\n     Bad Blocks : none\n",
    border=re.compile(r"^/dev/\w+:$"),
    kept=re.compile(r"^$"),
)
EXAMINE = {"examine": Held(1, 2, 3, 3), "ddf": Held(1, 1, 1, 1), "imsm": Held(1, 1, 4, 3)}
MDSTAT = {"levels": (3, 9), "building": (3, 9), "degraded": (3, 8), "read-only": (2, 6)}  # arrays, members
TASKS = {"none": 0, "build": 1, "rebuild": 1, "two-tasks": 2}


@pytest.mark.parametrize("name", EXAMINE)
def test_superblocks_are_read_the_same_whatever_stands_around(name: str) -> None:
    def read(text: str) -> tuple[list[RaidController], Any]:
        md = build_md(parse_examine(text), [], [])
        return [md] if md is not None else [], None

    text = read_golden(f"../hardware/mdadm/{name}.txt")
    assert find_changes(read, text, EXAMINE[name], mutate_text(text, TEXT_SEEDS, MDADM)) == []


@pytest.mark.parametrize("name", MDSTAT)
def test_the_kernels_arrays_are_read_the_same_whatever_stands_around(name: str) -> None:
    text = read_golden(f"raid.mdadm/{name}/mdstat.txt")
    before = parse_mdstat(text)
    assert (len(before), sum(len(entry.members) for entry in before)) == MDSTAT[name]
    grammar = msgspec.structs.replace(MDADM, read=any_of("md"))
    for mutation in mutate_text(text, TEXT_SEEDS, grammar):
        assert parse_mdstat(mutation.text) == before, f"{mutation.kind}, seed {mutation.seed}"


@pytest.mark.parametrize("name", TASKS)
def test_tasks_of_arcconf_are_read_the_same_whatever_stands_around(name: str) -> None:
    text = read_golden(f"raid.adaptec/status-{name}.txt")
    before = adaptec.parse_status(text)
    assert len(before) == TASKS[name]
    grammar = msgspec.structs.replace(
        ARCCONF,
        read=any_of("logical device, operation, percentage"),
        spelled=any_of("logical device task, current operation"),
    )
    for mutation in mutate_text(text, TEXT_SEEDS, grammar):
        assert adaptec.parse_status(mutation.text) == before, f"{mutation.kind}, seed {mutation.seed}"


def refuse(text: str, words: str, place: str) -> str:
    """The answer with the status that the tool gives when one drive or array has failed, and all its data."""
    whole = json.loads(text, strict=False)
    key = {"s": "Drive", "v": "VD"}.get(place.rpartition("/")[2][:1], "Ctrl")
    row = {key: place, "Status": "Failure", "ErrCd": 46, "ErrMsg": "-"}
    whole["Controllers"][0]["Command Status"] |= {
        "Status": "Failure",
        "Description": words,
        "Detailed Status": [row],
    }
    return json.dumps(whole)


@pytest.mark.parametrize("names", STORCLI, ids=[names[0] for names in STORCLI])
@pytest.mark.parametrize(
    ("part", "place", "words"),
    [
        (0, "0", "None"),
        (1, "/c0/v199", "Show Virtual Drive Information Failed."),
        (2, "/c0/e250/s99", "Show Drive Information Failed."),
    ],
)
def test_one_object_with_an_error_takes_nothing_else_away(
    names: tuple[str, str, str], part: int, place: str, words: str
) -> None:
    texts = [read_golden(f"raid.megaraid/{name}.json") if name else "" for name in names]
    if not json.loads(texts[part] or "{}").get("Controllers", [{}])[0].get("Response Data"):
        pytest.skip("no answer of this kind was published")
    before, cards = read_storcli(*texts)
    texts[part] = refuse(texts[part], words, place)
    after, refused = read_storcli(*texts)
    lost = [drive.id for card in after for drive in card.drives if drive.id == "250:99"]
    assert lost == (["250:99"] if part == 2 else [])
    for card in after:
        card.drives = [drive for drive in card.drives if drive.id != "250:99"]
    assert msgspec.to_builtins(after) == msgspec.to_builtins(before)
    more = [remark for card in refused for remark in card.remarks if remark not in cards[0].remarks]
    # an overview has one status for all its controllers
    assert {remark.part for remark in more} == (set() if part == 1 and not before[0].driver else {""})


def damage(value: Any, chance: random.Random) -> Any:
    """The same JSON with some of it being something else."""
    if chance.random() < 0.02:
        return chance.choice((None, [], {}, "x", 3, [1], "-"))
    if isinstance(value, dict):
        return {key: damage(entry, chance) for key, entry in value.items()}
    return [damage(entry, chance) for entry in value] if isinstance(value, list) else value


@pytest.mark.parametrize("names", STORCLI, ids=[names[0] for names in STORCLI])
def test_an_answer_that_is_damaged_anywhere_is_read_or_is_no_answer(names: tuple[str, str, str]) -> None:
    whole = [
        json.loads(read_golden(f"raid.megaraid/{name}.json"), strict=False) if name else None
        for name in names
    ]
    read = refused = 0
    for seed in JSON_SEEDS:
        chance = random.Random(seed)
        texts = [json.dumps(damage(answer, chance)) if answer is not None else "" for answer in whole]
        try:
            read_storcli(*texts)
            read += 1
        except ValueError:  # what notes and drivers tell
            refused += 1
    assert read + refused == len(JSON_SEEDS) and read > len(JSON_SEEDS) // 2
