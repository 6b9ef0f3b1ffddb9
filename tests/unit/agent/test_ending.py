"""What a job came to: each way to end becomes one last word to the server and one thing that comes next."""

from pathlib import Path

import pytest

from bootos.agent.host.host import Host
from bootos.agent.job.ending import (
    Ending,
    JobFailed,
    JobRefused,
    Next,
    Outcome,
    RebootFirst,
    Withdrawn,
    end_job,
    leave,
)
from bootos.drivers.contract import Machine
from bootos.engine.watcher import Cancelled, StepFailed
from bootos.errors import BootosError, Problem
from bootos.wire.v2 import TERMINAL, JobState

PROBLEM = Problem(path="raid", message="drive 9 is not there")


def test_a_job_ends_also_when_the_agent_itself_fails() -> None:
    """An agent that ended with it would be started again, get the order again, and fail again, for ever."""
    told: list[Ending] = []

    def work() -> Ending:
        raise KeyError("MD_LEVEL")

    assert end_job("7", work, told.append) is Next.ORDER
    (ending,) = told
    assert (ending.outcome, ending.message) == (
        Outcome.FAILED,
        "the agent itself failed: KeyError('MD_LEVEL'); the journal says where",
    )


@pytest.mark.parametrize(
    ("end", "ending", "after"),
    [
        (None, Ending(outcome=Outcome.SUCCEEDED, message="as wanted"), Next.REBOOT),
        (
            StepFailed("RAID: it broke", hint="look at it"),
            Ending(outcome=Outcome.FAILED, message="RAID: it broke (look at it)"),
            Next.ORDER,
        ),
        (
            Cancelled("cancelled before: x"),
            Ending(outcome=Outcome.FAILED, message="cancelled before: x"),
            Next.ORDER,
        ),
        (
            JobRefused("1 problem", [PROBLEM]),
            Ending(outcome=Outcome.REFUSED, message="1 problem", problems=(PROBLEM,)),
            Next.ORDER,
        ),
        (RebootFirst("set a"), Ending(outcome=Outcome.REBOOTING, message="set a"), Next.REBOOT_INSIDE),
        (
            JobFailed("RAID", "exit 4"),
            Ending(outcome=Outcome.FAILED, title="RAID", message="exit 4"),
            Next.ORDER,
        ),
        (Withdrawn("taken out"), Ending(outcome=Outcome.WITHDRAWN, message="taken out"), Next.ORDER),
    ],
)
def test_each_way_to_end_is_told_once_and_decides_what_comes_next(
    end: BootosError | None, ending: Ending, after: Next
) -> None:
    def work() -> Ending:
        if end is not None:
            raise end
        return ending

    told: list[Ending] = []
    assert end_job("7", work, told.append) is after
    assert told == [ending]


def test_a_job_that_is_not_to_reboot_waits_for_another_order() -> None:
    done = Ending(outcome=Outcome.SUCCEEDED)
    assert end_job("7", lambda: done, lambda ending: None, reboots=False) is Next.ORDER


def test_the_server_is_told_before_the_machine_reboots(tmp_path: Path) -> None:
    deeds: list[str] = []
    after = end_job(
        "7", lambda: Ending(outcome=Outcome.SUCCEEDED), lambda ending: deeds.append(f"told {ending.outcome}")
    )
    host = Host(Machine(root=tmp_path), "boot-1")
    leave(host, after, lambda: deeds.append("rebooted"))
    leave(host, Next.ORDER, lambda: deeds.append("rebooted for nothing"))
    assert deeds == ["told succeeded", "rebooted"]


def test_every_end_that_protocol_v2_knows_has_its_word_there() -> None:
    words = {outcome.value for outcome in Outcome} - {Outcome.WITHDRAWN.value}
    assert words == {state.value for state in TERMINAL | {JobState.RUNNING}}
