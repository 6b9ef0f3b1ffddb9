"""The state of a job as reports tell it: steps, their actions, and how each ended.

What changes the machine begins only when the server has accepted that it begins: after a cut in any place the
server then knows what may be half done, and what was never begun.
"""

import copy
import logging
import threading
from collections.abc import Sequence
from typing import Any

import msgspec

from bootos.agent.console.status import Status
from bootos.agent.session.reporter import Reporter, now
from bootos.engine.plan import JobPlan, view_action
from bootos.engine.planhash import hash_plan
from bootos.engine.watcher import Watcher
from bootos.errors import Problem
from bootos.wire.v2 import ActionView, HookResult, JobState, ProblemView, StepState, StepView

log = logging.getLogger(__name__)

PATIENCE_S = 5.0  # after so long the status says that the agent waits for the server
ENDED = frozenset({StepState.DONE, StepState.UNCHANGED, StepState.FAILED, StepState.SKIPPED})


class Progress(Watcher):
    """Keeps the steps of one job in order and hands each change to the reporter."""

    def __init__(self, reporter: Reporter, job_id: str, status: Status) -> None:
        self._reporter = reporter
        self._status = status
        self._lock = threading.Lock()
        self._steps: list[StepView] = []
        reporter.begin_job(job_id)

    def add_step(self, id: str, title: str, actions: list[ActionView] | None = None) -> None:
        with self._lock:
            self._steps.append(StepView(id=id, title=title, actions=actions or []))
            self._publish()

    def show_plan(self, plan: JobPlan) -> None:
        """One step for each driver, with what it will do, and the plan's hash."""
        state = self._reporter.state
        hashed = hash_plan([view_action(action) for action in plan.actions])
        self._reporter.update(msgspec.structs.replace(state, plan_hash=hashed))
        for part in plan.drivers:
            self.add_step(
                part.driver.name, part.driver.title, [view_action(item) for item in part.planned.actions]
            )

    def set_step(
        self, id: str, state: StepState, *, message: str = "", actions: list[ActionView] | None = None
    ) -> None:
        with self._lock:
            step = next(item for item in self._steps if item.id == id)
            if step.started_at is None and state is not StepState.PENDING:
                step.started_at = now()
            if state in ENDED:
                step.ended_at = now()
            step.state = state
            step.message = message
            if actions is not None:
                step.actions = actions
            self._publish()

    def begin_step(self, id: str) -> None:
        """The step runs; returns when the server knows it."""
        self.set_step(id, StepState.RUNNING)
        self._wait_until_known(id)

    def set_action(self, step_id: str, action_id: str, state: StepState) -> None:
        """With `running`, returns when the server knows it."""
        self._set_action(step_id, action_id, state)
        if state is StepState.RUNNING:
            self._wait_until_known(action_id)

    def _wait_until_known(self, what: str) -> None:
        if not self._reporter.wait_until_accepted(PATIENCE_S):
            log.warning("waiting for the server to take the report that %s begins", what)
            self._reporter.wait_until_accepted()

    def _set_action(self, step_id: str, action_id: str, state: StepState) -> None:
        with self._lock:
            step = next(item for item in self._steps if item.id == step_id)
            for action in step.actions:
                if action.id == action_id:
                    action.state = state
            self._publish()

    def is_cancelled(self) -> bool:
        return self._reporter.is_cancelled()

    def add_hook(self, result: HookResult) -> None:
        """Report how a hook ended; it replaces what was said of the hook of the same name."""
        with self._lock:
            state = self._reporter.state
            others = [item for item in state.hooks if item.name != result.name]
            self._reporter.update(msgspec.structs.replace(state, hooks=[*others, result]))

    def add_certificate(self, certificate: dict[str, Any]) -> None:
        """Report the certificate of an erasure."""
        with self._lock:
            state = self._reporter.state
            known = [*state.certificates, certificate]
            self._reporter.update(msgspec.structs.replace(state, certificates=known))

    def end(self, state: JobState, message: str = "", *, problems: Sequence[Problem] = ()) -> None:
        """The terminal state; steps that never began are marked as skipped. What still runs where the job did not
        succeed is what it failed at, for a reason that nobody foresaw there: it failed with the message."""
        with self._lock:
            for step in self._steps:
                if step.state is StepState.PENDING:
                    step.state = StepState.SKIPPED
                elif step.state is StepState.RUNNING and state in (JobState.FAILED, JobState.REFUSED):
                    step.state, step.message, step.ended_at = StepState.FAILED, message, now()
                    for action in step.actions:
                        if action.state is StepState.RUNNING:
                            action.state = StepState.FAILED
            views = [ProblemView(path=item.path, message=item.message, hint=item.hint) for item in problems]
            changed = msgspec.structs.replace(
                self._reporter.state, state=state, message=message, problems=views
            )
            self._reporter.update(msgspec.structs.replace(changed, steps=copy.deepcopy(self._steps)))

    def encode(self) -> bytes:
        """The present state as JSON, for the POST hook's RESULT_FILE."""
        return msgspec.json.encode(self._reporter.state)

    def _publish(self) -> None:
        state = self._reporter.state
        self._reporter.update(msgspec.structs.replace(state, steps=copy.deepcopy(self._steps)))
        self._show()

    def _show(self) -> None:
        """The step that runs, and the action in it, on the consoles."""
        for number, step in enumerate(self._steps, 1):
            if step.state is StepState.RUNNING:
                action = next((item for item in step.actions if item.state is StepState.RUNNING), None)
                doing = f"{step.title}: {action.summary}" if action else step.title
                self._status.set(step=doing, step_number=number, step_count=len(self._steps))
