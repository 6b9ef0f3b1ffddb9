"""Which port is used: decided from findings alone."""

import pytest

from bootos.agent.network.addressing import Addressing
from bootos.agent.network.finding import Finding, Timing, choose_port, explain
from bootos.agent.network.networkfile import Port
from bootos.agent.network.reach import Grade, Reach, build_query, find_in_hosts, parse_answer

DOWN, WAITING, TRYING = "down", "waiting", "trying"


def find(*states: str | Grade) -> list[Finding]:
    """Findings for eth0, eth1, ... in these states."""
    return [
        Finding(
            port=Port(name=f"eth{number}", card=f"eth{number}", addressing=Addressing()),
            mac=f"52:54:00:00:00:{number:02x}",
            carrier=state != DOWN,
            address=None if state in (DOWN, WAITING) else f"10.7.{number}.5/24",
            reach=Reach(grade=state, reason="because") if isinstance(state, Grade) else None,
        )
        for number, state in enumerate(states)
    ]


R, F, N = Grade.REACHED, Grade.REFUSED, Grade.NOT_REACHED


@pytest.mark.parametrize(
    ("states", "waited_s", "only", "chosen"),
    [
        ((R,), 0, True, "eth0"),
        ((N, R), 0, False, "eth1"),
        ((DOWN, R, R), 0, False, "eth1"),
        ((WAITING, R), 0, False, None),  # eth0 is preferred and may still get its address
        ((TRYING, R), 0, False, None),
        ((WAITING, R), 5, False, "eth1"),
        ((R, WAITING), 0, False, "eth0"),
        ((F, R), 0, False, "eth1"),
        ((F,), 0, True, "eth0"),  # the only card there is: its server has not started
        ((F, WAITING), 0, False, None),  # the refusal may come from another host of that name
        ((F, WAITING), 20, False, "eth0"),
        ((N, DOWN), 60, False, None),
        ((), 60, False, None),
    ],
)
def test_chooses(states: tuple[str | Grade, ...], waited_s: float, only: bool, chosen: str | None) -> None:
    best = choose_port(find(*states), waited_s, Timing(), only=only)
    assert (best.port.name if best else None) == chosen


def test_each_port_is_explained() -> None:
    said = [explain(item, "http://s") for item in find(R, N, F, DOWN, WAITING)]
    assert said == [
        "eth0 52:54:00:00:00:00 (10.7.0.5/24) reaches http://s",
        "eth1 52:54:00:00:00:01 (10.7.1.5/24) has an address but does not reach http://s: because",
        "eth2 52:54:00:00:00:02 (10.7.2.5/24) gets to the host of http://s: because",
        "eth3 52:54:00:00:00:03: link DOWN",
        "eth4 52:54:00:00:00:04: no DHCP answer",
    ]


def test_reads_the_address_behind_an_alias() -> None:
    # boot.test is an alias of b.test, which is 192.0.2.1 (RFC 1035, with compressed names)
    question = build_query("boot.test", 7)[12:]
    alias = bytes.fromhex("c00c 0005 0001 00000e10 0004") + b"\x01b\xc0\x11"
    record = bytes.fromhex("c027 0001 0001 00000e10 0004 c0000201")
    answer = bytes.fromhex("0007 8180 0001 0002 0000 0000") + question + alias + record
    assert parse_answer(answer, 7) == "192.0.2.1"
    assert parse_answer(answer, 8) is None
    assert all(parse_answer(answer[:cut], 7) is None for cut in range(len(answer)))


def test_a_name_that_does_not_exist_has_no_address() -> None:
    answer = bytes.fromhex("0007 8183 0001 0000 0000 0000") + build_query("boot.test", 7)[12:]
    assert parse_answer(answer, 7) is None


def test_names_in_the_hosts_file_are_known() -> None:
    text = "127.0.0.1 localhost\n::1 boot\n192.0.2.1 boot.test Boot # the server\n"
    assert find_in_hosts(text, "boot") == "192.0.2.1"
    assert find_in_hosts(text, "other") is None
