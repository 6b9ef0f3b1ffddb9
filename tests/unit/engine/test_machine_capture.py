"""Captures: taken of a machine that is only looked at, masked, bounded, anonymous; understood anywhere, whatever they
hold."""

import gzip
import json
import os
import random
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path
from types import FrameType
from typing import Any, Unpack

import msgspec
import pytest
from captured import MACHINES, NAMES, build_machine
from typer.testing import CliRunner

from bootos.cli import build_app
from bootos.drivers.storage.lsblk import LSBLK_COLUMNS
from bootos.engine.capture.anonymous import disguise
from bootos.engine.capture.lookrunner import LookRunner, is_look
from bootos.engine.capture.replayed import load_state, make_anonymous, read_file, understand_capture
from bootos.engine.capture.take import fit, mask_secrets, take_capture
from bootos.engine.capture.unsecret import mask_text
from bootos.errors import BootosError
from bootos.hardware.capture import (
    Capture,
    Replay,
    ToolOutput,
    build_tree,
    decode_file,
    encode_file,
    pack_capture,
    read_capture,
    unpack_capture,
)
from bootos.hardware.raidtool import TOOLS
from bootos.hardware.smartarray import SHOW
from bootos.masking import MASK, Masker
from bootos.process import Command, Completed, Options, ToolError
from bootos.wire.inventory import Inventory
from bootos.wire.saved import SavedState

LAN = """\
Set in Progress         : Set Complete
IP Address Source       : Static Address
IP Address              : 10.0.8.77
Subnet Mask             : 255.255.255.0
MAC Address             : 0c:c4:7a:8b:f3:3d
SNMP Community String   : s3cret-community
Default Gateway IP      : 10.0.8.1
"""
LSBLK = {
    "blockdevices": [
        {"name": "sda", "path": "/dev/sda", "type": "disk", "size": 4294967296, "ro": False, "log-sec": 512,
         "mountpoints": []},
        {"name": "vda", "path": "/dev/vda", "type": "disk", "size": 2147483648, "ro": False, "log-sec": 512,
         "mountpoints": ["/srv"]},
    ]
}  # fmt: skip
SIGNATURES = {
    "signatures": [{"device": "sda", "offset": "0x1000", "type": "linux_raid_member", "uuid": "1ba4"}]
}
SUPERBLOCK = (
    "MD_LEVEL=raid1\nMD_DEVICES=2\nMD_NAME=host-of-somebody:os\nMD_UUID=1ba42e0f:0fa6d648:3be89e45:72ae2732\n"
)


class Booted:
    """A captured machine with the tools that drivers ask beside those of the inventory; notes what is run."""

    def __init__(self, capture: Capture) -> None:
        self.replay = Replay(capture)
        self.ran: list[tuple[str, ...]] = []

    def __call__(self, argv: Sequence[str | PathLike[str]], **options: Unpack[Options]) -> Completed:
        command = Command(argv, **options)
        self.ran.append(command.words)
        answers = {
            ("lsblk",): json.dumps(LSBLK),
            ("wipefs",): json.dumps(SIGNATURES),
            ("mdadm", "--examine", "--export"): SUPERBLOCK,
            ("ipmitool", "lan", "print"): LAN,
            ("ipmitool", "channel", "info"): "Channel 0x1 info:\n  Channel Medium Type   : 802.3 LAN\n",
            ("ipmitool", "-c", "user"): "2,operator-of-somebody,true,false,true,ADMINISTRATOR\n",
        }
        for words, text in answers.items():
            if command.words[: len(words)] == words:
                return command.complete(0, text)
        if command.words[:2] == ("ipmitool", "exec"):
            return command.complete(0, LAN)
        if command.words[0] == "ipmitool":
            return command.complete(1, "", "invalid command")
        return self.replay(argv, **options)


def take(name: str, root: Path, **more: Any) -> tuple[Capture, Booted]:
    _, capture = build_machine(name, root)
    booted = Booted(capture)
    return take_capture(root, booted, **more), booted


@pytest.mark.parametrize("name", NAMES)
def test_a_capture_of_a_machine_gives_its_inventory_anywhere(name: str, tmp_path: Path) -> None:
    _, known = build_machine(name, tmp_path)
    capture = take_capture(tmp_path, Replay(known))
    found = understand_capture(unpack_capture(pack_capture(capture))).inventory
    beside = msgspec.json.decode((MACHINES / f"{name}.inventory.json").read_bytes(), type=Inventory)
    same = {"collected_at": "", "notes": []}
    assert msgspec.structs.replace(found, **same) == msgspec.structs.replace(beside, **same)


@pytest.mark.parametrize("name", NAMES)
def test_the_captures_among_the_goldens_are_shown_too(name: str) -> None:
    found = understand_capture(read_file(MACHINES / f"{name}.json"))
    assert found.inventory.system.product
    assert "firmware.package" in found.states


def test_a_capture_holds_what_the_drivers_read_and_starts_nothing(tmp_path: Path) -> None:
    capture, booted = take("server-six-disks", tmp_path)
    asked = {output.argv[0] for output in capture.tools}
    assert {"lsblk", "wipefs", "ipmitool", "mdadm"} <= asked
    assert not [words for words in booted.ran if {"--assemble", "--stop", "raw"} & set(words)]
    found = understand_capture(unpack_capture(pack_capture(capture)))
    storage = found.states["disk.partition"]
    assert [array["name"] for array in storage["arrays"]] == ["os"]
    assert any("does not run, and is not started" in note for note in storage["notes"])
    assert found.states["oob.ipmi"]["lan"]["address"] == "10.0.8.77"


def test_secrets_are_masked(tmp_path: Path) -> None:
    capture, _ = take("server-six-disks", tmp_path, masker=Masker(["7XK2P03"]))
    text = msgspec.json.encode(capture.tools).decode()
    assert "s3cret-community" not in text
    assert "SNMP Community String   : ********" in text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("SetupPassword=abc def\nNext=1", "SetupPassword=********\nNext=1"),
        ('{"Password": "a\\"b", "Name": "x"}', '{"Password": "********", "Name": "x"}'),
        ("<NewPassword>abc</NewPassword>", "<NewPassword>********</NewPassword>"),
        ("Bad Password Threshold  : Not Available", "Bad Password Threshold  : Not Available"),
        ('"PasswordStatus": "Disabled"', '"PasswordStatus": "Disabled"'),
        ("User 2: password: abc", "User 2: password: ********"),
        ("12:00 password=abc\r\nx", "12:00 password=********\nx"),
        ("SNMP Community String : corp-yes", "SNMP Community String : ********"),
        ("Password : Disabled, password: abc", "Password : ********"),
        ("private_key = abc", "private_key = ********"),
        ("BMC Key : abc", "BMC Key : ********"),
        ("api_key: abc", "api_key: ********"),
        ("Passcode=abc", "Passcode=********"),
        ("Session token: abc", "Session token: ********"),
        ("User PIN: 1234", "User PIN: ********"),
        ("UserPin=1234", "UserPin=********"),
        ("Pinned: 12", "Pinned: 12"),
        ("Minimum Password Length : 8", "Minimum Password Length : 8"),
        ("Master password revision code = 65534", "Master password revision code = 65534"),
        ("<NewPassword><![CDATA[abc]]></NewPassword>", "<NewPassword><![CDATA[********]]></NewPassword>"),
        ("<Password><![CDATA[a<b c>d]]></Password>", "<Password><![CDATA[********]]></Password>"),
        ("<NewPassword><![CDATA[]]></NewPassword>", "<NewPassword><![CDATA[]]></NewPassword>"),
        ('<Setting name="IPMI Password" value="abc"/>', '<Setting name="IPMI Password" value="********"/>'),
        ('<S name="Password"><Help>x</Help><Value>abc</Value></S><Value>1</Value>',
         '<S name="Password"><Help>x</Help><Value>********</Value></S><Value>1</Value>'),
        ('{"AttributeName":"AdminPassword","CurrentValue":"abc"}',
         '{"AttributeName": "AdminPassword", "CurrentValue": "********"}'),
        ('{"Password": ["abc"], "PIN": 1234}', '{"Password": ["********"], "PIN": "********"}'),
        ('{"MinPasswordLength": 8, "Password": null}', '{"MinPasswordLength": 8, "Password": null}'),
        ('{"said": "user: password=abc"}', '{"said": "user: password=********"}'),
        ('x {"Password": ["abc", "d"]}', 'x {"Password": ["********", "********"]}'),
        ('x {"Password": "a\nb', 'x {"Password": "********"\nb'),
        ('{"Password": "abc", "Name": "\\ud800"}', '{"Password": "********", "Name": "\\ud800"}'),
        ('{"Password": "abc", "Name": "Grüße"}', '{"Password": "********", "Name": "Grüße"}'),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\ndef\n-----END RSA PRIVATE KEY-----",
         "-----BEGIN RSA PRIVATE KEY-----********-----END RSA PRIVATE KEY-----"),
    ],
)  # fmt: skip
def test_what_is_called_a_secret_is_masked(text: str, masked: str) -> None:
    assert mask_text(text) == masked


@pytest.mark.parametrize(
    "text",
    ["<a" * 400_000, "password" * 100_000, '"password' * 80_000, "<password>" * 80_000, '"' * 400_000, "x=" * 400_000,
     "-----BEGIN PRIVATE KEY-----" * 20_000, "<password><![CDATA[" * 40_000, "[" * 400_000, '"password":[' * 50_000,
     "<s name=password " * 40_000, "password: none " * 50_000,
     '{"a":' * 900 + '{"password": "abc-def"}' + "}" * 900],
)  # fmt: skip
def test_strange_text_is_masked_to_its_end(text: str) -> None:
    """Patterns without a bound would take hours."""
    assert "abc-def" not in mask_text(f"{text}\npassword: abc-def\n")


def test_secrets_in_files_and_inputs_are_masked() -> None:
    table = b"\x01\x02\xff" + b"Password: abc-def" + b"\0\xfe"
    capture = Capture(
        files={"etc/x": "password=abc-def\n", "sys/table": encode_file(table), "sys/plain": "hi\n"},
        links={"a": "b"},
        left_out=["`tool known-secret` was not run."],
        tools=[
            ToolOutput(
                argv=["tool", "known-secret"],
                input="password=abc-def",
                files={"run/bootos/x": encode_file("Grüße\npassword=abc-def".encode("latin-1"))},
            ),
            ToolOutput(argv=["refused"], input="user set 2 abc-def", returncode=None),
        ],
    )
    mask_secrets(capture, Masker(["known-secret"]))
    held = [*capture.files.values(), *capture.tools[0].files.values()]
    assert not any(b"abc-def" in decode_file(text) for text in held)
    assert len(decode_file(capture.files["sys/table"])) == len(table)
    assert capture.files["sys/plain"] == "hi\n"
    assert (capture.tools[0].argv, capture.tools[0].input) == (["tool", MASK], f"password={MASK}")
    assert capture.tools[1].input is None
    assert capture.left_out == [f"`tool {MASK}` was not run."]


@pytest.mark.parametrize("name", NAMES)
def test_an_anonymous_capture_names_nobody_and_reads_the_same(name: str, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    plain, _ = take(name, tmp_path / "a")
    hidden, _ = take(name, tmp_path / "b", is_anonymous=True)
    before, after = (understand_capture(unpack_capture(pack_capture(item))) for item in (plain, hidden))
    text = msgspec.json.encode(hidden).decode()
    words = list(list_telling(msgspec.to_builtins(before.inventory)))
    words += ["operator-of-somebody", "10.0.8.77", "0c:c4:7a:8b:f3:3d"]
    assert len(words) > 20
    assert [word for word in words if word in text or word in msgspec.json.encode(after).decode()] == []
    assert shape(msgspec.to_builtins(before.inventory)) == shape(msgspec.to_builtins(after.inventory))
    macs = [nic.mac for nic in after.inventory.nics]
    assert [mac[:8] for mac in macs if mac] == [nic.mac[:8] for nic in before.inventory.nics if nic.mac]


def write_in_all_ways(digits: str) -> list[str]:
    """A number in hexadecimal digits, as tools write it."""
    plain = digits.lower().replace("-", "").replace(":", "")
    pairs = [plain[place : place + 2] for place in range(0, len(plain), 2)]
    ways = [
        plain,
        ":".join(pairs),
        "-".join(pairs),
        ".".join(plain[n : n + 4] for n in range(0, len(plain), 4)),
    ]
    ways += [":".join(plain[n : n + 8] for n in range(0, len(plain), 8))] if len(plain) == 32 else []
    if len(plain) == 32:  # SMBIOS: the first three fields the other way round
        turned = "".join((*pairs[3::-1], *pairs[5:3:-1], *pairs[7:5:-1], *pairs[8:]))
        ways += [turned, f"{turned[:8]}-{turned[8:12]}-{turned[12:16]}-{turned[16:20]}-{turned[20:]}"]
    return [*ways, *(way.upper() for way in ways)]


def test_no_name_is_in_any_byte_of_an_anonymous_capture_however_it_is_written(tmp_path: Path) -> None:
    capture, _ = take("server-six-disks", tmp_path)
    inventory = understand_capture(capture).inventory
    uuid, mac = inventory.system.uuid or "", next(nic.mac for nic in inventory.nics if nic.mac)
    names = [
        *write_in_all_ways(uuid), *write_in_all_ways(mac), "172.31.7.9", "2001:db8:17::42", "kim@rack7.example.com",
        "bob", "vgkim", "lvkim", "kimhost", "kimarray", "Kim Rack 7",
    ]  # fmt: skip
    said = (
        "".join(f"a {name}; b='{name}'\n" for name in names)
        + "Firmware: 4.10.0.7\nMD_NAME=kimhost:kimarray\n"
    )
    capture.tools.append(ToolOutput(argv=["tool"], stdout=said, stderr=said, returncode=0))
    capture.files["run/said"] = said
    inventory.bios.version = "4.10.0.7"
    states: dict[str, Any] = {
        "disk.lvm": {"groups": [{"name": "vgkim", "volumes": [{"name": "lvkim", "label": "Kim Rack 7"}]}]},
        "oob.ipmi": {"users": [{"name": "bob"}, {"name": "tool"}]},
    }
    saved = SavedState(saved_at="", inventory=inventory, states=states)
    hidden = disguise(capture, inventory, saved)
    text = msgspec.json.encode(hidden).decode()
    assert [name for name in names if name in text] == []
    output = hidden.tools[-1]
    lines = output.stdout.splitlines()
    assert output.stdout == output.stderr == hidden.files["run/said"]
    assert [len(line) for line in lines if "." not in line] == [
        len(line) for line in said.splitlines() if "." not in line
    ]
    assert all(re.fullmatch(r"a (.*); b='\1'", line) for line in lines[: len(names)])
    assert output.argv == ["tool"]
    assert "Firmware: 4.10.0.7" in lines
    host, array = lines[-1].removeprefix("MD_NAME=").split(":")
    assert f"a {host}; b='{host}'" in lines
    assert f"a {array}; b='{array}'" in lines


def list_telling(value: Any, key: str = "") -> Any:
    """The words of an inventory that tell whose machine it is."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from list_telling(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from list_telling(item, key)
    elif key in ("serial", "asset_tag", "mac", "permanent_mac", "uuid", "wwn") and isinstance(value, str):
        if len(value) >= 5:
            yield value
    elif key == "addresses":
        yield value.partition("/")[0]


def shape(value: Any, key: str = "") -> Any:
    """A value with only the lengths of its texts where they may be others."""
    if isinstance(value, dict):
        return {
            name: shape(item, name)
            for name, item in value.items()
            if name not in ("collected_at", "notes", "addresses", "address", "gateway", "former")
        }
    if isinstance(value, list):
        items = [shape(item, key) for item in value]
        return sorted(items, key=repr) if key == "raid" else items
    return (
        len(value)
        if isinstance(value, str) and key not in ("driver", "level", "state", "model", "type")
        else value
    )


@pytest.mark.parametrize(
    "argv",
    [
        ["storcli64", "/c0/eall/sall", "show", "all", "J"],
        ["ssacli", "controller", "all", "show", "config", "detail"],
        ["ipmitool", "-c", "user", "list", "1"],
        ["mdadm", "--detail", "--export", "/dev/md0"],
        ["mdadm", "--examine", "/dev/sda", "/dev/sdb"],
        ["wipefs", "--json", "/dev/sda", "/dev/sdb"],
        ["/opt/MegaRAID/storcli/storcli64", "show", "J"],
        ["perccli2", "/call", "show", "all", "J"],
        ["saa", "-c", "GetCurrentBiosCfg", "--file", "/run/bootos/bios/current.xml", "--overwrite"],
    ],
)
def test_what_looks_is_run(argv: list[str]) -> None:
    assert is_look(Command(argv))


_RAID_READS = {
    "raid.megaraid": [["/call", "show", "all", "J"]],
    "raid.smartarray": [list(SHOW)],
    "raid.adaptec": [["GETCONFIG", "1", "AL"], ["GETSTATUS", "1"]],
    "raid.sas3ircu": [["LIST"], ["0", "DISPLAY"]],
    "raid.mvcli": [["info", "-o", kind] for kind in ("hba", "vd", "pd")],
}


@pytest.mark.parametrize(
    ("driver", "program"), [(tool.driver, program) for tool in TOOLS for program in tool.programs]
)
def test_every_raid_tool_is_asked_for_a_capture(driver: str, program: str) -> None:
    (tool,) = [tool for tool in TOOLS if tool.driver == driver]
    calls = [[program, *words] for words in (tool.ask, *_RAID_READS[driver])]
    assert [call for call in calls if not is_look(Command(call))] == []


# Commands that change something, many of them with words of one that does not; and some that are not known.
_CHANGES = (Path(__file__).parent / "changing_commands.txt").read_text().splitlines()


@pytest.mark.parametrize("words", _CHANGES)
def test_what_may_change_something_is_not_run(words: str) -> None:
    def run(argv: Sequence[str | PathLike[str]], **options: Unpack[Options]) -> Completed:
        raise AssertionError(f"{argv} ran")

    runner = LookRunner(run)
    with pytest.raises(ToolError, match="not known to change nothing"):
        runner(words.split(" "))
    assert runner.refused == [words]


def test_a_raw_command_among_those_that_look_is_not_run() -> None:
    assert is_look(Command(["ipmitool", "exec", "/dev/stdin"], input="mc info\nlan print 1\n"))
    for lines in (
        "mc info\nraw 0x06 0x02\n",
        "mc info raw 0x06 0x02\n",
        "mc info\rraw 0x06\n",
        "set hostname x\n",
        "",
    ):
        assert not is_look(Command(["ipmitool", "exec", "/dev/stdin"], input=lines))
    assert not is_look(Command(["sfdisk", "--json", "/dev/sda"], input=",,L\n"))


def test_what_does_not_fit_is_left_out_and_named() -> None:
    noise = "".join(f"{number * 7919 % 100003:x}" for number in range(40_000))
    capture = Capture(files={"proc/a": "x"}, tools=[ToolOutput(argv=["lsblk"], stdout="{}"),
                                                   ToolOutput(argv=["storcli64", "show"], stdout=noise)])  # fmt: skip
    small = fit(capture, 4096)
    assert len(pack_capture(small)) <= 4096
    assert [output.argv for output in small.tools] == [["lsblk"]]
    assert small.left_out == [
        "The output of `storcli64 show` is left out: the capture would be larger than 4096 bytes."
    ]


def test_much_that_does_not_fit_is_left_out_in_a_few_packings() -> None:
    """Packing takes half a second for 2 MB; once for each of hundreds of outputs it takes longer than a capture may."""
    generator = random.Random(1)
    capture = Capture(
        tools=[
            ToolOutput(argv=["smartctl", f"/dev/sd{number}"], stdout=generator.randbytes(1000).hex())
            for number in range(200)
        ]
    )
    most_bytes = len(pack_capture(capture)) // 2
    packed: list[str] = []

    def watch(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is pack_capture.__code__:
            packed.append(frame.f_code.co_name)

    sys.setprofile(watch)
    try:
        small = fit(capture, most_bytes)
    finally:
        sys.setprofile(None)
    assert 1 < len(packed) < 6
    assert most_bytes * 0.8 < len(pack_capture(small)) <= most_bytes
    assert small.left_out[-1].startswith("And ")


def test_what_fits_only_without_all_outputs_is_packed_a_few_times_too() -> None:
    capture = Capture(
        directories=[f"sys/{number * 7919 % 100003}" for number in range(4000)],
        tools=[ToolOutput(argv=["tool", str(number)], stdout=str(number) * 50) for number in range(300)],
    )
    assert fit(capture, 64).tools == []


def test_a_name_that_is_no_utf8_takes_nothing_else_away(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    folder = tmp_path / "root/sys/class/firmware-attributes/x/attributes"
    folder.mkdir(parents=True)
    (folder / "Boot").mkdir()
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe")).mkdir()
    capture, _ = take("server-six-disks", tmp_path / "root")
    assert unpack_capture(pack_capture(capture)).files
    place = "sys/class/firmware-attributes/x/attributes"
    assert f"{place}/Boot" in capture.directories
    assert f"/{place}/\\xff\\xfe is left out: its name is no UTF-8." in capture.left_out


def test_a_capture_cannot_lead_out_of_its_root(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of the host")
    capture = Capture(
        files={"../escaped": "x", "/abs": "x", "sys/../../up": "x", "proc/cpuinfo": "", "a\0b": "x"},
        directories=["../folder", "sys/block"],
        links={
            "proc/meminfo": str(secret),
            "proc/sys/kernel/hostname": "../../../../../../../../etc/hostname",
            "sys/block/sda": "../devices/x/sda",
            "one": "sys/block",
            "two": "one/../../../../../..",
            "../link": "sys",
        },
        tools=[ToolOutput(argv=["lsblk"], stdout="{}", files={"../../written": "x"})],
    )
    found = understand_capture(capture)
    assert found.inventory.hostname is None
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
    assert not Path("/abs").exists()


def test_a_link_over_a_link_overwrites_nothing_outside(tmp_path: Path) -> None:
    """As it was done: links that lead out over one another, and one more that ends the laying before they are gone."""
    victim = tmp_path / "rc"
    victim.write_text("of the host")
    argv = ["lsblk", "-J", "-b", "-o", LSBLK_COLUMNS]
    capture = Capture(
        files={"z2/dup": "", "z/k": "", "sys/block/sda/size": "4096"},
        links={
            "a/b/c/d/e/f": "../../../../../z",
            "l": f"a/b/c/d/e/f/../../..{tmp_path}",
            "l2": "a/b/c/d/e/f",
            "l2/../../made": "x",
            "l2/up": "../../..",
            "z2/dup": "x",
        },
        tools=[ToolOutput(argv=argv, stdout="{}", files={"l/rc": "PWNED"})],
    )
    understand_capture(capture)
    assert victim.read_text() == "of the host"
    root = tmp_path / "a/b/root"
    build_tree(capture, root)
    Replay(capture, root)(argv)
    assert victim.read_text() == "of the host"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "rc"]
    assert [path.name for path in (tmp_path / "a/b").iterdir()] == ["root"]
    for path in root.rglob("*"):
        assert Path(os.path.realpath(path)).is_relative_to(root), path


@pytest.mark.parametrize(
    "links",
    [
        {"run/bootos": "../out"},
        {"out/x": "../../.."},
        {"d": "e/..", "e": "f"},
        {"d": "d"},
        {"a/b": "../c", "c": "a/b"},
        {"run/bootos/x": "/etc/hostname"},
    ],
)
def test_no_tool_writes_through_a_link_of_a_capture(links: dict[str, str], tmp_path: Path) -> None:
    files = {f"{path}/x": "x" for path in links} | dict.fromkeys(links, "x")
    capture = Capture(links=links, tools=[ToolOutput(argv=["lsblk"], files=files)])
    root = tmp_path / "a/b/root"
    build_tree(capture, root)
    with suppress(OSError):
        Replay(capture, root)(["lsblk"])
    for path in (root, *root.rglob("*")):
        assert Path(os.path.realpath(path)).is_relative_to(root)
    assert [path for path in tmp_path.rglob("*") if not path.is_relative_to(root)] == [
        tmp_path / "a",
        tmp_path / "a/b",
    ]


def test_a_file_of_this_host_in_the_tree_is_not_written(tmp_path: Path) -> None:
    """As the list of PCI devices, which is linked where the capture has none."""
    (tmp_path / "root").mkdir()
    (tmp_path / "pci.ids").write_text("of the host")
    (tmp_path / "root/pci.ids").symlink_to(tmp_path / "pci.ids")
    capture = Capture(tools=[ToolOutput(argv=["lsblk"], files={"pci.ids": "x"})])
    Replay(capture, tmp_path / "root")(["lsblk"])
    assert (tmp_path / "pci.ids").read_text() == "of the host"


@pytest.mark.parametrize(
    "capture",
    [
        Capture(files={"a": "", "a/b": ""}),
        Capture(files={"a" * 300: ""}),
        Capture(files={f"{number}/{'x/' * 40}y": "" for number in range(2000)}),
        Capture(files={"x": ""}, directories=[str(number) for number in range(60_000)]),
        Capture(tools=[ToolOutput(argv=["x"], files={str(number): "" for number in range(60_000)})]),
    ],
)
def test_of_a_capture_that_cannot_be_laid_out_nothing_is_read(capture: Capture, tmp_path: Path) -> None:
    capture.files["sys/class/dmi/id/sys_vendor"] = "somebody"
    found = understand_capture(capture)
    assert any("cannot be laid out" in note for note in found.notes)
    assert found.states == {}
    with pytest.raises(BootosError, match="cannot be laid out"):
        make_anonymous(pack_capture(capture))


def test_links_in_a_ring_are_told() -> None:
    """`Path.resolve` raises RuntimeError for them."""
    links = {"sys/class/net/eth0/device": "../eth0/device", "run/bootos/bios": "bios", "sys/block/sda": "sda"}
    capture = Capture(links=links, files={"sys/class/net/eth0/address": "00:00:00:00:00:01"},
                      tools=[ToolOutput(argv=["sum"]), ToolOutput(argv=["ipmitool"])])  # fmt: skip
    assert understand_capture(capture).inventory


def test_what_is_no_capture_is_said(tmp_path: Path) -> None:
    file = tmp_path / "a.json.gz"
    hostile = {
        "text": b"not json",
        "list": b"[]",
        "empty": b"{}",
        "deep": b"[" * 100_000,
        "cut": gzip.compress(b"{}")[:10],
        "broken": gzip.compress(b'{"files": {"a": "x"}}')[:12] + b"\xff" * 40,
        "bomb": gzip.compress(bytes(40 * 1024 * 1024)),
        "types": b'{"files": {"a": 5}}',
    }
    for name, data in hostile.items():
        file.write_bytes(data)
        with pytest.raises(BootosError, match="capture"):
            read_file(file)
        with pytest.raises(BootosError):
            load_state(file)
        assert name


def test_hostile_outputs_in_a_capture_raise_nothing() -> None:
    deep = '{"Controllers":' + "[" * 5000 + "]" * 5000 + "}"
    programs = ["lsblk", "storcli64", "ipmitool", "wipefs", "mdadm", "ssacli", "arcconf"]
    answers: list[tuple[list[str], str]] = [(["show", "J"], deep), ([], "\ud7ff\0"), (["LIST"], "")]
    tools = [ToolOutput(argv=[name, *words], stdout=text) for name in programs for words, text in answers]
    tools.append(ToolOutput(argv=["lsblk", "-J", "-b", "-o", "NAME"], stdout=deep))
    tools.append(ToolOutput(argv=["storcli64", "/call", "show", "all", "J"], stdout=deep))
    files = {
        "sys/firmware/dmi/tables/DMI": "base64:@@@",
        "sys/block/sda/size": "99999999999999999999",
        "proc/mdstat": "\0",
    }
    found = understand_capture(Capture(files=files, tools=tools))
    assert msgspec.json.encode(found)


def test_a_template_is_planned_on_a_capture(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    capture, _ = take("server-six-disks", tmp_path / "root")
    file, template = tmp_path / "machine.json.gz", tmp_path / "lan.yaml"
    file.write_bytes(pack_capture(capture))
    template.write_text(
        "name: lan\noob: {network: {source: static, address: 10.0.8.21/24, gateway: 10.0.8.1}}\n"
    )
    shown = run_command("capture", "show", str(file), "--plan", str(template))
    checked = run_command("template", "check", str(template), "--inventory", str(file))
    assert "BMC address: 10.0.8.77 -> 10.0.8.21" in shown
    assert shown == checked


def test_files_of_which_none_can_be_read_are_an_error_and_one_of_several_is_a_note(tmp_path: Path) -> None:
    gone, mdstat = str(tmp_path / "gone.json"), tmp_path / "mdstat"
    mdstat.write_text("Personalities :\nunused devices: <none>\n")
    words = ["capture", "show", "--tool", "mdstat", gone]
    for more in ([], ["--json"]):
        result = CliRunner().invoke(build_app(words), [*words, *more])
        assert result.exit_code == 1
        assert "gone.json cannot be read" in str(result.exception)
    assert "gone.json cannot be read" in run_command(*words, str(mdstat))


def run_command(*words: str) -> str:
    result = CliRunner().invoke(build_app(words), list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_capture_is_the_same_whenever_it_is_packed() -> None:
    capture = read_capture(MACHINES / f"{NAMES[0]}.json")
    assert pack_capture(capture) == pack_capture(unpack_capture(pack_capture(capture)))
