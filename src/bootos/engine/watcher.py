"""Who is told how the work on a machine goes, and how it can end early. The agent's is `session.progress`."""

from typing import Protocol

from bootos.errors import BootosError
from bootos.wire.v2 import ActionView, StepState


class StepFailed(BootosError):
    """A step that could not be done, or was not found done when read again."""


class Cancelled(BootosError):
    """The operator asked to stop; what was begun is finished, the rest is not done."""


class Watcher(Protocol):
    """Who wants to know how it goes."""

    def set_step(
        self, id: str, state: StepState, *, message: str = "", actions: list[ActionView] | None = None
    ) -> None: ...

    def set_action(self, step_id: str, action_id: str, state: StepState) -> None:
        """Before an action begins it is told so (`running`), and may take its time to write that down."""
        ...

    def is_cancelled(self) -> bool: ...
