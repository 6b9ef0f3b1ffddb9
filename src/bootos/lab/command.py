"""The verbs of `bootos lab`: check the host, run a machine and watch its console. Prints; the work is elsewhere."""

import math
import re
import sys
import threading
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
import typer
from rich.text import Text

from bootos.errors import BootosError
from bootos.lab.accelerator import AcceleratorChoice, LabHost
from bootos.lab.loopback import HOST_ADDRESS
from bootos.lab.machine import Machine
from bootos.lab.netboot import build_default_menu, build_tftp_root
from bootos.lab.option import build_spec
from bootos.lab.preflight import Part, find_missing_packages, find_requirements
from bootos.lab.scenario import Scenario
from bootos.lab.serial import SerialLine
from bootos.lab.spec import (
    MachineSpec,
    boot_image,
    check_spec,
    read_spec,
)
from bootos.screen import Screen, build_table, print_json
from bootos.waiting import find_within

app = typer.Typer(help="Virtual bare-metal machines.", no_args_is_help=True)

CONSOLES = "console=tty0 console=ttyS0,115200 selinux=0 biosdevname=0"


@app.callback()
def lab() -> None:
    """Virtual bare-metal machines: PXE, disks, network cards and a BMC, to try a template before it touches steel."""


@app.command()
def check(
    image: Annotated[
        Path, typer.Option(metavar="DIR", help="The directory with the image's vmlinuz.")
    ] = Path("build/image"),
    json: Annotated[
        bool, typer.Option("--json", help="Print the findings as JSON, and nothing else.")
    ] = False,
) -> None:
    """Say what the lab needs, where it is, and how to install what is missing; what kvm was tried with, and what came
    of it.

    Exit code 1 when something is missing. What was tried once on this host is remembered; remove the file that is named
    to have it tried again.

    Example: bootos lab check
    """
    findings = find_requirements()
    missing = find_missing_packages(findings)
    has_qemu = any(finding.path and finding.requirement.part == "machine" for finding in findings)
    choice = LabHost().judge(image / "vmlinuz") if has_qemu else None
    if json:
        facts = {
            "ok": not missing,
            "accelerator": choice.accelerator if choice is not None else "",
            "reason": choice.reason if choice is not None else "",
            "trials": msgspec.to_builtins(choice.trials) if choice is not None else [],
            "memory": choice.memory if choice is not None else "",
            "missing_packages": missing,
            "requirements": [
                {**msgspec.to_builtins(finding.requirement), "path": finding.path} for finding in findings
            ],
        }
        print_json(facts)
    else:
        table = build_table("needed for", "what", "found")
        for finding in findings:
            package = Text.assemble(("missing", "bold red"), f", package {finding.requirement.package}")
            is_named = finding.path == finding.requirement.name  # a file that is known by its path
            place = "there" if is_named else finding.path or package
            table.add_row(finding.requirement.part, finding.requirement.name, place)
        screen = Screen()
        screen.print(table)
        _print_choice(screen, choice)
        if missing:
            screen.print(
                f"install: apt-get install --no-install-recommends {' '.join(missing)}", soft_wrap=True
            )
    if missing:
        raise typer.Exit(1)


def _print_choice(screen: Screen, choice: AcceleratorChoice | None) -> None:
    if choice is None:
        screen.print("accelerator: unknown without QEMU")
        return
    if choice.trials:
        table = build_table("tried with kvm", "seconds", "came of it")
        for trial in choice.trials:
            table.add_row(
                trial.name, f"{trial.seconds:g}", "ran" if trial.ok else Text(trial.words, style="red")
            )
        screen.print(table)
        screen.print(f"remembered in {choice.memory}", soft_wrap=True)
    screen.print(f"accelerator: {choice.accelerator} ({choice.reason})", soft_wrap=True)


@app.command()
def run(
    spec: Annotated[
        Path | None, typer.Argument(metavar="SPEC", help="A machine in TOML, YAML or JSON (docs/lab.md).")
    ] = None,
    memory: Annotated[str, typer.Option(metavar="SIZE", help="Memory without SPEC.")] = "1G",
    cpus: Annotated[int, typer.Option(metavar="N", help="CPUs without SPEC.")] = 1,
    disk: Annotated[
        list[str] | None,
        typer.Option(metavar="BUS:SIZE", help="A disk without SPEC, as virtio:2G. May be repeated."),
    ] = None,
    nic: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL",
            help="A card without SPEC: MODEL[:boot][:isolated]. May be repeated; the first boots.",
        ),
    ] = None,
    bmc: Annotated[bool, typer.Option("--bmc", help="Give the machine a BMC.")] = False,
    image: Annotated[
        Path, typer.Option(metavar="DIR", help="The directory with vmlinuz and initrd.img.")
    ] = Path("build/image"),
    server: Annotated[
        str,
        typer.Option(
            metavar="URL", help="A running server's URL on this host. Without it, one is started for the run."
        ),
    ] = "",
    kernel_only: Annotated[
        bool, typer.Option("--kernel-only", help="Start the image's kernel directly: no PXE, no server.")
    ] = False,
    append: Annotated[
        str, typer.Option(metavar="WORDS", help="More words for the kernel's command line.")
    ] = "",
    directory: Annotated[Path, typer.Option(metavar="DIR", help="Where disks and logs go.")] = Path(
        "build/lab"
    ),
    keep: Annotated[bool, typer.Option("--keep", help="Use the disks of the last run again.")] = False,
    until: Annotated[
        str, typer.Option(metavar="REGEX", help="End with success when a console line matches this.")
    ] = "",
    timeout: Annotated[
        float, typer.Option(metavar="S", help="End with failure after so many seconds; 0 is never.")
    ] = 0.0,
    json: Annotated[
        bool, typer.Option("--json", help="Print a summary as JSON; the console goes to stderr.")
    ] = False,
) -> None:
    """Power on a machine and show its console, each line with the seconds since power-on.

    What is typed goes to the machine's console. Ctrl-C powers it off. It ends by itself when the machine powers off.

    Example: bootos lab run --disk virtio:2G --disk nvme:4G --nic e1000e --bmc
    """
    try:
        re.compile(until)
    except re.error as cause:
        raise typer.BadParameter(
            f"{until!r} is no regular expression: {cause}", param_hint="--until"
        ) from cause
    if spec is not None:
        machine_spec = read_spec(spec)
    else:
        machine_spec = build_spec(memory=memory, cpus=cpus, disks=disk or [], nics=nic or [], bmc=bmc)
    if kernel_only:
        machine_spec = _boot_kernel(machine_spec, image, append)
    check_spec(machine_spec)
    needs: list[Part] = ["machine", "pxe"]
    needs += ["bmc"] if machine_spec.bmc else []
    needs += ["uefi"] if machine_spec.firmware != "bios" else []
    screen = Screen(stderr=json, soft_wrap=True)
    with Scenario(directory, keep=keep, needs=needs) as scenario:
        if machine_spec.silicon is not None:
            if server:
                raise BootosError(
                    "a running server cannot lay stand-ins into its image", hint="leave --server out"
                )
            image = scenario.build_boot_files(image, machine_spec)
            append = f"{append} {scenario.silicon_word}".strip()
            machine_spec = _boot_kernel(machine_spec, image, append) if kernel_only else machine_spec
        tftp_root = None
        if not kernel_only:
            tftp_root = _prepare_netboot(scenario, screen, image=image, server=server, append=append)

        def show(line: SerialLine) -> None:
            screen.print(f"{line.at_s:9.3f}  {line.text}")

        machine = scenario.add_machine(machine_spec, tftp_root=tftp_root, on_line=show)
        if machine.bmc is not None:
            login = f"-I lanplus -H 127.0.0.1 -p {machine.bmc.lan_port} -C 3 -U {machine.bmc.spec.user}"
            screen.print(f"BMC: ipmitool {login} -P {machine.bmc.spec.password} mc info")
        if machine.redfish is not None and machine_spec.redfish is not None:
            login = f"-k -u {machine_spec.redfish.user}:{machine_spec.redfish.password}"
            url = f"{machine.redfish.scheme}://127.0.0.1:{machine.redfish.port}/redfish/v1/"
            screen.print(f"Redfish: curl {login} {url}", soft_wrap=True)
        machine.power_on()
        screen.print(f"{machine_spec.name}: on, {machine.accelerator}; logs and disks in {machine.directory}")
        ended = _watch(machine, until=until, timeout_s=timeout)
        summary = _summarize(machine, ended)
    if json:
        print_json(summary)
    else:
        screen.print(f"{machine_spec.name}: {ended} after {summary['elapsed_s']} s")
    if ended == "failed" and machine.end is not None:
        screen.print(f"{machine_spec.name}: {machine.end.words}")
    if ended in ("timeout", "failed"):
        raise typer.Exit(1)


def _boot_kernel(spec: MachineSpec, image: Path, append: str) -> MachineSpec:
    """The same machine, started with the image's kernel instead of PXE."""
    return msgspec.structs.replace(spec, boot=boot_image(image, append=f"{CONSOLES} {append}".strip()))


def _prepare_netboot(scenario: Scenario, screen: Screen, *, image: Path, server: str, append: str) -> Path:
    """The TFTP directory: of a server started for this run, or one that points at a server that runs already."""
    if not server:
        for name in ("vmlinuz", "initrd.img"):
            if not (image / name).exists():
                raise BootosError(
                    f"{image / name} does not exist", hint="bootos image build, or name --image DIR"
                )
        started = scenario.start_server(boot_files=image, append=append)
        screen.print(f"server: {started.operator_url} (its log: {started.log_path})")
        return started.tftp_root
    url = guest_url(server)
    menu = build_default_menu(f"{url}/bootos", append=f"{CONSOLES} SERVER_ADDR={url} {append}".strip())
    return build_tftp_root(scenario.directory / "tftp", menu)


def guest_url(url: str) -> str:
    """A URL on this host's loopback as a lab machine must write it. Raises BootosError for another host's."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise typer.BadParameter(f"{url!r} is not a URL like http://127.0.0.1:8083")
    if parts.hostname not in ("127.0.0.1", "localhost"):
        return url.rstrip("/")
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{HOST_ADDRESS}{port}{parts.path.rstrip('/')}"


def _watch(machine: Machine, *, until: str, timeout_s: float) -> str:
    """Wait for its end: `matched`, `timeout`, `off` (by itself), `failed` (QEMU or the guest's kernel) or `interrupted`
    (Ctrl-C)."""
    if sys.stdin.isatty():
        threading.Thread(target=_pass_input, args=[machine], name="keyboard", daemon=True).start()

    def find_outcome() -> str:
        # is read before the lines: a machine that is off has written all of its lines
        is_on = machine.is_on()
        if until and machine.serial.has(until):
            return "matched"
        if is_on:
            return ""
        if machine.end is not None and machine.end.kind != "off":
            return "failed"
        return "timeout" if until else "off"

    try:
        return find_within(find_outcome, timeout_s or math.inf, pause_s=0.2) or "timeout"
    except KeyboardInterrupt:
        return "interrupted"


def _pass_input(machine: Machine) -> None:
    for line in sys.stdin:
        try:
            machine.type_text(line)
        except BootosError:
            return


def _summarize(machine: Machine, ended: str) -> dict[str, object]:
    bmc = machine.bmc
    return {
        "machine": machine.spec.name,
        "ended": ended,
        "accelerator": machine.accelerator,
        "elapsed_s": round(machine.elapsed_s(), 3),
        "cpu_s": machine.read_cpu_s(),
        "directory": str(machine.directory),
        "disks": {disk.name: str(machine.disk_path(disk.name)) for disk in machine.spec.disks},
        "bmc": {"lan_port": bmc.lan_port, "settings": bmc.read_lan()} if bmc is not None else None,
    }
