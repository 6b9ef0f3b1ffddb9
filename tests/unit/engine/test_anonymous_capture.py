"""An anonymous capture: no name of a machine is in any byte of it, however tools and tables write it, and it is read as
the same machine."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import pytest
from capturetable import FOLDERS, GOLDEN

from bootos.engine.capture.anonymous import disguise
from bootos.engine.capture.replayed import make_anonymous, understand_capture
from bootos.engine.capture.source import RawFile
from bootos.engine.capture.understand import understand_tool
from bootos.engine.capture.wordtable import WordTable
from bootos.hardware.capture import (
    Capture,
    ToolOutput,
    decode_file,
    encode_file,
    pack_capture,
    unpack_capture,
)
from bootos.wire.inventory import Inventory, LldpNeighbour, Nic
from bootos.wire.saved import SavedState

RAID = [
    (tool, path)
    for folder, tool in FOLDERS.items()
    if folder.startswith("drivers/raid.") and tool != "mdstat"
    for path in sorted((GOLDEN / folder).iterdir())
    if path.is_file()
]
# What a person sees to be the name of one thing: 16 digits and more, together or as sas3ircu groups them; and what
# stands behind a serial number.
_NAMES = re.compile(
    r"(?<![\w-])(?:0x|naa\.)?((?:[0-9A-Fa-f]{8}){2,4}|[0-9A-Fa-f]{7}-[0-9A-Fa-f]-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}"
    r"|[0-9A-Fa-f]{8}:[0-9A-Fa-f]{8})(?![\w-])"
)
_SERIALS = re.compile(r'(?:Serial [Nn]umber|Serial No|Serial|SN|Safe ID)"? *[:=] *"? *([A-Z0-9-]{6,})')


def list_named(text: str) -> set[str]:
    """What tells whose machine printed a text."""
    found = {name for name in _NAMES.findall(text) if len(set(re.sub(r"\W", "", name))) > 2}
    return found | {name for name in _SERIALS.findall(text) if not name.isdigit() or len(name) >= 8}


def hide(text: str, inventory: Inventory | None = None, states: dict[str, Any] | None = None) -> str:
    """What a tool printed, in an anonymous capture."""
    inventory = inventory or Inventory(collected_at="")
    capture = Capture(tools=[ToolOutput(argv=["tool"], stdout=text)])
    saved = SavedState(saved_at="", inventory=inventory, states=states or {})
    return disguise(capture, inventory, saved).tools[0].stdout


def forget(value: Any) -> Any:
    """A value with `x` for each letter and digit of a text that may be another's, and with all that is no text."""
    if isinstance(value, dict):
        return {name: item if name in _SAME else forget(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [forget(item) for item in value]
    return len(value) if isinstance(value, str) else value


_SAME = {
    "driver",
    "level",
    "state",
    "model",
    "type",
    "firmware",
    "pci_address",
    "size_bytes",
    "vendor",
    "interface",
}


@pytest.mark.parametrize(("tool", "path"), RAID, ids=[f"{tool}-{path.stem}" for tool, path in RAID])
def test_no_name_that_a_raid_tool_prints_stays_and_it_is_read_the_same(tool: str, path: Path) -> None:
    raw = RawFile(name=path.name, data=path.read_bytes())
    before = understand_tool(tool, [raw])
    hidden = hide(raw.text, before.inventory, before.states)
    after = understand_tool(tool, [RawFile(name=path.name, data=hidden.encode())])
    names = list_named(raw.text)
    assert sorted(name for name in names if name.lower() in hidden.lower()) == []
    assert forget(msgspec.to_builtins(before.inventory)) == forget(msgspec.to_builtins(after.inventory))
    assert forget(before.states) == forget(after.states)
    assert len(before.notes) == len(after.notes)


def test_the_raid_tools_print_names_enough_to_tell_by() -> None:
    found = {tool: set[str]() for tool, _ in RAID}
    for tool, path in RAID:
        found[tool] |= list_named(RawFile(name=path.name, data=path.read_bytes()).text)
    assert min(len(found[tool]) for tool in ("storcli", "ssacli", "arcconf", "sas3ircu")) >= 6


SERIAL = "PHLJ123456781P0FGN"


def build_machine() -> Capture:
    """A machine with an NVMe drive that has no name but its serial number, a SAS disk, an asset tag of four letters."""
    name = f"nvme.8086-{SERIAL.encode().hex()}-494e54454c-00000001"
    block = "sys/block/nvme0n1"
    strings = b"Maker\0Board\x001.0\0AS4T\0" + b"K1M-RACK7-0042\0\0"
    system = (
        bytes((1, 27, 0, 1, 1, 2, 3, 5)) + bytes.fromhex("44454c4c5a0010358052b4c04f4d3033") + b"\x06\0\0"
    )
    chassis = bytes((3, 9, 0, 3, 1, 1, 3, 5, 4))
    table = system + strings + chassis + strings + bytes((127, 4, 0, 9, 0, 0))
    return Capture(
        files={
            f"{block}/size": "1953525168\n",
            f"{block}/dev": "259:0\n",
            f"{block}/wwid": f"{name}\n",
            f"{block}/device/serial": f"{SERIAL}\n",
            f"{block}/device/model": "INTEL SSDPE2KX010T8\n",
            f"{block}/queue/rotational": "0\n",
            f"{block}/removable": "0\n",
            "sys/block/sda/size": "1953525168\n",
            "sys/block/sda/dev": "8:0\n",
            "sys/block/sda/wwid": "naa.5000c500a1b2c3d4\n",
            "sys/block/sda/device/model": "ST1000\n",
            "sys/firmware/dmi/tables/DMI": encode_file(table),
            "proc/sys/kernel/hostname": "web17\n",
        },
        tools=[
            ToolOutput(argv=["tool"], stdout=f"E:ID_SERIAL={name}\nnvme1: {name.upper()}\nserial {SERIAL}\n")
        ],
    )


def test_a_machine_is_read_the_same_and_its_names_are_in_no_byte(tmp_path: Path) -> None:
    capture = build_machine()
    before = understand_capture(capture).inventory
    assert (before.system.serial, before.chassis.asset_tag, before.hostname) == (
        "K1M-RACK7-0042",
        "AS4T",
        "web17",
    )
    hidden = unpack_capture(make_anonymous(pack_capture(capture)))
    after = understand_capture(hidden).inventory
    assert forget(msgspec.to_builtins(before)) == forget(msgspec.to_builtins(after))
    said = b"\0".join(
        (
            msgspec.json.encode(hidden),
            *(decode_file(text) for text in hidden.files.values()),
            msgspec.json.encode(after),
        )
    ).lower()
    uuid = "44454c4c5a0010358052b4c04f4d3033"
    planted: list[bytes] = [
        SERIAL.encode(), SERIAL.encode().hex().encode(), b"K1M-RACK7-0042", b"AS4T", b"web17", bytes.fromhex(uuid),
        uuid.encode(), b"5000c500a1b2c3d4",
    ]  # fmt: skip
    assert [name for name in planted if name.lower() in said] == []
    wwid = hidden.files["sys/block/nvme0n1/wwid"].split("-")
    serial = hidden.files["sys/block/nvme0n1/device/serial"].strip()
    assert bytes.fromhex(wwid[1]).decode() == serial
    assert (wwid[0], wwid[2]) == ("nvme.8086", "494e54454c")


NEIGHBOUR = {
    "ChassisID": "44:4c:a8:31:0a:00",
    "RawChassisID": [4, 68, 76, 168, 49, 10, 0],
    "PortID": "52:54:00:aa:00:01",
    "RawPortID": [3, 82, 84, 0, 170, 0, 1],
    "PortDescription": "web-prod-07 eno1 ACME \u00fc Bank rack a u12",
    "SystemName": "tor-a1.acme-bank.example",
    "SystemDescription": "Linux tor-a1 5.10\nacme-bank",
    "EnabledCapabilities": 4,
}


@pytest.mark.parametrize("is_ascii", [True, False])
def test_a_switch_is_not_named_neither_by_its_sentences_nor_by_its_bytes(is_ascii: bool) -> None:
    lldp = LldpNeighbour(chassis_id="44:4c:a8:31:0a:00", system_name="tor-a1.acme-bank.example")
    inventory = Inventory(collected_at="", nics=[Nic(name="eth0", mac="52:54:00:aa:00:01", lldp=lldp)])
    hidden = hide(json.dumps(NEIGHBOUR, ensure_ascii=is_ascii), inventory)
    assert not re.search(r"acme|web-prod|tor-a1|rack|31:0a|168,\s*49", hidden, re.IGNORECASE)
    found = json.loads(hidden)
    assert bytes(found["RawChassisID"][1:]).hex(":") == found["ChassisID"]
    assert bytes(found["RawPortID"][1:]).hex(":") == found["PortID"]
    assert (found["RawChassisID"][0], found["EnabledCapabilities"]) == (4, 4)
    assert len(found["PortDescription"]) == len(NEIGHBOUR["PortDescription"])  # type: ignore[arg-type]


def write_wide_name(digits: str) -> list[str]:
    """A world wide name as tools write it."""
    pairs = [digits[place : place + 2] for place in range(0, 16, 2)]
    ways = [digits, f"0x{digits}", f"naa.{digits}", ":".join(pairs), "-".join(pairs), " ".join(pairs),
            f"{digits[:8]}:{digits[8:]}", f"{digits[:7]}-{digits[7]}-{digits[8:12]}-{digits[12:]}",
            f"{digits[0]} {digits[1:7]} {digits[7:]}"]  # fmt: skip
    return [*ways, *(way.upper() for way in ways)]


@pytest.mark.parametrize(
    "digits", ["5000c500a1b2c3d4", "3001438042a1b2c3", "10000090fa942210", "20000090fa942211"]
)
def test_a_world_wide_name_is_replaced_by_one_however_it_is_written(digits: str) -> None:
    ways = write_wide_name(digits)
    hidden = hide("SAS Address : " + digits + "\n" + "".join(f"a {way};\n" for way in ways)).splitlines()
    shown = [re.sub(r"(?i)0x|naa\.|[^0-9a-f]", "", line[2:]).lower() for line in hidden[1:]]
    assert len(set(shown)) == 1
    assert shown[0] != digits
    assert shown[0][:7] == digits[:7]
    assert [len(line) for line in hidden[1:]] == [len(way) + 3 for way in ways]


def test_a_world_wide_name_that_nobody_knows_is_found_by_its_form() -> None:
    for digits in ("10000090fa942210", "20000090fa942211", "3001438042a1b2c3", "5000c500a1b2c3d4"):
        pairs = ":".join(digits[place : place + 2] for place in range(0, 16, 2))
        for said in (
            f"0x{digits}",
            f"naa.{digits}",
            pairs,
            f"{digits[:7]}-{digits[7]}-{digits[8:12]}-{digits[12:]}",
        ):
            assert said[-5:] not in hide(f"port {said}\n")


def test_the_numbers_of_a_wide_name_are_those_of_its_digits() -> None:
    own = 0x0A1B2C3D4
    smart = {"wwn": {"naa": 5, "oui": 0xC50, "id": own}, "eui64": {"oui": 0x2538, "ext_id": 775001736984}}
    found = json.loads(hide(json.dumps(smart) + "\n0x5000c500a1b2c3d4").partition("\n")[0])
    plain = hide(json.dumps(smart) + "\n0x5000c500a1b2c3d4").partition("\n")[2]
    assert re.fullmatch("0x5000c50[0-9a-f]{9}", plain)
    assert (found["wwn"]["naa"], found["wwn"]["oui"], found["eui64"]["oui"]) == (5, 0xC50, 0x2538)
    assert found["wwn"]["id"] not in (own, 0)
    assert found["eui64"]["ext_id"] != 775001736984


def list_disks(count: int) -> Iterator[dict[str, str]]:
    for number in range(count):
        yield {"serial": f"SER{number:07d}X", "wwn": f"0x5000c500{number + 0x1000000:08x}"}


def test_many_names_are_looked_for_in_a_time_that_grows_with_the_text() -> None:
    """Calls and lines that run are counted, as a clock says something of this host."""
    costs: list[int] = []
    for count in (100, 400):
        table = WordTable((disk["serial"] for disk in list_disks(count)), 8)
        text = " ".join(disk["serial"] for disk in list_disks(100))
        costs.append(0)

        def watch(frame: FrameType, event: str, _: object) -> Any:
            costs[-1] += 1
            return watch

        sys.settrace(watch)
        try:
            found = table.find(text)
        finally:
            sys.settrace(None)
        assert len(found) == 100
    assert costs[1] <= costs[0] + 10


def test_a_machine_with_many_disks_hides_them_all() -> None:
    disks = list(list_disks(3000))
    hidden = hide(json.dumps(disks), states={"disks": disks})
    found = json.loads(hidden)
    assert {disk["serial"] for disk in found}.isdisjoint(disk["serial"] for disk in disks)
    assert len({disk["wwn"] for disk in found} & {disk["wwn"] for disk in disks}) == 0
    assert len({disk["serial"] for disk in found}) > 2900


@pytest.mark.parametrize(
    ("words", "text", "found"),
    [
        (["abc", "abcdef"], "xabcdefabc", ["abcdef", "abc"]),
        (["abcdef"], "abc", []),
        (["abc", "abcd"], "abc", ["abc"]),
        ([], "abc", []),
        (["aaa"], "aaaaa", ["aaa"]),
    ],
)
def test_words_are_found_from_left_to_right_the_longest_first(
    words: list[str], text: str, found: list[str]
) -> None:
    assert [text[start:end] for start, end in WordTable(words, 3).find(text)] == found


def test_words_that_say_that_there_is_no_name_stay() -> None:
    said = "Host Name : Not Set\nHostname = enabled\nhostname: Unknown\nUnique ID : 0x1000\nSerial Number : N/A\n"
    said += "Battery : Not Present, enabled, offset 0x1000, Unknown\n"
    assert hide(said) == said
    assert "web17" not in hide('Host Name : web17\nx web17;\n{"HostName": "web17"}')
