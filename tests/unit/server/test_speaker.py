"""Who speaks for a machine: the one table for both protocols. What comes of it is tried in test_claim and
tests/attack/test_v1_policy."""

import itertools

import pytest

from bootos.server.operation.identity import Asker, Fact, Rival, judge

ROWS = [
    ((Asker.V2, Asker.V1, Asker.OPEN), set[Fact](), Rival.NOBODY),
    ((Asker.V2, Asker.V1, Asker.OPEN), set(Fact), Rival.BOOT),
    ((Asker.OPEN,), set(Fact) - {Fact.HELD}, Rival.NOBODY),
    ((Asker.V2, Asker.V1), {Fact.BARRED}, Rival.ANYBODY),
    ((Asker.V2,), {Fact.V2_ONLY, Fact.CONFIRMED, Fact.OTHER_JOB}, Rival.NOBODY),
    ((Asker.V2,), {Fact.V1_ELSEWHERE}, Rival.NOBODY),  # a machine that nobody confirmed waits for no v1 agent
    ((Asker.V2,), {Fact.V1_ELSEWHERE, Fact.CONFIRMED, Fact.BARRED}, Rival.V1_AGENT),
    ((Asker.V1,), {Fact.V1_ELSEWHERE}, Rival.V1_AGENT),
    ((Asker.V1,), {Fact.V2_ONLY, Fact.BARRED, Fact.OWN_JOB}, Rival.V2_AGENT),
    ((Asker.V1,), {Fact.BARRED, Fact.OWN_JOB}, Rival.ANYBODY),
    ((Asker.V1,), {Fact.OWN_JOB, Fact.V1_ELSEWHERE, Fact.CONFIRMED}, Rival.NOBODY),
    ((Asker.V1,), {Fact.OTHER_JOB, Fact.V1_ELSEWHERE}, Rival.JOB_HOLDER),
]


@pytest.mark.parametrize(("askers", "facts", "rival"), ROWS)
def test_who_speaks_for_a_machine(askers: tuple[Asker, ...], facts: set[Fact], rival: Rival) -> None:
    assert [judge(asker, frozenset(facts)) for asker in askers] == [rival] * len(askers)


@pytest.mark.parametrize("asker", Asker)
def test_a_boot_that_holds_the_identity_lets_nobody_in_and_every_case_has_a_row(asker: Asker) -> None:
    cases = [
        frozenset(facts) for count in range(len(Fact) + 1) for facts in itertools.combinations(Fact, count)
    ]
    assert {facts for facts in cases if judge(asker, facts) is Rival.BOOT} == {
        facts for facts in cases if Fact.HELD in facts
    }
