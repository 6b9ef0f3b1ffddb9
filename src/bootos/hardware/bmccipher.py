"""The RMCP+ cipher suites of a BMC, and who may use them, as `ipmitool lan print` shows them. Pure; the inventory tells
of an open suite 0 with it, and `oob.ipmi` plans.

Sources: IPMI 2.0, table 23-4 (LAN parameters 23 and 24); the manual of ipmitool (`lan set ... cipher_privs`); lists
that BMCs printed, in `tests/golden/drivers/oob.ipmi`.
"""

import re
from collections.abc import Collection, Mapping
from typing import Literal

import msgspec

UNUSED, CALLBACK = "X", "c"
Index = Literal["number", "place"]

# AMI's firmware has these, and does not list those that are switched off: their places stay.
_AMI_SUITES = (0, 1, 2, 3, 6, 7, 8, 11, 12, 15, 16, 17)
# IANA numbers of makers, by what their BMCs do: Supermicro (and the number that is nobody's); AMI and Inspur
_BY_MAKER: dict[int, Index] = {10876: "number", 47488: "number", 20974: "place", 37945: "place"}


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
        order = _AMI_SUITES if self._hides_suites else self.suites
        return {suite: place for place, suite in enumerate(order[: len(self.levels)]) if suite in self.suites}

    @property
    def by_number(self) -> dict[int, int]:
        """The same, read by the number of the suite."""
        return {suite: suite for suite in self.suites if suite < len(self.levels)}

    @property
    def _used(self) -> set[int]:
        """The indexes of levels that let somebody in."""
        return {place for place, level in enumerate(self.levels) if level != UNUSED}

    @property
    def _hides_suites(self) -> bool:
        """Whether the levels are those of AMI's whole list, of which some suites are not shown: a level stands behind
        the end of the list, and every one that lets in is that of a suite of the list."""
        if max(self._used, default=0) < len(self.suites) or UNUSED not in self.levels:
            return False
        places = {_AMI_SUITES.index(suite) for suite in self.suites if suite in _AMI_SUITES}
        return self._used <= places and not self._used <= set(self.suites)

    def find_index(self, maker: int = 0) -> Index | None:
        """Which of the two this BMC does, by what it prints and, where that is not enough, by its maker (IANA number).
        None: not certain, or the two say not the same."""
        printed, made = self._find_printed_index(), _BY_MAKER.get(maker)
        if printed is not None and made is not None and printed != made:
            return None
        return printed or made

    def _find_printed_index(self) -> Index | None:
        if UNUSED not in self.levels:  # all suites open says nothing
            return None
        strangers = self._used - set(self.suites)  # no suite has this number
        behind = {place for place in self._used if place >= len(self.suites)}
        # suite 0 may be open and not listed
        by_number_is_odd = strangers - {0} or strangers == self._used
        if self._hides_suites or (strangers and by_number_is_odd and not behind):
            return "place"
        return "number" if behind and not strangers - {0} else None

    def get_index(self, index: Index) -> dict[int, int]:
        """Suite -> the index of its level."""
        return self.by_number if index == "number" else self.by_place

    def find_usable(self, index: Mapping[int, int]) -> tuple[int, ...]:
        """The cipher suites that somebody may log on with, read in one way. One without a level counts as one, and
        on some BMCs (iLO) lets nobody in."""
        return tuple(self.find_levels(index))

    def find_levels(self, index: Mapping[int, int]) -> dict[int, str]:
        """Those suites, each with the level up to which it may be used."""
        levels = {suite: self.levels[index[suite]] if suite in index else "a" for suite in self.suites}
        return {suite: level for suite, level in levels.items() if level != UNUSED}

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

    def has_open_suite_0(self, maker: int = 0) -> bool:
        """Whether suite 0 may be used, which asks for no password. Where the reading is not certain, both must say
        so."""
        if 0 not in self.suites:
            return False
        index = self.find_index(maker)
        readings = [self.by_number, self.by_place] if index is None else [self.get_index(index)]
        return all(0 in self.find_usable(reading) for reading in readings)


def parse_ciphers(text: str) -> Ciphers | None:
    """`ipmitool lan print`."""
    listed = re.search(r"^(?i:RMCP\+ Cipher Suites)\s*:\s*([\d, ]+)$", text, re.MULTILINE)
    levels = re.search(r"^(?i:Cipher Suite Priv Max)\s*:\s*([XcuoaO]+)\s*$", text, re.MULTILINE)
    if listed is None or levels is None:
        return None
    words = (word.strip() for word in listed[1].split(","))
    return Ciphers(suites=tuple(int(word) for word in words if word), levels=levels[1])
