"""A runner that runs nothing but what is known to change nothing: for captures, which are taken at any time, also of
machines in use. A command is known as a whole, with each of its words: what is not in the table is not run, and told.
"""

import re
from collections.abc import Sequence
from functools import cache
from os import PathLike
from typing import Unpack

from bootos.process import SCRATCH, Command, Completed, Options, Runner, ToolError

# What stands for a word that differs. None of them begins with a dash, so that it cannot be taken for an option.
_PLACES = {
    "ALIAS": r"[a-z][\w:*.-]*",  # of a kernel module: pci:v00001000d...
    "CARD": r"/c(?:\d+|all)",
    "COLUMNS": r"[A-Za-z][\w,:%-]*",
    "DEVICE": r"/dev/[^\0]+",
    "DEVICES": r"/dev/[^\0]+(?:\0/dev/[^\0]+)*",
    "FILE": rf"(?:/[^\0/]+)*/{re.escape(SCRATCH)}/current\.xml",
    "GROUP": r"BIOS(?:\.\w+)?",
    "LINK": r"[^\0-][^\0]*",  # a network interface
    "NUMBER": r"\d+",
    "NSID": r"\d+|0x[0-9a-f]+",
    "PART": r"/c(?:\d+|all)(?:/vall|/sall|/eall/sall|/fall)?",
    "PATH": r"/redfish/[^\0]*",
}
_IPMI = (
    "mc info", "channel info NUMBER", "channel getaccess NUMBER NUMBER", "lan print NUMBER", "-c user list NUMBER",
    "sel info", "sel list last 5", "sol info NUMBER", "chassis bootparam get 5",
)  # fmt: skip
_LVM = (
    "--reportformat json --units b --nosuffix -o COLUMNS",
    "--reportformat json --units b --nosuffix --segments -o COLUMNS",
)
_REDFISH = ("--nologo rawget PATH --silent",)
_JSON = "--output-format=json"

# What the readers and drivers ask, by the program's name: each command whole.
_READS: dict[str, tuple[str, ...]] = {
    "arcconf": ("GETVERSION", "GETCONFIG NUMBER AL", "GETSTATUS NUMBER"),
    "blkid": ("--probe --output export --offset NUMBER --size NUMBER DEVICE",),
    "ethtool": ("-i LINK", "-P LINK"),
    "firmware-versions": ("",),  # a program of one's own that prints versions
    "fwupdtool": ("get-devices --json",),
    "hdparm": ("-I DEVICE", "--sanitize-status DEVICE"),
    "ilorest": _REDFISH,
    "ip": ("-j -d addr show",),
    "ipmitool": _IPMI,
    "lsblk": ("-J -b -o COLUMNS", "-J -b -o COLUMNS DEVICE"),
    "lvs": _LVM,
    "mdadm": (
        "--examine DEVICES", "--examine --export DEVICE", "--detail --export DEVICE", "--detail-platform",
    ),
    "modprobe": ("--resolve-alias ALIAS",),
    "mvcli": ("info -o hba", "info -o vd", "info -o pd"),
    "networkctl": ("lldp --json=short --no-pager",),
    "nvme": (
        f"id-ctrl DEVICE {_JSON}", f"id-ns DEVICE {_JSON}", f"id-ns DEVICE --namespace-id=NSID {_JSON}",
        f"id-ns DEVICE --namespace-id=NSID --force {_JSON}", f"id-ns-granularity DEVICE {_JSON}",
        f"list-ctrl DEVICE --namespace-id=NSID {_JSON}", f"list-ns DEVICE --all {_JSON}",
        f"sanitize-log DEVICE {_JSON}", "smart-log -o json DEVICE",
    ),
    "onecli": ("config show --nolog", "config showvalues --nolog"),
    "pvs": _LVM,
    "racadm": ("get GROUP", "getversion", "jobqueue view"),
    "saa": ("-c GetCurrentBiosCfg --file FILE --overwrite", "-c GetBiosInfo --showall", "-c GetBmcInfo"),
    "sas3ircu": ("LIST", "NUMBER DISPLAY"),
    "sfdisk": ("--json DEVICE",),
    "sg_opcodes": ("DEVICE",),
    "sg_requests": ("--progress DEVICE",),
    "smartctl": (
        "--json=c -H -A DEVICE", "--json=c -H -A -l error DEVICE", "--json=c -H -A -l ssd DEVICE",
        "--json=c -H -A -l error -l ssd DEVICE",
    ),
    "ssacli": ("version", "controller all show config detail"),
    "storcli": ("show J", "PART show all J", "CARD show bootdrive J"),
    "udevadm": ("settle --timeout=NUMBER",),
    "vgs": _LVM,
    "wipefs": ("--json DEVICES",),
}  # fmt: skip
_SAME = {
    "OneCli": "onecli", "hpacucli": "ssacli", "hpssacli": "ssacli", "idracadm7": "racadm", "mnv_cli": "mvcli",
    "perccli": "storcli", "perccli2": "storcli", "perccli64": "storcli", "sas2ircu": "sas3ircu", "storcli2": "storcli",
    "storcli64": "storcli", "sum": "saa",
}  # fmt: skip
_PLACE = re.compile(rf"(?<![A-Z])(?:{'|'.join(_PLACES)})(?![A-Z])")


def is_look(command: Command) -> bool:
    """Whether the command is known to change nothing."""
    name = command.words[0].rpartition("/")[2]
    words = command.words[1:]
    if name == "ipmitool" and words == ("exec", "/dev/stdin"):
        lines = (command.input or "").removesuffix("\n").split("\n")
        return all(_is_known(name, line.split(" ")) for line in lines)
    return command.input is None and _is_known(_SAME.get(name, name), words)


def _is_known(program: str, words: Sequence[str]) -> bool:
    said = "\0".join(words)
    return any(_build_pattern(form).fullmatch(said) for form in _READS.get(program, ()))


@cache
def _build_pattern(form: str) -> re.Pattern[str]:
    """The words of a command, with a NUL byte between them: no word can hold one."""
    text = re.escape(form).replace(r"\ ", r"\x00")
    return re.compile(_PLACE.sub(lambda found: f"(?:{_PLACES[found[0]]})", text), re.ASCII)


class LookRunner:
    """`refused` are the commands that were not run, as a shell would take them."""

    def __init__(self, run: Runner) -> None:
        self._run = run
        self.refused: list[str] = []

    def __call__(self, argv: Sequence[str | PathLike[str]], **options: Unpack[Options]) -> Completed:
        command = Command(argv, **options)
        if is_look(command):
            return self._run(argv, **options)
        if command.shown not in self.refused:
            self.refused.append(command.shown)
        message = f"`{command.shown}` is not run for a capture: it is not known to change nothing"
        raise ToolError(message, reason="not started")
