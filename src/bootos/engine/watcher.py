"""Who is told how the work on a machine goes, and how it can end early. The agent's watcher is `session.progress`."""

from bootos.errors import BootosError
from bootos.printable import show_line
from bootos.wire.v2 import ActionView, StepState


class StepFailed(BootosError):
    """A step failed: its work could not be done, or the machine read again does not show it."""


class Cancelled(BootosError):
    """The operator asked to stop; what was begun is finished, the rest is not done."""


class Watcher:
    """Who wants to know how it goes. This one does nothing; others override the calls that they need."""

    def add_step(self, id: str, title: str) -> None:
        """There will be a step that the plan did not name: a script."""

    def begin_step(self, id: str) -> None:
        """Before a script begins it is told so, and may take its time to write that down."""

    def set_step(
        self, id: str, state: StepState, *, message: str = "", actions: list[ActionView] | None = None
    ) -> None:
        """How a step stands: a driver's, with its `actions`, or a script's."""

    def set_action(self, step_id: str, action_id: str, state: StepState) -> None:
        """Before an action begins it is told so (`running`), and may take its time to write that down."""

    def is_cancelled(self) -> bool:
        """Whether to stop before the next action or script."""
        return False


class PrintWatcher(Watcher):
    """Prints how it goes."""

    def add_step(self, id: str, title: str) -> None:
        _print(f"{id}: {title}")

    def begin_step(self, id: str) -> None:
        self.set_step(id, StepState.RUNNING)

    def set_step(
        self, id: str, state: StepState, *, message: str = "", actions: list[ActionView] | None = None
    ) -> None:
        _print(f"{id}: {state.value}{': ' + message if message else ''}")

    def set_action(self, step_id: str, action_id: str, state: StepState) -> None:
        _print(f"{step_id}: {action_id}: {state.value}")


def _print(text: str) -> None:
    """What tools said may be part of it."""
    print(show_line(text), flush=True)
