"""From the words of a vendor script to its exit code: read the options, plan, show the plan, carry it out, compare.

Exit codes: 0 done or nothing to do, 1 failed or refused, 2 wrong usage. Everything is printed on standard output, where
the job's log takes it from. Called by `__main__`.
"""

import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import PurePath
from typing import Any

import msgspec

from bootos.agent.vendor_command.bios import BiosScript
from bootos.agent.vendor_command.oob import OobScript
from bootos.agent.vendor_command.option import Given, build_usage, parse_words
from bootos.agent.vendor_command.raid import RaidScript
from bootos.agent.vendor_command.request import Request, VendorScript, name_problem, name_words
from bootos.drivers.contract import Action, Driver, Machine
from bootos.drivers.registry import choose_drivers, load_drivers
from bootos.engine.watcher import Watcher
from bootos.errors import BootosError, Problem, read_chain
from bootos.wire.inventory import Inventory
from bootos.wire.v2 import StepState

SCRIPTS: dict[str, Callable[[], VendorScript]] = {
    "raid.sh": RaidScript,
    "oob.sh": OobScript,
    "bios.sh": BiosScript,
}


class Printer(Watcher):
    """Prints what happens, or keeps it for the one document that `--json` prints at the end. One driver is at work:
    its actions are told, and `end` tells how it went."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.result: dict[str, Any] = {"problems": [], "notes": [], "actions": []}
        self._summaries: dict[str, str] = {}

    def say(self, text: str) -> None:
        """Print one line at once; nothing with `--json`."""
        if not self.as_json:
            print(text, flush=True)

    def show_plan(
        self, script: VendorScript, given: Given, actions: Sequence[Action], notes: Sequence[str]
    ) -> None:
        """Tell the notes and every action: what it changes, what it destroys, and which word allows that."""
        self.result["notes"] = [name_words(note) for note in notes]
        for note in self.result["notes"]:
            self.say(f"note: {note}")
        for action in actions:
            self._summaries[action.id] = action.summary
            word = None
            if action.destroys and action.allowed:
                word = script.name_place(given, action.allowed) or action.allowed
            shown = {"summary": action.summary, "changes": msgspec.to_builtins(action.changes)}
            self.result["actions"].append(shown | {"destroys": list(action.destroys), "allowed": word})
            self.say(f"plan: {action.summary}")
            for change in action.changes:
                self.say(f"      {change.what}: {change.before or '-'} -> {change.after or '-'}")
            for lost in action.destroys:
                self.say(f"      DESTROYS {lost}" + (f" (allowed by {word})" if word else ""))

    def show_problems(self, problems: Sequence[Problem]) -> None:
        """Tell why nothing is done, all reasons at once."""
        self.result["problems"] = [msgspec.to_builtins(problem) for problem in problems]
        for problem in problems:
            self.say(f"error: {problem}")

    def end(self, outcome: str, text: str, code: int) -> int:
        """Tell the outcome, with `--json` as the one document. Returns `code`, the exit status."""
        self.say(text)
        if self.as_json:
            print(json.dumps({"outcome": outcome, "message": text} | self.result, indent=2))
        return code

    def set_action(self, step_id: str, action_id: str, state: StepState) -> None:
        if state is StepState.RUNNING:
            self.say(f"doing: {self._summaries.get(action_id, action_id)}")


def run_here(path: str, words: list[str] | None) -> int:
    """The command on this machine. `words` None: they could not be read."""
    from bootos.hardware.inventory import collect_inventory

    if words is None:
        print(f"{PurePath(path).name}: error: an argument holds a line break")
        return 2
    level = logging.DEBUG if {"-D", "--debug"} & set(words) else logging.WARNING
    stream = sys.stderr if "--json" in words else sys.stdout
    logging.basicConfig(level=level, format="%(message)s", stream=stream)
    if level > logging.DEBUG:
        logging.getLogger("bootos.engine").setLevel(logging.ERROR)  # the plan has already told what is lost
    return run_command(path, words, Machine(), collect_inventory, is_root=os.geteuid() == 0)


def run_command(
    path: str,
    words: Sequence[str],
    machine: Machine,
    collect: Callable[[], Inventory],
    *,
    drivers: Sequence[Driver] | None = None,
    is_root: bool = True,
) -> int:
    """One call of the script at `path`. `drivers` replaces the installed ones."""
    name = PurePath(path).name
    if name not in SCRIPTS:
        print(f"{name}: error: is none of {', '.join(SCRIPTS)}")
        return 2
    script = SCRIPTS[name]()
    given, problems = parse_words(script.options, words)
    if "help" in given and not problems:
        print(build_usage(name, script.summary, script.options, script.examples))
        return 0
    problems = problems or script.check(given)
    if problems:
        for problem in problems:
            print(f"{name}: error: {problem}")
        print(f"{name}: `{path} -h` shows the options")
        return 2
    printer = Printer("json" in given)
    try:
        if not is_root:
            raise BootosError("only root can configure a machine")
        return carry_out(script, given, machine, collect(), drivers or load_drivers(), printer)
    except BootosError as error:
        text = "\n  because: ".join(read_chain(error))
        return printer.end("failed", f"{name}: failed: {text}", 1)


def carry_out(
    script: VendorScript,
    given: Given,
    machine: Machine,
    inventory: Inventory,
    drivers: Sequence[Driver],
    printer: Printer,
) -> int:
    """Plan, show, apply, compare. Raises BootosError."""
    from bootos.engine.apply import apply_job
    from bootos.engine.plan import plan_job
    from bootos.engine.run import Run

    request: Request = script.build(given, machine, inventory, drivers)
    choose = partial(choose_drivers, drivers=drivers)
    run = Run(request.document, machine, inventory, request.secrets, watcher=printer, choose=choose)
    plan = plan_job(run)
    notes = [*request.notes, *plan.notes]
    printer.show_plan(script, given, plan.actions, notes)
    later = script.defer(given, plan.problems)
    if later:
        script.finish(given, machine)
        return printer.end("deferred", f"{script.name}: nothing was changed: {later}", 0)
    if plan.problems:
        printer.show_problems([name_problem(script, given, problem) for problem in plan.problems])
        return printer.end("refused", f"{script.name}: refused; nothing was changed", 1)
    if not plan.actions:
        script.finish(given, machine)
        return printer.end("unchanged", f"{script.name}: nothing to do: the machine is as wanted", 0)
    if "plan" in given:
        return printer.end("planned", f"{script.name}: planned only; nothing was changed", 0)
    waiting = apply_job(run, plan)
    script.finish(given, machine)
    if waiting:
        what = "; ".join(action.summary for action in waiting)
        return printer.end("done", f"{script.name}: done; takes effect with the next reboot: {what}", 0)
    return printer.end("done", f"{script.name}: done; read again and compared: as wanted", 0)
