import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bootos.document import parse_document
from bootos.template.check import read_template
from bootos.template.firmware import Condition, find_hops, find_method, parse_from

SHA = "ab" * 32
URL = "https://fw.example/bios.bin"


def read(*items: dict[str, Any]) -> dict[str, str]:
    _, problems = read_template({"name": "t", "firmware": list(items)})
    return {problem.path: problem.message for problem in problems}


def build(**more: Any) -> dict[str, Any]:
    return {"component": "bios", "version": "2.19.1", "package": URL, "sha256": SHA, **more}


def test_the_short_form_and_a_chain_are_right() -> None:
    text = f"""
name: t
firmware:
  - {{component: bios, version: "2.19.1", package: "{URL}", sha256: "{SHA}"}}
  - component: nic
    select: {{slot: "0000:3b:*"}}
    version: "22.5.7"
    packages:
      - {{version: "20.1", package: "file:///opt/nic.cab", sha256: "{SHA}", from: ["<20", ">=18"]}}
      - {{version: "22.5.7", package: "https://h/n.cab?x=1", sha256: "{SHA}", from: "20.1", size_bytes: 5}}
"""
    template, problems = read_template(parse_document(text, format="yaml"))
    assert problems == []
    assert template is not None
    bios, nic = template.firmware
    assert [hop.version for hop in find_hops(bios)] == ["2.19.1"]
    assert [hop.version for hop in find_hops(nic)] == ["20.1", "22.5.7"]
    assert (find_method(bios), find_method(nic)) == ("package", "fwupd")


def test_a_package_without_its_sha256_is_refused() -> None:
    item = build()
    del item["sha256"]
    assert read(item) == {"firmware[0].sha256": "is required: a package is not used without it"}
    assert "firmware[0].sha256" in read(build(sha256="abc"))


def test_an_item_needs_a_package_in_one_of_the_two_forms() -> None:
    assert "firmware[0].package" in read({"component": "bios", "version": "1"})
    hop = {"version": "2.19.1", "package": URL, "sha256": SHA}
    assert "firmware[0].package" in read(build(packages=[hop]))
    item = {"component": "bios", "version": "3", "packages": [hop], "from": "1"}
    assert read(item) == {
        "firmware[0].version": "no package brings '3'",
        "firmware[0].from": "belongs to a package",
    }


def test_addresses_and_ranges_that_cannot_be_read_are_named() -> None:
    found = read(build(package="ftp://user:geheim@h/x"), build(component="bmc", **{"from": ">="}))
    assert set(found) == {"firmware[0].package", "firmware[1].from"}
    assert "geheim" not in str(found)


def test_two_items_for_one_component_are_one_too_many() -> None:
    assert "firmware[1].component" in read(build(), build(version="3"))
    nic = build(component="nic", select={"model": "A*"})
    assert read(nic, {**nic, "select": {"model": "B*"}}) == {}
    assert "firmware[0].select" in read(build(select={"model": "R740"}))


def test_flashrom_needs_the_word_that_says_what_it_can_do() -> None:
    assert "firmware[0].method" in read(build(method="flashrom"))
    assert read(build(method="flashrom", may_brick=True)) == {}
    assert "firmware[0].may_brick" in read(build(may_brick=True))
    assert "firmware[0].method" in read(build(component="nic", method="flashrom", may_brick=True))


def test_what_only_a_vendors_package_knows_is_refused_elsewhere() -> None:
    found = read(build(method="fwupd", options=["-q"], done_codes=[0], reboot_codes=[0]))
    assert set(found) == {f"firmware[0].{key}" for key in ("options", "done_codes", "reboot_codes")}


def test_ranges_keep_versions_that_hold_spaces() -> None:
    assert parse_from([">= 2.10.0", "U30 v2.68 (07/14/2022)", "<3"]) == [
        Condition(">=", "2.10.0"),
        Condition("", "U30 v2.68 (07/14/2022)"),
        Condition("<", "3"),
    ]


GUIDE = (Path(__file__).parents[3] / "docs/firmware.md").read_text()


@pytest.mark.parametrize("example", re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL))
def test_the_guides_examples_are_right(example: str) -> None:
    assert read_template({"name": "example", **parse_document(example, format="yaml")})[1] == []


@pytest.mark.parametrize("row", re.findall(r"^\| `([\w-]+)` \| .* \| 0 \|", GUIDE, re.MULTILINE))
def test_the_guides_formats_are_those_there_are(row: str) -> None:
    data = Path(__file__).parents[3] / "src/bootos/drivers/firmware/vendor.toml"
    assert row in tomllib.loads(data.read_text())["format"]
