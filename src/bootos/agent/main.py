"""`bootos-agent`: the service of the in-memory OS, and the same parts by hand at its shell.

run                     the service: network, hooks, inventory, server, jobs, reboot
status                  what the consoles show: server, words, job
inventory [--json]      what this machine is
state                   what the drivers read, as JSON: to plan elsewhere
capture [FILE]          all that was read, in one file: to be shown, and read again, elsewhere
plan FILE [--json]      what a template would change here; changes nothing
apply FILE              carry a template out here, without a server
"""

import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bootos import __version__
from bootos.agent.host.cmdline import read_cmdline
from bootos.drivers.contract import Machine
from bootos.errors import BootosError, ProblemsError, read_chain
from bootos.wire.inventory import Inventory

if TYPE_CHECKING:
    import argparse

    from urllib3 import PoolManager

    from bootos.engine.run import Run

log = logging.getLogger(__name__)

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def main(argv: Sequence[str] | None = None) -> int:
    """The command's entry: 0 done, 1 failed, 2 wrong usage."""
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        if words == ["run"]:  # at each boot: without argparse the agent starts sooner
            return run_service()
        arguments = build_parser().parse_args(words)
        return int(arguments.handler(arguments))
    except BootosError as error:
        for sentence in read_chain(error):
            print(f"bootos-agent: {sentence}", file=sys.stderr)
        return 1


def build_parser() -> "argparse.ArgumentParser":
    """The command line of `bootos-agent`: each verb has a `handler` that returns the exit status."""
    import argparse

    parser = argparse.ArgumentParser(
        prog="bootos-agent", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verb = verbs.add_parser("run", help="the service")
    verb.set_defaults(handler=lambda _: run_service())
    verb = verbs.add_parser("status", help="what the consoles show", epilog="example: bootos-agent status")
    verb.add_argument("--json", action="store_true", help="as JSON")
    verb.set_defaults(handler=show_status)
    verb = verbs.add_parser(
        "inventory", help="show the hardware", epilog="example: bootos-agent inventory --json"
    )
    verb.add_argument("--json", action="store_true", help="the whole inventory as JSON")
    verb.set_defaults(handler=show_inventory)
    verb = verbs.add_parser(
        "state",
        help="save what the drivers read, to plan elsewhere",
        epilog="example: bootos-agent state > saved.json",
    )
    verb.set_defaults(handler=show_state)
    verb = verbs.add_parser(
        "capture",
        help="write all that was read of this machine into one file",
        epilog="example: bootos-agent capture --anonymous machine.json.gz",
    )
    verb.add_argument(
        "file", type=Path, nargs="?", help="bootos-capture.json.gz without one; - is standard output"
    )
    verb.add_argument(
        "--anonymous", action="store_true", help="replace serial numbers, MACs, addresses, names and the like"
    )
    verb.set_defaults(handler=write_capture)
    for name, handler, words in (
        ("plan", show_plan, "show what a template would change"),
        ("apply", apply_by_hand, "carry a template out on this machine"),
    ):
        verb = verbs.add_parser(name, help=words, epilog=f"example: bootos-agent {name} template.yaml")
        verb.add_argument("file", type=Path, help="template (.yaml, .toml or .json)")
        verb.add_argument("--secrets", type=Path, help="JSON file with the values of the template's secrets")
        verb.add_argument(
            "--set", action="append", default=[], metavar="KEY=VALUE", help="a value for a placeholder"
        )
        verb.add_argument("--json", action="store_true", help="the result as JSON")
        verb.set_defaults(handler=handler)
    return parser


def run_service() -> int:
    """The systemd service."""
    from bootos.agent.console.logfile import LogFile
    from bootos.agent.host.host import Host
    from bootos.agent.sequence import run

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    host = Host(Machine(), BOOT_ID.read_text().strip())
    logging.getLogger("bootos").addHandler(LogFile(host.directory, host.status.redact))
    host.status.set(pid=os.getpid(), version=__version__)
    log.info("agent %s starts", __version__)
    run(host)
    return 1


def collect_here() -> Inventory:
    """This machine's inventory; the kernel command line tells which NIC PXE used."""
    from bootos.hardware.inventory import collect_inventory

    return collect_inventory(pxe_mac=read_cmdline().pxe_mac)


def show_status(arguments: "argparse.Namespace") -> int:
    """`status`: print what the agent's service shows on the consoles. Returns the exit status. Raises BootosError."""
    from bootos.agent.host.host import RUN_DIRECTORY

    print_status(Path("/") / RUN_DIRECTORY, as_json=arguments.json)
    return 0


def print_status(directory: Path, *, as_json: bool) -> None:
    """Print the status that the service left in `directory`. Raises BootosError: there is none."""
    from bootos.agent.console.status import read_view
    from bootos.printable import show_line

    view = read_view(directory)
    if view is None:
        raise BootosError("the agent's service has not started", hint="systemctl status bootos-agent")
    facts = vars(view)
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    for name, value in facts.items():
        text = "; ".join(value) if isinstance(value, list) else value
        if text and not isinstance(text, bool):
            print(f"{name.replace('_', ' '):<11}  {show_line(str(text))}")


def show_inventory(arguments: "argparse.Namespace") -> int:
    """`inventory`: print the hardware, as lines or as JSON. Returns the exit status."""
    inventory = collect_here()
    if arguments.json:
        print(msgspec.json.format(msgspec.json.encode(inventory), indent=2).decode())
        return 0
    from bootos.hardware.describe import build_summary

    rows = build_summary(inventory)
    width = max((len(name) for name, _ in rows), default=0)
    for name, text in rows:
        print(f"{name:<{width}}  {text}")
    return 0


def build_run(arguments: "argparse.Namespace") -> "Run":
    """The given file on this machine."""
    from bootos.engine.byhand import read_given, read_secrets, read_template_file
    from bootos.engine.run import Run
    from bootos.engine.watcher import PrintWatcher

    inventory = collect_here()
    document = read_template_file(arguments.file, inventory, read_given(arguments.set))
    secrets = read_secrets(arguments.secrets)
    machine = Machine(http=find_http())
    return Run(document, machine, inventory, secrets, watcher=PrintWatcher())


def find_http(root: Path = Path("/")) -> "PoolManager | None":
    """The connections by which the service of this boot talks to its server: packages that are the server's are fetched
    over them by hand, too. None: it talks over none that are known by a CA."""
    from bootos.agent.host.host import RUN_DIRECTORY
    from bootos.agent.network.trust import find_connections

    return find_connections(root / RUN_DIRECTORY, read_cmdline(root).server_addr or "")


def show_plan(arguments: "argparse.Namespace") -> int:
    """`plan`: print what a template would change. Returns the exit status. A plan with problems raises ProblemsError,
    or returns 1 with `--json`."""
    from bootos.engine.plan import plan_job
    from bootos.engine.plantext import find_script_titles, format_plan
    from bootos.printable import show_line

    plan = plan_job(build_run(arguments))
    if arguments.json:
        shown = {
            "problems": [msgspec.to_builtins(problem) for problem in plan.problems],
            "actions": [
                {
                    "driver": action.driver,
                    "summary": action.summary,
                    "changes": msgspec.to_builtins(action.changes),
                    "destroys": list(action.destroys),
                    "allowed": action.allowed,
                    "reboot": action.reboot,
                    "estimate_s": action.estimate_s,
                }
                for action in plan.actions
            ],
            "scripts": find_script_titles(plan),
        }
        print(json.dumps(shown, indent=2))
        return 1 if plan.problems else 0
    if plan.problems:
        raise ProblemsError(str(arguments.file), plan.problems)
    for line in format_plan(plan):
        print(show_line(line))
    return 0


def show_state(arguments: "argparse.Namespace") -> int:
    """`state`: print as JSON what the drivers read, for the server to plan on. Returns the exit status."""
    from bootos.engine.savedstate import read_saved

    saved = read_saved(Machine(), collect_here())
    print(msgspec.json.format(msgspec.json.encode(saved), indent=2).decode())
    return 0


def write_capture(arguments: "argparse.Namespace") -> int:
    """`capture`: write a capture of this machine. Returns the exit status. Raises BootosError without root."""
    from bootos.engine.capture.take import take_capture
    from bootos.hardware.capture import pack_capture
    from bootos.printable import show_line

    if os.geteuid() != 0:
        raise BootosError("only root can read all of a machine")
    logging.getLogger("bootos").addHandler(logging.NullHandler())  # the capture tells it
    capture = take_capture(is_anonymous=arguments.anonymous, pxe_mac=read_cmdline().pxe_mac)
    data = pack_capture(capture)
    if arguments.file == Path("-"):
        sys.stdout.buffer.write(data)
        return 0
    file = arguments.file or Path("bootos-capture.json.gz")
    try:
        file.write_bytes(data)
    except OSError as cause:
        raise BootosError(f"{file} cannot be written: {cause.strerror}") from cause
    count = f"{len(capture.files)} files, {len(capture.tools)} outputs of tools"
    print(f"{file}: {len(data)} bytes, {count}; `bootos capture show {file}` shows what is in it")
    for sentence in capture.left_out:
        print(show_line(sentence))
    return 0


def apply_by_hand(arguments: "argparse.Namespace") -> int:
    """`apply`: plan, apply, verify, run the scripts. Returns 0. Raises BootosError without root, or when a reboot
    is needed to go on, and ProblemsError when the plan has problems."""
    from bootos.engine.apply import apply_job
    from bootos.engine.plan import plan_job
    from bootos.engine.script import run_scripts

    if os.geteuid() != 0:
        raise BootosError("only root can configure a machine")
    run = build_run(arguments)
    plan = plan_job(run)
    if plan.problems:
        raise ProblemsError(str(arguments.file), plan.problems)
    if apply_job(run, plan):
        raise BootosError(
            "not done yet: what was set takes effect with a reboot",
            hint="reboot, then give the same command again: it reads again, compares, and goes on",
        )
    if plan.template is not None and plan.template.scripts:
        logging.basicConfig(
            level=logging.INFO, format="%(message)s", stream=sys.stdout
        )  # the output of scripts
        run_scripts(run, timeout_s=read_cmdline().script_timeout_s)
    return 0


if __name__ == "__main__":
    sys.exit(main())
