"""Changes the BMC's cipher suites so that nobody is locked out: where the BMC answers RMCP+ from this machine before,
an account must be able to log in there afterwards. Called by `ipmi`.

The password goes to ipmitool on its standard input (`-f` of its manual), so it is in no word and in no environment.
"""

import logging
from collections.abc import Callable, Mapping

import msgspec

from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.oob.cipherplan import Login, SetCiphers, find_spoken, list_suites
from bootos.errors import BootosError
from bootos.process import ToolError
from bootos.waiting import Clock, find_within

log = logging.getLogger(__name__)

SETTLE_DEADLINE_S = 30.0
LOGIN_S = 30.0
MOST_TRIES = 3
_ROLES = ("user", "operator", "administrator")
# What `ipmitool -v` says of a BMC that refuses; of one that does not answer it says only that there is no session.
_REFUSALS = ("open session response", "RAKP 2", "RAKP 4", "Set Session Privilege Level")
_HINT = "this BMC may have another index than the one that was taken: oob.cipher_index"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """`suite`: with which the account logged in, None: with none. `answered`: whether the BMC said anything."""

    suite: int | None
    answered: bool


def change_ciphers(
    machine: Machine, wanted: SetCiphers, set_levels: Callable[[str], object], clock: Clock
) -> None:
    """Set the levels. Where that fails, or the BMC answers RMCP+ from this machine and the account cannot log in
    afterwards with a suite that is to remain, they are set back. Raises DriverError."""
    login = wanted.login
    before = None
    if login is not None:
        present = wanted.usable if find_spoken(wanted.usable) else wanted.wanted
        before = try_to_log_in(machine, login, present)
    try:
        set_levels(wanted.levels)  # the BMC may have taken them where this fails, too
        if login is not None and before is not None:
            _prove(machine, wanted, login, before, clock)
    except Exception as failed:
        hint = failed.hint if isinstance(failed, BootosError) else ""
        try:
            set_levels(wanted.before)
        except DriverError as cause:
            message = f"{failed}, and the BMC did not take its levels {wanted.before} again"
            raise DriverError(message, hint=hint) from cause
        raise DriverError(f"{failed}: the levels are {wanted.before} again", hint=hint) from failed


def _prove(machine: Machine, wanted: SetCiphers, login: Login, before: Attempt, clock: Clock) -> None:
    """Raises DriverError where the BMC answered before the change and the account cannot log in after it."""
    if not before.answered:
        log.warning(
            "that the BMC can still be logged in to was not proven: at %s it does not answer this machine",
            login.address,
        )
        return

    def find_suite() -> int | None:
        return try_to_log_in(machine, login, wanted.wanted).suite

    works = find_within(find_suite, SETTLE_DEADLINE_S, pause_s=2.0, clock=clock)
    if works is not None:
        log.info("logged in to the BMC as %s with cipher suite %s", login.user, works)
        return
    earlier = f" any more, as with {before.suite} before" if before.suite is not None else ""
    message = (
        f"with cipher suites {list_suites(wanted.wanted)} alone {login.user} could not log in to the BMC at "
        f"{login.address}{earlier}"
    )
    raise DriverError(message, hint=_HINT)


def try_to_log_in(machine: Machine, login: Login, suites: Mapping[int, str]) -> Attempt:
    """Log in over the LAN with the first of these suites, the strong ones first, that lets the account in: as what it
    is, or as what the suite's level allows. A few are tried, and one alone where the BMC does not answer, which costs
    seconds. A try that does not end is one that is not answered."""
    answered = False
    for suite in find_spoken(suites)[:MOST_TRIES]:
        words = ["-v", "-I", "lanplus", "-H", login.address, "-U", login.user, "-f", "/dev/stdin"]
        words += [
            "-C",
            str(suite),
            "-L",
            _find_privilege(login, suites[suite]),
            "-N",
            "2",
            "-R",
            "2",
            "mc",
            "info",
        ]
        password = login.password.password
        try:
            done = machine.run(
                ["ipmitool", *words],
                input=f"{password}\n",
                secrets=[password],
                check=False,
                timeout_s=LOGIN_S,
            )
        except ToolError as cause:
            log.info("the login with cipher suite %s was not tried to its end: %s", suite, cause)
            break
        if done.returncode == 0:
            return Attempt(suite=suite, answered=True)
        answered = answered or any(word in done.stdout + done.stderr for word in _REFUSALS)
        if not answered:
            break
    return Attempt(suite=None, answered=answered)


def _find_privilege(login: Login, level: str) -> str:
    """The lower one of the account's role and the suite's level, in ipmitool's words."""
    limits = {"u": "user", "o": "operator"}
    return min(login.role, limits.get(level, "administrator"), key=_ROLES.index).upper()
