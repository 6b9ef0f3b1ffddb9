"""Who counts as heard of, also when the server's clock was wrong."""

from datetime import timedelta

from bootos.server.presence import Presence
from bootos.server.store.table import read_clock


def test_a_machine_counts_as_heard_of_for_the_grace_and_not_longer() -> None:
    presence = Presence(40)
    assert presence.is_heard(1, read_clock() - timedelta(seconds=30))
    assert not presence.is_heard(1, read_clock() - timedelta(seconds=50))
    presence.hear(1)
    assert presence.is_heard(1, None)


def test_a_word_from_the_future_does_not_hold_an_identity_for_years() -> None:
    presence = Presence(40)
    future = read_clock() + timedelta(days=3650)
    assert not presence.is_heard(1, future)
    presence.hear(1)
    assert presence.is_heard(1, future)
