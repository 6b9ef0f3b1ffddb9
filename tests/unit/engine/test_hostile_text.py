"""What a machine says may be anything: no text of it makes lines of its own, and none takes long to be read."""

import contextlib
import random
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bootos.document import MOST_DEPTH, MOST_REPEATED, parse_document
from bootos.drivers.bios.sum import parse_work_if
from bootos.engine.capture.pasted import read_plain
from bootos.engine.capture.source import RawFile, find_values
from bootos.engine.capture.text import format_understood
from bootos.engine.capture.understand import TOOLS, Understood, understand_tool
from bootos.errors import BootosError
from bootos.hardware.describe import build_summary
from bootos.hardware.keyline import parse_pair
from bootos.hardware.storclireply import parse_reply
from bootos.wire.inventory import Bmc, Inventory, RaidController, System

HOSTILE = "ok\nNote  forged\r\x1b[2J\u202egpj\u200b\u2028\u2066\x9b31m\ttab"
GOLDEN = Path(__file__).parents[2] / "golden/drivers"
MOST_S = 5.0  # of this process for one text; a pattern that takes the square of its length takes far longer
OLD_VALUE = re.compile(r"^(.+?)\s*:(?:\s+(.*))?$")
UNITS = (
    " ", "\n", "\t", " \n", "a ", "a:", ":a", " :", ": ", "true ", "1 true ", "(", "1 ", "{", "[", "[\n",
    " is not in 0", "# ", "Controller 1:", "Array UUID : ", "<a", "Handle 0x1\n",
)  # fmt: skip


def build_hostile() -> Understood:
    inventory = Inventory(
        collected_at="2024-01-01T00:00:00Z",
        system=System(vendor=HOSTILE, product=HOSTILE, serial=HOSTILE),
        bmc=Bmc(firmware=HOSTILE),
        raid=[RaidController(name=HOSTILE, model=HOSTILE, serial=HOSTILE, driver="raid.x")],
        notes=[HOSTILE],
    )
    user = {"slot": 2, "name": HOSTILE, "privilege": HOSTILE, "enabled": True}
    return Understood(inventory=inventory, states={"oob.ipmi": {"users": [user]}}, notes=[HOSTILE])


def test_no_text_of_a_machine_makes_a_line_of_its_own() -> None:
    lines = [
        *format_understood(build_hostile()),
        *(value for _, value in build_summary(build_hostile().inventory)),
    ]
    assert any("ok␊Note" in line for line in lines)
    assert [line for line in lines if not line.isprintable() or line.startswith("Note  forged")] == []


def test_a_value_is_split_as_before_and_in_one_pass() -> None:
    dice = random.Random(7)
    for _ in range(20_000):
        line = "".join(dice.choices("ab :\t", k=dice.randrange(1, 12))).strip()
        before = OLD_VALUE.match(line)
        if not line.startswith(":"):
            assert parse_pair(line) == (before and (before[1], (before[2] or "").strip())), line
    assert is_read(parse_pair, "a" + " " * 1_000_000 + "b")


def is_read(read: Callable[[str], Any], text: str, most_s: float = MOST_S) -> bool:
    """Whether it comes to its end; it is stopped after that many seconds of this process."""

    late: list[bool] = []  # what reads a text may catch what ends it

    def stop(*_: object) -> None:
        late.append(True)
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, most_s)
    try:
        read(text)
    except TimeoutError:
        assert late
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    return not late


def test_what_takes_the_square_and_catches_its_end_is_seen() -> None:
    def read(text: str) -> None:
        with contextlib.suppress(OSError):
            OLD_VALUE.match(text)

    assert not is_read(read, "a" + " " * 447_000 + "b", MOST_S / 5)


def test_what_takes_the_square_of_a_text_is_stopped() -> None:
    """A fifth of the time, for a text whose square is a fifth of that of a million spaces."""
    assert not is_read(OLD_VALUE.match, "a" + " " * 447_000 + "b", MOST_S / 5)


@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_no_text_takes_long_to_be_read(tool: str) -> None:
    def read(text: str) -> None:
        understand_tool(tool, [RawFile(name="a", data=text.encode())])

    assert [unit for unit in UNITS if not is_read(read, unit * (100_000 // len(unit)))] == []


def test_what_looks_like_json_and_is_none_is_read_once() -> None:
    def read(text: str) -> None:
        understand_tool("storcli", [RawFile(name="a", data=text.encode())])

    assert is_read(read, '["",\n' * 250 + "1,\n" * 1_000_000)
    assert is_read(read, '{"Controllers": [' + "{},\n" * 20_000 + "{")


def test_an_answer_of_storcli_and_a_dependency_of_sum_do_not_take_long() -> None:
    def parse(text: str) -> None:
        with pytest.raises(ValueError, match="Expecting value"):
            parse_reply(text)

    assert is_read(parse, "\n" * 400_000)
    assert is_read(lambda text: parse_work_if(text, {}), " " * 400_000 + "x")
    assert is_read(lambda text: parse_work_if(text, {}), "a is not in " * 30_000 + "x")


@pytest.mark.parametrize(
    ("format", "opened", "closed"),
    [("json", "[", "]"), ("json", '{"a":', "}"), ("yaml", "[", "]"), ("yaml", "{a: ", "}")],
)
@pytest.mark.parametrize("depth", [MOST_DEPTH + 1, 2000, 50_000])
def test_a_document_that_is_nested_too_deep_says_so(
    format: str, opened: str, closed: str, depth: int
) -> None:
    text = opened * depth + ("1" if closed == "}" else "") + closed * depth
    with pytest.raises(BootosError, match="is nested too deep") as found:
        parse_document(text, format=format, name="t.x")
    assert found.value.hint == f"tables and lists go at most {MOST_DEPTH} deep"


def test_a_document_may_be_as_deep_as_is_said() -> None:
    text = "[" * MOST_DEPTH + "]" * MOST_DEPTH
    assert (
        parse_document(text, format="json") == parse_document(text, format="yaml") == next(find_values(text))
    )
    with pytest.raises(BootosError, match="is nested too deep"):
        parse_document("a: &a [*a]", format="yaml")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("a." * 400_000 + "a = 1", "dotted"),
        ("x = 1\n[" + '"a" . ' * 100_000 + "a]", "quoted"),
        ("x = {" + "a." * 400_000 + "a = 1}", "inline"),
        ('"""' + '\\"""\n' * 100_000, "none"),
        ("'" * 3 + "''\n" * 100_000, "none"),
        ("a b " * 200_000, "none"),
    ],
)
def test_no_toml_takes_long_to_be_parsed(text: str, key: str) -> None:
    def parse(text: str) -> None:
        with pytest.raises(BootosError, match="not valid TOML" if key == "none" else "is nested too deep"):
            parse_document(text, format="toml")

    assert is_read(parse, text)


def test_a_key_of_toml_may_have_as_many_parts_as_is_said_and_a_text_more() -> None:
    whole = parse_document(".".join(["a"] * MOST_DEPTH) + " = 1", format="toml")
    assert list(whole) == ["a"]
    dots = ".".join(["a"] * 1000)
    for text in (f"x = '{dots}'", f'x = """\n{dots}\n"""', f'x = "{dots}" # {dots}'):
        assert parse_document(text, format="toml")["x"].strip() == dots


@pytest.mark.parametrize("merged", ["[{0}]", "{{<<: [{0}]}}"])
def test_anchors_do_not_make_millions_of_values_of_a_few_lines(merged: str) -> None:
    lines = ["x0: &x0 {a: 1, b: 2}"]
    lines += [f"x{n}: &x{n} {merged.format(', '.join([f'*x{n - 1}'] * 9))}" for n in range(1, 9)]

    def parse(text: str) -> None:
        with pytest.raises(BootosError, match="its anchors repeat more than 100000 values"):
            parse_document(text, format="yaml")

    assert is_read(parse, "\n".join(lines))
    assert len(parse_document("\n".join(lines[:5]), format="yaml")) == 5


def test_anchors_may_repeat_as_many_values_as_is_said_and_not_one_more() -> None:
    ones = ", ".join(
        ["1"] * 999
    )  # with the list itself 1000 values, which each alias puts into a further place
    aliases = ["*many"] * (MOST_REPEATED // 1000)
    text = f"[&many [{ones}], &one 2, {', '.join(aliases)}]"
    assert len(parse_document(text, format="yaml")) == 2 + len(aliases)
    with pytest.raises(BootosError, match="its anchors repeat more than 100000 values"):
        parse_document(text.removesuffix("]") + ", *one]", format="yaml")


def test_anchors_may_be_as_deep_as_is_said_and_not_one_more() -> None:
    lines = ["- &a0 []"] + [f"- &a{n} [*a{n - 1}]" for n in range(1, MOST_DEPTH - 1)]  # in a list
    assert len(parse_document("\n".join(lines), format="yaml")) == MOST_DEPTH - 1
    with pytest.raises(BootosError, match="is nested too deep"):
        parse_document("\n".join([*lines, f"- [*a{MOST_DEPTH - 2}]"]), format="yaml")


def test_a_list_of_adaptec_controllers_is_shown_as_what_it_is() -> None:
    text = (GOLDEN / "raid.adaptec/list-3204.txt").read_text()
    found = understand_tool("arcconf", [RawFile(name="list.txt", data=text.encode())])
    (note,) = [note for note in found.notes if "arcconf LIST" in note]
    assert "Controller 1: : Optimal, Slot 10, Mixed, Adaptec SmartRAID 3204-8i, 1A32345456BA" in note


def test_what_was_made_of_a_text_on_its_way_does_not_take_long_to_be_undone() -> None:
    runs = ("\r" * 400_000 + "x", "```" + " " * 400_000 + "!", "~" * 400_000 + "!", "\b" * 400_000)
    assert [text[:4] for text in runs if not is_read(lambda text: read_plain(text.encode()), text)] == []
    assert read_plain(b"a\r\r\nb\r\rc\rd\r") == "a\nb\n\nc\nd\n"
    assert read_plain(b"```text \na\n~~~~\nb\n``` !\n") == "a\nb\n``` !\n"


def test_the_access_of_many_users_is_not_looked_for_in_all_of_it() -> None:
    rows = "".join(f"{slot},u{slot},true,true,true,ADMINISTRATOR\n" for slot in range(1, 5001))
    parts = "".join(f"User ID  : {slot}\nEnable Status : disabled\n" for slot in range(1, 5001))

    def read(text: str) -> None:
        found = understand_tool("ipmitool-user", [RawFile(name="a", data=text.encode())])
        users = found.states["oob.ipmi"]["users"]
        assert {user["enabled"] for user in users if user["name"]} == {False}

    assert is_read(read, rows + parts)
