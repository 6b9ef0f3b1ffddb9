"""Script groups of a template, as Cloudboot's templates have them: bash, in order, the exit code decides.

What a script did cannot be read back from the machine: what earlier attempts of the job did with it decides
whether it runs again. Called by the agent's `job`, and by hand.
"""

from pathlib import Path

from bootos.engine.bash import run_script
from bootos.engine.run import Run
from bootos.engine.watcher import Cancelled, StepFailed
from bootos.template.model import Script
from bootos.template.placeholder import fill_secret_words
from bootos.wire.v2 import StepState

DIRECTORY = Path("run/bootos/scripts")
"""Below the machine's root: memory."""


def run_scripts(run: Run, *, timeout_s: float) -> None:
    """Run every script of the template, each for at most `timeout_s`; output goes to the log as it comes. One that an
    earlier attempt of the job ran is not run again.

    Raises StepFailed at the first non-zero exit code, Cancelled.
    """
    groups = run.template.scripts if run.template is not None else []
    directory, watcher, secrets = run.machine.root / DIRECTORY, run.watcher, run.secrets
    named = [
        (f"script.{g}.{s}", group, script)
        for g, group in enumerate(groups)
        for s, script in enumerate(group.scripts)
    ]
    for id, group, script in named:
        watcher.add_step(id, f"{group.name} - {script.name}")
    for id, _, script in named:
        try:
            needed = is_needed(script, run.past.actions.get(id))
        except StepFailed as error:
            watcher.set_step(id, StepState.FAILED, message=str(error))
            raise
        if not needed:
            watcher.set_step(id, StepState.DONE, message="an earlier attempt did it")
            continue
        if watcher.is_cancelled():
            raise Cancelled(f"cancelled before the script {script.name}")
        watcher.begin_step(id)
        if watcher.is_cancelled():
            watcher.set_step(id, StepState.SKIPPED, message="cancelled by the operator")
            raise Cancelled(f"cancelled before the script {script.name}")
        text = fill_secret_words(script.script, secrets)
        outcome = run_script(
            text, directory / f"{id}.sh", run.machine.run, timeout_s, known=tuple(secrets.values())
        )
        if not outcome.ok:
            message = f"the script {script.name} failed: {outcome.status}"
            watcher.set_step(id, StepState.FAILED, message=message)
            raise StepFailed(message, hint="its output is in the job's log")
        watcher.set_step(id, StepState.DONE)


def is_needed(script: Script, before: StepState | None) -> bool:
    """Whether the script is to be run; `before` is how it stood when an earlier attempt ended. Raises StepFailed."""
    if before is StepState.DONE:
        return False
    if before is StepState.RUNNING and not script.repeatable:
        raise StepFailed(
            f"the script {script.name} was running when an earlier attempt was cut off, and what it did cannot be "
            "read back: it was not run again",
            hint="look at the machine and start a new job; a script that may run twice says repeatable: true",
        )
    if before is StepState.FAILED:
        raise StepFailed(
            f"the script {script.name} failed in an earlier attempt", hint="its output is in the job's log"
        )
    return True
