"""Who may be connected: by address and in all, for how long, and with how much of a body in memory."""

import pytest

from bootos.server.crowd import Crowd, Guest
from bootos.server.limit import Limits

LIMITS = Limits(
    connections=40,
    connections_per_address=20,
    waiting_connections=10,
    handshakes=4,
    header_s=15,
    body_s=60,
    handshake_s=10,
    bodies_in_memory_bytes=1000,
)


class Wire:
    """A connection that remembers how it ended."""

    def __init__(self) -> None:
        self.ended = ""

    def drop(self) -> None:
        self.ended = "dropped"

    def refuse(self, status: int, error: str, hint: str, *, retry_after_s: int | None = None) -> None:
        assert error and hint
        assert (retry_after_s is not None) == (status == 429)
        self.ended = str(status)


class Door:
    """A crowd, with a clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0
        self.notes: list[str] = []
        self.crowd = Crowd(
            LIMITS,
            most=1000,
            note=lambda what, detail: self.notes.append(what),
            exempt=lambda address: address == "10.0.0.9",
            clock=lambda: self.now,
        )

    def try_admit(self, address: str = "10.0.0.1") -> tuple[Guest | None, Wire]:
        wire = Wire()
        return self.crowd.admit(address, wire), wire

    def admit(self, address: str = "10.0.0.1", *, stage: str = "new") -> tuple[Guest, Wire]:
        guest, wire = self.try_admit(address)
        assert guest is not None
        if stage == "busy":
            self.crowd.expect_answer(guest)
        return guest, wire

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.crowd.end_late()


@pytest.fixture
def door() -> Door:
    return Door()


def test_an_address_has_so_many_connections_and_a_closed_one_makes_room(door: Door) -> None:
    guests = [door.admit(stage="busy")[0] for _ in range(LIMITS.connections_per_address)]
    assert door.try_admit()[0] is None
    assert door.try_admit("10.0.0.2")[0] is not None, "others are not concerned"
    door.crowd.leave(guests[0])
    door.crowd.leave(guests[0])
    assert door.try_admit()[0] is not None
    assert door.try_admit()[0] is None
    assert set(door.notes) == {"connections_per_address"}


def test_a_proxy_that_is_trusted_stands_for_many_clients(door: Door) -> None:
    for _ in range(LIMITS.connections_per_address + 5):
        door.admit("10.0.0.9", stage="busy")
    assert door.notes == []


def test_a_crowd_that_says_nothing_drives_out_itself_and_no_machine_at_work(door: Door) -> None:
    at_work = [door.admit(f"10.0.0.{number}", stage="busy")[1] for number in range(10, 15)]
    arriving_wire = door.admit("10.0.0.77")[1]
    wires = [door.admit(f"10.9.0.{number % 2}")[1] for number in range(30)]
    assert not any(wire.ended for wire in (*at_work, arriving_wire)), (
        "an address that has one waits beside them"
    )
    dropped = [wire for wire in wires if wire.ended]
    assert len(wires) - len(dropped) <= LIMITS.waiting_connections
    assert not wires[-1].ended, "the oldest go"
    assert len(door.crowd) <= LIMITS.waiting_connections + len(at_work)


def test_when_all_connections_are_at_work_another_one_is_not_taken(door: Door) -> None:
    for number in range(LIMITS.connections):
        door.admit(f"10.0.{number}.1", stage="busy")
    assert door.try_admit("10.1.0.1")[0] is None
    assert "connections" in door.notes


def test_who_keeps_all_lines_busy_keeps_nobody_out(door: Door) -> None:
    at_work = [door.admit(f"10.0.0.{number}", stage="busy")[1] for number in range(10, 20)]
    proxied = [door.admit("10.0.0.9", stage="busy")[1] for _ in range(10)]
    greedy = [door.admit("10.9.0.1", stage="busy")[1] for _ in range(LIMITS.connections_per_address)]
    arriving_wire = door.admit("10.0.0.77")[1]
    assert not any(wire.ended for wire in (*at_work, *proxied, arriving_wire))
    assert [wire.ended for wire in greedy] == ["dropped", *[""] * (len(greedy) - 1)], "the oldest goes"
    assert door.try_admit("10.9.0.1")[0] is None
    assert not arriving_wire.ended, "and drives nobody out who has come since"


def test_of_too_many_unfinished_handshakes_one_goes_of_who_has_the_most(door: Door) -> None:
    own, own_wire = door.admit("10.0.0.1")
    door.crowd.begin_handshake(own)
    wires = []
    for _ in range(8):
        guest, wire = door.admit("10.0.0.2")
        door.crowd.begin_handshake(guest)
        wires.append(wire)
    assert door.crowd.count_handshakes() <= LIMITS.handshakes
    assert own_wire.ended == ""
    assert [bool(wire.ended) for wire in wires] == sorted((bool(wire.ended) for wire in wires), reverse=True)
    door.crowd.end_handshake(own)
    door.pass_time(LIMITS.handshake_s + 1)
    assert own_wire.ended == ""


@pytest.mark.parametrize(("stage", "after_s"), [("new", LIMITS.header_s), ("handshake", LIMITS.handshake_s)])
def test_who_does_not_come_to_a_request_in_time_is_dropped(door: Door, stage: str, after_s: int) -> None:
    guest, wire = door.admit()
    if stage == "handshake":
        door.crowd.begin_handshake(guest)
    door.pass_time(after_s)
    assert wire.ended == ""
    door.pass_time(1)
    assert wire.ended == "dropped"


def test_a_head_that_trickles_has_the_same_deadline(door: Door) -> None:
    guest, wire = door.admit()
    for _ in range(LIMITS.header_s + 2):
        door.crowd.expect_head(guest)
        door.pass_time(1)
    assert wire.ended == "dropped"


def test_a_body_that_does_not_come_is_answered_in_words(door: Door) -> None:
    guest, wire = door.admit()
    for _ in range(LIMITS.body_s + 2):
        door.crowd.expect_body(guest)
        door.crowd.hold(guest, 1)
        door.pass_time(1)
    assert wire.ended == "408"


def test_who_is_answered_or_keeps_the_line_open_has_no_deadline_here(door: Door) -> None:
    guest, wire = door.admit(stage="busy")
    door.pass_time(1000)
    door.crowd.expect_nothing(guest)
    door.pass_time(1000)
    assert wire.ended == ""


def test_who_does_not_read_is_dropped(door: Door) -> None:
    guest, wire = door.admit(stage="busy")
    door.crowd.expect_reader(guest)
    door.pass_time(LIMITS.body_s + 1)
    assert wire.ended == "dropped"


@pytest.mark.parametrize("reads", [False, True])
def test_who_reads_an_answer_late_has_no_longer_for_the_head_that_follows(door: Door, reads: bool) -> None:
    guest, wire = door.admit(stage="busy")
    door.crowd.expect_nothing(guest)
    door.crowd.expect_reader(guest)
    door.crowd.expect_head(guest)
    if reads:
        door.crowd.meet_reader(guest)
    door.pass_time(LIMITS.header_s)
    assert wire.ended == ""
    door.pass_time(1)
    assert (wire.ended, door.notes) == ("dropped", ["header_s"])


def test_who_begins_the_next_request_has_no_longer_to_read_the_answer(door: Door) -> None:
    guest, wire = door.admit(stage="busy")
    door.crowd.expect_reader(guest)
    door.pass_time(LIMITS.body_s - 10)
    door.crowd.expect_nothing(guest)
    door.crowd.expect_body(guest)
    door.pass_time(11)
    assert (wire.ended, door.notes) == ("dropped", ["body_s"])


def test_over_the_budget_the_largest_bodies_go_of_the_address_that_holds_the_most(door: Door) -> None:
    small, small_wire = door.admit("10.0.0.1")
    door.crowd.expect_body(small)
    door.crowd.hold(small, 200)
    hoarders = []
    for _ in range(3):
        guest, wire = door.admit("10.0.0.2")
        door.crowd.expect_body(guest)
        door.crowd.hold(guest, 190)
        hoarders.append(wire)
    door.crowd.hold(guest, 300)
    assert [wire.ended for wire in hoarders] == ["", "", "429"]
    assert small_wire.ended == ""
    assert door.crowd.body_bytes == 200 + 2 * 190


def test_a_body_that_is_whole_counts_until_it_was_answered(door: Door) -> None:
    guest, wire = door.admit()
    door.crowd.expect_answer(guest)
    door.crowd.hold(guest, 900)
    assert door.crowd.body_bytes == 900
    late, late_wire = door.admit("10.0.0.2")
    door.crowd.expect_body(late)
    door.crowd.hold(late, 200)
    assert (wire.ended, late_wire.ended) == ("", "429"), "what is being answered is not taken away"
    door.crowd.expect_nothing(guest)
    door.crowd.leave(late)
    assert door.crowd.body_bytes == 0
