"""A machine without a login does not take another machine's record by what it says that it was called.

Yesterday's machines are known by placeholders, UUIDs, MACs and serial numbers. Whoever knows neither a machine's own
name nor, together, its UUID or board and the MAC that it boots from, gets a record of its own, whatever it says.
"""

import random
import subprocess
import sys
from typing import Any

import msgspec
import pytest
from serving import INVENTORY, Running
from sqlalchemy import select

from bootos.server.fault import ConflictError, UnusableError
from bootos.server.mark import read_marks
from bootos.server.operation.enrolment import enrol
from bootos.server.operation.inventory import store_inventory
from bootos.server.operation.registration import register
from bootos.server.store.table import Machine
from bootos.wire import cloudboot_v1 as v1
from bootos.wire import v2
from bootos.wire.inventory import Inventory

PLACEHOLDERS = [
    "To be filled by O.E.M.",
    "0123456789AB",
    "(null)",
    "Type1Sku0",
    "03000200-0400-0500-0006-000700080009",
]
SEEDS = range(12)
ATTACKS = 40  # for each seed


class Steel(msgspec.Struct, frozen=True):
    """What is true of one machine, whoever says it."""

    number: int
    placeholder: str
    serial: str | None
    uuid: str | None
    board: str | None
    macs: tuple[str, ...]

    def tell(self) -> dict[str, Any]:
        nics = [{"name": f"eth{place}", "mac": mac} for place, mac in enumerate(self.macs)]
        system = {"serial": self.serial or self.placeholder, "uuid": self.uuid}
        return {**INVENTORY, "system": system, "board": {"serial": self.board}, "nics": nics}

    @property
    def yesterday(self) -> str:
        """What an earlier release called it."""
        return self.serial or self.placeholder or self.uuid or self.macs[0]

    @property
    def today(self) -> str:
        return self.serial or self.uuid or self.board or self.macs[0]


def make(chance: random.Random, number: int) -> Steel:
    return Steel(
        number=number,
        placeholder=chance.choice(["", *PLACEHOLDERS]),
        serial=f"SER{number}" if chance.random() < 0.2 else None,
        uuid=f"4c4c4544-0039-3010-8048-{number:012x}" if chance.random() < 0.6 else None,
        board=f"BRD{number}" if chance.random() < 0.6 else None,
        macs=tuple(f"52:54:00:00:{number:02x}:{nic:02x}" for nic in range(chance.randint(1, 3))),
    )


def leave_rack(server: Running, rack: list[Steel]) -> dict[int, Steel]:
    """Yesterday's records; machines that were called alike were one, with the inventory of the last. Who is whose."""
    owners: dict[int, Steel] = {}
    with server.context.store.write() as session:
        for steel in rack:
            key = steel.yesterday.casefold()
            row = session.scalar(select(Machine).where(Machine.sn_key == key)) or enrol(
                session, steel.yesterday
            )
            told = msgspec.convert(steel.tell(), Inventory)
            store_inventory(server.context, session, row, told, steel.macs[:1])
            owners[row.id] = steel
    return owners


def say(server: Running, sn: str, told: dict[str, Any], mac: str, boot_id: str) -> int | None:
    """The id of the machine that a client becomes which says this; None when it is refused."""
    inventory = msgspec.convert(told, Inventory)
    said = v2.Registration(
        sn=sn, boot_id=boot_id, agent_version="0", pxe_mac=mac or None, inventory=inventory
    )
    try:
        return int(register(server.context, said, "10.0.0.66").machine_id)
    except (ConflictError, UnusableError):
        return None


def read_names(server: Running) -> dict[int, tuple[str, Any]]:
    with server.context.store.read() as session:
        rows = session.execute(select(Machine.id, Machine.sn, Machine.inventory))
        return {id: (sn, inventory) for id, sn, inventory in rows}


def knows(victim: Steel, known_as: str, sn: str, told: dict[str, Any], mac: str) -> bool:
    """Whether what is said is what was ever enough (the name itself; where that is a placeholder, what stands in its
    place), or the proof and the MAC."""
    system, board = told["system"], told["board"]["serial"]
    shown = {nic["mac"] for nic in told["nics"]}
    if sn in PLACEHOLDERS:
        names = {system["serial"], system["uuid"], board, mac or told["nics"][0]["mac"]}
    else:
        names = {sn}
    if known_as in names - set(PLACEHOLDERS):
        return True
    proof = (victim.uuid and victim.uuid == system["uuid"]) or (victim.board and victim.board == board)
    alike = shown <= set(victim.macs) or set(victim.macs) <= shown
    bare = victim.uuid is None and victim.board is None and alike
    return (mac in victim.macs if mac else alike) and bool(proof or bare)


def attack(chance: random.Random, rack: list[Steel], number: int) -> tuple[str, dict[str, Any], str]:
    """A mixture of what is true of several machines, what is nobody's, and what a liar may call itself."""
    own = make(chance, 200 + number)

    def pick(of: str) -> Any:
        return getattr(chance.choice([own, own, *chance.sample(rack, 2)]), of)

    macs = [mac for _ in range(chance.randint(1, 2)) for mac in pick("macs")]
    told = {
        **INVENTORY,
        "system": {"serial": chance.choice([pick("serial"), pick("placeholder")]), "uuid": pick("uuid")},
        "board": {"serial": pick("board")},
        "nics": [{"name": f"eth{place}", "mac": mac} for place, mac in enumerate(macs)],
    }
    former = [
        chance.choice([steel.yesterday for steel in rack] + PLACEHOLDERS) for _ in range(chance.randint(0, 6))
    ]
    told["identity"] = {"name": own.today, "by": "serial", "former": former}
    system, board = told["system"], told["board"]["serial"]
    names = [own.today, f"EVIL{number}", chance.choice(PLACEHOLDERS), system["uuid"], board, system["uuid"]]
    sn = chance.choice([name for name in names if name])
    return sn, told, chance.choice(["", chance.choice(macs), pick("macs")[0]])


@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_becomes_a_machine_of_which_it_does_not_know_name_or_proof(server: Running, seed: int) -> None:
    chance = random.Random(seed)
    rack = [make(chance, number) for number in range(12)]
    owners = leave_rack(server, rack)
    before = read_names(server)
    for number in range(ATTACKS):
        sn, told, mac = attack(chance, rack, number)
        became = say(server, sn, told, mac, f"evil-{number}")
        if became in owners and not knows(owners[became], before[became][0], sn, told, mac):
            raise AssertionError((seed, number, owners[became], before[became][0], sn, told, mac))
        if became in owners:  # it could have said the name itself: what follows is that machine's no more
            del owners[became]
        now = read_names(server)
        for victim in owners:
            assert now[victim] == before[victim], (seed, number, owners[victim])


@pytest.mark.parametrize("seed", SEEDS)
def test_everybody_comes_back_as_itself_or_as_nobody(server: Running, seed: int) -> None:
    """In any order, twice, with agents of today and of yesterday: no two machines become one, none becomes another."""
    chance = random.Random(1000 + seed)
    rack = [make(chance, number) for number in range(12)]
    owners = leave_rack(server, rack)
    became: dict[int, int] = {}
    for again in range(2):
        chance.shuffle(rack)
        for steel in rack:
            told, sn = steel.tell(), steel.today
            if chance.random() < 0.5:
                sn = steel.yesterday
            else:
                told["identity"] = {"name": sn, "former": [steel.placeholder] if steel.placeholder else []}
            with server.context.store.write() as session:
                for row in session.scalars(select(Machine)):
                    row.boot_pk = None
            number = say(server, sn, told, steel.macs[0], f"boot-{again}-{steel.number}")
            assert number is not None
            assert became.setdefault(steel.number, number) == number, steel
            if number in owners:
                assert owners[number] == steel
    assert len(set(became.values())) == len(rack)
    called = [steel.yesterday.casefold() for steel in rack]
    for number, steel in owners.items():
        if called.count(steel.yesterday.casefold()) == 1:
            assert became[steel.number] == number, steel


def test_a_v1_report_does_not_open_the_way_for_a_v2_claim(server: Running) -> None:
    """Who knows a machine's MACs and its placeholder says them by Cloudboot v1, which knows no UUID, and then by v2."""
    victim = Steel(
        number=1, placeholder=PLACEHOLDERS[0], serial=None, uuid="4c4c4544-0039-3010-8048-000000000001", board=None,
        macs=("52:54:00:00:01:00", "52:54:00:00:01:01"),
    )  # fmt: skip
    told = {**victim.tell(), "identity": {"name": victim.today, "former": [victim.placeholder]}}
    number = say(server, victim.today, told, victim.macs[0], "boot")
    with server.context.store.write() as session:
        session.get_one(Machine, number).boot_pk = None
    nics = [{"Name": "eth0", "Mac": mac, "Ip": "10.0.0.66"} for mac in victim.macs]
    body = {"Sn": victim.placeholder, "Company": "x", "Nic": nics, "Mac": victim.macs[0]}
    server.call("POST", f"{v1.PREFIX}/report/deviceProductInfo", body)
    assert read_names(server)[number or 0][1]["system"]["uuid"] == victim.uuid
    lie = {**told, "system": {"uuid": None}, "board": {"serial": "EVIL"}}
    assert say(server, "EVIL", lie, victim.macs[0], "evil") != number
    with server.context.store.write() as session:
        row = session.get_one(Machine, number)
        row.inventory = {**(row.inventory or {}), "system": {}}
    assert say(server, "EVIL2", {**lie, "board": {"serial": "EVIL2"}}, victim.macs[0], "evil") != number


SLOW = [
    "baseboard" * 18 + "!",
    "base board " * 11 + "!",
    "systemproduct" * 9 + "#",
    "dimm " * 25 + "?",
    "oem" * 42 + "!",
]


@pytest.mark.parametrize("text", [*SLOW, *(text * 4000 for text in SLOW)])
def test_a_registration_does_not_keep_the_server_busy(server: Running, text: str) -> None:
    """A pattern that tries all ways to read such a text does not come back: a process of its own can be ended."""
    code = "import sys; from bootos.wire.filler import drop_placeholder; drop_placeholder(sys.stdin.read())"
    subprocess.run([sys.executable, "-c", code], input=text, text=True, check=True, timeout=60)
    told = {**INVENTORY, "system": {"serial": text, "uuid": text}, "board": {"serial": text}}
    told["identity"] = {"name": text, "former": [text] * 20}
    assert say(server, "SLOW1", told, "", "boot") is not None
    say(server, "None", told, "52:54:00:00:01:00", "boot")
    say(server, text[:128], told, "", "boot")


def test_what_is_too_long_for_a_name_proves_nothing(server: Running) -> None:
    """Neither its beginning nor all of it: no maker writes such a number."""
    long = "B" * 200
    told = {**INVENTORY, "system": {"serial": long, "uuid": long}, "board": {"serial": long}}
    marks = read_marks(msgspec.convert(told, Inventory))
    assert (marks.serial, marks.uuid, marks.board) == (None, None, None)
