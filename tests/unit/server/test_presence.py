"""Who counts as heard of, and holds an identity, whatever the host's clock says."""

from datetime import timedelta

import pytest
from handclock import StillClock

from bootos.server.presence import BAR_S, Presence
from bootos.server.store.table import read_clock


def start(clock: StillClock) -> Presence:
    return Presence(40, clock)


def test_a_machine_counts_as_heard_of_for_the_grace_and_not_longer() -> None:
    clock = StillClock()
    presence = start(clock)
    clock.sleep(1000)
    presence.hear(1)
    clock.sleep(39)
    assert presence.is_heard(1, None) and presence.grace_left_s(1) == 1
    clock.sleep(1)
    assert not presence.is_heard(1, None) and presence.grace_left_s(1) == 0


def test_what_was_written_before_a_restart_counts_from_the_start() -> None:
    """Whatever the clock says: the server was ended, the clock was set, the server was started."""
    for written in (timedelta(0), timedelta(days=3650), timedelta(days=-3650)):
        clock = StillClock()
        presence = start(clock)
        assert presence.grace_left_s(1) == 40
        clock.sleep(41)
        assert presence.grace_left_s(1) == 0
        assert not presence.is_heard(1, read_clock() + written)


def test_only_who_was_heard_of_shortly_before_a_restart_is_shown_as_heard_of() -> None:
    presence = start(StillClock())
    assert presence.is_heard(1, read_clock() - timedelta(seconds=30))
    assert not presence.is_heard(1, read_clock() - timedelta(hours=1))
    assert not presence.is_heard(1, None)


def test_an_open_poll_counts_for_as_long_as_it_is_open() -> None:
    clock = StillClock()
    presence = start(clock)
    with presence.polling(1):
        clock.sleep(1000)
        assert presence.is_heard(1, None) and presence.grace_left_s(1) == 40
    assert presence.grace_left_s(1) == 0


def test_a_machine_that_reboots_is_not_lost_for_a_while() -> None:
    clock = StillClock()
    presence = start(clock)
    assert presence.is_recent(1, read_clock() - timedelta(seconds=10), 1800)
    assert not presence.is_recent(1, read_clock() - timedelta(hours=1), 1800)
    presence.hear(1)
    clock.sleep(1799)
    assert presence.is_recent(1, None, 1800)
    clock.sleep(1)
    assert not presence.is_recent(1, None, 1800)


def test_an_identity_that_was_taken_away_is_another_ones_first() -> None:
    clock = StillClock()
    presence = start(clock)
    presence.hear(1)
    presence.let_go(1, "boot-1", "10.0.0.66")
    assert presence.grace_left_s(1) == 0
    assert presence.bar_left_s(1, "boot-1", "10.0.0.1") == presence.bar_left_s(1, "x", "10.0.0.66") == BAR_S
    assert presence.bar_left_s(1, "boot-2", "10.0.0.1") == presence.bar_left_s(2, "boot-1") == 0
    clock.sleep(BAR_S)
    assert presence.bar_left_s(1, "boot-1") == 0


def test_a_bar_and_a_word_can_be_taken_back_as_long_as_nothing_came_since() -> None:
    clock = StillClock()
    presence = start(clock)
    presence.hear(1)
    clock.sleep(10)
    presence.let_go(1, "boot-1")()
    assert presence.bar_left_s(1, "boot-1") == 0 and presence.grace_left_s(1) == 30
    presence.hear(1)()
    assert presence.grace_left_s(1) == 30
    presence.hear(2)()
    assert not presence.is_heard(2, None)
    take_back = presence.hear(1)
    presence.let_go(1, "boot-1")
    take_back()
    assert presence.bar_left_s(1, "boot-1") == BAR_S and presence.grace_left_s(1) == 0


def test_moments_that_could_not_be_written_down_are_given_again_and_others_once() -> None:
    clock = StillClock()
    presence = start(clock)
    clock.sleep(1)
    presence.hear(1)
    presence.hear(2)
    clock.sleep(1)
    with pytest.raises(OSError, match="the disk is full"), presence.writing() as moments:
        assert set(moments) == {1, 2}
        raise OSError("the disk is full")
    with presence.writing() as moments:
        assert set(moments) == {1, 2}
        presence.hear(2)
    clock.sleep(1)
    with presence.writing() as moments:
        assert set(moments) == {2}
    clock.sleep(1)
    with presence.polling(1), presence.writing() as moments:
        assert set(moments) == {1}
    presence.hear(3)
    presence.forget(3)
    with presence.writing() as moments:
        assert moments == {}
