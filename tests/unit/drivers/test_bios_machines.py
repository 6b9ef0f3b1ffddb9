"""docs/bios-machines.md: what the neutral names are on machines whose settings were published. Built from the goldens;
`RENEW_GOLDENS=1` writes it anew."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bootos.drivers.bios.attribute_registry import parse_settings
from bootos.drivers.bios.namefile import find_candidates, find_vendor
from bootos.drivers.bios.names import export_bios, find_settings
from bootos.drivers.bios.setting import Setting, get_future, show
from bootos.drivers.bios.sum import parse_config
from bootos.template.bios import NEUTRAL_NAMES

DRIVERS = Path(__file__).parents[2] / "golden/drivers"
PAGE = Path(__file__).parents[3] / "docs/bios-machines.md"
# (golden, maker as SMBIOS says it, what machine it is)
MACHINES = (
    ("bios.names/dell-r650.json", "Dell Inc.", "Dell PowerEdge R650 (15G)"),
    ("bios.names/dell-r6515.json", "Dell Inc.", "Dell PowerEdge R6515 (EPYC)"),
    ("bios.names/hpe-dl360-gen10.json", "HPE", "HPE ProLiant DL360 Gen10"),
    ("bios.names/hpe-gen10-amd.json", "HPE", "HPE ProLiant Gen10 with AMD (A41)"),
    ("redfish.trees/hpe-a42-bios.json", "HPE", "HPE ProLiant DL385 Gen10 Plus v2 (A42)"),
    ("bios.names/hpe-gen11.json", "HPE", "HPE ProLiant DL380a Gen11"),
    ("bios.names/cisco-c240-m5.json", "Cisco Systems Inc", "Cisco UCS C240 M5"),
    ("bios.names/cisco-c225-m6.json", "Cisco Systems Inc", "Cisco UCS C225 M6"),
    ("bios.names/cisco-c220-m4.json", "Cisco Systems Inc", "Cisco UCS C220 M4"),
    ("bios.names/huawei-2288h-v5.json", "Huawei", "Huawei 2288H V5"),
    ("bios.names/xfusion-2288h-v7.json", "XFUSION", "xFusion 2288H V7"),
    ("bios.names/xfusion-1258h-v7.json", "XFUSION", "xFusion 1258H V7 (EPYC)"),
    ("bios.names/lenovo-xcc.json", "Lenovo", "Lenovo ThinkSystem with XCC"),
    ("redfish.trees/lenovo-power-restore.json", "Lenovo", "Lenovo ThinkSystem SR670 V2"),
    ("redfish.trees/supermicro-x13-bios.json", "Supermicro", "Supermicro SYS-821GE-TNHR (X13), Redfish"),
    ("bios.sum/x11dph-t.xml", "Supermicro", "Supermicro X11DPH-T, SUM"),
    ("bios.sum/x11dpt-b.xml", "Supermicro", "Supermicro X11DPT-B, SUM"),
    ("bios.sum/x11sch-f.xml", "Supermicro", "Supermicro X11SCH-F, SUM"),
    ("bios.sum/x11sdv-8c-tp8f.xml", "Supermicro", "Supermicro X11SDV-8C-TP8F, SUM"),
    ("redfish.trees/ami-dgx-h100-bios.json", "NVIDIA", "NVIDIA DGX H100 (AMI)"),
    ("redfish.trees/ami-coded-bios.json", "ZTSYSTEMS", "ZT Systems Proteus (AMI)"),
    ("redfish.trees/bluefield-bios.json", "NVIDIA", "NVIDIA BlueField-3 (OpenBMC)"),
)
HEAD = """# BIOS settings of machines

What the names of a template's `bios` section ([bios-settings.md](bios-settings.md)) are on machines whose settings were
published, as they were then. The evidence is the file below `tests/golden/drivers/`, whose source is in
`tests/golden/README.md`; most of them are a part of what the machine has, so that a name that is not in its table may
be there all the same. Written by `RENEW_GOLDENS=1 pytest tests/unit/drivers/test_bios_machines.py`.
"""


def read_settings(golden: str) -> list[Setting]:
    data = (DRIVERS / golden).read_bytes()
    if golden.endswith(".xml"):
        return parse_config(data)
    body: dict[str, Any] = json.loads(data)
    if "/redfish/v1" not in body:
        return parse_settings(body, {}, None)
    attributes = next(part["Attributes"] for path, part in body.items() if path.lower().endswith("/bios"))
    registry = next((part for part in body.values() if "RegistryEntries" in part), None)
    return parse_settings(attributes, {}, registry)


def find_rows(settings: list[Setting], vendor: str) -> Iterator[tuple[str, str, str, str]]:
    """(neutral name, its value, the settings, their value)"""
    exported = export_bios(settings, vendor)
    for name in NEUTRAL_NAMES:
        for candidate in find_candidates(vendor, name):
            found = find_settings(candidate, settings)
            if found:
                names = ", ".join(f"`{setting.name}`" for setting in found)
                title = f" ({found[0].title})" if found[0].title else ""
                yield name, exported.get(name, ""), names + title, f"`{show(get_future(found[0]))}`"
                break


def build_page() -> str:
    lines = [HEAD]
    for golden, maker, title in MACHINES:
        lines.append(f"## {title}\n\nEvidence: `{golden}`.\n")
        lines.append("| name | is | setting | has |\n| --- | --- | --- | --- |")
        lines += [
            f"| `{name}` | {word} | {setting} | {value} |"
            for name, word, setting, value in find_rows(read_settings(golden), find_vendor(maker))
        ]
        lines.append("")
    return "\n".join(lines)


def test_the_page_of_machines_is_fresh() -> None:
    if os.environ.get("RENEW_GOLDENS"):
        PAGE.write_text(build_page())
    assert PAGE.read_text() == build_page(), "RENEW_GOLDENS=1 pytest tests/unit/drivers/test_bios_machines.py"


@pytest.mark.parametrize(("golden", "maker", "title"), MACHINES)
def test_every_machine_has_a_neutral_name(golden: str, maker: str, title: str) -> None:
    assert list(find_rows(read_settings(golden), find_vendor(maker))), title
