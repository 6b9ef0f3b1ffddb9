import re

import pytest

from bootos.drivers.firmware.vendor import find_format, find_queries, list_formats


@pytest.mark.parametrize("key", list_formats())
def test_an_exit_code_has_one_meaning(key: str) -> None:
    format = list_formats()[key]
    codes = [*format.done, *format.reboot, *format.current, *format.rebooting]
    assert len(codes) == len(set(codes))
    assert not set(format.meaning) & {str(code) for code in (*format.done, *format.reboot)}
    assert any("{package}" in word or "{directory}" in word for word in format.command)
    assert ("{program}" in format.command) == bool(format.programs)


@pytest.mark.parametrize(
    ("vendor", "component", "file", "format"),
    [
        ("Dell Inc.", "bios", "BIOS_D4JVG_LN64_2.19.1.BIN", "dell-dup"),
        ("HPE", "nic", "CP054321.scexe", "hpe-component"),
        ("Hewlett Packard Enterprise", "bios", "U30_2.68_07_14_2022.fwpkg", "hpe-fwpkg"),
        ("Lenovo", "bmc", "lnvgy_fw_xcc_cdi3a8n-9.40_anyos_comp.zip", "lenovo-onecli"),
        ("Supermicro", "bios", "BIOS_X12SPI-1B4A_20210311_1.0a_STDsp.bin", "supermicro-bios"),
        ("Supermicro", "bmc", "BMC_X12AST2600-ROT-5201MS_20230405_01.01.12_STDsp.bin", "supermicro-bmc"),
        ("Supermicro", "nic", "nic.bin", None),
        ("Lenovo", "bios", "U30_2.68.fwpkg", None),
        (None, "bios", "BIOS.BIN", None),
    ],
)
def test_a_package_is_known_by_the_machines_vendor_and_its_name(
    vendor: str | None, component: str, file: str, format: str | None
) -> None:
    assert find_format(vendor, component, f"https://h/x/{file}?token=1#a") == format  # type: ignore[arg-type]


def test_every_vendors_tool_is_asked_by_a_pattern_with_one_group() -> None:
    for vendor in ("Dell Inc.", "HPE", "Supermicro", "nobody"):
        queries = find_queries(vendor)
        assert queries[0].programs == ("firmware-versions",)
        for query in queries:
            assert all(re.compile(pattern).groups == 1 for pattern in query.versions.values())
