"""Raw answers of storcli, perccli and their second generation, told apart by what they hold.

The tool's readers ask for `/call show all`, and of each controller for `vall`, `eall/sall` and `fall`; any of these
answers is enough to show what it holds.
"""

import json
import re
from typing import Any

from bootos.engine.capture.scene import Scene, build_driver
from bootos.engine.capture.source import RawFile, is_json, read_values
from bootos.hardware.storclireply import find_part, find_rows, find_text
from bootos.process import Command

_PROGRAM = "storcli64"
_NOT_SHOWN = {"Not among the files": "/call show all"}
_MAIN = (
    "Basics", "Version", "VD LIST", "PD LIST", "TOPOLOGY", "Physical Device Information", "Capabilities", "HwCfg",
    "Product Name", "HostInterface",
)  # fmt: skip
_DRIVES = re.compile(r"^(Drive /c\d+|Drives List$|Drive Information$)", re.IGNORECASE)
_VOLUMES = re.compile(r"^(/c\d+/v\d+|PDs for VD \d+|VD\d+ Properties|Virtual Drives)$", re.IGNORECASE)
_FOREIGN = re.compile(r"foreign", re.IGNORECASE)
_OVERVIEWS = ("System Overview", "IT System Overview")
_PLACES = {"volumes": r"/vall", "drives": r"(?:/eall)?/sall", "foreign": r"/fall"}


def build_scene(files: list[RawFile]) -> Scene:
    """What the controllers of these answers are."""
    answers = _Answers()
    notes: list[str] = []
    for file in files:
        told_before = len(notes)
        values = read_values([file], "a J at the end of the command", notes, "Controllers")
        parts = [part for _, value in values for part in _find_parts(value)] if is_json(file.text) else []
        if not parts and len(notes) == told_before:
            notes.append(
                f"{file.name}: it is no answer of storcli in JSON; a J at the end of the command prints it."
            )
        for part in parts:
            told = answers.add(part)
            if told:
                notes.append(f"{file.name}: {told}.")
    return Scene(
        answer=answers.answer,
        programs=(_PROGRAM,),
        drivers=[build_driver("raid.megaraid:MegaraidDriver")],
        notes=notes + answers.tell_missing(),
    )


def _find_parts(document: Any) -> list[dict[str, Any]]:
    """The answers about controllers in a JSON value: the tool's own list, one of its entries, or the data alone."""
    if isinstance(document, list):
        return [part for entry in document for part in _find_parts(entry)]
    if not isinstance(document, dict):
        return []
    if isinstance(document.get("Controllers"), list):
        return _find_parts(document["Controllers"])
    if "Command Status" in document or "Response Data" in document:
        status = document.get("Command Status")
        good = {"Status": "Success", "Controller": 0}
        return [{**document, "Command Status": status if isinstance(status, dict) else good}]
    if any(key in document for key in _MAIN) or any(map(_DRIVES.match, document)):
        return _find_parts({"Response Data": document})
    return []


class _Answers:
    """Answers by controller and kind: main, volumes, drives, foreign, boot; `refused` is one that names no command."""

    def __init__(self) -> None:
        self.parts: dict[tuple[int, str], dict[str, Any]] = {}

    def add(self, part: dict[str, Any]) -> str:
        """Take an answer. Returns why nothing is read of it; empty: it is read."""
        status = part["Command Status"]
        said = find_text(status, "Controller")
        number = int(said) if said.isdigit() else -1
        data = find_part(part, "Response Data")
        if isinstance(part.get("Response Data"), list):
            data = {"Drives List": part["Response Data"]}
        kind = find_kind(data, status)
        if kind == "overview":
            return self._add_overview(part["Command Status"], data)
        if number < 0 and kind != "refused":
            number = 0
        known = self.parts.get((number, kind))
        self.parts[number, kind] = _join(known, part, data) if known else {**part, "Response Data": data}
        return ""

    def _add_overview(self, status: dict[str, Any], data: dict[str, Any]) -> str:
        """Each of its rows is something of one controller."""
        for key in _OVERVIEWS:
            for row in find_rows(data, key):
                said = find_text(row, "Ctl", "Ctrl")
                if said.isdigit():
                    own = {
                        "Command Status": {**status, "Controller": int(said)},
                        "Response Data": {key: [row]},
                    }
                    self.parts.setdefault((int(said), "overview"), own)
        return "" if any(find_rows(data, key) for key in _OVERVIEWS) else "it lists no controller"

    @property
    def numbers(self) -> list[int]:
        return sorted({number for number, _ in self.parts if number >= 0})

    def answer(self, command: Command) -> str | None:
        words = [word for word in command.words[1:] if word != "J"]
        if words == ["show"]:
            return "{}"
        if words == ["/call", "show", "all"]:
            return _write([self._find_main(number) for number in self.numbers] or self._find_refused(-1))
        place = re.fullmatch(r"/c(\d+)(/.*)?", words[0]) if words else None
        if place is None:
            return None
        number = int(place[1])
        if words[1:] == ["show", "bootdrive"]:
            found = self.parts.get((number, "boot"))
            return _write([found]) if found else None
        for kind, pattern in _PLACES.items():
            if place[2] and re.fullmatch(pattern, place[2]):
                found = self.parts.get((number, kind))
                return _write([found] if found else self._find_refused(number))
        return None

    def _find_main(self, number: int) -> dict[str, Any]:
        stand_in = {
            "Command Status": {
                "Controller": number,
                "Status": "Success",
                "CLI Version": self._find_version(number),
            },
            "Response Data": _NOT_SHOWN,
        }
        listed = self.parts.get((number, "overview"), stand_in)
        return self.parts.get((number, "main")) or next(iter(self._find_alone(number)), listed)

    def _find_alone(self, number: int) -> list[dict[str, Any]]:
        """A refusal that is all that is known of a controller."""
        kinds = [kind for other, kind in self.parts if other == number]
        return [self.parts[number, "refused"]] if kinds == ["refused"] else []

    def _find_refused(self, number: int) -> list[dict[str, Any]]:
        found = self.parts.get((number, "refused"))
        return [found] if found else []

    def _find_version(self, number: int) -> str:
        parts = [part for (other, _), part in self.parts.items() if other == number]
        return next(filter(None, (find_text(part["Command Status"], "CLI Version") for part in parts)), "")

    def tell_missing(self) -> list[str]:
        """A sentence for each controller of which the main answer is missing; of the others the reader tells it."""
        return [
            f"`/c{number} show all J` is not among the files: model, firmware, address and abilities of controller "
            f"{number} are not known."
            for number in self.numbers
            if (number, "main") not in self.parts
        ]


def _write(parts: list[dict[str, Any]]) -> str | None:
    return json.dumps({"Controllers": parts}) if parts else None


def find_kind(data: dict[str, Any], status: dict[str, Any]) -> str:
    """Which command an answer is of, by the keys of its data; by the places of its refusals where it has none."""
    shown = {key for key, value in data.items() if isinstance(value, dict | list) or key in _MAIN}
    if any(map(_DRIVES.match, shown)):
        return "drives"
    if any(map(_VOLUMES.match, shown)) and not shown & {"Basics", "Version"}:
        return "volumes"
    if shown & set(_MAIN):
        return "main"
    if any(map(_FOREIGN.search, data)):
        return "foreign"
    rows = data.get("Controller Properties")
    if isinstance(rows, list):
        return "boot" if any("boot" in str(row).lower() for row in rows) else "refused"
    if "Number of Controllers" in data or any(key in data for key in _OVERVIEWS):
        return "overview"
    if _FOREIGN.search(find_text(status, "Description")):
        return "foreign"
    listed = status.get("Detailed Status")
    details = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    if any("Drive" in entry or "PD" in entry for entry in details):
        return "drives"
    if any("VD" in entry for entry in details) or "VD" in find_text(status, "Description"):
        return "volumes"
    return "main" if data else "refused"


def _join(known: dict[str, Any], part: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """Two answers to one command, as about two enclosures: what both hold, and the status of the one that failed."""
    joined = dict(known["Response Data"])
    for key, value in data.items():
        old = joined.get(key)
        joined[key] = [*old, *value] if isinstance(old, list) and isinstance(value, list) else value
    worse = part if find_text(part["Command Status"], "Status") != "Success" else known
    return {"Command Status": worse["Command Status"], "Response Data": joined}
