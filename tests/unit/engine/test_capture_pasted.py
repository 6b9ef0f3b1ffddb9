"""`bootos capture show --tool` on outputs as people hand them in: out of terminals, shells, pages and mails."""

import html
import json
from collections.abc import Callable
from functools import lru_cache

import msgspec
import pytest
from capturetable import GOLDEN

from bootos.engine.capture.source import RawFile
from bootos.engine.capture.understand import Understood, understand_tool

OUTPUTS = [
    ("storcli", "drivers/raid.megaraid/mr9560.sall.json"),
    ("ssacli", "drivers/raid.smartarray/h240.txt"),
    ("arcconf", "drivers/raid.adaptec/5405.txt"),
    ("mvcli", "drivers/raid.mvcli/raid1.vd.txt"),
    ("sas3ircu", "drivers/raid.sas3ircu/sas2008-raid1.display.txt"),
    ("mdstat", "drivers/raid.mdadm/degraded/mdstat.txt"),
    ("mdadm-examine", "hardware/mdadm/imsm.txt"),
    ("lsblk", "drivers/disk.partition/nine-disks/lsblk.json"),
    ("smartctl", "hardware/smartctl/ssd-intel-s3520.json"),
    ("nvme", "hardware/nvme/smart-log-qemu.json"),
    ("ipmitool-lan", "drivers/oob.ipmi/lan-print-1.txt"),
    ("sum", "drivers/bios.sum/x11sch-f.xml"),
    ("racadm", "drivers/bios.racadm/serial-comm.txt"),
    ("redfish", "drivers/redfish.trees/no-accounts.json"),
]


def shift(text: str, before: str) -> str:
    return "".join(f"{before}{line}\n" if line.strip() else "\n" for line in text.splitlines())


def record(text: str) -> str:
    """script(1) of a shell that sets the title of its window, and colours its prompt."""
    prompt = "\x1b[?2004h\x1b]0;root@host: ~\x07\x1b[01;32mroot@host\x1b[00m:\x1b[01;34m~\x1b[00m# "
    lines = text.replace("\n", "\r\n")
    return f"Script started on 2024-01-01 10:00:00\r\n{prompt}tool show\r\n{lines}\r\n{prompt}exit\r\nScript done\r\n"


FORMS: dict[str, Callable[[str], bytes]] = {
    "with CR LF": lambda text: text.replace("\n", "\r\n").encode(),
    "saved by PowerShell": lambda text: text.replace("\n", "\r\n").encode("utf-16"),
    "UTF-16 without a mark": lambda text: text.encode("utf-16-le"),
    "UTF-8 with a mark": lambda text: b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(),
    "recorded": lambda text: record(text).encode(),
    "under its command": lambda text: f"[root@host ~]# tool show all\n{text}\n[root@host ~]# \n".encode(),
    "indented": lambda text: shift(text, "    ").encode(),
    "indented by a tab": lambda text: shift(text, "\t").encode(),
    "between fences": lambda text: f"```text\n{text}\n```\n".encode(),
    "quoted": lambda text: shift(text, "> ").encode(),
    "out of the source of a page": lambda text: html.escape(text).encode(),
    "with spaces that do not break": lambda text: text.replace("  ", "\N{NO-BREAK SPACE} ").encode(),
}


@lru_cache
def understand(tool: str, data: bytes) -> Understood:
    found = understand_tool(tool, [RawFile(name="output.txt", data=data)])
    found.inventory.notes = []
    return msgspec.structs.replace(found, notes=[])


# help texts of the BIOS and the bar of mdstat hold two spaces, which are lost so
LOST = {("sum", "with spaces that do not break"), ("mdstat", "with spaces that do not break")}
TRIES = [(tool, name, form) for tool, name in OUTPUTS for form in FORMS if (tool, form) not in LOST]


@pytest.mark.parametrize(("tool", "name", "form"), TRIES)
def test_an_output_is_read_in_every_form_in_which_it_is_handed_in(tool: str, name: str, form: str) -> None:
    data = (GOLDEN / name).read_bytes()
    plain = understand(tool, data)
    assert plain.states or plain.inventory.disks or plain.inventory.raid or plain.inventory.bmc
    assert understand(tool, FORMS[form](data.decode())) == plain


def test_several_answers_in_one_file_are_all_read() -> None:
    texts = [
        (GOLDEN / f"hardware/smartctl/{name}.json").read_text()
        for name in ("ssd-intel-s3520", "hdd-seagate-st3500418as")
    ]
    joined = "$ smartctl --json -a /dev/sda\n" + "$ smartctl --json -a /dev/sdb\n".join(texts)
    assert len(understand("smartctl", joined.encode()).inventory.disks) == 2


def test_what_is_inside_of_a_broken_answer_is_no_answer_of_its_own() -> None:
    member = json.dumps({"@odata.id": "/redfish/v1/Systems/1"})
    cut = f'{{"@odata.id": "/redfish/v1/Systems", "Members": [\n{member}\n'
    found = understand_tool("redfish", [RawFile(name="cut.json", data=cut.encode())])
    assert found.states == {}
    assert any("cannot be read as JSON" in note for note in found.notes)


def build_two_controllers() -> list[str]:
    """An answer of storcli about two controllers, by lines; the second has no answer of its own in any golden."""
    first = json.loads((GOLDEN / "drivers/raid.megaraid/mr9270.c0_show_all.json").read_text())["Controllers"][
        0
    ]
    second = json.loads(json.dumps(first))
    second["Command Status"]["Controller"] = 1
    second["Response Data"]["Basics"]["Serial Number"] = "SECOND"
    return json.dumps({"Controllers": [first, second]}, indent=1).splitlines()


@pytest.mark.parametrize("lost", [3, 10, 100])
def test_a_cut_answer_of_storcli_is_told_and_what_is_whole_before_is_used(lost: int) -> None:
    lines = build_two_controllers()
    found = understand_tool("storcli", [RawFile(name="c.json", data="\n".join(lines[:-lost]).encode())])
    (controller,) = found.inventory.raid
    assert controller.serial != "SECOND"
    (note,) = [note for note in found.notes if note.startswith("c.json: ")]
    assert "it is cut off or broken" in note and "only what is whole before that is used" in note


def test_a_cut_answer_of_storcli_about_one_controller_is_refused() -> None:
    data = (GOLDEN / "drivers/raid.megaraid/mr9270.c0_show_all.json").read_bytes()
    found = understand_tool("storcli", [RawFile(name="c0.json", data=data[: len(data) // 2])])
    assert found.inventory.raid == []
    assert any(note.startswith("c0.json: it cannot be read as JSON") for note in found.notes)


def test_answers_before_a_cut_one_are_used() -> None:
    whole = json.dumps(json.loads((GOLDEN / "drivers/raid.megaraid/mr9270.c0_show_all.json").read_text()))
    found = understand_tool("storcli", [RawFile(name="all.txt", data=f"{whole}\n{whole[:500]}\n".encode())])
    assert len(found.inventory.raid) == 1
    assert any("all.txt: it is cut off or broken" in note for note in found.notes)
    resource = json.dumps(
        {"@odata.id": "/redfish/v1/Systems/1", "@odata.type": "#ComputerSystem.v1", "Model": "M1"}
    )
    tree = understand_tool(
        "redfish", [RawFile(name="all.json", data=f"{resource}\n{resource[:30]}\n".encode())]
    )
    assert tree.inventory.system.product == "M1"
    assert any("all.json: it is cut off or broken" in note for note in tree.notes)


def test_a_disk_of_which_somebody_left_out_the_head_of_the_answer_is_read() -> None:
    value = json.loads((GOLDEN / "hardware/smartctl/ssd-intel-s3520.json").read_text())
    whole = understand("smartctl", json.dumps(value).encode())
    value.pop("smartctl")
    value.setdefault("device", {"name": "/dev/sda", "type": "sat", "protocol": "ATA"})
    assert (
        understand("smartctl", json.dumps(value).encode()).inventory.disks[0].health
        == whole.inventory.disks[0].health
    )
