"""Script groups of a template, as Cloudboot's templates have them: bash, in order, the exit code decides."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from bootos.agent.engine import Cancelled, StepFailed, Watcher
from bootos.process import Runner
from bootos.template.model import ScriptGroup
from bootos.wire.v2 import StepState

log = logging.getLogger(__name__)

SCRIPT_TIMEOUT_S = 4 * 3600.0


class ScriptWatcher(Watcher, Protocol):
    """A watcher that can be told of a new step."""

    def add_step(self, id: str, title: str) -> None: ...


def run_scripts(
    groups: Sequence[ScriptGroup],
    run: Runner,
    directory: Path,
    secrets: dict[str, str],
    watcher: ScriptWatcher,
) -> None:
    """Run every script; output goes to the log as it comes. Raises StepFailed at the first non-zero exit code."""
    directory.mkdir(parents=True, exist_ok=True)
    named = [
        (f"script.{g}.{s}", group, script)
        for g, group in enumerate(groups)
        for s, script in enumerate(group.scripts)
    ]
    for id, group, script in named:
        watcher.add_step(id, f"{group.name} - {script.name}")
    for id, _, script in named:
        if watcher.is_cancelled():
            raise Cancelled(f"cancelled before the script {script.name}")
        watcher.set_step(id, StepState.RUNNING)
        file = directory / f"{id}.sh"
        file.write_text(script.script.replace("\r\n", "\n"))
        file.chmod(0o700)
        done = run(
            ["/bin/bash", str(file)],
            timeout_s=SCRIPT_TIMEOUT_S,
            check=False,
            secrets=tuple(secrets.values()),
            on_line=lambda line: log.info("%s", line),
        )
        if done.returncode != 0:
            message = f"the script {script.name} ended with exit code {done.returncode}"
            watcher.set_step(id, StepState.FAILED, message=message)
            raise StepFailed(message, hint="its output is in the job's log")
        watcher.set_step(id, StepState.DONE)
