from pathlib import Path

import pytest

from bootos.drivers.erase.ability import (
    Ability,
    choose_way,
    parse_hdparm,
    parse_nvme,
    parse_opcodes,
    parse_sanitize_log,
    parse_sanitize_status,
)
from bootos.drivers.erase.readback import BLOCK_BYTES, build_stamp, classify, find_positions

GOLDEN = Path(__file__).parents[2] / "golden/drivers/disk.erase"


def test_what_a_drive_can_do_is_read_from_its_tool() -> None:
    ata = parse_hdparm((GOLDEN / "hdparm-sandisk-extreme.txt").read_text())
    assert ata is not None
    assert ata.ways[:3] == (
        ("ata-sanitize", "block"),
        ("ata-security-erase", "enhanced"),
        ("ata-security-erase", "normal"),
    )
    assert (ata.minutes, ata.blocked) == (2, {})
    frozen = parse_hdparm((GOLDEN / "hdparm-frozen.txt").read_text())
    assert frozen is not None
    assert set(frozen.blocked) == {"ata-security-erase"}
    nvme = parse_nvme((GOLDEN / "nvme-id-ctrl-wdc-sn730.json").read_text())
    assert {variant for method, variant in nvme.ways if method == "nvme-sanitize"} == {"block", "crypto"}
    assert ("nvme-format", "crypto") in nvme.ways
    scsi = parse_opcodes((GOLDEN / "sg-opcodes-seagate-st10000nm0226.txt").read_text())
    assert {variant for method, variant in scsi.ways if method == "scsi-sanitize"} == {"crypto", "overwrite"}
    assert parse_hdparm("/dev/sda:\nSG_IO: bad/missing sense data\n") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"sprog": 32768, "sstat": 2}', (2, 32768)),
        ('{"nvme0": {"sprog": 65535, "sstat": {"global_erased": 1, "status": 1}}}', (1, 65535)),
        ('{"nvme0": {"sprog": 100, "sstat": {"status": "(2) Sanitize in Progress"}}}', (2, 100)),
        ("not supported", (0, 65535)),
    ],
)
def test_every_shape_of_the_sanitize_log_is_understood(text: str, expected: tuple[int, int]) -> None:
    assert parse_sanitize_log(text) == expected


def test_the_state_of_an_ata_sanitize_is_read() -> None:
    running = (GOLDEN / "hdparm-sanitize-status-running.txt").read_text()
    done = (GOLDEN / "hdparm-sanitize-status-done.txt").read_text()
    assert parse_sanitize_status(running) == ("running", 25)
    assert parse_sanitize_status(done) == ("done", 100)


def test_nobody_gets_a_weaker_erase_without_knowing() -> None:
    ability = Ability(
        ways=(("overwrite", "host"), ("ata-security-erase", "enhanced")),
        blocked={"ata-security-erase": "it is frozen"},
    )
    way, why = choose_way(ability, "auto")
    assert way is None
    assert "should be erased with, but it is frozen" in why
    assert choose_way(ability, "overwrite")[0] == ("overwrite", "host")


def test_a_stamp_is_of_its_place_and_its_run() -> None:
    stamp = build_stamp("one", 4096)
    assert len(stamp) == BLOCK_BYTES
    assert classify(stamp, build_stamp("one", 4096)) == "stamp"
    assert classify(stamp, build_stamp("one", 8192)) == "other"
    assert classify(stamp, build_stamp("two", 4096)) == "other"
    assert classify(bytes(BLOCK_BYTES), stamp) == "zero"
    assert classify(b"\xff" * BLOCK_BYTES, stamp) == "ones"


def test_both_edges_are_always_among_the_positions() -> None:
    size = 480 * 10**9
    positions = find_positions(size, "seed")
    assert positions == sorted(set(positions))
    assert positions[0] == 0
    assert positions[-1] == (size // BLOCK_BYTES - 1) * BLOCK_BYTES
    assert find_positions(size, "other") != positions
