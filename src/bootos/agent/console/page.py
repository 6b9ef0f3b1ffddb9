"""The status page: what is in its rows, and the bytes that put it on a terminal. Pure; `console` draws it.

The upper rows are the page, the rows below it scroll (a VT100 scroll region), so that log lines go out as whole
lines and a captured serial log stays complete. The cursor always rests in the last row: whoever writes to the
console beside us, as the kernel does, scrolls the log and leaves the page alone.
"""

from collections.abc import Sequence

from bootos.agent.console.status import View

ROWS = 13
"""Of the page, with the line below it."""
LABEL = 9
BAR = 10


class Identity:
    """What the firmware says the machine is; known without the agent."""

    def __init__(self, vendor: str = "", product: str = "", serial: str = "") -> None:
        self.vendor = vendor
        self.product = product
        self.serial = serial


def build_page(
    view: View | None, identity: Identity, *, alive: bool, shell: bool, terminal: str, columns: int = 80
) -> list[str]:
    """The page's rows, each at most `columns` - 1 wide: a terminal that wraps at the last column leaves them alone."""
    width = columns - 1
    shown = view or View()
    serial = shown.sn or identity.serial
    name = f"{identity.vendor} {identity.product}".strip() or "unknown maker"
    network = shown.network or ["-"]
    if len(network) > 2:
        network = [network[0], f"{network[1]}   and {len(network) - 2} more"]
    rows = [
        spread(
            f"BootOS {shown.version}".strip(), f"{shown.mode} mode" if shown.mode else "", terminal, width
        ),
        f"{'machine':{LABEL}}{name}, {shown.sn_is or 'serial number'} {serial or 'unknown'}",
        f"{'network':{LABEL}}{network[0]}",
        f"{'':{LABEL}}{network[1]}" if len(network) > 1 else "",
        f"{'server':{LABEL}}{describe_server(shown)}",
        f"{'words':{LABEL}}{shown.words or '-'}",
        f"{'job':{LABEL}}{shown.job or '-'}",
        *wrap_two("step", [describe_step(shown)], width),
        *wrap_two("agent", describe_agent(view, alive=alive), width),
        f"{'keys':{LABEL}}{describe_keys(shell=shell)}",
        "-" * width,
    ]
    return [clip(row, width) for row in rows]


def describe_server(view: View) -> str:
    """The server's address, the protocol and the word for the machine there, as far as they are known; else a dash."""
    parts = [
        view.server,
        view.protocol and f"protocol {view.protocol}",
        view.machine and f"machine {view.machine}",
    ]
    return "   ".join(filter(None, parts)) or "-"


def describe_step(view: View) -> str:
    """`[###.......] 4 of 12: RAID arrays`: what is before the present step is done."""
    if not view.step_count:
        return view.step or "-"
    filled = BAR * max(0, view.step_number - 1) // view.step_count
    bar = "#" * min(BAR, filled)
    return f"[{bar:.<{BAR}}] {view.step_number} of {view.step_count}: {view.step}"


def describe_agent(view: View | None, *, alive: bool) -> list[str]:
    """What it does or waits for, in one or two parts."""
    if view is not None and alive:
        doing = f"{'waits for' if view.waits else 'is'} {view.doing}"
        return [f"{doing}   (since {view.since} UTC)" if view.doing else "starts"]
    look = "in the shell: journalctl -u bootos-agent"
    if view is None:
        return ["starts, or does not come up", look]
    last = f" (last: {'waiting for ' if view.waits else ''}{view.doing})" if view.doing else ""
    return [f"is NOT RUNNING, is started again{last}", look]


def describe_keys(*, shell: bool) -> str:
    """The line that says what the keys do."""
    if shell:
        return "Enter or s: root shell, `exit` comes back.   Any other key: draw again"
    return 'no shell in this image (recipe: shell = "off").   Any key: draw again'


def spread(left: str, middle: str, right: str, width: int) -> str:
    """Three texts over one row."""
    row = f"{left:<26}{middle}"
    return f"{row}{right:>{max(1, width - len(row))}}"


def wrap_two(label: str, parts: Sequence[str], width: int) -> list[str]:
    """Two rows of one or two parts; one alone is broken between words when it is too long."""
    room = width - LABEL
    text, rest = parts[0], " ".join(parts[1:])
    if not rest and measure(text) > room:
        first = cut(text, room)
        place = first.rfind(" ")
        if place > room // 2:
            first = first[:place]
        text, rest = first, text[len(first) :].lstrip()
    return [clip(f"{label:{LABEL}}{text}", width), f"{'':{LABEL}}{rest}"]


def measure(text: str) -> int:
    """Columns a terminal needs for `text`."""
    return sum(1 if ord(character) < 0x1100 else 2 for character in text)


def cut(text: str, width: int) -> str:
    """As much of `text` as fits into `width` columns."""
    used = 0
    for place, character in enumerate(text):
        used += measure(character)
        if used > width:
            return text[:place]
    return text


def clip(text: str, width: int) -> str:
    """One row: printable, not too wide; what is cut off is marked."""
    text = "".join(c if c.isprintable() else "?" for c in text).rstrip()
    return text if measure(text) <= width else cut(text, width - 3) + "..."


def encode_page(page: Sequence[str], before: Sequence[str] | None, rows: int) -> bytes:
    """Bytes that draw the rows of `page` that differ from `before`; all, and the scroll region, without `before`.

    They hold no line feed and end as something that is overwritten: a log of the line that is read by lines has them in
    front of the next log line.
    """
    parts = [] if before is not None else [f"\x1b[0m\x1b[{ROWS + 1};{rows}r"]
    for number, row in enumerate(page):
        if before is None or before[number : number + 1] != [row]:
            parts.append(f"\x1b[{number + 1};1H{row}\x1b[K")
    return "".join([*parts, encode_rest(rows)]).encode() if parts else b""


def encode_tail(lines: Sequence[str], rows: int, columns: int) -> bytes:
    """Bytes that paint the last lines of the log above the cursor's row, for a terminal that has not seen them."""
    places = list(range(ROWS + 1, rows))
    shown = [clip(line, columns - 1) for line in lines[-len(places) :]] if places else []
    texts = [""] * (len(places) - len(shown)) + shown
    parts = [f"\x1b[{place};1H{text}\x1b[K" for place, text in zip(places, texts, strict=True)]
    return "".join([*parts, encode_rest(rows)]).encode()


def encode_rest(rows: int) -> str:
    """The cursor goes back to where it rests, the begin of the last row."""
    return f"\x1b[{rows};1H\r \r"


def encode_lines(lines: Sequence[str]) -> bytes:
    """Log lines as they are, whole: a terminal wraps and scrolls them."""
    return "".join(f"\r{line}\n" for line in lines).encode()


def encode_leave(rows: int) -> bytes:
    """The whole screen scrolls again; the shell begins in the last row."""
    return f"\x1b[r\x1b[{rows};1H\n".encode()
