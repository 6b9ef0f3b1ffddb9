"""Raw outputs of ipmitool: `lan print`, `user list` (as a table or with -c), `mc info` and the others that the readers
ask for, told apart by what they hold. One file may hold several."""

import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from bootos.engine.capture.scene import Scene, build_driver
from bootos.engine.capture.source import RawFile
from bootos.hardware.bmc import parse_lan_channels
from bootos.process import Command

_SLOT = re.compile(r"\d+(?=[ \t])")
# Callin, Link Auth, IPMI Msg, privilege; ipmitool up to 1.8.9 prints Enabled before them.
_FLAGS = re.compile(r"\b(true|false)[ \t]+(true|false)[ \t]+(true|false)[ \t]+((?!true\b|false\b)\S.*)$")
_HEAD = re.compile(r"ID[ \t]+Name\b")
_ENABLED = re.compile(r"ID[ \t]+Name[ \t]+Enabled\b")
_LAST_FLAG = re.compile(r"\b(true|false)$")
_FAR_FLAG = re.compile(r"(?<=\S)[ \t]{2,}(true|false)$")  # no name has such a gap
_ACCESS = re.compile(r"^User ID[ \t]*:[ \t]*(\d+)[ \t]*$", re.MULTILINE)
_USER_CSV = re.compile(r"^\d+,.*,(true|false),(true|false),(true|false),.*$", re.MULTILINE)
# How each output is known, by the first words of its command.
_SIGNS = {
    "mc info": re.compile(r"^(Firmware Revision|Manufacturer ID|IPMI Version)\s*:", re.MULTILINE),
    "lan print": re.compile(
        r"^(IP Address Source|Set in Progress|RMCP\+ Cipher Suites|IP Address|Cipher Suite Priv Max)\s*:",
        re.MULTILINE,
    ),
    "channel info": re.compile(r"^Channel 0x\w+ info:", re.MULTILINE),
    "channel getaccess": re.compile(r"^Enable Status\s*:", re.MULTILINE),
    "sol info": re.compile(r"^Volatile Bit Rate", re.MULTILINE),
    "chassis bootparam": re.compile(r"^Boot parameter version", re.MULTILINE | re.IGNORECASE),
    "sel info": re.compile(r"^SEL Information", re.MULTILINE),
    "sel list": re.compile(r"^[ \t]*[0-9a-f]+ \| .*\|", re.MULTILINE),
}
_ASKED = ("lan print", "mc info", "user list")
_LAN_CHANNEL = "Channel 0x1 info:\n  Channel Medium Type   : 802.3 LAN\n"


def build_scene(files: list[RawFile]) -> Scene:
    """What the BMC of these outputs is."""
    answers: dict[str, str] = {}
    notes: list[str] = []
    for file in files:
        kinds = [kind for kind, sign in _SIGNS.items() if sign.search(file.text)]
        if _USER_CSV.search(file.text) or any(_list_users(file.text)):
            kinds.append("user list")
        for kind in kinds:
            text = _write_users(file.text) if kind == "user list" else file.text
            answers[kind] = answers.get(kind, "") + text + "\n"
        if not kinds:
            notes.append(f"{file.name}: it is no output of ipmitool that is read.")
    missing = [f"`ipmitool {kind}`" for kind in _ASKED if kind not in answers]
    if answers and missing:
        notes.append(f"Not among the files: {', '.join(missing)}.")
    if "channel info" not in answers:
        answers["channel info"] = _LAN_CHANNEL
    accesses = _list_accesses(answers.get("channel getaccess", ""))
    channel = next(iter(parse_lan_channels(answers["channel info"])), 1)

    def find(words: list[str]) -> str | None:
        words = [word for word in words if word != "-c"]
        kind = " ".join(words[:2])
        if kind == "channel info" and len(words) > 2 and words[2] != str(channel):
            return None
        if kind == "channel getaccess":
            return accesses.get(words[-1])
        return answers.get(kind, "" if kind in _ASKED else None)

    def answer(command: Command) -> str | None:
        if "exec" in command.words:
            lines = (command.input or "").splitlines()
            return "\n".join(filter(None, (find(line.split()) for line in lines)))
        return find(list(command.words[1:]))

    driver = build_driver("oob.ipmi:IpmiDriver")
    return Scene(
        answer=answer,
        programs=("ipmitool",),
        lenient=True,
        files={"dev/ipmi0": b""} if set(answers) - {"channel info"} else {},
        drivers=[driver],
        notes=notes,
        finish=lambda inventory, states: tell_ciphers(states.get(driver.name)),
    )


def _write_users(text: str) -> str:
    """A table as `-c` prints it."""
    if _USER_CSV.search(text):
        return text
    return "\n".join(",".join(row) for row in _list_users(text))


def _list_users(text: str) -> Iterator[list[str]]:
    """The rows of a table of users: slot, name, three flags, privilege."""
    is_older = False
    for line in text.splitlines():
        if _HEAD.match(line):
            is_older = _ENABLED.match(line) is not None
        slot, flags = _SLOT.match(line), _FLAGS.search(line)
        if slot and flags:
            name = line[slot.end() : flags.start()].strip()
            name = (_LAST_FLAG if is_older else _FAR_FLAG).sub("", name).strip()
            yield [slot[0], name, *(word.strip() for word in flags.groups())]


def _list_accesses(text: str) -> dict[str, str]:
    """The part of `channel getaccess` about each user, by slot; of two about one the first."""
    heads = list(_ACCESS.finditer(text))
    accesses: dict[str, str] = {}
    for head, after in zip_longest(heads, heads[1:]):
        accesses.setdefault(head[1], text[head.start() : after.start() if after else len(text)])
    return accesses


def tell_ciphers(state: Any) -> list[str]:
    """How the privilege levels of the cipher suites are read: what the plan of `oob.cipher_suites` goes by."""
    service = getattr(state, "service", None)
    ciphers = getattr(service, "ciphers", None)
    if service is None or ciphers is None or not ciphers.levels:
        return []
    index = ciphers.find_index(service.maker)
    if index is not None:
        usable = _list(ciphers.find_usable(ciphers.get_index(index)))
        return [f"The privilege levels of the cipher suites go by {index}: {usable} may be used."]
    by_number, by_place = (_list(ciphers.find_usable(way)) for way in (ciphers.by_number, ciphers.by_place))
    if by_number == by_place:
        return [
            f"By the privilege levels of the cipher suites {by_number} may be used, read by number or by place."
        ]
    told = f"Whether the privilege levels {ciphers.levels} of the cipher suites go by number or by place is not certain"
    return [f"{told} (oob.cipher_index): by number {by_number} may be used, by place {by_place}."]


def _list(suites: tuple[int, ...]) -> str:
    return ", ".join(map(str, suites)) or "none"
