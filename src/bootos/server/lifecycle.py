"""The one table of job and machine states. Pure: no clock, no store, no network.

`operation.transition` asks `find_next` before every change of a job's state; an event that the table does not have
changes nothing. The words an agent uses (`wire.v2.JobState`, v1 progress numbers) become an `Event` here and nowhere
else.

queued --> running --> planned                       (mode plan)
                   |-----> installing --> done           (a per-MAC PXE file was made, its system reports)
                   |-----> done                          (nothing more is expected)
                   `-----> failed | refused | cancelled

`installing` applies exactly when the agent reported success, the job made a PXE file for the machine's MAC, and
the job's PXE template says that the system it boots reports its progress (`deviceInstallInfo` of protocol v1).
That report ends it: 1 is done, -1 is failed. The PXE file goes away with every end but one: a PXE template whose
system does not report keeps its file after `done`, or the next boot could not use it.
"""

from enum import StrEnum

from bootos.wire import v2


class State(StrEnum):
    """The server's state of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    INSTALLING = "installing"
    PLANNED = "planned"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    CANCELLED = "cancelled"


ENDED = frozenset({State.PLANNED, State.DONE, State.FAILED, State.REFUSED, State.CANCELLED})
ACTIVE = frozenset(State) - ENDED
GOOD = frozenset({State.PLANNED, State.DONE})


class Event(StrEnum):
    """Everything that can happen to a job."""

    ORDERED = "ordered"  # an agent took the order
    WORKED = "worked"  # the agent is at work
    PLAN_MADE = "plan made"
    HANDED_OVER = "handed over"  # the agent succeeded, an installer is expected
    SUCCEEDED = "succeeded"  # the agent succeeded, nothing more is expected
    FAILED = "failed"
    REFUSED = "refused"  # the agent refused it (nothing was changed), or the server did (model not supported)
    STOPPED = "stopped"  # the agent gave up because the operator cancelled
    CANCELLED = "cancelled"  # the operator cancelled and no agent needs to be waited for
    INSTALLED = "installed"
    INSTALL_FAILED = "install failed"
    INSTALL_WORKED = "install worked"


TABLE: dict[tuple[State, Event], State] = {
    (State.QUEUED, Event.ORDERED): State.RUNNING,
    (State.QUEUED, Event.REFUSED): State.REFUSED,
    (State.QUEUED, Event.CANCELLED): State.CANCELLED,
    (State.RUNNING, Event.ORDERED): State.RUNNING,  # a new boot gets the same order again
    (State.RUNNING, Event.WORKED): State.RUNNING,
    (State.RUNNING, Event.PLAN_MADE): State.PLANNED,
    (State.RUNNING, Event.HANDED_OVER): State.INSTALLING,
    (State.RUNNING, Event.SUCCEEDED): State.DONE,
    (State.RUNNING, Event.FAILED): State.FAILED,
    (State.RUNNING, Event.REFUSED): State.REFUSED,
    (State.RUNNING, Event.STOPPED): State.CANCELLED,
    (State.RUNNING, Event.CANCELLED): State.CANCELLED,
    (State.INSTALLING, Event.INSTALL_WORKED): State.INSTALLING,
    (State.INSTALLING, Event.INSTALLED): State.DONE,
    (State.INSTALLING, Event.INSTALL_FAILED): State.FAILED,
    (State.INSTALLING, Event.CANCELLED): State.CANCELLED,
}


def find_next(state: State, event: Event) -> State | None:
    """The state that follows, or None: the event is not allowed here and must change nothing."""
    return TABLE.get((state, event))


def read_event(
    said: v2.JobState, *, mode: str, installer_expected: bool, cancel_requested: bool
) -> Event | None:
    """What an agent's word means for a job of this mode; None when it makes no sense there.

    A plan is the end of a `plan` job only, success the end of an `apply` job only. An agent that fails or
    refuses after the operator's cancel has stopped; one that succeeded all the same has succeeded.
    """
    if said is v2.JobState.RUNNING:
        return Event.WORKED
    if said is v2.JobState.PLANNED:
        return Event.PLAN_MADE if mode == "plan" else None
    if said is v2.JobState.SUCCEEDED:
        if mode == "plan":
            return None
        return Event.HANDED_OVER if installer_expected else Event.SUCCEEDED
    if cancel_requested:
        return Event.STOPPED
    return Event.FAILED if said is v2.JobState.FAILED else Event.REFUSED


def keeps_pxe_file(state: State, *, installer_expected: bool) -> bool:
    """Whether the per-MAC PXE file stays in this state."""
    if state in (State.RUNNING, State.INSTALLING):
        return True
    return state is State.DONE and not installer_expected


class MachineState(StrEnum):
    """What the operator sees of a machine."""

    EXPECTED = "expected"  # enrolled by its serial number, has never registered
    NEW = "new"  # registered, and nobody said yet that it is the machine it says to be: it gets nothing
    DOUBTED = "doubted"  # who registers under its name now is not what was confirmed
    WAITING = "waiting"  # runs BootOS and asks for work
    WORKING = "working"
    REBOOTING = "rebooting"  # reboots inside a job, which goes on when the machine is back
    INSTALLING = "installing"
    LOST = "lost"  # a job is running and nothing is heard of its agent
    AWAY = "away"  # nothing was heard of it for long, and no job waits for it


def read_machine_state(
    *,
    registered: bool,
    heard: bool,
    job: State | None,
    rebooting: bool = False,
    confirmed: bool = True,
    doubted: bool = False,
) -> MachineState:
    """What the operator sees of a machine. `heard`: its agent was heard of lately. `job`: the state of its active job,
    if it has one. `rebooting`: the job said not long ago that the machine reboots inside it. `doubted`: the boot that
    speaks for it now is not believed."""
    if doubted:
        return MachineState.DOUBTED
    if registered and not confirmed:
        return MachineState.NEW
    if job is State.INSTALLING:
        return MachineState.INSTALLING
    if job is State.RUNNING:
        if rebooting:
            return MachineState.REBOOTING
        return MachineState.WORKING if heard else MachineState.LOST
    if heard:
        return MachineState.WAITING
    return MachineState.AWAY if registered else MachineState.EXPECTED
