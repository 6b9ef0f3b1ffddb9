"""Whether what registers under a confirmed machine's name is that machine: the one table. Pure: no clock, no store, no
network.

`operation.standing` pins the fingerprint when a machine is confirmed, and asks `judge` at every registration and every
inventory after that. What several confirmed machines have in common tells none of them from the others: `drop_shared`
takes it out before anything is compared; placeholders are no values in the first place (`wire.filler`).

All of this can be repeated by who listens on the wire, but for the TPM's key, which no agent tells yet.
"""

from collections.abc import Collection, Iterable
from enum import StrEnum

import msgspec

Value = tuple[str, str]
"""A kind (`uuid`, `board`, `mac`, `tpm`) and a folded value."""


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine is known by: its UUID (SMBIOS type 1), its board's serial number (type 2), the MACs of its NICs,
    and the name of its TPM's key. None, or no MAC: there is none that counts."""

    uuid: str | None = None
    board: str | None = None
    macs: frozenset[str] = frozenset()
    tpm: str | None = None

    def list_values(self) -> list[Value]:
        """All of it, as it is stored."""
        single = (("uuid", self.uuid), ("board", self.board), ("tpm", self.tpm))
        told = [(kind, text.casefold()) for kind, text in single if text]
        return told + [("mac", mac) for mac in sorted(self.macs)]


def join_values(values: Iterable[Value]) -> Fingerprint:
    """The fingerprint that has these values. Of a kind of which there is one, the first counts."""
    known: dict[str, list[str]] = {}
    for kind, value in values:
        known.setdefault(kind, []).append(value)
    uuid, board, tpm = (next(iter(known.get(kind, [])), None) for kind in ("uuid", "board", "tpm"))
    return Fingerprint(uuid=uuid, board=board, tpm=tpm, macs=frozenset(known.get("mac", [])))


def drop_shared(whole: Fingerprint, shared: Collection[Value]) -> Fingerprint:
    """The fingerprint without what other confirmed machines have, too."""
    return join_values(value for value in whole.list_values() if value not in shared)


class Match(StrEnum):
    """How one kind of value compares: what is pinned, with what is told."""

    SAME = "same"
    SOME = "some"  # of the MACs: one is there, and not all are the same
    OTHER = "other"
    GONE = "gone"  # it was pinned, and nothing is told
    NONE = "none"  # none is pinned that counts


class Verdict(StrEnum):
    """What becomes of the boot."""

    ACCEPTED = "accepted"
    MOVED = "moved"  # accepted; its NICs have changed, which is shown and pinned
    REFUSED = "refused"  # it gets nothing until a person says that this is the machine
    UNTOLD = "untold"  # nothing that counts is pinned: the same


NOT_THE_SAME = (Match.OTHER, Match.GONE)
ANY = tuple(Match)

TABLE: list[tuple[tuple[Match, ...], tuple[Match, ...], tuple[Match, ...], tuple[Match, ...], Verdict]] = [
    # TPM, UUID, board, MACs: the first row that fits
    (NOT_THE_SAME, ANY, ANY, ANY, Verdict.REFUSED),
    (ANY, NOT_THE_SAME, ANY, ANY, Verdict.REFUSED),
    (ANY, ANY, NOT_THE_SAME, ANY, Verdict.REFUSED),
    (ANY, ANY, ANY, (Match.SAME,), Verdict.ACCEPTED),
    ((Match.SAME,), ANY, ANY, (Match.NONE,), Verdict.ACCEPTED),
    (ANY, (Match.SAME,), ANY, (Match.NONE,), Verdict.ACCEPTED),
    (ANY, ANY, (Match.SAME,), (Match.NONE,), Verdict.ACCEPTED),
    ((Match.SAME,), ANY, ANY, ANY, Verdict.MOVED),
    (ANY, (Match.SAME,), ANY, ANY, Verdict.MOVED),
    (ANY, ANY, (Match.SAME,), ANY, Verdict.MOVED),
    # what is left has MACs alone
    (ANY, ANY, ANY, (Match.SOME,), Verdict.MOVED),
    (ANY, ANY, ANY, NOT_THE_SAME, Verdict.REFUSED),
    (ANY, ANY, ANY, ANY, Verdict.UNTOLD),
]


def judge(pinned: Fingerprint, told: Fingerprint) -> Verdict:
    """What becomes of a boot that tells this, of a machine for which that is pinned."""
    found = (
        compare_value(pinned.tpm, told.tpm),
        compare_value(pinned.uuid, told.uuid),
        compare_value(pinned.board, told.board),
        compare_macs(pinned.macs, told.macs),
    )
    for *row, verdict in TABLE:
        if all(match in allowed for match, allowed in zip(found, row, strict=True)):
            return verdict
    raise AssertionError(f"the table has no row for {found}")


def compare_value(pinned: str | None, told: str | None) -> Match:
    """How a value compares, whatever its case."""
    if pinned is None:
        return Match.NONE
    if told is None:
        return Match.GONE
    return Match.SAME if pinned.casefold() == told.casefold() else Match.OTHER


def compare_macs(pinned: frozenset[str], told: frozenset[str]) -> Match:
    """How the MACs compare; in lower case both."""
    if not pinned:
        return Match.NONE
    if not told:
        return Match.GONE
    if pinned == told:
        return Match.SAME
    return Match.SOME if pinned & told else Match.OTHER


def describe_refusal(pinned: Fingerprint, told: Fingerprint) -> str:
    """What of a refused boot is not as it was, in words for its console and its operator: what it tells, and not what
    is pinned, which whoever is refused would then tell."""
    parts = [
        f"it tells no {name}" if match is Match.GONE else f"its {name} is another one ({value})"
        for name, match, value in (
            ("TPM key", compare_value(pinned.tpm, told.tpm), told.tpm),
            ("UUID", compare_value(pinned.uuid, told.uuid), told.uuid),
            ("board serial number", compare_value(pinned.board, told.board), told.board),
        )
        if match in NOT_THE_SAME
    ]
    if compare_macs(pinned.macs, told.macs) in NOT_THE_SAME:
        parts.append("none of its NICs is known")
    if not parts:
        return "nothing that it tells is its own alone, so nobody can say whether it is the machine that was confirmed"
    return f"it is not what was confirmed under this name: {', '.join(parts)}"


def describe_move(pinned: Fingerprint, told: Fingerprint) -> str:
    """Which NICs are new, and which are gone."""
    new, gone = sorted(told.macs - pinned.macs), sorted(pinned.macs - told.macs)
    words = [f"new: {', '.join(new)}"] if new else []
    words += [f"gone: {', '.join(gone)}"] if gone else []
    return f"its NICs have changed ({'; '.join(words)})"
