"""`bios.racadm`: BIOS settings of Dell PowerEdge servers by racadm (iDRAC 7 and later), on the machine itself.

Settings are staged one by one and carried out by one configuration job at the next start. When one is refused, all that
were staged are cleared, so that no half of a template waits for the next reboot.
RACADM command line reference: get, set, jobqueue, clearpending.
"""

import re
from collections.abc import Sequence

from bootos.drivers.bios.setting import SetDetail, Setting, is_secret
from bootos.drivers.bios.vendor_tool import VendorTool, quote_output
from bootos.drivers.contract import DriverError, Machine
from bootos.process import Completed

TARGET = "BIOS.Setup.1-1"
TIMEOUT_S = 120.0
LINE = re.compile(r"^(?P<read_only>#)?(?P<name>[A-Za-z][\w-]*)=(?P<value>.*)$")
PENDING = re.compile(r"^(?P<value>.*?)\(Pending Value=(?P<pending>.*)\)$", re.IGNORECASE)
GROUP = re.compile(r"^\s*BIOS\.(?P<group>\w+)\b", re.IGNORECASE)
TAKEN = ("RAC1017", "successfully modified", "modified successfully")
SCHEDULED = ("RAC1024", "Successfully scheduled a job")


class RacadmDriver(VendorTool):
    name = "bios.racadm"
    title = "BIOS settings (Dell racadm)"
    vendors = ("dell",)
    programs = ("racadm", "idracadm7")

    def read_settings(self, machine: Machine, program: str) -> list[Setting]:
        groups = parse_groups(_run(machine, [program, "get", "BIOS"], "list the groups of settings").stdout)
        settings: list[Setting] = []
        for group in groups:
            command = [program, "get", f"BIOS.{group}"]
            settings += parse_group(_run(machine, command, f"read the group {group}").stdout, group)
        return settings

    def set_settings(
        self, machine: Machine, program: str, details: Sequence[SetDetail], password: str
    ) -> None:
        job = find_bios_job(_run(machine, [program, "jobqueue", "view"], "read the job queue").stdout)
        new = [detail for detail in details if not detail.staged]
        if job and new:
            names = ", ".join(detail.name for detail in new)
            raise DriverError(
                f"{names} cannot be set: the job {job} already waits to change BIOS settings",
                hint=f"restart the machine to let it run, or: {program} jobqueue delete -i {job}",
            )
        for detail in new:
            try:
                self._set(machine, program, detail)
            except DriverError:
                machine.run([program, "clearpending", TARGET], timeout_s=TIMEOUT_S, check=False)
                raise
        if not job:
            names = ", ".join(detail.name for detail in details)
            command = [program, "jobqueue", "create", TARGET, "-r", "none", "-s", "TIME_NOW"]
            done = _run(machine, command, f"schedule the job for {names}")
            if not _has(done, SCHEDULED):
                raise DriverError(
                    f"racadm did not schedule the job for {names}; it said: {quote_output(done)}"
                )

    def _set(self, machine: Machine, program: str, detail: SetDetail) -> None:
        command = [program, "set", f"BIOS.{detail.place}.{detail.name}", str(detail.value)]
        done = _run(machine, command, f"set {detail.name} to {detail.value}")
        if not _has(done, TAKEN):
            raise DriverError(
                f"racadm did not take {detail.name} = {detail.value}; it said: {quote_output(done)}"
            )


def parse_groups(text: str) -> list[str]:
    """The groups of `racadm get BIOS`."""
    found = [match["group"] for match in map(GROUP.match, text.splitlines()) if match]
    return list(dict.fromkeys(found))


def parse_group(text: str, group: str) -> list[Setting]:
    """The settings of `racadm get BIOS.GROUP`. `#` marks what cannot be set at the moment."""
    settings = []
    for line in text.splitlines():
        match = LINE.match(line.strip())
        if match is None or match["name"] == "Key" or is_secret(match["name"]):
            continue
        value, pending = match["value"].strip(), None
        waiting = PENDING.match(value)
        if waiting is not None:
            value, pending = waiting["value"].strip(), waiting["pending"].strip()
        settings.append(
            Setting(
                name=match["name"],
                current=value,
                pending=pending if pending != value else None,
                read_only=match["read_only"] is not None,
                place=group,
            )
        )
    return settings


def find_bios_job(text: str) -> str | None:
    """The job that waits to change BIOS settings, in `racadm jobqueue view`."""
    for block in re.split(r"(?=\[Job ID=)", text):
        job = re.match(r"\[Job ID=(JID_\w+)\]", block)
        status = re.search(r"^[ \t]*Status=(.*)$", block, re.MULTILINE)
        if (
            job
            and status
            and TARGET in block
            and status[1].strip() in ("Scheduled", "New", "Scheduling", "Running")
        ):
            return job[1]
    return None


def _run(machine: Machine, command: Sequence[str], purpose: str) -> Completed:
    done = machine.run(command, timeout_s=TIMEOUT_S, check=False)
    if done.returncode != 0 or re.search(r"^[ \t]*ERROR\b", done.stdout + done.stderr, re.MULTILINE):
        raise DriverError(f"racadm failed to {purpose} (exit code {done.returncode}): {quote_output(done)}")
    return done


def _has(completed: Completed, words: Sequence[str]) -> bool:
    text = f"{completed.stdout} {completed.stderr}"
    return any(word in text for word in words)
