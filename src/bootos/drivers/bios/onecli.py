"""`bios.onecli`: UEFI settings of Lenovo servers by XClarity Essentials OneCLI, on the machine itself.

`config show` and `config showvalues` print one `GROUP.NAME=...` a line, `config batch` sets a file of them. OneCLI
shows what is stored, which is what the next start uses: it cannot tell present from pending, so the machine's state
after the reboot is what counts. OneCLI user guide: config; the forms of values are those of its predecessor ASU.
"""

import re
from collections.abc import Sequence

from bootos.drivers.bios.setting import SetDetail, Setting, is_secret
from bootos.drivers.bios.vendor_tool import VendorTool, make_scratch, quote_output
from bootos.drivers.contract import DriverError, Machine
from bootos.process import Completed

TIMEOUT_S = 600.0  # it reads through the BMC, one setting after the other
LINE = re.compile(r"^(?P<name>[A-Za-z][\w-]*(?:\.[\w-]+)+)=(?P<value>.*)$")
NOT_BIOS = ("IMM.", "BMC.", "SYSTEM_PROD_DATA.", "VPD.")  # the BMC's own settings, the machine's identity
ALSO_BIOS = ("IMM.PowerRestorePolicy",)  # what other makers have in the BIOS (search id 10272307269)
FAILED = re.compile(r"\b(fail(ed|ure)?|error|invalid|not found)\b", re.IGNORECASE)


class OnecliDriver(VendorTool):
    name = "bios.onecli"
    title = "UEFI settings (Lenovo OneCLI)"
    vendors = ("lenovo",)
    programs = ("onecli", "OneCli")

    def read_settings(self, machine: Machine, program: str) -> list[Setting]:
        shown = self._run(machine, [program, "config", "show", "--nolog"], "read the settings")
        values = self._run(machine, [program, "config", "showvalues", "--nolog"], "read what is allowed")
        return parse_settings(shown.stdout, values.stdout)

    def set_settings(
        self, machine: Machine, program: str, details: Sequence[SetDetail], password: str
    ) -> None:
        file = make_scratch(machine, "onecli.batch")
        file.write_text("".join(f'set {detail.name} "{detail.value}"\n' for detail in details))
        names = ", ".join(f"{detail.name} = {detail.value}" for detail in details)
        done = self._run(
            machine, [program, "config", "batch", "--file", str(file), "--nolog"], f"set {names}"
        )
        wrong = [
            f"{detail.name}: {line}"
            for detail in details
            for line in done.stdout.splitlines()
            if detail.name in line and FAILED.search(line.replace(detail.name, ""))
        ]
        if wrong:
            raise DriverError(f"OneCLI did not take {'; '.join(wrong)}")

    def _run(self, machine: Machine, command: Sequence[str], purpose: str) -> Completed:
        done = machine.run(command, timeout_s=TIMEOUT_S, check=False)
        if done.returncode != 0:
            raise DriverError(
                f"OneCLI failed to {purpose} (exit code {done.returncode}): {quote_output(done)}"
            )
        return done


def parse_settings(shown: str, values: str) -> list[Setting]:
    """`config show` with what `config showvalues` says of each."""
    described = dict(_read_lines(values))
    settings = []
    for name, current in _read_lines(shown):
        if (name.startswith(NOT_BIOS) and name not in ALSO_BIOS) or is_secret(name):
            continue
        settings.append(parse_value(name, current, described.get(name, "")))
    return settings


def parse_value(name: str, current: str, description: str) -> Setting:
    """`<Enable>=Disable`: what is allowed, the default in `<>`. `numeric min=0 max=7 step=1 default=0`: a number."""
    if description.startswith("numeric"):
        numbers = {
            key: int(value) for key, value in re.findall(r"(min|max|step|default)=(-?\d+)", description)
        }
        whole = int(current) if current.lstrip("-").isdigit() else None
        return Setting(
            name=name,
            type="integer",
            current=current if whole is None else whole,
            minimum=numbers.get("min"),
            maximum=numbers.get("max"),
            step=numbers.get("step"),
            default=numbers.get("default"),
        )
    if description.startswith("string") or not description:
        limit = re.search(r"maxchars=(\d+)", description)
        return Setting(name=name, current=current, maximum=int(limit[1]) if limit else None)
    words = [word.strip() for word in description.split("=") if word.strip()]
    default = next((word[1:-1] for word in words if word.startswith("<") and word.endswith(">")), None)
    allowed = tuple(word[1:-1] if word.startswith("<") and word.endswith(">") else word for word in words)
    return Setting(name=name, type="enum", current=current, allowed=allowed, default=default)


def _read_lines(text: str) -> list[tuple[str, str]]:
    matches = (LINE.match(line.strip()) for line in text.splitlines())
    return [(match["name"], match["value"].strip()) for match in matches if match]
