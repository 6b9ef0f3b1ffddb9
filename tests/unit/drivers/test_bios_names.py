"""The neutral names on attributes of real machines, and the page that lists them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bootos.drivers.bios.attribute_registry import parse_settings
from bootos.drivers.bios.namefile import GENERIC, find_candidates, find_vendor, find_vendors, read_names
from bootos.drivers.bios.names import export_bios, find_meanings, resolve_bios
from bootos.drivers.bios.namespage import build_page
from bootos.drivers.bios.section import plan_bios
from bootos.drivers.bios.setting import Setting, squash
from bootos.template.bios import NEUTRAL_NAMES, Bios
from bootos.template.check import read_template

GOLDEN = Path(__file__).parents[2] / "golden/drivers/bios.names"
PAGE = Path(__file__).parents[3] / "docs/bios-settings.md"


def read_settings(machine: str) -> list[Setting]:
    return parse_settings(json.loads((GOLDEN / f"{machine}.json").read_text()), {}, None)


def resolve(machine: str, vendor: str, **bios: Any) -> dict[str, Any]:
    wanted, problems = resolve_bios(Bios(**bios), read_settings(machine), vendor)
    assert problems == []
    return {want.name: want.value for want in wanted}


@pytest.mark.parametrize(
    ("machine", "vendor", "wanted", "found"),
    [
        ("dell-r650", "dell", {"virtualization": "disabled"}, {"ProcVirtualization": "Disabled"}),
        ("dell-r650", "dell", {"numa": "enabled"}, {"NodeInterleave": "Disabled"}),
        ("dell-r650", "dell", {"boot_mode": "legacy"}, {"BootMode": "Bios"}),
        ("dell-r650", "dell", {"power_profile": "custom"}, {"SysProfile": "Custom"}),
        ("dell-r650", "dell", {"tpm": "enabled"}, {"TpmSecurity": "On"}),
        (
            "hpe-dl360-gen10",
            "hpe",
            {"c_states": "disabled"},
            {"MinProcIdlePower": "NoCStates", "MinProcIdlePkgState": "NoState"},
        ),
        ("hpe-dl360-gen10", "hpe", {"boot_mode": "legacy"}, {"BootMode": "LegacyBios"}),
        ("hpe-gen10-amd", "hpe", {"virtualization": "disabled"}, {"ProcAmdVirtualization": "Disabled"}),
        ("hpe-gen10-amd", "hpe", {"iommu": "disabled"}, {"ProcAmdIOMMU": "Disabled"}),
        ("hpe-gen10-amd", "hpe", {"hyperthreading": "disabled"}, {"ProcSMT": "Disabled"}),
        ("hpe-gen10-amd", "hpe", {"turbo": "disabled"}, {"ProcAMDBoost": "Disabled"}),
        ("lenovo-xcc", "lenovo", {"hyperthreading": "disabled"}, {"Processors_HyperThreading": "Disable"}),
        (
            "lenovo-xcc",
            "lenovo",
            {"iommu": "enabled"},
            {"Devices_and_IO_Ports_IntelVTforDirectedIOVTd": "Enable"},
        ),
        ("lenovo-xcc", "lenovo", {"boot_mode": "uefi"}, {"BootModes_SystemBootMode": "UEFIMode"}),
        ("hpe-gen11", "hpe", {"numa": "disabled"}, {"Numa": "Disabled"}),
        ("dell-r6515", "dell", {"iommu": "disabled"}, {"IommuSupport": "Disabled"}),
        ("dell-r6515", "dell", {"sub_numa": "enabled"}, {"NumaNodesPerSocket": "4"}),
        # what is as wanted already stays as it is called
        ("dell-r6515", "dell", {"power_profile": "balanced"}, {"SysProfile": "PerfPerWattOptimizedOs"}),
    ],
)
def test_a_neutral_name_finds_the_attribute_of_this_machine(
    machine: str, vendor: str, wanted: dict[str, Any], found: dict[str, Any]
) -> None:
    assert resolve(machine, vendor, **wanted) == found


def test_a_name_that_this_machine_lacks_is_told_with_what_was_looked_for() -> None:
    _, problems = resolve_bios(Bios(above_4g="enabled"), read_settings("hpe-gen10-amd"), "hpe")
    (problem,) = problems
    assert problem.path == "bios.above_4g"
    assert "looked for: Above4GDecoding*" in problem.message
    assert "bios.vendor" in problem.hint


def test_on_a_machine_of_no_known_maker_the_names_of_others_are_counted() -> None:
    _, problems = resolve_bios(Bios(above_4g="enabled"), [], "generic")
    (problem,) = problems
    assert re.search(r"\(looked for: \d+ names that makers give it\)$", problem.message)


def test_a_value_that_this_bios_lacks_is_told_with_those_it_has() -> None:
    _, problems = resolve_bios(Bios(power_profile="powersave"), read_settings("hpe-gen10-amd"), "hpe")
    (problem,) = problems
    assert problem.message == "WorkloadProfile of this BIOS cannot be powersave"
    assert problem.hint == "it can be: performance, balanced, custom"


def test_a_value_without_a_neutral_word_is_exported_as_it_is() -> None:
    """SNC `Auto`, a workload profile for storage: the name is known and the value has no word."""
    allowed = ("Custom", "I/OThroughput", "GeneralPowerEfficientCompute")
    profile = Setting(
        name="WorkloadProfile", type="enum", current="I/OThroughput", default="Custom", allowed=allowed
    )
    assert export_bios([profile], "hpe") == {"vendor": {"WorkloadProfile": "I/OThroughput"}}


@pytest.mark.parametrize(
    ("settings", "wanted", "found"),
    [
        # white boxes with the names of Intel's reference BIOS, or of one maker's under another's label
        ({"ProcessorHyperThreading": "Enable"}, {"hyperthreading": "disabled"}, "Disable"),
        ({"ProcHyperthreading": "Enabled"}, {"hyperthreading": "disabled"}, "Disabled"),
        ({"NumaNodesPerSocket": "1"}, {"sub_numa": "enabled"}, "4"),
    ],
)
def test_the_names_of_all_makers_are_tried_on_a_machine_of_none(
    settings: dict[str, str], wanted: dict[str, Any], found: str
) -> None:
    shown = parse_settings(settings, {}, None)
    asked, problems = resolve_bios(Bios(**wanted), shown, GENERIC)
    assert problems == []
    assert {want.name: want.value for want in asked} == dict.fromkeys(settings, found)


@pytest.mark.parametrize(
    ("title", "current", "name", "value", "other"),
    [
        ("VT-d", "Enabled", "iommu", "enabled", "Disabled"),
        ("Restore AC Power Loss", "Last State", "power_restore", "last", "Power On"),
        ("Boot option filter", "UEFI only", "boot_mode", "uefi", "Legacy only"),
        ("Core Performance Boost", "Auto", "turbo", "enabled", "Disabled"),
        ("Global C-state Control", "Auto", "c_states", "enabled", "Disabled"),
        ("NUMA nodes per socket", "NPS1", "sub_numa", "disabled", "NPS4"),
        ("Above 4G Decoding", "Enabled", "above_4g", "enabled", "Disabled"),
    ],
)
def test_titles_of_amis_setup_explain_names_that_are_codes(
    title: str, current: str, name: str, value: str, other: str
) -> None:
    setting = Setting(name="CODE001", title=title, type="enum", current=current, allowed=(current, other))
    assert export_bios([setting], GENERIC) == {name: value}
    wish: dict[str, Any] = {name: value}
    wanted, problems = resolve_bios(Bios(**wish), [setting], GENERIC)
    assert (problems, [want.value for want in wanted]) == ([], [current])


def test_profiles_that_own_a_setting_are_known_where_the_tool_does_not_tell() -> None:
    template, _ = read_template({"name": "t", "bios": {"turbo": "disabled"}})
    assert template is not None
    (problem,) = plan_bios(read_settings("dell-r650"), template, "dell", "bios.racadm", {}).problems
    assert problem.message.startswith(
        "ProcTurboMode cannot be set to Disabled while SysProfile is PerfOptimized"
    )


@pytest.mark.parametrize(
    ("machine", "vendor"),
    [
        ("dell-r650", "dell"),
        ("hpe-dl360-gen10", "hpe"),
        ("hpe-gen10-amd", "hpe"),
        ("hpe-gen11", "hpe"),
        ("dell-r6515", "dell"),
        ("cisco-c240-m5", "cisco"),
        ("cisco-c225-m6", "cisco"),
        ("cisco-c220-m4", "cisco"),
        ("huawei-2288h-v5", "huawei"),
        ("xfusion-2288h-v7", "huawei"),
        ("xfusion-1258h-v7", "huawei"),
        ("lenovo-xcc", "lenovo"),
    ],
)
def test_what_a_real_machine_exports_plans_nothing_on_it(machine: str, vendor: str) -> None:
    settings = read_settings(machine)
    exported = export_bios(settings, vendor)
    assert len(exported) >= 6
    template, problems = read_template({"name": "t", "bios": exported})
    assert template is not None
    assert problems == []
    planned = plan_bios(settings, template, vendor, "bios.test", {})
    assert (planned.actions, planned.problems) == ([], [])


@pytest.mark.parametrize(
    ("machine", "vendor", "right"),
    [
        ("cisco-c220-m4", "cisco", {"tpm": "enabled"}),
        ("huawei-2288h-v5", "huawei", {"hyperthreading": "enabled"}),
        ("xfusion-2288h-v7", "huawei", {"hyperthreading": "enabled", "sriov": "enabled"}),
        (
            "xfusion-1258h-v7",
            "huawei",
            {
                "virtualization": "disabled",
                "iommu": "enabled",
                "hyperthreading": "enabled",
                "sub_numa": "disabled",
                "c_states": "disabled",
                "turbo": "disabled",
            },
        ),
    ],
)
def test_settings_that_newer_and_older_generations_call_otherwise_have_a_name(
    machine: str, vendor: str, right: dict[str, str]
) -> None:
    meanings = find_meanings(read_settings(machine), vendor)
    assert {name: meanings[name].value for name in right if name in meanings} == right


@pytest.mark.parametrize("vendor", ["cisco", "huawei", GENERIC])
def test_amds_own_names_are_read_alike_whoever_built_the_machine(vendor: str) -> None:
    settings = read_settings("xfusion-1258h-v7")
    meanings = find_meanings(settings, vendor)
    names = ("iommu", "hyperthreading", "sub_numa", "c_states", "turbo")
    assert [meanings[name].value for name in names if name in meanings] == [
        "enabled", "enabled", "disabled", "disabled", "disabled",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("system", "vendor"),
    [
        ("Dell Inc.", "dell"),
        ("HPE", "hpe"),
        ("HP", "hpe"),
        ("Hewlett Packard Enterprise", "hpe"),
        ("LENOVO", "lenovo"),
        ("Supermicro", "supermicro"),
        ("Huawei", "huawei"),
        ("Cisco Systems Inc", "cisco"),
        ("Inspur", "inspur"),
        ("QEMU", GENERIC),
        (None, GENERIC),
    ],
)
def test_the_vendor_is_known_by_its_smbios_name(system: str | None, vendor: str) -> None:
    assert find_vendor(system) == vendor


@pytest.mark.parametrize("vendor", [*find_vendors(), GENERIC])
def test_every_file_names_settings_and_values_that_a_template_can_ask_for(vendor: str) -> None:
    allowed = {name: _find_values(name) for name in NEUTRAL_NAMES}
    names = read_names(vendor).names
    assert set(names) <= set(NEUTRAL_NAMES)
    for name, candidates in names.items():
        for candidate in [*candidates, *(more for one in candidates for more in one.also)]:
            assert set(candidate.values) <= allowed[name], f"{vendor}: {name}"
            assert all(candidate.values.values())


def _find_values(name: str) -> set[str]:
    """What the template allows, by its own words in a complaint."""
    _, problems = read_template({"name": "t", "bios": {name: "?"}})
    return set(problems[0].message.partition(": ")[2].split(", "))


def test_every_neutral_name_is_known_for_at_least_three_vendors() -> None:
    for name in NEUTRAL_NAMES:
        knowing = [vendor for vendor in find_vendors() if name in read_names(vendor).names]
        assert len(knowing) + bool(find_candidates(GENERIC, name)) >= 3, name


def test_the_page_of_bios_settings_is_what_the_data_says() -> None:
    assert PAGE.read_text() == build_page(), "python -m bootos.drivers.bios.namespage > docs/bios-settings.md"


@pytest.mark.parametrize("current", [True, False])
@pytest.mark.parametrize(("vendor", "title"), [("huawei", ""), (GENERIC, "Hyper-Threading"), (GENERIC, "")])
def test_a_switch_whose_name_says_off_is_neither_read_nor_turned(
    current: bool, vendor: str, title: str
) -> None:
    name = "ProcessorHyperThreadingDisable"
    settings = [Setting(name=name, title=title, type="boolean", current=current, default=not current)]
    wanted, problems = resolve_bios(Bios(hyperthreading="enabled"), settings, vendor)
    assert wanted == [] and "whether true means enabled is not known" in problems[0].message
    assert export_bios(settings, vendor) == {"vendor": {name: current}}


def test_a_switch_of_that_title_whose_name_says_on_is_read_and_turned() -> None:
    switch = Setting(name="HtOn", title="Hyper-Threading", type="boolean", current=True)
    wanted, problems = resolve_bios(Bios(hyperthreading="disabled"), [switch], GENERIC)
    assert problems == [] and [(want.name, want.value) for want in wanted] == [("HtOn", False)]
    assert export_bios([switch], GENERIC) == {"hyperthreading": "enabled"}


def test_an_attribute_whose_name_says_off_is_marked_in_the_files() -> None:
    for vendor in (GENERIC, *find_vendors()):
        for candidates in read_names(vendor).names.values():
            for candidate in candidates:
                if squash(candidate.attribute).endswith("disable"):
                    assert candidate.attribute in candidate.words_only, (vendor, candidate.attribute)
