"""What `oob.ipmi` plans for the BMC's cipher suites. Pure: what is printed is read by `hardware.bmccipher`.

Sources: IPMI 2.0, table 23-4 (LAN parameters 23 and 24); the manual of ipmitool (`lan set ... cipher_privs`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from bootos.drivers.contract import Change, Planned
from bootos.errors import Problem
from bootos.hardware.bmccipher import CALLBACK, UNUSED, Ciphers, Index
from bootos.masking import Hidden

PLACES = 15  # LAN parameter 24 holds as many privilege levels
AT = "oob.cipher_suites"
# Those that ipmitool speaks, the sound ones first: of its release 1.8.19, 11 and 12 end it with a failed assertion, and
# of xRC4 it knows nothing. Suite 0 proves nothing.
_SPOKEN = (17, 3, 16, 2, 15, 1, 8, 7, 6)
_HINT = "oob: {cipher_index: number} or {cipher_index: place}, as its manual says; or set it in the BMC's own pages"


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """An account to log in with over the LAN, to see that a cipher suite works."""

    address: str
    user: str
    password: Hidden
    role: str


class SetCiphers(msgspec.Struct, frozen=True, kw_only=True):
    """`login` None: whether the change leaves a way in is not tried. `usable` are the suites that let in before,
    `wanted` those that do afterwards, each with its level (c, u, o, a, O)."""

    channel: int
    levels: str
    before: str
    usable: dict[int, str]
    wanted: dict[int, str]
    login: Login | None = None


def plan_ciphers(
    found: Ciphers | None,
    wanted: Sequence[int],
    channel: int,
    planned: Planned,
    *,
    maker: int = 0,
    said: Index | None = None,
    login: Login | None = None,
) -> None:
    """Plan that only `wanted` may be used. `maker` is the BMC's IANA number, `said` what the template says of its
    index. Adds to `planned`."""
    if found is None:
        planned.complain(AT, "this BMC does not tell which of its cipher suites may be used", "leave it out")
        return
    absent = sorted(set(wanted) - set(found.suites))
    if absent:
        message = f"this BMC has no cipher suite {list_suites(absent, ', ')}: it has {list_suites(found.suites, ', ')}"
        planned.complain(AT, message)
        return
    certain, printed = found.find_index(maker), found.find_index()
    if said is not None and certain is not None and printed not in (None, said):
        there = f"the levels {found.levels} for {list_suites(found.suites)}"
        message = f"is {said}, and this BMC has {there}, which can only be by {certain}"
        planned.complain("oob.cipher_index", message, "leave it out")
        return
    index = said or certain
    readings = [found.get_index(index)] if index is not None else [found.by_place, found.by_number]
    # A suite that has no level cannot be switched off.
    fixed = {s for reading in readings for s in found.suites if s not in reading} - set(wanted)
    outcomes = {found.restrict(wanted, reading) for reading in readings}
    if len(outcomes) > 1 or (fixed and index is None):
        planned.problems.append(describe_doubt(found, wanted, printed))
        return
    if fixed:
        listed = list_suites(sorted(fixed), ", ")
        planned.complain(AT, f"cipher suite {listed} of this BMC has no level, and cannot be switched off")
        return
    (levels,) = outcomes
    usable = found.find_usable(readings[0])
    if levels == found.levels:
        planned.notes.append("the BMC's cipher suites are as wanted")
        return
    if not all(set(wanted) & set(reading) for reading in readings):
        listed = list_suites(sorted(wanted), ", ")
        message = (
            f"on this BMC none of {listed} has a level, and whether these alone let anybody in is not certain"
        )
        leveled = list_suites(sorted(set(found.suites) & set(readings[0])), ", ")
        planned.complain(AT, message, f"name one that has a level, too: {leveled or 'this BMC has none'}")
        return
    change = Change(
        what="BMC cipher suites", before=list_suites(usable) or "none", after=list_suites(sorted(wanted))
    )
    remaining = msgspec.structs.replace(found, levels=levels).find_levels(readings[0])
    login = login if find_spoken(remaining) else None
    planned.notes.append(_describe_proof(login, remaining))
    detail = SetCiphers(
        channel=channel,
        levels=levels.ljust(PLACES, UNUSED),
        before=found.levels.ljust(PLACES, UNUSED),
        usable=found.find_levels(readings[0]),
        wanted=remaining,
        login=login,
    )
    planned.act(
        "oob.ipmi:ciphers", f"allow cipher suites {change.after} alone", detail, AT, change, estimate_s=10.0
    )


def find_spoken(suites: Mapping[int, str]) -> list[int]:
    """Those of these suites (each with its level) that ipmitool can log in with, the sound ones first. Up to callback
    nobody logs in."""
    return [suite for suite in _SPOKEN if suites.get(suite, CALLBACK) != CALLBACK]


def list_suites(suites: Iterable[int], separator: str = ",") -> str:
    """`1,2,3`, as ipmitool prints them."""
    return separator.join(str(suite) for suite in suites)


def _describe_proof(login: Login | None, remaining: Mapping[int, str]) -> str:
    if login is not None:
        return (
            f"the change of the BMC's cipher suites is proven by a login as {login.user}, if the BMC answers this "
            f"machine at {login.address}; if not, the job's log says so"
        )
    why = "the template gives no password of an account that may log in, or the BMC has no address"
    if not find_spoken(remaining):
        why = "ipmitool speaks none of those that remain, or they are for callbacks alone"
    return f"the change of the BMC's cipher suites will not be proven by a login: {why}"


def describe_doubt(found: Ciphers, wanted: Collection[int], printed: Index | None) -> Problem:
    """Why nothing is set where the two readings come to different ends: one of them would switch a wanted suite off,
    and with it perhaps the last way in. `printed` is what the levels themselves say, and the maker's others do not."""
    place, number = (found.find_usable(index) for index in (found.by_place, found.by_number))
    odd = f" and prints them as by {printed}, unlike its maker's others" if printed is not None else ""
    return Problem(
        path=AT,
        message=f"which of the levels {found.levels} is which cipher suite's is not certain on this BMC, which lists "
        f"{list_suites(found.suites)}{odd}: read by their place {list_suites(place) or 'none'} may be used now, read "
        f"by their number {list_suites(number) or 'none'}; to allow {list_suites(sorted(wanted))} alone could switch "
        "off one that is wanted",
        hint=_HINT,
    )
