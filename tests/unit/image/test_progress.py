import io

from bootos.image.cache import Event
from bootos.image.progress import BuildScreen
from bootos.screen import Screen


def show(events: list[Event], *, terminal: bool) -> str:
    output = io.StringIO()
    console = Screen(file=output, force_terminal=terminal, width=120)
    with BuildScreen(console) as screen:
        for event in events:
            screen.show(event)
    return output.getvalue()


EVENTS = [
    Event(stage="packages", state="progress", detail="5 of 10 MB, bash", share=0.5),
    Event(stage="base", state="started"),
    Event(stage="base", state="progress", detail="installing [271] packages"),
    Event(stage="base", state="done", seconds=12.0, cpu_seconds=9.5),
    Event(stage="kernel", state="cached"),
]


def test_without_a_terminal_every_step_is_a_plain_line() -> None:
    assert show(EVENTS, terminal=False).splitlines() == [
        "packages: 5 of 10 MB, bash",
        "base: started",
        "base: installing [271] packages",
        "  base     12.0 s, 9.5 CPU s",
        "  kernel   from the cache",
    ]


def test_on_a_terminal_bars_show_the_share_that_is_done() -> None:
    shown = show(EVENTS, terminal=True)
    assert "50%" in shown and "5 of 10 MB, bash" in shown
    assert "kernel   from the cache" in shown
