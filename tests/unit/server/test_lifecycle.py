"""The table of states, without a server."""

import pytest

from bootos.server.lifecycle import (
    ACTIVE,
    ENDED,
    TABLE,
    Event,
    MachineState,
    State,
    find_next,
    keeps_pxe_file,
    read_event,
    read_machine_state,
)
from bootos.wire import v2


@pytest.mark.parametrize("state", sorted(ENDED))
@pytest.mark.parametrize("event", list(Event))
def test_nothing_happens_to_a_job_that_has_ended(state: State, event: Event) -> None:
    assert find_next(state, event) is None


def test_every_state_can_be_reached_from_queued() -> None:
    reached = {State.QUEUED}
    for _ in State:
        reached |= {after for (before, _), after in TABLE.items() if before in reached}
    assert reached == set(State)


def test_every_active_state_leads_to_an_end() -> None:
    for state in ACTIVE:
        assert any(
            after in ENDED or after is State.RUNNING
            for (before, _), after in TABLE.items()
            if before is state
        )


def test_an_operator_can_cancel_in_every_active_state() -> None:
    assert all(find_next(state, Event.CANCELLED) is State.CANCELLED for state in ACTIVE)


@pytest.mark.parametrize(
    ("said", "mode", "installer", "cancel", "event"),
    [
        (v2.JobState.RUNNING, "apply", False, False, Event.WORKED),
        (v2.JobState.PLANNED, "plan", False, False, Event.PLAN_MADE),
        (v2.JobState.PLANNED, "apply", False, False, None),
        (v2.JobState.SUCCEEDED, "apply", False, False, Event.SUCCEEDED),
        (v2.JobState.SUCCEEDED, "apply", True, False, Event.HANDED_OVER),
        (v2.JobState.SUCCEEDED, "apply", True, True, Event.HANDED_OVER),
        (v2.JobState.SUCCEEDED, "plan", False, False, None),
        (v2.JobState.FAILED, "apply", False, False, Event.FAILED),
        (v2.JobState.FAILED, "apply", False, True, Event.STOPPED),
        (v2.JobState.REFUSED, "apply", False, False, Event.REFUSED),
        (v2.JobState.REFUSED, "apply", False, True, Event.STOPPED),
    ],
)
def test_the_words_of_an_agent_become_events(
    said: v2.JobState, mode: str, installer: bool, cancel: bool, event: Event | None
) -> None:
    assert read_event(said, mode=mode, installer_expected=installer, cancel_requested=cancel) is event


@pytest.mark.parametrize("event", [Event.INSTALLED, Event.INSTALL_FAILED, Event.INSTALL_WORKED])
@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING])
def test_an_installer_has_no_say_before_the_agent_has_succeeded(state: State, event: Event) -> None:
    assert find_next(state, event) is None


def test_a_queued_job_cannot_be_reported_done() -> None:
    for event in (Event.SUCCEEDED, Event.HANDED_OVER, Event.PLAN_MADE, Event.WORKED, Event.FAILED):
        assert find_next(State.QUEUED, event) is None


@pytest.mark.parametrize("state", list(State))
def test_the_pxe_file_stays_only_while_it_is_needed(state: State) -> None:
    assert keeps_pxe_file(state, installer_expected=True) is (state in (State.RUNNING, State.INSTALLING))
    needed = state in (State.RUNNING, State.INSTALLING, State.DONE)
    assert keeps_pxe_file(state, installer_expected=False) is needed


@pytest.mark.parametrize(
    ("registered", "heard", "job", "state"),
    [
        (False, False, State.QUEUED, MachineState.EXPECTED),
        (True, True, None, MachineState.WAITING),
        (True, True, State.QUEUED, MachineState.WAITING),
        (True, True, State.RUNNING, MachineState.WORKING),
        (True, False, State.RUNNING, MachineState.LOST),
        (True, False, State.INSTALLING, MachineState.INSTALLING),
        (True, False, None, MachineState.AWAY),
    ],
)
def test_the_state_of_a_machine(
    registered: bool, heard: bool, job: State | None, state: MachineState
) -> None:
    assert read_machine_state(registered=registered, heard=heard, job=job) is state


def test_a_machine_that_reboots_inside_its_job_is_not_lost() -> None:
    for heard in (True, False):
        state = read_machine_state(registered=True, heard=heard, job=State.RUNNING, rebooting=True)
        assert state is MachineState.REBOOTING
