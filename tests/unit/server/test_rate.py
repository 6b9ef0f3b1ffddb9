import pytest
from handclock import StillClock

from bootos.server.health import Health
from bootos.server.operation.admission import find_network
from bootos.server.rate import MOST_KEYS, Rate


def test_so_many_are_taken_in_any_minute_and_then_the_seconds_to_wait_are_said() -> None:
    clock = StillClock()
    rate = Rate(2, clock)
    assert rate.take("a") == 0
    clock.sleep(10)
    assert rate.take("a") == 0
    assert rate.take("a") == 50
    assert rate.take("b") == 0
    clock.sleep(50)
    assert rate.take("a") == 0
    assert rate.take("a") == 10


def test_of_more_keys_than_there_is_room_for_those_that_were_quiet_for_longest_are_forgotten() -> None:
    rate = Rate(1, StillClock())
    rate.take("first")
    rate.take("second")
    assert rate.take("first") > 0
    for number in range(MOST_KEYS - 1):
        rate.take(str(number))
    assert rate.take("first") > 0
    assert rate.take("second") == 0


@pytest.mark.parametrize(
    ("address", "network", "own"),
    [
        ("10.1.2.3", "10.1.2.0/24", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.0/24", "10.1.2.3"),
        ("2001:db8::1", "2001:db8::/64", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64", "fe80::/64"),
        ("", "", ""),
        ("x", "x", "x"),
    ],
)
def test_an_address_counts_for_its_network(address: str, network: str, own: str) -> None:
    assert (find_network(address), find_network(address, own=True)) == (network, own)


def test_sentences_are_counted_and_the_oldest_go() -> None:
    health = Health(3)
    for number in range(5):
        health.note("x", f"machine {number}")
    health.note("x", "machine 2")
    assert [(said.detail, said.count) for said in health.sentences()] == [
        ("machine 2", 2),
        ("machine 4", 1),
        ("machine 3", 1),
    ]
    assert health.counts() == {"x": 6}


def test_a_flood_of_one_kind_drives_out_no_sentence_of_another() -> None:
    health = Health(10)
    health.note("identity", "not taken for SN001")
    health.note("certificate", "cannot be renewed")
    for number in range(1000):
        health.note("registrations_per_address", f"10.0.0.{number} registers too often")
        if number % 100 == 0:
            health.note("identity", f"not taken for machine {number}")
    kept = [said.detail for said in health.sentences() if said.what == "identity"]
    assert kept == [f"not taken for machine {number}" for number in (900, 800, 700, 600)]
    assert "certificate" in [said.what for said in health.sentences()]
    assert len(health.sentences()) == 10
    assert health.sentences()[0].detail == "10.0.0.999 registers too often"


def test_a_sentence_has_no_control_characters_and_an_end() -> None:
    health = Health()
    health.note("x", "\x1b[2J" + "y" * 10_000)
    (said,) = health.sentences()
    assert said.detail.startswith("\u241b[2J")
    assert len(said.detail) == 300
