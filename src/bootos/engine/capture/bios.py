"""Raw outputs about BIOS settings: the XML of Supermicro's SUM and SAA, and `racadm get`."""

import re
from pathlib import Path

from bootos.engine.capture.scene import Scene, build_driver
from bootos.engine.capture.source import RawFile
from bootos.process import Command

_KEY = re.compile(r"^[ \t]*\[Key=BIOS\.Setup\.1-1#(\w+)\]", re.MULTILINE)
_SETTINGS = re.compile(r"<BiosCfg\b.*</BiosCfg\s*>", re.DOTALL)
_SETTING = re.compile(r"^#?[A-Za-z][\w-]*=.*$", re.MULTILINE)


def build_sum(files: list[RawFile]) -> Scene:
    """The file that `GetCurrentBiosCfg` writes; of several the largest."""
    chosen = max(files, key=lambda file: len(file.data), default=None)
    notes = [
        f"{file.name}: {chosen.name} is read instead." for file in files if chosen and file is not chosen
    ]

    def answer(command: Command) -> str | None:
        if chosen is not None and "--file" in command.words:
            Path(command.words[command.words.index("--file") + 1]).write_bytes(_recode(chosen))
        return ""

    driver = build_driver("bios.sum:SumDriver", find_program=lambda name: name)
    drivers = [driver] if chosen else []
    return Scene(
        answer=answer,
        programs=("saa", "sum"),
        drivers=drivers,
        notes=notes,
        vendor="Supermicro" if chosen else "",
    )


def _recode(file: RawFile) -> bytes:
    """XML says its own encoding; what a shell has saved, or a page shows, does not."""
    if file.data.lstrip().startswith(b"<") and b"\0" not in file.data[:64]:
        return file.data
    found = _SETTINGS.search(file.text)
    return (found[0] if found else file.text).encode()


def build_racadm(files: list[RawFile]) -> Scene:
    """`racadm get BIOS.GROUP`, one or more in a file."""
    groups: dict[str, str] = {}
    notes: list[str] = []
    for file in files:
        parts = _KEY.split(file.text)
        if len(parts) == 1 and ("[Job ID=" in file.text or not _SETTING.search(file.text)):
            notes.append(f"{file.name}: it is no output of `racadm get BIOS.GROUP`.")
        elif len(parts) == 1:
            groups[re.sub(r"\W", "", file.name.partition(".")[0]) or "Settings"] = file.text
        groups |= dict(zip(parts[1::2], parts[2::2], strict=False))

    def answer(command: Command) -> str | None:
        if command.words[1:] == ("get", "BIOS"):
            return "".join(f"BIOS.{group}\n" for group in groups)
        return groups.get(command.words[-1].removeprefix("BIOS."))

    driver = build_driver("bios.racadm:RacadmDriver", find_program=lambda name: name)
    drivers = [driver] if groups else []
    return Scene(
        answer=answer,
        programs=("racadm",),
        drivers=drivers,
        notes=notes,
        vendor="Dell Inc." if groups else "",
    )
