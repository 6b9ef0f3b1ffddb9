"""Raw outputs about Linux md: /proc/mdstat and mdadm --examine."""

import re
from typing import Any

from bootos.drivers.storage.md import parse_mdstat
from bootos.engine.capture.scene import Scene, SceneRunner, build_driver
from bootos.engine.capture.source import RawFile
from bootos.hardware import raid
from bootos.process import Command
from bootos.wire.inventory import Inventory

_EXAMINED = re.compile(r"^(/\S.*):[ \t]*$", re.MULTILINE)
_MEMBER = re.compile(r"^[ \t]*(Array UUID|UUID|Raid Level|Magic) : ", re.MULTILINE | re.IGNORECASE)
# An array's line, and those below it up to an empty one or the next array's: their indentation may be lost.
_BODY = re.compile(
    r"^(md[^\s:]*) : (.*(?:\n(?!md[^\s:]* : |unused devices|Personalities)[ \t]*\S.*)*)", re.MULTILINE
)
_DEVICES = re.compile(r"\[(\d+)/(\d+)\] \[[U_]+\]")


def build_mdstat(files: list[RawFile]) -> Scene:
    """/proc/mdstat. `mdadm --detail --export` of an array is made of it as far as it tells."""
    text = "\n".join(file.text for file in files)
    entries = {entry.name: entry for entry in parse_mdstat(text)}
    bodies = dict(_BODY.findall(text))
    notes = []
    if entries:
        notes.append("`mdadm --detail` is not among the files: names and UUIDs of arrays are not known.")
    else:
        notes.append("No md array is listed.")
    notes += [
        f"{entry.name} does not run: {', '.join(member.node for member in entry.members)}."
        for entry in entries.values()
        if not entry.active and (entry.container or not entry.metadata.startswith("external:"))
    ]

    def answer(command: Command) -> str | None:
        name = command.words[-1].removeprefix("/dev/")
        if command.words[1:3] != ("--detail", "--export") or name not in entries:
            return ""
        body = bodies.get(name, "")
        count = _DEVICES.search(body)
        version = re.search(r"\bsuper (\S+)", body)
        words = [f"MD_LEVEL=raid{entries[name].level}" if entries[name].level.isdigit() else ""]
        words += [f"MD_DEVICES={count[1]}" if count else "", f"MD_METADATA={version[1]}" if version else ""]
        return "\n".join(filter(None, words))

    return Scene(
        answer=answer,
        programs=("mdadm",),
        files={"proc/mdstat": text.encode()},
        drivers=[build_driver("raid.mdadm:MdadmDriver")],
        notes=notes,
    )


def build_examine(files: list[RawFile]) -> Scene:
    """`mdadm --examine DEVICE...`, with or without --export."""
    text = "\n".join(_name_device(file) for file in files)
    devices = [found[1] for found in _EXAMINED.finditer(text)]
    notes = [] if devices else ["No device is named: `mdadm --examine /dev/sda` prints its name first."]

    def answer(command: Command) -> str | None:
        return text if command.words[:2] == ("mdadm", "--examine") else None

    scene = Scene(answer=answer, programs=("mdadm",), notes=notes)

    def finish(inventory: Inventory, states: dict[str, Any]) -> list[str]:
        blocks = raid.read_examine(devices, SceneRunner(scene))
        found = raid.build_md(blocks, [], inventory.disks)
        inventory.raid += [found] if found is not None else []
        return (
            []
            if found is not None or not devices
            else [f"On {', '.join(devices)} there is no member of an array."]
        )

    scene.finish = finish
    return scene


def _name_device(file: RawFile) -> str:
    """The text, with the file's name where it names no device; what `--export` prints in the words of the long form."""
    said = dict(
        line.split("=", 1) for line in file.text.splitlines() if line.startswith("MD_") and "=" in line
    )
    device = f"/dev/{file.name.rpartition('.')[0] or file.name}:"
    if "MD_LEVEL" not in said:
        is_named = _EXAMINED.search(file.text) or not _MEMBER.search(file.text)
        return file.text if is_named else f"{device}\n{file.text}"
    keys = {
        "Array UUID": "MD_UUID",
        "Name": "MD_NAME",
        "Raid Level": "MD_LEVEL",
        "Raid Devices": "MD_DEVICES",
    }
    lines = [f"{title} : {said[key]}" for title, key in keys.items() if key in said]
    return "\n".join([device, *lines])
