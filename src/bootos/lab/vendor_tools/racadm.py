"""Stand-in for Dell's racadm: `get`, `set`, `jobqueue` and `clearpending` of BIOS settings.

What is set is pending; a job at the next start applies it, and without a job it stays pending. Outputs follow
published ones (tests/golden/README.md).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bootos.lab.vendor_tools.bios import DELL, find_fault, is_read_only, read_bios, start_bios
from bootos.lab.vendor_tools.firmware_package import read_version
from bootos.lab.vendor_tools.silicon import Output, Silicon

KEY = "racadm"
TARGET = "BIOS.Setup.1-1"
VERSION = "1.2.4"
LINE = "-" * 25
UNSUPPORTED = "ERROR: RAC917 : The specified object value is not valid.\n"
FAULTS = {
    "unknown": (2, "ERROR: The specified object is invalid.\n"),
    "read-only": (1, "ERROR: RAC1027 : The object is read-only and cannot be set.\n"),
    "value": (1, UNSUPPORTED),
}


class Racadm:
    """The stand-in of Dell's `racadm`, for BIOS settings and their jobs."""

    names: tuple[str, ...] = ("racadm",)

    def run(
        self, silicon: Silicon, argv: Sequence[str], files: Mapping[str, bytes], *, program: str
    ) -> Output:
        """See `Tool.run`."""
        bios = read_bios(silicon, DELL, VERSION)
        jobs: list[dict[str, Any]] = silicon.state.setdefault(KEY, {}).setdefault("jobs", [])
        match list(argv):
            case ["getversion"]:
                lines = (("Bios Version", bios["version"]), ("iDRAC Version", read_version(silicon, "bmc")))
                return Output(stdout="".join(f" {name:<25}= {version}\n" for name, version in lines))
            case ["get", "BIOS"]:
                groups = dict.fromkeys(attribute.group for attribute in DELL.values())
                return Output(stdout="".join(f"BIOS.{group}\n" for group in groups))
            case ["get", place] if place.startswith("BIOS."):
                return _get(bios, place)
            case ["set", place, value] if place.startswith("BIOS."):
                half = silicon.is_misbehaving("fail-half", program, argv)
                return _set(bios, jobs, place, value, half)
            case ["jobqueue", "view"]:
                return Output(stdout=_show_jobs(jobs))
            case ["jobqueue", "create", place, *_] if place == TARGET:
                return _create_job(bios, jobs)
            case ["jobqueue", "delete", "-i", job]:
                silicon.state[KEY]["jobs"] = [known for known in jobs if known["id"] != job]
                bios["pending"] = {}
                return Output(stdout="RAC1032: JOB_ID(s) successfully deleted.\n")
            case ["clearpending", place] if place == TARGET:
                bios["pending"] = {}
                return Output(stdout="Attributes in pending state are cleared.\n")
        return Output(code=2, stderr="ERROR: Invalid subcommand specified.\n")

    def on_boot(self, silicon: Silicon) -> None:
        """BIOS settings that wait take effect, and their jobs are completed."""
        jobs = silicon.state.get(KEY, {}).get("jobs", [])
        waiting = [job for job in jobs if job["status"] == "Scheduled"]
        if waiting:
            start_bios(silicon)
        for job in waiting:
            job["status"] = "Completed"


def _get(bios: dict[str, Any], place: str) -> Output:
    group, _, name = place.removeprefix("BIOS.").partition(".")
    found = {key: item for key, item in DELL.items() if item.group.lower() == group.lower()}
    if name:
        found = {key: item for key, item in found.items() if key.lower() == name.lower()}
    if not found:
        return Output(code=2, stderr="ERROR: The specified object is invalid.\n")
    text = f"[Key={TARGET}#{next(iter(found.values())).group}]\n"
    for key, attribute in found.items():
        value, pending = bios["attributes"][key], bios["pending"].get(key)
        mark = "#" if is_read_only(bios, attribute, {}) else ""
        wait = f" (Pending Value={pending})" if pending is not None else ""
        text += f"{mark}{key}={value}{wait}\n"
    return Output(stdout=text)


def _set(bios: dict[str, Any], jobs: list[dict[str, Any]], place: str, value: str, half: bool) -> Output:
    group, _, name = place.removeprefix("BIOS.").partition(".")
    attribute = DELL.get(name)
    fault = find_fault(bios, DELL, name, value, {})
    if attribute is None or attribute.group.lower() != group.lower():
        fault = "unknown"
    if fault is not None:
        code, text = FAULTS[fault]
        return Output(code=code, stderr=text)
    if any(job["status"] == "Scheduled" for job in jobs):
        text = "ERROR: RAC1042: Unable to complete the operation because a configuration job is already scheduled.\n"
        return Output(code=1, stderr=text)
    bios["pending"][name] = int(value) if attribute is not None and attribute.lower is not None else value
    if half:  # the value is pending, and the tool says that it failed
        return Output(code=1, stderr="ERROR: Unable to connect to the iDRAC at this time.\n")
    said = "RAC1017: Successfully modified the object value and the change is in \n         pending state.\n"
    return Output(stdout=f"[Key={TARGET}#{group}]\n{said}")


def _create_job(bios: dict[str, Any], jobs: list[dict[str, Any]]) -> Output:
    if not bios["pending"]:
        return Output(
            code=1, stderr="ERROR: RAC1046: There are no pending configuration changes for the target.\n"
        )
    name = f"JID_{600000000001 + len(jobs)}"
    jobs.append({"id": name, "status": "Scheduled"})
    said = "RAC1024: Successfully scheduled a job.\n"
    said += f'Verify the job status using "racadm jobqueue view -i {name}" command.\nCommit JID = {name}\n'
    return Output(stdout=said)


def _show_jobs(jobs: Sequence[Mapping[str, Any]]) -> str:
    text = f"{LINE}JOB QUEUE{LINE}\n"
    for job in jobs:
        done = job["status"] == "Completed"
        message = "PR19: Job completed successfully." if done else "JCP001: Task successfully scheduled."
        text += (
            f"[Job ID={job['id']}]\nJob Name=Configure: {TARGET}\nStatus={job['status']}\nStart Time=[Now]\n"
            f"Expiration Time=[Not Applicable]\nMessage=[{message}]\n"
            f"Percent Complete=[{100 if done else 0}]\n{'-' * 58}\n"
        )
    return text
