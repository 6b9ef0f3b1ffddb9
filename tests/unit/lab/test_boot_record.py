from pathlib import Path

import msgspec
import pytest

from bootos.errors import BootosError
from bootos.lab.boot_path import PathResult
from bootos.lab.boot_record import PathRecord, find_floor, read_records, render_table, write_record


def build_record(name: str, *, ended: str = "", floor_mib: int = 0) -> PathRecord:
    result = PathResult(
        name=name,
        title=f"by {name}",
        memory_mib=1024,
        registered=not ended,
        seconds=61.4,
        cpu_s=58.6,
        loaded_bytes=96_702_400,
        ended=ended,
    )
    return PathRecord(result=result, accelerator="tcg", floor_mib=floor_mib)


@pytest.mark.parametrize("first_mib", [32, 384, 2048])
@pytest.mark.parametrize("floor_mib", range(32, 1025, 32))
def test_the_floor_is_found_in_few_boots(floor_mib: int, first_mib: int) -> None:
    tried: list[int] = []

    def is_enough(memory_mib: int) -> bool:
        assert memory_mib % 32 == 0 and memory_mib not in tried
        tried.append(memory_mib)
        return memory_mib >= floor_mib

    assert find_floor(is_enough, first_mib=first_mib, most_mib=1024) == floor_mib
    assert len(tried) <= 10


def test_a_floor_that_was_guessed_takes_two_boots() -> None:
    tried: list[int] = []

    def boots(size_mib: int) -> bool:
        tried.append(size_mib)
        return size_mib >= 384

    assert find_floor(boots, first_mib=384, most_mib=1024) == 384
    assert tried == [384, 352]


def test_a_record_replaces_the_one_of_its_path_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "bench/boot_paths.json"
    assert read_records(file) == {}
    for record in (build_record("kexec"), build_record("bios-pxe"), build_record("kexec", floor_mib=640)):
        write_record(file, record)
    records = read_records(file)
    assert sorted(records) == ["bios-pxe", "kexec"]
    assert records["kexec"].floor_mib == 640
    file.write_text("[]")
    with pytest.raises(BootosError, match=r"boot_paths\.json"):
        read_records(file)


def test_the_table_has_a_row_for_each_path_in_the_order_of_the_documentation() -> None:
    failed = build_record("kexec", ended="Kernel panic - not syncing: no memory\nmore lines")
    rows = render_table([failed, build_record("bios-pxe", floor_mib=352)]).splitlines()
    assert rows[2] == "| by bios-pxe | yes | 96.7 | 59 | 61 | 352 MiB |"
    assert rows[3] == "| by kexec | NO: Kernel panic - not syncing: no memory | 96.7 | 59 | 61 | - |"


def test_a_record_says_with_what_and_when_it_was_measured() -> None:
    record = msgspec.structs.replace(build_record("kexec"), image="1")
    assert record.accelerator == "tcg"
    assert record.at_s > 1.7e9
