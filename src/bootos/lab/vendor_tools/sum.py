"""Stand-in for Supermicro's SUM (and SAA, its successor): `GetCurrentBiosCfg` and `ChangeBiosCfg`, in band.

The BIOS is that of an X11 board, cut down; the file has the shape of published ones (tests/golden/README.md). The file
shows what the machine started with, so what was changed is seen after the next start.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from bootos.lab.vendor_tools.bios import Attribute, find_fault, read_bios, start_bios
from bootos.lab.vendor_tools.silicon import Output, Silicon

KEY = "sum"
VERSION = "3.4"
SWITCH = ("Disable", "Enable")
WORDS = ("Disabled", "Enabled")
X11: Mapping[str, Attribute] = {
    "Hyper-Threading [ALL]": Attribute(group="Advanced/CPU Configuration", value="Enable", allowed=SWITCH),
    "Intel Virtualization Technology": Attribute(
        group="Advanced/CPU Configuration", value="Disable", allowed=SWITCH
    ),
    "Cores Enabled": Attribute(group="Advanced/CPU Configuration", value=0, lower=0, upper=28),
    "Power Technology": Attribute(
        group="Advanced/CPU Configuration/Advanced Power Management Configuration",
        value="Energy Efficient",
        allowed=("Disable", "Energy Efficient", "Custom"),
    ),
    "CPU C6 report": Attribute(
        group="Advanced/CPU Configuration/Advanced Power Management Configuration/CPU C State Control",
        value="Auto",
        allowed=("Disable", "Enable", "Auto"),
        unless=("Power Technology", "Custom"),
    ),
    "SR-IOV Support": Attribute(
        group="Advanced/PCI Configuration",
        value="Disabled",
        allowed=WORDS,
    ),
    "Boot mode select": Attribute(group="Boot", value="DUAL", allowed=("LEGACY", "UEFI", "DUAL")),
}
BANNER = "Supermicro Update Manager (for UEFI BIOS) 2.2.0 (2019/02/20) (x86_64)\n\n"
DONE = """Status: Start updating the BIOS configuration for the managed system

Status: The BIOS configuration is updated for the managed system

Note: You have to reboot or power up the system for the changes to take effect
"""
FAILED = """********************************<<<<<ERROR>>>>>*********************************

ExitCode                = 59
Description             = Invalid BIOS configuration file
Program Error Code      = 305.4
Error message:
        {message}

********************************************************************************
"""


class Sum:
    """The stand-in of Supermicro's `sum` and `saa`, for BIOS settings."""

    names: tuple[str, ...] = ("sum", "saa")

    def run(
        self, silicon: Silicon, argv: Sequence[str], files: Mapping[str, bytes], *, program: str
    ) -> Output:
        """See `Tool.run`."""
        bios = read_bios(silicon, X11, VERSION)
        match [word for word in argv if word != "--overwrite"]:
            case ["-c", "GetCurrentBiosCfg", "--file", file]:
                return Output(stdout=f'{BANNER}File "{file}" is created.\n', files={file: build_file(bios)})
            case ["-c", "ChangeBiosCfg", "--file", file]:
                done = _change(bios, files.get(file), silicon.is_misbehaving("fail-half", program, argv))
                silicon.state.setdefault(KEY, {})["waits"] = bool(bios["pending"])
                return done
        return Output(code=36, stdout=BANNER + FAILED.format(message="Invalid command."))

    def on_boot(self, silicon: Silicon) -> None:
        """BIOS settings that wait take effect."""
        if silicon.state.get(KEY, {}).pop("waits", False):  # else the pending settings are another vendor's
            start_bios(silicon)


def build_file(bios: Mapping[str, Any]) -> str:
    """The XML of all settings as they are now."""
    root = ElementTree.Element("BiosCfg")
    for name, attribute in X11.items():
        menu = root
        for step in attribute.group.split("/"):
            found = next((child for child in menu.findall("Menu") if child.get("name") == step), None)
            menu = ElementTree.SubElement(menu, "Menu", name=step) if found is None else found
        value = str(bios["attributes"][name])
        numeric = attribute.lower is not None
        words = {"numericValue": value, "type": "Numeric"}
        element = ElementTree.SubElement(
            menu,
            "Setting",
            {"name": name, **(words if numeric else {"selectedOption": value, "type": "Option"})},
        )
        information = ElementTree.SubElement(element, "Information")
        options = ElementTree.SubElement(information, "AvailableOptions") if not numeric else None
        for code, word in enumerate(attribute.allowed):
            if options is not None:
                ElementTree.SubElement(options, "Option", value=str(code)).text = word
        if numeric:
            ElementTree.SubElement(information, "MaxValue").text = str(attribute.upper)
            ElementTree.SubElement(information, "MinValue").text = str(attribute.lower)
        if attribute.unless is not None:
            other, word = attribute.unless
            code = X11[other].allowed.index(word)
            ElementTree.SubElement(information, "WorkIf").text = f"  {code} == {other}  "
    return ElementTree.tostring(root, encoding="unicode")


def _change(bios: dict[str, Any], content: bytes | None, half: bool) -> Output:
    try:
        root = ElementTree.fromstring(content or b"")
    except ElementTree.ParseError:
        return Output(code=59, stdout=BANNER + FAILED.format(message="The file is not well-formed."))
    wanted: dict[str, Any] = {}
    for element in root.iter("Setting"):
        number = element.get("numericValue")
        wanted[element.get("name", "")] = int(number) if number else element.get("selectedOption")
    for name, value in wanted.items():
        if find_fault(bios, X11, name, value, wanted) is not None:
            message = f"The value '{value}' of the setting '{name}' cannot be applied."
            return Output(code=59, stdout=BANNER + FAILED.format(message=message))
    kept = dict(list(wanted.items())[: len(wanted) // 2]) if half else wanted
    bios["pending"] |= kept
    if half:
        return Output(code=153, stdout=BANNER + FAILED.format(message="The connection to the BIOS was lost."))
    return Output(stdout=BANNER + DONE)
