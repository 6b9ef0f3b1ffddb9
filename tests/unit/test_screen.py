"""What a tool, a package, a machine or a file says is shown as it is: neither markup nor a word to the terminal."""

import io
import sys
import unicodedata
from collections.abc import Callable

import pytest
from rich.progress import Progress, TextColumn
from rich.table import Table
from rich.text import Text

from bootos.image.cache import Event
from bootos.image.driver.command import print_modules, show_on
from bootos.image.driver.listing import Listed
from bootos.image.progress import BuildScreen
from bootos.lab.budget import Budget, Held, print_budgets
from bootos.lab.demo.report import DemoReport, print_report
from bootos.printable import show_controls, show_line
from bootos.screen import Screen, build_table, write_out
from bootos.server.command.option import Output

HOSTILE = "make[2]: [/foo] [bold]x[/bold] [link=http://a]y :boom: \x1b[2J\x1b]0;title\x07 \x9b2J"
SHOWN = "make[2]: [/foo] [bold]x[/bold] [link=http://a]y :boom: ␛[2J␛]0;title␇ \N{REPLACEMENT CHARACTER}2J"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def show_table(screen: Screen) -> None:
    table = Table("a", title=HOSTILE, title_justify="left")
    table.add_row(HOSTILE)
    screen.print(table)


def show_status(screen: Screen) -> None:
    with screen.status(HOSTILE):
        pass


def show_changed_status(screen: Screen) -> None:
    with screen.status("at work") as status:
        status.update(HOSTILE)


def show_build_of_a_driver(screen: Screen) -> None:
    with screen.status("building") as status:
        show_on(screen, status)(Event(stage="rpmbuild", state="progress", detail=HOSTILE))


def show_build_of_an_image(screen: Screen) -> None:
    half = HOSTILE.index("[link")  # a line is cut at 60 characters
    with BuildScreen(screen) as build:
        build.show(Event(stage="base", state="progress", detail=HOSTILE[:half]))
        build.show(Event(stage="base", state="progress", detail=HOSTILE[half:]))


def show_progress(screen: Screen) -> None:
    with Progress(TextColumn("{task.description}", markup=False), console=screen) as progress:
        progress.add_task(HOSTILE)


@pytest.mark.parametrize(
    "show",
    [
        lambda screen: screen.print(HOSTILE),
        lambda screen: screen.print(Text(HOSTILE, style="red")),
        show_table,
        show_status,
        show_changed_status,
        show_build_of_a_driver,
        show_build_of_an_image,
        show_progress,
    ],
)
def test_a_terminal_gets_the_text_and_no_command(show: Callable[[Screen], None]) -> None:
    terminal = Terminal()
    show(Screen(file=terminal, width=300, force_terminal=True))
    printed = terminal.getvalue()
    for hostile in ("\x1b[2J", "\x1b]", "\x07", "\x9b"):
        assert hostile not in printed
    for shown in ("[/foo]", "[bold]x[/bold]", "[link=http://a]y", ":boom:", "␛[2J"):
        assert shown in printed


def test_colours_are_styles_and_reach_the_terminal() -> None:
    terminal = Terminal()
    Screen(file=terminal, force_terminal=True).print(Text("failed", style="red"))
    assert terminal.getvalue() == "\x1b[31mfailed\x1b[0m\n"


def test_every_control_character_is_shown_but_line_feed_and_tabulator() -> None:
    assert show_controls(HOSTILE) == SHOWN
    assert show_controls("a\tb\nc\rd\x00\x7f é 文") == "a\tb\nc␍d␀␡ é 文"


# Prepended_Concatenation_Mark (Unicode, PropList.txt): the format characters that are drawn
DRAWN = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}


def test_no_format_character_passes_unseen() -> None:
    formats = {code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) == "Cf"}
    assert 0x200B in formats
    passed = [hex(code) for code in formats - DRAWN if show_line(chr(code)) == chr(code)]
    assert passed == []


@pytest.mark.parametrize(
    "letter",
    [
        "\N{HANGUL FILLER}",
        "\N{HANGUL CHOSEONG FILLER}",
        "\N{HANGUL JUNGSEONG FILLER}",
        "\N{HALFWIDTH HANGUL FILLER}",
        "\N{BRAILLE PATTERN BLANK}",
        "\N{COMBINING GRAPHEME JOINER}",
        "\N{KHMER VOWEL INHERENT AQ}",
        "\N{MONGOLIAN FREE VARIATION SELECTOR ONE}",
        "\N{VARIATION SELECTOR-1}",
        "\N{VARIATION SELECTOR-256}",
    ],
    ids=unicodedata.name,
)
def test_a_letter_that_is_not_seen_makes_no_second_name_that_looks_the_same(letter: str) -> None:
    assert show_line(f"web01{letter}") == show_controls(f"web01{letter}") == "web01\N{REPLACEMENT CHARACTER}"


def test_letters_of_every_script_stay() -> None:
    names = "größe Ωμέγα Сервер 서버 サーバー 服务器 שרת خادم ⠓"
    assert show_line(names) == names


def test_what_goes_to_a_file_stays_as_it_is_and_a_terminal_is_spared() -> None:
    file, terminal = io.StringIO(), Terminal()
    for stream in (file, terminal):
        write_out(HOSTILE, stream)
    assert file.getvalue() == HOSTILE
    assert terminal.getvalue() == SHOWN


def test_a_table_cuts_nothing_off() -> None:
    path = "/usr/lib/syslinux/modules/bios/libutil.c32"
    table = build_table("what", box=None, pad_edge=False)
    table.add_row(path)
    file = io.StringIO()
    Screen(file=file, width=20).print(table)
    assert "".join(line.strip() for line in file.getvalue().splitlines()[1:]) == path


LONG = "/usr/lib/syslinux/modules/bios/libutil.c32"


def print_driver_list(screen: Screen) -> None:
    module = Listed(
        name=LONG, group=LONG, path=LONG, version=LONG, srcversion="", layer=LONG, pci_ids=1, in_tree=True
    )
    print_modules([module], screen)


def print_demo_report(screen: Screen) -> None:
    report = DemoReport(timings_s={LONG: 1.0})
    report.compare(LONG, LONG, LONG)
    print_report(report, screen)


def print_budget_table(screen: Screen) -> None:
    budget = Budget(title=LONG, unit=LONG, most=1, source="boot")
    print_budgets([Held(name="boot", budget=budget, figure=None)], screen)


def print_pairs(screen: Screen) -> None:
    output = Output(as_json=False)
    output.console = screen
    output.pairs({"path": LONG}, {"path": LONG})


@pytest.mark.parametrize("show", [print_driver_list, print_demo_report, print_budget_table, print_pairs])
def test_no_table_of_a_command_cuts_anything_off(show: Callable[[Screen], None]) -> None:
    file = io.StringIO()
    show(Screen(file=file, width=80))
    shown = file.getvalue()
    assert "\u2026" not in shown, "rich's mark of a text that was cut off"
    assert shown.count("c32") >= 2
    assert max(map(len, shown.splitlines())) <= 80
