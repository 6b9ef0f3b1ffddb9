"""`bios.sum`: BIOS settings of Supermicro servers by SUM (Supermicro Update Manager) or its successor SAA, in band.

`GetCurrentBiosCfg` writes all settings as XML, `ChangeBiosCfg` takes an XML file with those to change. A setting has
its name, its menu where a name is there twice, and SUM's number of it (`order`, in conditions `NAME$3`) where one menu
has it twice. SUM User's Guide, appendix on the XML format of BIOS settings.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

import msgspec

from bootos.drivers.bios.setting import Comparison, Condition, Lock, SetDetail, Setting, Value, is_secret
from bootos.drivers.bios.vendor_tool import VendorTool, make_scratch, quote_output
from bootos.drivers.contract import DriverError, Machine
from bootos.process import Completed

TIMEOUT_S = 600.0
UPDATED = "The BIOS configuration is updated"
SEPARATOR = " > "
NEGATED: dict[str, Comparison] = {"==": "NEQ", "!=": "EQU"}
_END = b"</BiosCfg>"
_CHECKED = {"0": "false", "1": "true"}
EXCLUDED = re.compile(r"^[ (]*(?P<name>.*?) is not in (?P<values>[\d ]+)[ )]*$")
TERM = re.compile(r"^[ (]*(?P<value>\d+) ?(?P<sign>==|!=) ?(?P<name>.*)$")


class Entry(msgspec.Struct, kw_only=True):
    """A Setting element: where it is, the conditions (WorkIf) of it and its menus, and what it is called here."""

    path: tuple[str, ...]
    name: str
    order: str = ""
    full: str = ""
    element: ElementTree.Element
    works_if: list[str]
    codes: dict[str, str] = {}  # the value of each option -> its word


class SumDriver(VendorTool):
    name = "bios.sum"
    title = "BIOS settings (Supermicro SUM)"
    vendors = ("supermicro",)
    programs = ("saa", "sum")
    shows_pending = False

    def read_settings(self, machine: Machine, program: str) -> list[Setting]:
        # a capture has a file of its own: one that wakes up late takes nothing away from a job
        file = make_scratch(machine, "current.xml" if machine.only_looks else "before.xml")
        command = [program, "-c", "GetCurrentBiosCfg", "--file", str(file), "--overwrite"]
        done = _run(machine, command, "read the BIOS settings")
        try:
            return parse_config(file.read_bytes())
        except FileNotFoundError:
            raise DriverError(
                f"{program} wrote no file of BIOS settings; it said: {quote_output(done)}"
            ) from None

    def set_settings(
        self, machine: Machine, program: str, details: Sequence[SetDetail], password: str
    ) -> None:
        file = make_scratch(machine, "change.xml")
        file.write_bytes(build_change(details))
        names = ", ".join(f"{detail.name} = {detail.value}" for detail in details)
        done = _run(machine, [program, "-c", "ChangeBiosCfg", "--file", str(file)], f"set {names}")
        if UPDATED not in done.stdout:
            raise DriverError(f"{program} did not take {names}; it said: {quote_output(done)}")


def parse_config(data: bytes) -> list[Setting]:
    """All settings of a BIOS configuration file, with or without what SUM says before and after it. Passwords are left
    out."""
    try:
        begin, end = data.find(b"<?xml"), data.rfind(_END)
        data = data[max(begin, 0) : end + len(_END) if end >= 0 else len(data)]
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as cause:
        raise DriverError(f"the file of BIOS settings is not XML: {cause}") from cause
    entries = list(_walk(root, (), []))
    counts = Counter(entry.name for entry in entries)
    pairs = Counter((entry.path, entry.name) for entry in entries)
    for entry in entries:
        entry.full = entry.name if counts[entry.name] == 1 else SEPARATOR.join((*entry.path, entry.name))
        if pairs[entry.path, entry.name] > 1:
            entry.full += f"${entry.order}"
    # a name that stands twice in one menu, without SUM's number, cannot be set
    called = Counter(entry.full for entry in entries)
    by_name = {entry.name: entry for entry in entries if counts[entry.name] == 1}
    by_name |= {f"{entry.name}${entry.order}": entry for entry in entries if entry.order}
    settings = (_parse_setting(entry, by_name) for entry in entries if called[entry.full] == 1)
    return [setting for setting in settings if setting is not None]


def build_change(details: Sequence[SetDetail]) -> bytes:
    """The file for ChangeBiosCfg: the settings to change in their menus, and nothing else."""
    root = ElementTree.Element("BiosCfg")
    for detail in details:
        menu = root
        for name in detail.place.split(SEPARATOR):
            found = next((child for child in menu.findall("Menu") if child.get("name") == name), None)
            menu = ElementTree.SubElement(menu, "Menu", name=name) if found is None else found
        which = {"name": detail.spelling or detail.name.rsplit(SEPARATOR, 1)[-1]}
        if detail.order:
            which["order"] = detail.order
        if detail.kind == "integer":
            words = {"numericValue": str(detail.value), "type": "Numeric"}
        elif detail.kind == "boolean":
            words = {"checkedStatus": "Checked" if detail.value else "Unchecked", "type": "CheckBox"}
        elif detail.kind == "enum":
            words = {"selectedOption": str(detail.value), "type": "Option"}
        else:
            element = ElementTree.SubElement(menu, "Setting", {**which, "type": "String"})
            ElementTree.SubElement(element, "StringValue").text = str(detail.value)
            continue
        ElementTree.SubElement(menu, "Setting", {**which, **words})
    data: bytes = ElementTree.tostring(root, encoding="ISO-8859-1", xml_declaration=True)
    return data


def parse_work_if(text: str, entries: Mapping[str, Entry]) -> list[Lock]:
    """The dependency in the words of SUM: `( 2 == Power Technology ) and ( 0 != Network Stack )`, or `Boot mode select
    is not in 0 2`. Terms joined by `and` only; what is not understood forbids nothing: SUM has the last word."""
    if re.search(r"\|\||\bor\b", text):
        return []
    locks = []
    for part in re.split(
        r" (?:and|&&) ", " ".join(text.split())
    ):  # one space between words, so that no pattern tries
        excluded = EXCLUDED.match(part)
        if excluded is not None:
            other = _find_entry(excluded["name"], entries)
            codes = other.codes if other is not None else {}
            for code in excluded["values"].split():
                if other is not None and code in codes:
                    locks.append(
                        Lock(when=(Condition(attribute=other.full or other.name, value=codes[code]),))
                    )
            continue
        match = TERM.match(part)
        entry = _find_entry(match["name"], entries) if match else None
        word = entry.codes.get(match["value"]) if match and entry else None
        if match and entry and word is not None:
            condition = Condition(
                attribute=entry.full or entry.name, value=word, comparison=NEGATED[match["sign"]]
            )
            locks.append(Lock(when=(condition,)))
    return locks


def _find_entry(name: str, entries: Mapping[str, Entry]) -> Entry | None:
    """The setting a term names: names have parentheses themselves, and those of the expression follow them."""
    while name:
        if name in entries:
            return entries[name]
        if not name.endswith(")"):
            return None
        name = name[:-1].rstrip()
    return None


def _walk(element: ElementTree.Element, path: tuple[str, ...], works_if: list[str]) -> list[Entry]:
    found: list[Entry] = []
    own = element.findtext("Information/WorkIf")
    conditions = [*works_if, own] if own else works_if
    for child in element:
        if child.tag == "Menu":
            found += _walk(child, (*path, child.get("name", "")), conditions)
        elif child.tag == "Setting":
            mine = child.findtext("Information/WorkIf")
            options = child.findall("Information/AvailableOptions/Option")
            found.append(
                Entry(
                    path=path,
                    name=child.get("name", "").strip(),
                    order=child.get("order", "").strip(),
                    element=child,
                    works_if=[*conditions, mine] if mine else conditions,
                    codes={option.get("value", ""): (option.text or "").strip() for option in options}
                    or (_CHECKED if child.get("type") == "CheckBox" else {}),
                )
            )
    return found


def _parse_setting(entry: Entry, by_name: Mapping[str, Entry]) -> Setting | None:
    element, information = entry.element, entry.element.find("Information")
    kind = element.get("type", "")

    def text(tag: str) -> str | None:
        return None if information is None else information.findtext(tag)

    common = {
        "name": entry.full or entry.name,
        "place": SEPARATOR.join(entry.path),
        "spelling": element.get("name", ""),
        "order": entry.order,
        "locks": tuple(lock for words in entry.works_if for lock in parse_work_if(words, by_name)),
    }
    current: Value | None
    if kind == "Option":
        allowed = tuple(dict.fromkeys(entry.codes.values()))
        current = element.get("selectedOption", "").strip()
        default = (text("DefaultOption") or "").strip() or None
        return msgspec.convert(
            common | {"type": "enum", "current": current, "allowed": allowed, "default": default}, Setting
        )
    if kind == "Numeric":
        limits = {"minimum": "MinValue", "maximum": "MaxValue", "step": "StepSize", "default": "DefaultValue"}
        numbers = {name: _read_number(text(tag)) for name, tag in limits.items()}
        current = _read_number(element.get("numericValue"))
        return msgspec.convert(common | numbers | {"type": "integer", "current": current}, Setting)
    if kind == "CheckBox":
        default_status = text("DefaultStatus")
        return msgspec.convert(
            common
            | {
                "type": "boolean",
                "current": element.get("checkedStatus") == "Checked",
                "default": None if default_status is None else default_status.strip() == "Checked",
            },
            Setting,
        )
    if kind == "String" and not is_secret(entry.name):
        current = (element.findtext("StringValue") or "").strip()
        sizes = {"minimum": _read_number(text("MinSize")), "maximum": _read_number(text("MaxSize"))}
        return msgspec.convert(common | sizes | {"type": "string", "current": current}, Setting)
    return None


def _read_number(text: str | None) -> int | None:
    try:
        return int((text or "").strip(), 0)
    except ValueError:
        return None


def _run(machine: Machine, command: Sequence[str], purpose: str) -> Completed:
    done = machine.run(command, timeout_s=TIMEOUT_S, check=False)
    if done.returncode != 0 or re.search(
        r"^\**[ \t]*ERROR\b|Exit code\s*=\s*[1-9]", done.stdout, re.MULTILINE
    ):
        raise DriverError(
            f"{command[0]} failed to {purpose} (exit code {done.returncode}): {quote_output(done)}"
        )
    return done
