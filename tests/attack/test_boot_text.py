"""A serial number that no login protects stands in what pxelinux, GRUB, iPXE and kexec read of its machine: it stays
one word there and becomes no line, command or other argument of theirs."""

import re
import shlex
from typing import Any

import pytest
from serving import INVENTORY, Agent, Running

from bootos.server.netboot.entry import BootEntry, BootMenu
from bootos.server.netboot.grub import render_grub
from bootos.server.netboot.ipxe import render_ipxe
from bootos.server.netboot.kexec import render_kexec
from bootos.server.netboot.pxelinux import parse_pxelinux
from bootos.wire import cloudboot_v1 as v1

MAC = "52:54:00:00:00:02"
FILE = "01-52-54-00-00-00-02"
TEMPLATE = """DEFAULT a
LABEL a
MENU LABEL install {sn}
KERNEL http://10.0.0.1/vmlinuz
APPEND initrd=http://10.0.0.1/i sn={sn} quiet"""
# As serial numbers go. None has a blank: what becomes of those is told in tests of the serial number itself.
NAMES = [
    "x';reboot;'",
    'x";reboot;"',
    "x||shell",
    "x&&chain",
    "${net0/mac}",
    "$(reboot)",
    "`reboot`",
    "{hostname}",
    "{server}",
    "x}menuentry{",
    "\\",
    "x\\",
    "#x",
    ";x",
    "!shell",
    "%p",
]


def write_files(server: Running, sn: str) -> dict[str, str]:
    """What each loader reads of the machine that calls itself so, while its job installs."""
    nics = [{"name": "eth0", "mac": MAC}]
    agent = Agent(server, sn=sn, inventory={**INVENTORY, "system": {"serial": sn}, "nics": nics})
    assert agent.register().status == 200
    server.put_template()
    server.operate("PUT", "/pxe-templates/p", {"content": TEMPLATE})
    server.create_job(machine="id:1", pxe="p")
    assert agent.upload_mac(agent.order()["job_id"], MAC).status == 200
    root = server.pxe_directory.parent
    return {place: (root / place / FILE).read_text() for place in ("pxelinux.cfg", "grub", "ipxe")}


@pytest.mark.parametrize("sn", NAMES)
def test_a_serial_number_is_one_word_for_every_loader(server: Running, sn: str) -> None:
    files = write_files(server, sn)
    lines = files["pxelinux.cfg"].splitlines()
    assert lines == TEMPLATE.replace("{sn}", sn).splitlines()

    loads = [line for line in files["grub"].splitlines() if "linux (http,10.0.0.1)/vmlinuz" in line]
    # GRUB reads single quotes as a POSIX shell does (GRUB manual, section 6.1).
    assert shlex.split(loads[0]) == [
        "if",
        "!",
        "linux",
        "(http,10.0.0.1)/vmlinuz",
        f"sn={sn}",
        "quiet;",
        "then",
    ]
    titles = [shlex.split(line) for line in files["grub"].splitlines() if line.startswith("menuentry")]
    assert titles == [["menuentry", f"install {sn}", "--id", "a", "{"]]

    kernels = [line.split(" ") for line in files["ipxe"].splitlines() if line.startswith("kernel ")]
    shown = sn.replace("${", "${dollar}{")  # what iPXE makes of a setting that holds a $
    assert [words[3:] for words in kernels] == [[f"sn={shown}", "quiet", "||", "goto", "failed"]]
    commands = [line.split(" ")[0] for line in files["ipxe"].splitlines() if not line.startswith((":", "#"))]
    assert set(commands) <= {"set", "imgfree", "kernel", "initrd", "boot", "echo", "sleep", "goto"}


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\0", "\x0b", "\x85", "\u2028", "\x1b[2J"])
def test_a_serial_number_with_a_line_end_adds_no_line(server: Running, end: str) -> None:
    sn = f"A{end}APPEND init=/bin/sh"
    nics = [{"name": "eth0", "mac": MAC}]
    agent = Agent(server, sn=sn, inventory={**INVENTORY, "system": {"serial": sn}, "nics": nics})
    registered = agent.register()
    said = server.call("POST", f"{v1.PREFIX}/report/deviceProductInfo", {"Sn": sn, "Company": "x"})
    if registered.status != 200:
        assert registered.status in (400, 422)
        assert said.data["Status"] == "error"
        return
    files = write_files(server, sn)
    for text in files.values():
        assert not [line for line in re.split(r"[\r\n]", text) if line.startswith("APPEND init=/bin")]


@pytest.mark.parametrize("word", NAMES)
def test_whatever_a_menu_holds_each_renderer_writes_it_as_one_word(word: str) -> None:
    entry = BootEntry(
        name="a",
        title=word,
        kernel="http://10.0.0.1/k",
        initrds=("http://10.0.0.1/i",),
        arguments=f"x={word}",
    )
    menu = BootMenu(entries=(entry,), default="a")
    script = render_kexec(menu, "http://10.0.0.1")
    assert f"words=x={word}" in shlex.split(script, comments=True)
    assert parse_pxelinux(f"LABEL a\nKERNEL k\nAPPEND x={word}").entries[0].arguments == f"x={word}"
    grub = next(line for line in render_grub(menu, per_machine=True).splitlines() if "linux (http" in line)
    assert f"x={word};" in shlex.split(grub)
    assert f"x={word.replace('${', '${dollar}{')}" in re.split(r"\s", render_ipxe(menu, per_machine=True))


def test_no_hint_of_a_command_is_another_command_in_the_shell_that_it_is_copied_to(server: Running) -> None:
    """What pages and answers say is to be typed holds what a machine said only as one word."""
    evil = "x'; touch owned; '$(touch owned)"
    inventory: dict[str, Any] = {**INVENTORY, "system": {"vendor": evil, "product": evil, "serial": "SN001"}}
    agent = Agent(server, inventory=inventory, developer=False)
    assert agent.register().status == 200
    server.put_template()
    texts = [
        server.operate("GET", "/machines/SN001"),
        server.refuse("GET", f"/machines/{'x%27%3B%20touch'}").data,
    ]
    job = server.call(
        "POST", "/api/operator/jobs", {"machine": "SN001", "template": "t"}, server.context.operator_token
    )
    texts.append(job.data)
    said = " ".join(re.findall(r"bootos [a-z]+ [^\n\"]*", str(texts)))
    assert "bootos support add" in said
    assert "touch owned" not in re.sub(r"'(?:[^']|'\\'')*'", "", said)
