from pathlib import Path

import msgspec
import pytest
from serving import INVENTORY, Agent, Running

from bootos.errors import BootosError
from bootos.server.limit import FIXED, FIXED_ROWS, LIMITS, ROWS, build_page, parse_limits
from bootos.server.mark import read_marks
from bootos.wire.inventory import Inventory

PAGE = Path(__file__).parents[3] / "docs/limits.md"


@pytest.mark.parametrize("more", [0, 1])
def test_a_machine_has_as_many_macs_as_is_said_and_not_one_more(server: Running, more: int) -> None:
    macs = [f"52:54:00:00:01:{number:02x}" for number in range(FIXED.macs + more)]
    nic = INVENTORY["nics"][0]
    nics = [{**nic, "name": f"eth{number}", "mac": mac} for number, mac in enumerate(macs)]
    inventory = {**INVENTORY, "nics": nics}
    assert Agent(server, inventory=inventory).register().status == 200
    machine = server.operate("GET", "/machines/SN001")
    assert [mac["mac"] for mac in machine["macs"]] == macs[: FIXED.macs]
    assert read_marks(msgspec.convert(inventory, Inventory)).macs == set(macs[: FIXED.macs])
    server.operate("POST", "/confirm", [{"machine": "SN001"}])
    assert server.operate("GET", "/machines/SN001")["known"]["macs"] == macs[: FIXED.macs]


def test_the_page_of_the_limits_is_up_to_date() -> None:
    assert PAGE.read_text() == build_page(), "docs/limits.md is old: run `python -m bootos.server.limit`"


@pytest.mark.parametrize("name", sorted(ROWS | FIXED_ROWS))
def test_every_limit_is_a_positive_number_with_its_unit_and_its_answer(name: str) -> None:
    row = (ROWS | FIXED_ROWS)[name]
    assert getattr(LIMITS if name in ROWS else FIXED, name) > 0
    assert all((row.part, row.unit, row.counts, row.answer))


def test_a_site_sets_other_values_by_name() -> None:
    limits = parse_limits(["body_bytes=1000", "new_machines=20000"])
    assert (limits.body_bytes, limits.new_machines) == (1000, 20_000)
    assert limits.registration_bytes == LIMITS.registration_bytes


@pytest.mark.parametrize(
    "word", ["body_bytes", "body_bytes=", "body_bytes=0", "body_bytes=²", "body_bytes=-1", "x=1"]
)
def test_a_value_that_is_none_is_refused_with_what_may_be_written(word: str) -> None:
    with pytest.raises(BootosError) as caught:
        parse_limits([word])
    assert "body_bytes" in caught.value.hint


def test_a_limit_that_is_the_same_everywhere_is_refused_as_such() -> None:
    with pytest.raises(BootosError, match="the limit macs is the same everywhere"):
        parse_limits(["macs=65"])
