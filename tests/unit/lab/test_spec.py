from pathlib import Path

import pytest

from bootos.errors import ProblemsError
from bootos.lab.spec import BmcSpec, DiskSpec, MachineSpec, NicSpec, find_problems, parse_size_mib, read_spec

NIC = NicSpec(mac="52:54:00:00:00:01", boot=True)


def paths_of(spec: MachineSpec) -> list[str]:
    return [problem.path for problem in find_problems(spec)]


def test_a_machine_with_one_booting_card_has_no_problem() -> None:
    assert find_problems(MachineSpec(nics=(NIC,), disks=(DiskSpec(name="a"),), bmc=BmcSpec())) == []


def test_names_everything_qemu_could_not_build_at_once() -> None:
    spec = MachineSpec(
        name="1st",
        cpus=0,
        disks=(
            DiskSpec(name="a", bus="virtio", model="X", wwn="0x5000c50012345678"),
            DiskSpec(name="a", bus="nvme", rotational=True, wwn="5000"),
            DiskSpec(name="b", serial="S" * 21),
        ),
        nics=(NIC, NicSpec(mac="52:54:00:00:00:01", boot=True, isolated=True), NicSpec(mac="53-54")),
    )
    assert paths_of(spec) == [
        "name",
        "cpus",
        "disks[0].wwn",
        "disks[0].model",
        "disks[1].name",
        "disks[1].wwn",
        "disks[1].wwn",
        "disks[1].rotational",
        "disks[2].serial",
        "nics[1].mac",
        "nics[1].isolated",
        "nics[2].mac",
        "nics",
    ]


def test_a_machine_that_boots_by_pxe_needs_a_card_for_it() -> None:
    assert paths_of(MachineSpec()) == ["nics"]
    assert paths_of(MachineSpec(boot="disk")) == []


def test_a_clock_is_set_to_a_day_or_a_second() -> None:
    for clock, wrong in (
        ("2003-01-01", []),
        ("2003-01-01T12:00:00", []),
        ("2003", ["clock"]),
        ("x,y", ["clock"]),
    ):
        assert paths_of(MachineSpec(nics=(NIC,), clock=clock)) == wrong


def test_a_bmc_has_fifteen_levels_and_suites_that_its_simulator_speaks() -> None:
    bmc = BmcSpec(cipher_suites=(3, 17), cipher_levels="aaa")
    assert paths_of(MachineSpec(nics=(NIC,), bmc=bmc)) == ["bmc.cipher_levels", "bmc.cipher_suites[1]"]


def test_refuses_a_multicast_mac() -> None:
    assert paths_of(MachineSpec(nics=(NicSpec(mac="53:54:00:00:00:01", boot=True),))) == ["nics[0].mac"]


@pytest.mark.parametrize(
    ("text", "size_mib"), [("512", 512), ("2G", 2048), ("2GiB", 2048), ("1048576K", 1024), ("1t", 1024**2)]
)
def test_reads_sizes(text: str, size_mib: int) -> None:
    assert parse_size_mib(text) == size_mib


@pytest.mark.parametrize("text", ["", "G", "2X", "100K", "-1G"])
def test_refuses_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match=r"size|whole"):
        parse_size_mib(text)


def test_reads_a_machine_from_toml(tmp_path: Path) -> None:
    path = tmp_path / "machine.toml"
    path.write_text(
        """
name = "db1"
memory_mib = 2048
[identity]
vendor = "Acme"
serial = "SN1"
[[disks]]
name = "a"
bus = "nvme"
size_mib = 512
[[nics]]
mac = "52:54:00:00:00:01"
boot = true
[bmc]
user = "root"
[boot]
kernel = "vmlinuz"
"""
    )
    spec = read_spec(path)
    assert (spec.name, spec.memory_mib, spec.identity.vendor, spec.disks[0].bus) == (
        "db1",
        2048,
        "Acme",
        "nvme",
    )
    assert spec.boot.kernel == "vmlinuz"  # type: ignore[union-attr]
    assert spec.bmc is not None and spec.bmc.user == "root"


def test_reports_unknown_keys_and_impossible_values_of_a_file_together(tmp_path: Path) -> None:
    path = tmp_path / "machine.toml"
    path.write_text('memori_mib = 1\n[[nics]]\nmac = "nonsense"\nboot = true\n')
    with pytest.raises(ProblemsError) as failure:
        read_spec(path)
    assert [problem.path for problem in failure.value.problems] == ["memori_mib", "nics[0].mac"]


def test_a_boot_that_its_firmware_or_its_medium_does_not_allow_is_named() -> None:
    nic = NicSpec(mac="52:54:00:00:00:01", boot=True)
    assert [problem.path for problem in find_problems(MachineSpec(boot="http", nics=(nic,)))] == ["boot"]
    assert [problem.path for problem in find_problems(MachineSpec(boot="cdrom"))] == ["medium"]
    assert find_problems(MachineSpec(boot="usb", medium="bootos.iso")) == []
