"""Changes the BMC's cipher suites so that nobody is locked out: where somebody can log in over the LAN before, somebody
must be able to afterwards. Called by `ipmi`.

The password goes to ipmitool in its environment, as `-E` of its manual says.
"""

import logging
from collections.abc import Callable, Sequence

from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.oob.cipher import Login, SetCiphers, list_suites, sort_by_strength
from bootos.waiting import Clock, find_within

log = logging.getLogger(__name__)

SETTLE_DEADLINE_S = 30.0
LOGIN_S = 30.0
MOST_TRIES = 3


def change_ciphers(
    machine: Machine, wanted: SetCiphers, set_levels: Callable[[str], object], clock: Clock
) -> None:
    """Set the levels. Where the account could log in from this machine before, and cannot afterwards with any suite
    that is to remain, they are set back. Raises DriverError."""
    login = wanted.login
    before = None if login is None else find_working(machine, login, wanted.usable)
    set_levels(wanted.levels)
    if login is None or before is None:
        log.warning("that the BMC can still be logged in to was not proven: it could not be from here before")
        return
    works = find_within(
        lambda: find_working(machine, login, wanted.wanted), SETTLE_DEADLINE_S, pause_s=2.0, clock=clock
    )
    if works is not None:
        log.info("logged in to the BMC as %s with cipher suite %s", login.user, works)
        return
    set_levels(wanted.before)
    raise DriverError(
        f"with cipher suites {list_suites(wanted.wanted)} alone {login.user} could not log in to the BMC at "
        f"{login.address} any more, as with {before} before: the levels are {wanted.before} again",
        hint="this BMC may have another index than the one that was taken: oob.cipher_index",
    )


def find_working(machine: Machine, login: Login, suites: Sequence[int]) -> int | None:
    """The first of these suites, the strong ones first, with which the account can log in over the LAN. A few are
    tried: a BMC that does not answer costs seconds each time."""
    for suite in sort_by_strength(suites)[:MOST_TRIES]:
        words = ["-I", "lanplus", "-H", login.address, "-U", login.user, "-E", "-C", str(suite)]
        words += ["-L", login.role.upper(), "-N", "2", "-R", "2", "mc", "info"]
        password = login.password.password
        done = machine.run(
            ["ipmitool", *words],
            env={"IPMI_PASSWORD": password},
            secrets=[password],
            check=False,
            timeout_s=LOGIN_S,
        )
        if done.returncode == 0:
            return suite
    return None
