"""Which words of a capture tell whose machine it is: those that inventory and states have, by what their fields are
called; those that tools print, by what stands before them; and those of the tables of SMBIOS and md. What must stay, as
a key of JSON, the word of a command or a version, is told apart.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from bootos.engine.capture.disguise import ID_DIGITS, is_address, strip_id
from bootos.hardware.capture import Capture, decode_file, is_binary
from bootos.hardware.smbios import parse_table, split_dump
from bootos.wire.filler import drop_placeholder
from bootos.wire.inventory import Inventory
from bootos.wire.saved import SavedState

_WORDS = frozenset({"serial", "asset_tag", "hostname", "label", "system_name", "chassis_id", "sku_serial"})
_NAMED = frozenset(
    {"users", "accounts", "groups", "volumes", "arrays", "virtual_drives"}
)  # lists whose entries have names that somebody gave
_IDS = frozenset({"mac", "permanent_mac", "uuid", "wwn", "naa"})
_ADDRESSES = frozenset(
    {"address", "addresses", "gateway", "netmask", "service_address", "service_netmask", "host_address",
     "host_netmask"}
)  # fmt: skip
# Fields that say what a machine is and not whose.
_STAY = frozenset(
    {"vendor", "product", "version", "model", "family", "firmware", "level", "state", "driver", "type", "interface",
     "transport", "privilege", "role", "component", "channel", "maker", "filesystem", "part_number", "sku"}
)  # fmt: skip
# What the tools of all makers print before a serial number, and before a number that is the only one in the world.
_SERIAL = r"(?<!id_)(?:serial(?:[ _]?(?:number|num|no\.?))?|(?<![a-z])s/?n|tracer(?:[ _]number)?|safe[ _]id)"
_LABEL = r"(?:logical[ _]drive|disk)[ _]label|subnqn"
_ID = (
    r"sas[ _]?address|ww(?:id|pn|nn|n)(?:[ _]device[ _]identifier)?|world[ -]wide[ -]name|unique[ _]id(?:entifier)?"
    r"|logical[ _]id(?:entifier)?|naa(?:[ _]id)?|uuid|(?<![a-z])guid|(?:container|controller)[ _]guid"
    r"|eui64|nguid|fguid"
)
_KEYED = re.compile(
    rf'(?:(?P<label>{_LABEL})|{_SERIAL}|(?P<id>{_ID}))"?[ \t]*+[:=][ \t]*+"?[ \t]*+(?P<value>[^"\n\r,;]{{3,128}})',
    re.IGNORECASE,
)
# Names of hosts have no digit by which they would be known for one.
_HOST = re.compile(
    r'(?<![a-z])host[ _]?name"?[ \t]*+[:=][ \t]*+"?[ \t]*+([\w.-]{3,128})[ \t]*+(?=["\r\n,;]|\Z)',
    re.IGNORECASE,
)
_NO_HOSTS = frozenset({"available", "disabled", "enabled", "false", "true", "yes"})
_SHORTEST_ID = 8  # characters: a disk's 1A2B-3C4D
_GAP = re.compile(r"  |\t")
_FILES = ("serial", "asset_tag")  # how the names of files end that hold nothing else
_PPID = re.compile(
    r'board name"?[ \t]*+[:=][ \t]*+"?[ \t]*+([A-Z]{2}0[0-9A-Za-z]{15,20})\b', re.IGNORECASE
)  # Dell's
_MADE_LABEL = re.compile(r"[0-9A-F]{8}(\w{8,20}) {0,8}[0-9A-F]{4}")  # the controller's serial number is in it
_LISTED = re.compile(
    r"^[ ]{0,8}Controller \d{1,3}\s{0,40}:.{1,200}, ([^\s,]{3,40}), ([0-9A-F]{16})[ \r]*$", re.MULTILINE
)  # arcconf
_KEY = re.compile(r'"(\w+)"\s*:|^[ \t]*(?:-[ \t]+)?(\w+)[ \t]*+[:=]', re.MULTILINE)
_MD_NAME = re.compile(
    r"(?:MD_NAME=|MD_DEVNAME=|^[ \t]*Name : |--homehost=| name=)([^\s:=]+)(?::([^\s:]+))?", re.MULTILINE
)
_SERIALS = {
    1: (0x07,),
    2: (0x07, 0x08),
    3: (0x07, 0x08),
    4: (0x20, 0x21),
    17: (0x18, 0x19),
    39: (0x08, 0x09),
}  # SMBIOS
_OEM_STRINGS = 11


class Identifiers(NamedTuple):
    """`ids` are numbers of hexadecimal digits, without what stands between them; `kept` is what stays."""

    words: set[str]
    ids: set[str]
    addresses: set[str]
    kept: frozenset[str]


def find_identifiers(capture: Capture, inventory: Inventory, saved: SavedState | None = None) -> Identifiers:
    """What tells whose machine it is. `inventory` and `saved` are what was understood of the capture."""
    words, ids, addresses = set[str](), set[str](), set[str]()
    values = [msgspec.to_builtins(inventory), saved.states if saved is not None else {}]
    kept = _list_structure(capture)
    for key, above, text in (found for whole in values for found in _list_texts(whole)):
        if key in _IDS:
            _add_id(text, words, ids)
        elif key in _ADDRESSES:
            addresses.add(text.partition("/")[0])
        elif key in _WORDS or (key == "name" and above in _NAMED):
            words.add(text)
        elif key in _STAY:
            kept.update([text, *text.split()])  # the words of it could be names
    words |= set(_list_smbios(capture.files.get("sys/firmware/dmi/tables/DMI", ""), kept))
    words |= {text.strip() for path, text in capture.files.items() if path.endswith(_FILES)}
    for text in _list_said(capture):
        words |= {name for found in _MD_NAME.findall(text) for name in found if name}
        words |= set(_PPID.findall(text))
        words |= {
            name for name in _HOST.findall(text) if drop_placeholder(name) and name.lower() not in _NO_HOSTS
        }
        for found in _KEYED.finditer(text):
            value = _GAP.split(found["value"], maxsplit=1)[0].strip(" '")
            if any(letter.isdigit() for letter in value) and drop_placeholder(value):
                made = _MADE_LABEL.fullmatch(found["value"].strip()) if found["label"] is not None else None
                value = made[1] if made is not None else value
                if found["id"]:
                    _add_id(value, words, ids)
                else:
                    words.add(value)
        for serial, wide_name in _LISTED.findall(text):
            words.add(serial)
            ids.add(wide_name)
    numbers = {strip_id(text) for text in ids if _is_number(text)}
    return Identifiers(
        words=words,
        ids={text for text in numbers if len(set(text)) > 2 or set(text) - set("0f")},
        addresses={address for address in addresses if is_address(address)},
        kept=frozenset(kept),
    )


def _add_id(text: str, words: set[str], ids: set[str]) -> None:
    """One that is no number is a word; a short one may be something else."""
    if _is_number(text):
        ids.add(text)
    elif len(text) >= _SHORTEST_ID:
        words.add(text)


def _is_number(text: str) -> bool:
    plain = re.sub(r"^(0x|naa\.|eui\.)", "", text, flags=re.IGNORECASE)
    return bool(re.fullmatch(r"[0-9a-fA-F:.\-]+", plain)) and len(strip_id(text)) >= ID_DIGITS


def _list_said(capture: Capture) -> Iterator[str]:
    """The texts that are read by what stands before a value."""
    for output in capture.tools:
        yield from (output.stdout, output.stderr)
        yield from (text for text in output.files.values() if not is_binary(text))
    yield from (text for text in capture.files.values() if not is_binary(text))


def _list_texts(value: Any, key: str = "", above: str = "") -> Iterator[tuple[str, str, str]]:
    """(key, key of the list that holds it, text) of every text that is not empty, at any depth."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _list_texts(item, str(name), above)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _list_texts(item, key, key)
    elif isinstance(value, str) and value:
        yield key, above, value


def _list_structure(capture: Capture) -> set[str]:
    """Words by which the texts are read: keys, and the words of commands."""
    found: set[str] = set()
    for output in capture.tools:
        found.update(word for word in output.argv if "/" not in word)
        found.update((output.input or "").split())
        found.update(word for pair in _KEY.findall(output.stdout) for word in pair if word)
    return found


def _list_smbios(text: str, kept: set[str]) -> Iterator[str]:
    """Serial numbers and asset tags of the table, also of parts that the inventory does not have; and what its maker
    wrote in it for his own use, but for what stands in other places too."""
    table = split_dump(decode_file(text))[1] if is_binary(text) else b""
    for entry in parse_table(table):
        for offset in _SERIALS.get(entry.type, ()):
            found = entry.raw_text(offset)
            if found and entry.text(offset):
                yield found
        if entry.type == _OEM_STRINGS:
            for found in entry.strings:
                if not any(found in other for other in kept):
                    yield found
