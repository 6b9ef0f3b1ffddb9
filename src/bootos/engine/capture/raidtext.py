"""Raw answers of the RAID tools that speak prose: ssacli, arcconf, mvcli, sas3ircu and sas2ircu."""

import re
from collections.abc import Callable

from bootos.engine.capture.scene import Answer, Scene, build_driver
from bootos.engine.capture.source import RawFile
from bootos.hardware import mvcli, sasircu
from bootos.process import Command

_CONTROLLER = re.compile(r"^\S.*? in Slot \S+", re.MULTILINE | re.IGNORECASE)
_TASK = re.compile(r"^[ \t]*(Current operation|Logical device Task)\b", re.MULTILINE | re.IGNORECASE)
_CONFIG = re.compile(
    r"^(Controller|Logical (?:device|drive)|Physical device|Array) information|Controller Status\s*:|"
    r"^[ \t]*Logical (?:device|drive) number \d+",
    re.MULTILINE | re.IGNORECASE,
)
_PART = re.compile(
    r"^[ \t]*(Controller|Logical (?:device|drive)|Physical device|Array) information[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
_FOUND = re.compile(r"^Controllers found *: *\d+", re.MULTILINE | re.IGNORECASE)
_LISTED = re.compile(r"^[ \t]*Controller \d+:", re.MULTILINE | re.IGNORECASE)
_LISTED_LINE = re.compile(r"^[ \t]*(Controller \d+:.*)", re.MULTILINE | re.IGNORECASE)
_MOST_LISTED = 16  # controllers
_VOLUME = re.compile(r"^IR volume \d+|^[ \t]*Volume state", re.MULTILINE | re.IGNORECASE)
_SECTION = re.compile(r"^(Controller|IR volume|Physical device) information", re.MULTILINE | re.IGNORECASE)
_REFUSED = re.compile(r"^SAS\dIRCU: (?!Utility Completed)(.+)$", re.MULTILINE | re.IGNORECASE)
_OLDER = re.compile(r"\bSAS2 ?IR(?:CU:| Configuration)", re.IGNORECASE)
_NVME = re.compile(r"^[ \t]*(?:NVMe Controller ID|VD ID|SSD backend)\b", re.MULTILINE | re.IGNORECASE)


def build_ssacli(files: list[RawFile]) -> Scene:
    """`controller all show config detail`; of several files the controllers are put together."""
    texts = [file.text for file in files]
    notes = [
        f"{file.name}: it shows no controller; `ssacli controller all show config detail` does."
        for file in files
        if not _CONTROLLER.search(file.text)
    ]

    def answer(command: Command) -> str | None:
        return "\n".join(texts)

    driver = build_driver("raid.smartarray:SmartArrayDriver")
    return Scene(answer=answer, programs=("ssacli",), drivers=[driver], notes=notes)


def build_arcconf(files: list[RawFile]) -> Scene:
    """`GETCONFIG n AL`, one after the other, and `GETSTATUS n`. The tool does not print which controller it is."""
    found: list[RawFile] = []
    statuses: list[str] = []
    notes: list[str] = []
    for file in files:
        if _CONFIG.search(file.text) and not _LISTED.search(file.text):
            found.append(file)
        elif _TASK.search(file.text):
            statuses.append(file.text)
        elif _LISTED.search(file.text):
            listed = "; ".join(
                " ".join(line.split()) for line in _LISTED_LINE.findall(file.text)[:_MOST_LISTED]
            )
            notes.append(f"{file.name}: it is `arcconf LIST`, which shows no array and no drive: {listed}.")
        else:
            found.append(file)
    configs = _join_parts(found, notes)
    if not configs:
        notes.append("`arcconf GETCONFIG 1 AL` is not among the files.")
    elif not statuses:
        notes.append("`arcconf GETSTATUS 1` is not among the files: tasks that run are not known.")

    def answer(command: Command) -> str | None:
        words = [word.upper() for word in command.words[1:]]
        if words == ["GETVERSION"]:
            return ""
        number = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
        texts = {"GETCONFIG": configs, "GETSTATUS": statuses}.get(words[0], [])
        text = texts[number - 1] if 0 < number <= len(texts) else None
        if text is not None and words[0] == "GETCONFIG" and number == 1 and len(configs) > 1:
            return f"Controllers found: {len(configs)}\n{_FOUND.sub('', text, count=1)}"
        return text

    driver = build_driver("raid.adaptec:AdaptecDriver")
    return Scene(answer=answer, programs=("arcconf",), drivers=[driver], notes=notes)


def _join_parts(files: list[RawFile], notes: list[str]) -> list[str]:
    """A text for each controller: what `GETCONFIG n AD`, `LD`, `PD`, ... print apart is of one, where it can be of no
    other. A text with several sections, that of the drives among them, is whole."""
    joined: list[tuple[set[str], str]] = []  # without sections: nothing more is of this one
    for file in files:
        sections = {name.lower().replace("drive", "device") for name in _PART.findall(file.text)}
        if len(sections) > 1 and "physical device" in sections:
            sections = set()
        places = [
            place for place, (others, _) in enumerate(joined) if sections and others and not sections & others
        ]
        if len(places) == 1:
            others, text = joined[places[0]]
            joined[places[0]] = others | sections, f"{text}\n{file.text}"
            continue
        joined.append((sections, file.text))
        if places:
            notes.append(
                f"{file.name}: which controller it is of is not told; `arcconf GETCONFIG n AL` prints all of one."
            )
    return [text for _, text in joined]


def build_mvcli(files: list[RawFile]) -> Scene:
    """`info -o hba`, `vd` and `pd` of mvcli and of mnv_cli, which are told apart by nothing but what they print."""
    notes: list[str] = []
    parts = _sort_out(files, ("mvcli", "mnv_cli"), lambda text: bool(_NVME.search(text)))
    answers = {program: _build_mv_answer(program, part, notes) for program, part in parts.items()}
    driver = build_driver("raid.mvcli:MvcliDriver")
    return Scene(answer=_by_program(answers), programs=tuple(answers), drivers=[driver], notes=notes)


def _build_mv_answer(program: str, files: list[RawFile], notes: list[str]) -> Answer:
    answers: dict[str, list[str]] = {}
    for file in files:
        kinds = [kind for kind in ("hba", "pd") if mvcli.parse_blocks(file.text, kind)]
        if any(mvcli.find_level(block) for block in mvcli.parse_blocks(file.text, "vd")):
            kinds.append("vd")
        for kind in kinds:
            answers.setdefault(kind, []).append(file.text)
        if not kinds:
            notes.append(f"{file.name}: it is no output of `mvcli info -o hba`, vd or pd.")
    if answers and "hba" not in answers:
        notes.append(
            f"`{program} info -o hba` is not among the files: model, firmware and address are not known."
        )

    def answer(command: Command) -> str | None:
        kind = command.words[-1]
        if kind in answers:
            return "\n".join(answers[kind])
        return "controller ID: 0\n" if kind == "hba" and answers else None

    return answer


def build_sasircu(files: list[RawFile]) -> Scene:
    """`LIST`, and `n DISPLAY` of each controller, one after the other; sas3ircu and sas2ircu say who they are."""
    notes: list[str] = []
    parts = _sort_out(files, ("sas3ircu", "sas2ircu"), lambda text: bool(_OLDER.search(text)))
    answers = {program: _build_ir_answer(program, part, notes) for program, part in parts.items()}
    driver = build_driver("raid.sas3ircu:SasIrcuDriver")
    return Scene(answer=_by_program(answers), programs=tuple(answers), drivers=[driver], notes=notes)


def _build_ir_answer(program: str, files: list[RawFile], notes: list[str]) -> Answer:
    lists: list[str] = []
    displays: list[str] = []
    for file in files:
        if _SECTION.search(file.text):
            displays.append(file.text)
        elif sasircu.parse_list(file.text):
            lists.append(file.text)
        elif _VOLUME.search(file.text):
            notes.append(f"{file.name}: of `n STATUS` nothing is read; `n DISPLAY` has all of it.")
        elif said := _REFUSED.search(file.text):
            notes.append(f"{file.name}: the tool says: {said[1].strip()}")
        else:
            notes.append(f"{file.name}: it is no output of `sas3ircu LIST` or `n DISPLAY`.")
    numbers = [number for text in lists for number in sasircu.parse_list(text)]
    numbers = numbers or list(range(len(displays)))
    if displays and not lists:
        notes.append(f"`{program} LIST` is not among the files: the numbers of controllers are not known.")

    def answer(command: Command) -> str | None:
        words = command.words[1:]
        if words == ("LIST",):
            rows = "".join(f"  {n}  unknown  0h  0h  0h:0h:0h:0h  0h  0h\n" for n in numbers)
            return "\n".join(lists) or rows or None
        place = (
            numbers.index(int(words[0])) if words[0].isdigit() and int(words[0]) in numbers else len(displays)
        )
        return displays[place] if words[1:] == ("DISPLAY",) and place < len(displays) else None

    return answer


def _sort_out(
    files: list[RawFile], programs: tuple[str, str], is_second: Callable[[str], bool]
) -> dict[str, list[RawFile]]:
    """The files of each of two programs; where all are of one of them, they are taken for the first one's."""
    second = [file for file in files if is_second(file.text)]
    first = [file for file in files if file not in second]
    if not first or not second:
        return {programs[0]: files}
    return {programs[0]: first, programs[1]: second}


def _by_program(answers: dict[str, Answer]) -> Answer:
    return lambda command: answers[command.words[0]](command)
