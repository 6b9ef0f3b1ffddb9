"""The RMCP+ cipher suites of a BMC, and who may use them, as `ipmitool lan print` shows them. Pure; `service` plans
with it.

Sources: IPMI 2.0, table 23-4 (LAN parameters 23 and 24); the manual of ipmitool (`lan set ... cipher_privs`).
"""

import re
from collections.abc import Collection, Iterable, Mapping

import msgspec

from bootos.drivers.oob.bmc import parse_fields
from bootos.errors import Problem

UNUSED = "X"


class Ciphers(msgspec.Struct, frozen=True, kw_only=True):
    """The cipher suites that the BMC lists (LAN parameter 23), and the privileges up to which they may be used
    (parameter 24): X (not at all), c, u, o, a or O.

    There are two ways to say which level belongs to which suite. IPMI 2.0 (table 23-4) and BMCs of AMI and OpenBMC go
    by the place in the list; ipmitool's manual and BMCs of Supermicro go by the number of the suite.
    """

    suites: tuple[int, ...] = ()
    levels: str = ""

    @property
    def by_place(self) -> dict[int, int]:
        """Suite -> the index of its level, read by the place in the list. One behind the last level has none."""
        return {suite: place for place, suite in enumerate(self.suites[: len(self.levels)])}

    @property
    def by_number(self) -> dict[int, int]:
        """The same, read by the number of the suite."""
        return {suite: suite for suite in self.suites if suite < len(self.levels)}

    def find_usable(self, index: Mapping[int, int]) -> tuple[int, ...]:
        """The cipher suites that somebody may log on with, read in one way. One without a level has no limit."""
        return tuple(s for s in self.suites if s not in index or self.levels[index[s]] != UNUSED)

    def restrict(self, wanted: Collection[int], index: Mapping[int, int]) -> str:
        """The levels that let only the suites of `wanted` be used, written in one way: what stays allowed keeps its
        level, and levels of no suite stay as they are."""
        levels = list(self.levels)
        for suite, place in index.items():
            if suite not in wanted:
                levels[place] = UNUSED
            elif levels[place] == UNUSED:
                levels[place] = "a"
        return "".join(levels)


def parse_ciphers(text: str) -> Ciphers | None:
    """`ipmitool lan print`."""
    fields = parse_fields(text)
    suites = [word.strip() for word in fields.get("RMCP+ Cipher Suites", "").split(",")]
    levels = fields.get("Cipher Suite Priv Max", "")
    if not all(word.isdigit() for word in suites) or not re.fullmatch("[XcuoaO]+", levels):
        return None
    return Ciphers(suites=tuple(int(word) for word in suites), levels=levels)


def list_suites(suites: Iterable[int]) -> str:
    """`1,2,3`, as ipmitool prints them."""
    return ",".join(str(suite) for suite in suites)


def describe_doubt(found: Ciphers, wanted: Collection[int]) -> Problem:
    """Why nothing is set where the two readings come to different ends: one of them would switch a wanted suite off,
    and with it perhaps the last way in."""
    place, number = (found.find_usable(index) for index in (found.by_place, found.by_number))
    return Problem(
        path="oob.cipher_suites",
        message=f"which of the levels {found.levels} is which cipher suite's is not certain on this BMC, which lists "
        f"{list_suites(found.suites)}: read by their place {list_suites(place) or 'none'} may be used now, read by "
        f"their number {list_suites(number) or 'none'}; to allow {list_suites(sorted(wanted))} alone could switch off "
        "one that is wanted",
        hint="set it in the BMC's own pages, and leave cipher_suites out of the template",
    )
