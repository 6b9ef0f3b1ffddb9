"""The status page: pages as files, and what a terminal shows of them, drawn, redrawn, written over, attached late."""

from pathlib import Path

import pytest
from terminal import Terminal

from bootos.agent.console import page
from bootos.agent.console.status import View
from bootos.lab.serial import clean_text

GOLDEN = Path(__file__).parents[2] / "golden/console"
IDENTITY = page.Identity("Dell Inc.", "PowerEdge R740", "7XK2M13")


def make_view(**facts: object) -> View:
    view = View()
    known = {
        "pid": 400,
        "version": "0.1.0",
        "mode": "user",
        "sn": "7XK2M13",
        "network": ["eth0 52:54:00:aa:00:01 10.0.2.15/24"],
        "server": "http://10.0.2.2:8083",
        "protocol": "v2",
        "machine": "id:5",
        "doing": "an order",
        "waits": True,
        "since": "19:40:12",
    }
    for name, fact in {**known, **facts}.items():
        setattr(view, name, fact)
    return view


UNPLUGGED = make_view(
    network=["eth0 52:54:00:aa:00:01 link DOWN", "eth1 52:54:00:aa:00:02 link up", "eth2", "eth3"],
    protocol="",
    machine="",
    doing="a DHCP answer: eth0 52:54:00:aa:00:01 link DOWN, eth1 52:54:00:aa:00:02 link up, "
    "eth2 52:54:00:aa:00:03 link DOWN, eth3 52:54:00:aa:00:04 link DOWN",
)
STEP = {
    "job": "db-node (4b1c9e20)",
    "step": "RAID arrays: create array data, RAID 5 of 3 drives",
    "step_number": 3,
    "step_count": 6,
    "doing": "configuring this machine",
    "waits": False,
    "mode": "developer",
}
WORKS = {"doing": "configuring this machine", "waits": False}
V1 = make_view(
    protocol="Cloudboot v1",
    machine="",
    job="install",
    step="系统配置 - raid",
    step_number=2,
    step_count=3,
    **WORKS,
)
NO_ADDRESS = make_view(
    network=[],
    server="",
    protocol="",
    machine="",
    mode="",
    sn="",
    doing="SERVER_ADDR: boot again with it, or at the shell write it to /run/bootos/cmdline",
)
PAGES: dict[str, tuple[View | None, bool, bool]] = {
    # name: what the agent wrote, whether it lives, whether the image has a shell
    "waiting-for-an-order": (make_view(), True, True),
    "over-tls": (
        make_view(server="https://10.0.2.2:8084", words="bacteria portrait cryptic reformat"),
        True,
        True,
    ),
    "known-by-its-uuid": (make_view(sn="4c4c4544-0039-3010-8048-b7c04f384432", sn_is="UUID"), True, True),
    "a-step": (make_view(**STEP), True, True),
    "agent-dead": (make_view(**STEP), False, True),
    "agent-never-started": (None, False, True),
    "no-server-address": (NO_ADDRESS, True, True),
    "no-link": (UNPLUGGED, True, True),
    "no-shell": (make_view(), True, False),
    "cloudboot-v1": (V1, True, True),
}


def encode_lines(lines: list[str]) -> bytes:
    """As they leave a terminal device, which makes CR LF of each LF (ONLCR)."""
    return page.encode_lines(lines).replace(b"\n", b"\r\n")


def build(name: str, columns: int = 80) -> list[str]:
    view, alive, shell = PAGES[name]
    return page.build_page(view, IDENTITY, alive=alive, shell=shell, terminal="ttyS0", columns=columns)


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page_is_as_its_file_shows(name: str) -> None:
    terminal = Terminal()
    terminal.feed(page.encode_page(build(name), None, 24))
    shown = "".join(f"{row}\n" for row in terminal.screen[: page.ROWS])
    if name == "cloudboot-v1":  # the terminal model knows no wide characters
        shown = "".join(f"{row}\n" for row in build(name))
    file = GOLDEN / f"{name}.txt"
    if not file.exists():  # to renew one, remove it and read the new one as a diff
        file.write_text(shown)
    assert shown == file.read_text()


@pytest.mark.parametrize("name", sorted(PAGES))
@pytest.mark.parametrize("columns", [40, 80, 132])
def test_a_page_has_its_rows_and_wraps_nowhere(name: str, columns: int) -> None:
    rows = build(name, columns)
    assert len(rows) == page.ROWS
    assert max(page.measure(row) for row in rows) < columns


def test_what_a_tool_wrote_into_a_text_moves_no_cursor() -> None:
    view = make_view(step="a\x1b[2Jb\nc\td", server="http://" + "x" * 200)
    for row in page.build_page(view, IDENTITY, alive=True, shell=True, terminal="tty1"):
        assert row.isprintable()
        assert len(row) < 80


def test_log_lines_scroll_below_the_page_and_only_there() -> None:
    terminal = Terminal()
    rows = build("waiting-for-an-order")
    terminal.feed(page.encode_page(rows, None, 24))
    terminal.feed(encode_lines([f"[19:40:12] bootos: line {number}" for number in range(30)]))
    assert terminal.screen[: page.ROWS] == rows
    assert terminal.screen[page.ROWS : 23] == [f"[19:40:12] bootos: line {n}" for n in range(20, 30)]
    assert (terminal.screen[23], terminal.row, terminal.column) == ("", 23, 0)


def test_a_long_line_goes_out_whole() -> None:
    terminal = Terminal()
    terminal.feed(page.encode_page(build("a-step"), None, 24))
    terminal.feed(encode_lines(["x" * 200, "next"]))
    assert terminal.screen[19:] == ["x" * 80, "x" * 80, "x" * 40, "next", ""]


def test_only_rows_that_changed_are_drawn() -> None:
    before, after = build("waiting-for-an-order"), build("a-step")
    terminal = Terminal()
    terminal.feed(page.encode_page(before, None, 24))
    terminal.feed(encode_lines(["a line"]))
    change = page.encode_page(after, before, 24)
    terminal.feed(change)
    assert terminal.screen[: page.ROWS] == after
    assert (terminal.screen[22], terminal.row, terminal.column) == ("a line", 23, 0)
    assert len(change) < 400
    assert page.encode_page(after, after, 24) == b""


def test_the_kernel_breaks_in_and_the_next_full_draw_mends() -> None:
    terminal = Terminal()
    rows = build("a-step")
    terminal.feed(page.encode_page(rows, None, 24))
    terminal.feed(b"[   99.1] EXT4-fs error\r\n\x1b[5;10Hsomething paints\x1b[3;20r\x1b[7;7H")
    terminal.feed(page.encode_page(rows, None, 24))
    terminal.feed(encode_lines(["after it"]))
    assert terminal.screen[: page.ROWS] == rows
    assert terminal.screen[21:] == ["[   99.1] EXT4-fs error", "after it", ""]


@pytest.mark.parametrize("rows", [24, 25, 50])
def test_a_terminal_attached_late_has_the_page_after_one_full_draw(rows: int) -> None:
    """Its own screen may be larger than the 24 rows that a serial line is taken for."""
    terminal = Terminal(rows=rows)
    terminal.feed(b"$ ipmitool sol activate\r\n[SOL Session operational]\r\n")
    shown = build("waiting-for-an-order")
    terminal.feed(page.encode_page(shown, None, 24))
    terminal.feed(encode_lines([f"line {number}" for number in range(40)]))
    assert terminal.screen[: page.ROWS] == shown
    assert terminal.screen[page.ROWS : 24] == [*(f"line {n}" for n in range(30, 40)), ""]


def test_a_key_paints_the_last_log_lines_again() -> None:
    terminal = Terminal()
    terminal.feed(b"old\r\n" * 30)
    terminal.feed(page.encode_page(build("a-step"), None, 24))
    terminal.feed(page.encode_tail(["one", "two", "w" * 100], 24, 80))
    assert terminal.screen[page.ROWS :] == [""] * 7 + ["one", "two", "w" * 76 + "...", ""]
    assert (terminal.row, terminal.column) == (23, 0)


def test_the_whole_screen_scrolls_for_the_shell() -> None:
    terminal = Terminal()
    terminal.feed(page.encode_page(build("a-step"), None, 24))
    terminal.feed(page.encode_leave(24).replace(b"\n", b"\r\n") + b"motd\r\n" * 40)
    assert terminal.screen == ["motd"] * 23 + [""]


def test_a_log_of_the_line_that_is_read_by_lines_has_each_log_line_and_no_page() -> None:
    rows = build("waiting-for-an-order")
    stream = page.encode_page(rows, None, 24) + encode_lines(["one"])
    stream += page.encode_page(build("a-step"), rows, 24) + page.encode_tail(["one"], 24, 80)
    stream += encode_lines(["two", "three"]) + page.encode_page(rows, None, 24)
    *whole, rest = stream.decode().split("\n")
    assert [clean_text(line) for line in whole] == ["one", "two", "three"]
    assert clean_text(rest) == ""
