import pytest
from smbios_table import END, build_bios, build_board, build_system

from bootos.hardware.dmi import Dmi
from bootos.hardware.smbios import parse_table
from bootos.hardware.virtual import find_hypervisor
from bootos.wire.inventory import Cpu


def read(*structures: bytes) -> Dmi:
    return Dmi(parse_table(b"".join(structures) + END), (3, 0))


SERVER = read(
    build_bios("SeaBIOS", "1.16.2", "04/01/2014"),
    build_system("Supermicro", "SYS-1029P", "1", "S1"),
    build_board("Supermicro", "X11DPi-N", "B1"),
)


def test_a_server_without_the_hypervisor_flag_is_physical() -> None:
    assert find_hypervisor(Cpu(flags=["lm", "vmx"]), SERVER) is None


def test_seabios_alone_is_no_evidence() -> None:
    assert find_hypervisor(Cpu(), SERVER) is None


def test_the_processors_flag_alone_makes_a_machine_virtual() -> None:
    assert find_hypervisor(Cpu(flags=["hypervisor"]), SERVER) == "unknown"
    assert find_hypervisor(Cpu(flags=["hypervisor"]), None) == "unknown"


@pytest.mark.parametrize(
    ("vendor", "product", "name"),
    [
        ("QEMU", "Standard PC (Q35 + ICH9, 2009)", "qemu"),
        ("VMware, Inc.", "VMware7,1", "vmware"),
        ("innotek GmbH", "VirtualBox", "virtualbox"),
        ("Xen", "HVM domU", "xen"),
        ("Microsoft Corporation", "Virtual Machine", "hyper-v"),
        ("Amazon EC2", "m5.large", "amazon"),
        ("Google", "Google Compute Engine", "google"),
        ("Red Hat", "KVM", "kvm"),
    ],
)
def test_smbios_names_the_hypervisor(vendor: str, product: str, name: str) -> None:
    table = read(build_system(vendor, product, "1", "S1"))
    assert find_hypervisor(Cpu(flags=["hypervisor"]), table) == name
    assert find_hypervisor(Cpu(), table) == name


@pytest.mark.parametrize(
    ("vendor", "product"),
    [("Amazon EC2", "m5.metal"), ("Microsoft Corporation", "C2030"), ("HPE", "ProLiant DL380 Gen10")],
)
def test_steel_of_makers_that_also_have_clouds_is_physical(vendor: str, product: str) -> None:
    assert find_hypervisor(Cpu(), read(build_system(vendor, product, "1", "S1"))) is None
