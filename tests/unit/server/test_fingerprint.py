"""Whether what registers under a confirmed machine's name is that machine, row by row."""

import itertools

import pytest

from bootos.server.fingerprint import (
    TABLE,
    Fingerprint,
    Match,
    Verdict,
    compare_macs,
    compare_value,
    describe_move,
    describe_refusal,
    drop_shared,
    join_values,
    judge,
)

NIC, OTHER_NIC, THIRD_NIC = "52:54:00:00:00:01", "52:54:00:00:00:02", "52:54:00:00:00:03"
FULL = Fingerprint(uuid="U1", board="B1", macs=frozenset({NIC, OTHER_NIC}))
BARE = Fingerprint(macs=frozenset({NIC, OTHER_NIC}))
KEYED = Fingerprint(uuid="U1", tpm="K1")
MACS = frozenset({NIC, OTHER_NIC})
MOVED = frozenset({NIC, THIRD_NIC})
NEW = frozenset({THIRD_NIC})

CASES = [
    ("the same", FULL, FULL, Verdict.ACCEPTED),
    ("in other case", FULL, Fingerprint(uuid="u1", board="b1", macs=MACS), Verdict.ACCEPTED),
    ("a NIC was replaced", FULL, Fingerprint(uuid="U1", board="B1", macs=MOVED), Verdict.MOVED),
    ("all NICs were replaced", FULL, Fingerprint(uuid="U1", board="B1", macs=NEW), Verdict.MOVED),
    ("its NICs are gone", FULL, Fingerprint(uuid="U1", board="B1"), Verdict.MOVED),
    ("another UUID", FULL, Fingerprint(uuid="U2", board="B1", macs=MACS), Verdict.REFUSED),
    ("another board", FULL, Fingerprint(uuid="U1", board="B2", macs=MACS), Verdict.REFUSED),
    ("a board was replaced", FULL, Fingerprint(uuid="U2", board="B2", macs=MACS), Verdict.REFUSED),
    ("no UUID is told", FULL, Fingerprint(board="B1", macs=MACS), Verdict.REFUSED),
    ("no board is told", FULL, Fingerprint(uuid="U1", macs=MACS), Verdict.REFUSED),
    ("nothing is told", FULL, Fingerprint(), Verdict.REFUSED),
    ("only a UUID is pinned", Fingerprint(uuid="U1"), FULL, Verdict.ACCEPTED),
    ("only a board is pinned", Fingerprint(board="B1"), FULL, Verdict.ACCEPTED),
    ("a board's number is told for the first time", Fingerprint(uuid="U1", macs=MACS), FULL, Verdict.ACCEPTED),
    ("MACs alone, the same", BARE, BARE, Verdict.ACCEPTED),
    ("MACs alone, with a UUID now", BARE, FULL, Verdict.ACCEPTED),
    ("MACs alone, one is another", BARE, Fingerprint(macs=MOVED), Verdict.MOVED),
    ("MACs alone, all are others", BARE, Fingerprint(macs=NEW), Verdict.REFUSED),
    ("MACs alone, all are others, with a UUID now", BARE, Fingerprint(uuid="U1", macs=NEW), Verdict.REFUSED),
    ("MACs alone, none is told", BARE, Fingerprint(), Verdict.REFUSED),
    ("nothing is pinned", Fingerprint(), FULL, Verdict.UNTOLD),
    ("nothing is pinned or told", Fingerprint(), Fingerprint(), Verdict.UNTOLD),
    ("the TPM's key is another one", KEYED, Fingerprint(uuid="U1", tpm="K2"), Verdict.REFUSED),
    ("the TPM tells no key", KEYED, Fingerprint(uuid="U1"), Verdict.REFUSED),
    ("only the TPM is pinned", Fingerprint(tpm="K1"), Fingerprint(tpm="K1", macs=MACS), Verdict.ACCEPTED),
]  # fmt: skip


@pytest.mark.parametrize(
    ("pinned", "told", "verdict"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_what_becomes_of_a_boot(pinned: Fingerprint, told: Fingerprint, verdict: Verdict) -> None:
    assert judge(pinned, told) is verdict


SINGLE = (Match.SAME, Match.OTHER, Match.GONE, Match.NONE)


def test_every_case_has_a_row_and_no_uuid_and_no_board_that_is_another_is_ever_accepted() -> None:
    for tpm, uuid, board, macs in itertools.product(SINGLE, SINGLE, SINGLE, tuple(Match)):
        found = next(
            verdict
            for *row, verdict in TABLE
            if all(match in allowed for match, allowed in zip((tpm, uuid, board, macs), row, strict=True))
        )
        if {tpm, uuid, board} & {Match.OTHER, Match.GONE}:
            assert found is Verdict.REFUSED
        if found in (Verdict.ACCEPTED, Verdict.MOVED):
            assert Match.SAME in (tpm, uuid, board) or macs in (Match.SAME, Match.SOME)


def test_what_several_machines_share_does_not_count() -> None:
    shared = [("uuid", "u1"), ("mac", NIC)]
    left = drop_shared(FULL, shared)
    assert left == Fingerprint(board="b1", macs=frozenset({OTHER_NIC}))
    other = Fingerprint(uuid="U2", board="B1", macs=frozenset({OTHER_NIC}))
    assert judge(left, drop_shared(other, shared)) is Verdict.ACCEPTED


def test_a_fingerprint_is_stored_and_read_again() -> None:
    full = Fingerprint(uuid="u1", board="b1", macs=MACS, tpm="k1")
    assert join_values(full.list_values()) == full
    assert join_values([]) == Fingerprint()


def test_comparing() -> None:
    assert compare_value("A", "a") is Match.SAME and compare_value(None, "a") is Match.NONE
    assert compare_macs(MACS, MOVED) is Match.SOME and compare_macs(frozenset(), MACS) is Match.NONE


def test_a_refusal_tells_what_was_told_and_not_what_is_pinned() -> None:
    text = describe_refusal(FULL, Fingerprint(uuid="U2", macs=NEW))
    assert "U2" in text and "no board serial number" in text and "NICs" in text
    assert "U1" not in text and "B1" not in text and NIC not in text
    assert "nobody can say" in describe_refusal(Fingerprint(), FULL)


def test_a_change_of_nics_is_told() -> None:
    text = describe_move(FULL, Fingerprint(macs=MOVED))
    assert f"new: {THIRD_NIC}" in text and f"gone: {OTHER_NIC}" in text
