from bootos.lab.fru import FRU_BYTES, build_fru, build_temperature_record
from bootos.lab.spec import Identity


def test_every_area_begins_on_8_bytes_and_adds_up_to_zero() -> None:
    content = build_fru(Identity(vendor="Acme", product="R1", serial="S"))
    assert len(content) == FRU_BYTES
    assert sum(content[:8]) & 0xFF == 0
    for offset in (place * 8 for place in content[2:5]):
        size_bytes = content[offset + 1] * 8
        assert sum(content[offset : offset + size_bytes]) & 0xFF == 0


def test_a_single_character_is_not_taken_for_the_end_of_the_fields() -> None:
    assert b"\xc2S " in build_fru(Identity(serial="S"))


def test_the_sensor_record_tells_its_own_length() -> None:
    record = build_temperature_record()
    assert record[4] == len(record) - 5
