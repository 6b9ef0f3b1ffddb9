"""Where a job ends: what happened becomes one `Ending`, the server is told of it, and this says what comes next.

For jobs of both protocols, `job` and `cloudboot.flow`, which do the work and know how their server is told.
"""

import logging
import threading
from collections.abc import Callable
from enum import StrEnum

import msgspec

from bootos.agent.host import power
from bootos.agent.host.host import Host
from bootos.errors import BootosError, Problem

log = logging.getLogger(__name__)


class Outcome(StrEnum):
    """What became of an attempt of a job. The first four are what a report says (`wire.v2.JobState`)."""

    SUCCEEDED = "succeeded"
    PLANNED = "planned"  # only a plan was wanted
    REFUSED = "refused"  # nothing was changed
    FAILED = "failed"  # also a job that its operator cancelled while it ran
    REBOOTING = "running"  # the job goes on after a reboot
    WITHDRAWN = "cancelled at the server"  # v1: the machine was taken out of the install list


class Next(StrEnum):
    """What the agent does after a job."""

    ORDER = "order"
    REBOOT = "reboot"  # the job is done
    REBOOT_INSIDE = "reboot inside"  # the job goes on after it


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended, in a sentence for the operator. `title`: what v1 calls the step that failed."""

    outcome: Outcome
    message: str = ""
    problems: tuple[Problem, ...] = ()
    title: str = ""


class JobRefused(BootosError):
    """Ends a job before anything was changed, with every reason."""

    def __init__(self, message: str, problems: list[Problem]) -> None:
        super().__init__(message)
        self.problems = problems


class RebootFirst(BootosError):
    """What was set takes effect with a reboot, and the job goes on after it."""


class Withdrawn(BootosError):
    """The operator took the machine out of the install list while it was being configured."""


class JobFailed(BootosError):
    """Ends a job of v1 with -1 and this title; `text` goes into its log at the server."""

    def __init__(self, title: str, text: str) -> None:
        super().__init__(f"{title}: {text}")
        self.title = title
        self.text = text


def end_job(
    name: str, work: Callable[[], Ending], tell: Callable[[Ending], None], *, reboots: bool = True
) -> Next:
    """Do the work, log how it ended, and `tell` the server, which returns when the server knows. With `reboots`, a job
    that succeeded ends with one. Never raises for what a job does."""
    ending = find_ending(work)
    reason = ": ".join(filter(None, (ending.title, ending.message)))
    if ending.outcome is Outcome.FAILED:
        log.error("job %s failed: %s", name, reason)
    else:
        level = logging.WARNING if ending.outcome is Outcome.WITHDRAWN else logging.INFO
        log.log(level, "job %s: %s%s", name, ending.outcome, f": {reason}" if reason else "")
    tell(ending)
    if ending.outcome is Outcome.REBOOTING:
        return Next.REBOOT_INSIDE
    return Next.REBOOT if ending.outcome is Outcome.SUCCEEDED and reboots else Next.ORDER


def find_ending(work: Callable[[], Ending]) -> Ending:
    """The ending that the work returns, or the one that its exception means."""
    try:
        return work()
    except JobRefused as refused:
        return Ending(outcome=Outcome.REFUSED, message=str(refused), problems=tuple(refused.problems))
    except RebootFirst as reason:
        return Ending(outcome=Outcome.REBOOTING, message=str(reason))
    except Withdrawn as reason:
        return Ending(outcome=Outcome.WITHDRAWN, message=str(reason))
    except JobFailed as failure:
        return Ending(outcome=Outcome.FAILED, message=failure.text, title=failure.title)
    except BootosError as error:
        message = f"{error} ({error.hint})" if error.hint else str(error)
        return Ending(outcome=Outcome.FAILED, message=message)
    except Exception as error:
        log.exception("the agent itself failed")
        return Ending(
            outcome=Outcome.FAILED, message=f"the agent itself failed: {error!r}; the journal says where"
        )


def leave(host: Host, after: Next, reboot: Callable[[], None] | None = None) -> None:
    """Reboot, if that comes next. Returns when another order may come: at once, or when the machine did not reboot."""
    if after is Next.ORDER:
        return
    host.status.do("rebooting" if after is Next.REBOOT else "rebooting inside the job, which then goes on")
    if reboot is not None:
        reboot()
    else:
        power.reboot(host.machine.run, host.inventory, host.machine.root)
    log.error("the machine did not reboot; reset it by hand")
    if after is Next.REBOOT_INSIDE:
        host.status.wait_for("a reset by hand: the job goes on after it")
        threading.Event().wait()
