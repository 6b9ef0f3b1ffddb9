"""A runner that runs nothing but what is known to change nothing: for captures, which are taken at any time, also of
machines in use. What is not in the table is not run, and is told.
"""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Unpack

from bootos.process import Command, Completed, Options, Runner, ToolError

Words = tuple[str, ...]

# Words of the RAID tools that change something; nothing with one of them is run.
_CHANGES = frozenset(
    {
        "add", "assemble", "clear", "create", "del", "delete", "erase", "expand", "fail", "flash", "forced", "import",
        "init", "initialize", "insert", "jbod", "load", "locate", "migrate", "modify", "offline", "online", "patch",
        "reboot", "rebuild", "reenable", "remove", "reset", "resume", "restart", "set", "spinup", "start", "stop",
        "write",
    }
)  # fmt: skip
_IPMI_READS = {
    ("mc", "info"), ("channel", "info"), ("channel", "getaccess"), ("lan", "print"), ("user", "list"), ("sol", "info"),
    ("sel", "info"), ("sel", "list"), ("fru", "print"), ("sdr", "list"),
}  # fmt: skip
_NVME_READS = {
    "id-ctrl", "id-ns", "id-ns-granularity", "list", "list-ctrl", "list-ns", "sanitize-log", "smart-log",
}  # fmt: skip
_SMART_CHANGES = {
    "-t",
    "--test",
    "-s",
    "--smart",
    "-o",
    "--offlineauto",
    "-S",
    "--saveauto",
    "-X",
    "--abort",
    "--set",
}


def _always(words: Words) -> bool:
    return True


def _is_ipmi_read(words: Words) -> bool:
    plain = tuple(word for word in words if word != "-c")
    return plain[:2] in _IPMI_READS or plain == ("chassis", "bootparam", "get", "5")


def _is_show(words: Words) -> bool:
    lower = {word.lower() for word in words}
    return (
        ("show" in lower or words == ("version",))
        and not lower & _CHANGES
        and not any("=" in word for word in lower)
    )


_READS: dict[str, Callable[[Words], bool]] = {
    "arcconf": lambda words: words[:1] in (("GETCONFIG",), ("GETSTATUS",), ("GETVERSION",)),
    "blkid": lambda words: words[:1] == ("--probe",),
    "dmidecode": lambda words: "--dump-bin" not in words,
    "ethtool": lambda words: words[:1] in (("-i",), ("-P",)),
    "fwupdtool": lambda words: words[:1] == ("get-devices",),
    "hdparm": lambda words: words[:1] in (("-I",), ("--sanitize-status",)) and len(words) == 2,
    "ilorest": lambda words: words[:2] == ("--nologo", "rawget"),
    "ip": lambda words: (
        "show" in words and not set(words) & {"set", "add", "replace", "del", "flush", "change"}
    ),
    "ipmitool": _is_ipmi_read,
    "lsblk": _always,
    "lvs": _always,
    "mdadm": lambda words: words[:1] in (("--examine",), ("--detail",), ("--detail-platform",)),
    "modprobe": lambda words: words[:1] == ("--resolve-alias",),
    "mvcli": lambda words: words[:1] == ("info",),
    "networkctl": lambda words: words[:1] in (("lldp",), ("status",), ("list",)),
    "nvme": lambda words: bool(words) and words[0] in _NVME_READS,
    "onecli": lambda words: words[:2] in (("config", "show"), ("config", "showvalues")),
    "pvs": _always,
    "racadm": lambda words: (
        (words[:1] in (("get",), ("getversion",)) or words[:2] == ("jobqueue", "view")) and "-f" not in words
    ),
    "sas3ircu": lambda words: words == ("LIST",) or words[1:] in (("DISPLAY",), ("STATUS",)),
    "saa": lambda words: words[:1] == ("-c",) and words[1:2] != () and words[1].startswith("Get"),
    "sfdisk": lambda words: words[:1] in (("--json",), ("-J",)),
    "sg_opcodes": _always,
    "sg_requests": lambda words: words[:1] == ("--progress",),
    "smartctl": lambda words: words[:1] == ("--json=c",) and not set(words) & _SMART_CHANGES,
    "ssacli": _is_show,
    "storcli": _is_show,
    "udevadm": lambda words: words[:1] == ("settle",),
    "vgs": _always,
    "wipefs": lambda words: (
        words[:1] == ("--json",) and not set(words) & {"--all", "-a", "--force", "-f", "-o"}
    ),
}
_SAME = {
    "OneCli": "onecli", "hpacucli": "ssacli", "hpssacli": "ssacli", "idracadm7": "racadm", "mnv_cli": "mvcli",
    "perccli": "storcli", "perccli2": "storcli", "perccli64": "storcli", "sas2ircu": "sas3ircu", "storcli2": "storcli",
    "storcli64": "storcli", "sum": "saa",
}  # fmt: skip


def is_look(command: Command) -> bool:
    """Whether the command is known to change nothing."""
    name = command.words[0].rpartition("/")[2]
    words = command.words[1:]
    if name == "ipmitool" and words == ("exec", "/dev/stdin"):
        lines = (command.input or "").splitlines()
        return all(_is_ipmi_read(tuple(line.split())) for line in lines if line.strip())
    found = _READS.get(_SAME.get(name, name))
    return found is not None and found(words)


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
