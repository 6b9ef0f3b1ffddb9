from pathlib import Path

import pytest

from bootos.hardware.cpu import parse_cpuinfo, read_cpu
from bootos.hardware.firmware import add_boot_mode
from bootos.hardware.memory import parse_meminfo, read_memory
from bootos.hardware.tpm import parse_caps_vendor, parse_vendor, read_tpm
from bootos.hardware.tree import Tree
from bootos.wire.inventory import Bios, Dimm


def test_sockets_cores_and_threads_are_counted_over_the_whole_machine(golden: Path) -> None:
    cpu = parse_cpuinfo((golden / "proc/cpuinfo-two-sockets.txt").read_text())
    assert (cpu.sockets, cpu.cores, cpu.threads) == (2, 2, 4)
    assert cpu.model == "Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz"
    assert (cpu.vendor, cpu.microcode) == ("GenuineIntel", "0x2006e05")
    assert "vmx" in cpu.flags
    assert "vme" not in cpu.flags


def test_dies_of_one_package_that_number_their_cores_alike_are_counted(golden: Path) -> None:
    """Four packages of two dies with six cores each."""
    cpu = parse_cpuinfo((golden / "proc/cpuinfo-opteron-four-sockets.txt").read_text())
    assert (cpu.sockets, cpu.cores, cpu.threads) == (4, 48, 48)


def test_threads_that_are_offline_take_no_core_away() -> None:
    """Two cores, of each one thread online: the package has as many cores as siblings then."""
    block = "processor\t: {0}\nphysical id\t: 0\nsiblings\t: 2\ncore id\t\t: {0}\ncpu cores\t: 2\n"
    cpu = parse_cpuinfo("\n".join(block.format(number) for number in (0, 1)))
    assert (cpu.sockets, cpu.cores, cpu.threads) == (1, 2, 2)


def test_the_kernels_grouping_of_threads_is_believed_first(tmp_path: Path) -> None:
    """Two sockets of two dies with one core each, all of them called core 0, two threads in each."""
    (tmp_path / "proc").mkdir()
    text = ""
    for number in range(8):
        package, place = number // 4, tmp_path / f"sys/devices/system/cpu/cpu{number}/topology"
        place.mkdir(parents=True)
        (place / "physical_package_id").write_text(f"{package}\n")
        (place / "core_id").write_text("0\n")
        (place / "thread_siblings_list").write_text(f"{number // 2 * 2}-{number // 2 * 2 + 1}\n")
        text += f"processor\t: {number}\nphysical id\t: {package}\ncore id\t\t: 0\n\n"
    (tmp_path / "proc/cpuinfo").write_text(text)
    cpu = read_cpu(Tree(tmp_path))
    assert (cpu.sockets, cpu.cores, cpu.threads) == (2, 4, 8)


def test_a_processor_that_tells_no_topology_is_counted_by_sysfs(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("processor\t: 0\nBogoMIPS\t: 50.00\n\nprocessor\t: 1\n")
    for number in (0, 1):
        place = tmp_path / f"sys/devices/system/cpu/cpu{number}/topology"
        place.mkdir(parents=True)
        (place / "physical_package_id").write_text("0\n")
        (place / "core_id").write_text(f"{number}\n")
    cpu = read_cpu(Tree(tmp_path))
    assert (cpu.sockets, cpu.cores, cpu.threads, cpu.model) == (1, 2, 2, None)


def test_a_package_that_the_kernel_does_not_know_is_no_socket(tmp_path: Path) -> None:
    """As hwloc's test data has it of a POWER7 (256ppc-8n8s4t): -1 for every package, four threads a core."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("".join(f"processor\t: {number}\n\n" for number in range(8)))
    for number in range(8):
        place = tmp_path / f"sys/devices/system/cpu/cpu{number}/topology"
        place.mkdir(parents=True)
        (place / "physical_package_id").write_text("-1\n")
        (place / "thread_siblings_list").write_text(f"{number // 4 * 4}-{number // 4 * 4 + 3}\n")
    cpu = read_cpu(Tree(tmp_path))
    assert (cpu.sockets, cpu.cores, cpu.threads) == (None, 2, 8)


def test_the_clock_is_known_where_the_kernel_sets_it(tmp_path: Path) -> None:
    place = tmp_path / "sys/devices/system/cpu/cpu0/cpufreq"
    place.mkdir(parents=True)
    (place / "cpuinfo_max_freq").write_text("3700000\n")
    assert read_cpu(Tree(tmp_path)).max_mhz == 3700


def test_memory_is_the_sum_of_the_dimms_only_when_all_are_known(tmp_path: Path) -> None:
    known = [Dimm(slot="A1", size_bytes=16 << 30), Dimm(slot="A2", size_bytes=0)]
    assert read_memory(Tree(tmp_path), known).total_bytes == 16 << 30
    assert read_memory(Tree(tmp_path), [*known, Dimm(slot="A3")]).total_bytes is None
    assert read_memory(Tree(tmp_path), []).total_bytes is None


def test_usable_memory_is_in_bytes() -> None:
    assert parse_meminfo("MemTotal:       16311828 kB\nMemFree: 1 kB\n") == 16311828 * 1024
    assert parse_meminfo("") is None


def test_a_legacy_boot_has_no_secure_boot(tmp_path: Path) -> None:
    (tmp_path / "sys/firmware").mkdir(parents=True)
    bios = Bios()
    add_boot_mode(Tree(tmp_path), bios)
    assert (bios.boot_mode, bios.secure_boot) == ("bios", False)


@pytest.mark.parametrize(
    ("value", "secure"), [(b"\x06\0\0\0\x01", True), (b"\x06\0\0\0\0", False), (None, None)]
)
def test_secure_boot_is_read_from_its_variable(
    tmp_path: Path, value: bytes | None, secure: bool | None
) -> None:
    variables = tmp_path / "sys/firmware/efi/efivars"
    variables.mkdir(parents=True)
    if value is not None:
        (variables / "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c").write_bytes(value)
    bios = Bios()
    add_boot_mode(Tree(tmp_path), bios)
    assert (bios.boot_mode, bios.secure_boot) == ("uefi", secure)


def test_the_tpm_tells_its_version_and_smbios_or_the_chip_its_maker(tmp_path: Path) -> None:
    assert read_tpm(Tree(tmp_path), None) is None
    place = tmp_path / "sys/class/tpm/tpm0"
    place.mkdir(parents=True)
    (place / "tpm_version_major").write_text("2\n")
    tpm = read_tpm(Tree(tmp_path), None)
    assert tpm is not None
    assert (tpm.version, tpm.vendor) == ("2.0", None)
    assert parse_vendor(b"IFX\0") == "Infineon"
    assert parse_vendor(b"ZZZ ") == "ZZZ"
    assert parse_caps_vendor("Manufacturer: 0x53544d20\nTCG version: 1.2\n") == "STMicroelectronics"
