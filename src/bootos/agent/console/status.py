"""What the consoles show of the agent: one small record, written to /run/bootos/status.json at each change.

The agent holds it as `Host.status` and feeds it; the console process, which is another one so that it outlives the
agent, reads it. Both import this module, so it keeps to what costs little memory and time: no msgspec, no logging.
Nothing here may stop the agent: a status that cannot be written is not written.
"""

import json
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

from bootos.files import write_atomically
from bootos.masking import Masker

FILE_NAME = "status.json"
WAKE_NAME = "console.wake"


class View:
    """The record. Empty text is not shown; `since` is when what it does now began, UTC."""

    def __init__(self) -> None:
        self.pid = 0
        self.version = ""
        self.mode = ""  # `user` or `developer`
        self.sn = ""  # what the server knows it by
        self.sn_is = ""  # what that is, where it is no serial number: `UUID`
        self.network: list[str] = []  # an interface each: name, MAC, address or link state
        self.server = ""
        self.protocol = ""
        self.words = ""  # the four that the server's page shows too, unless somebody is in the middle
        self.machine = ""  # the server's id for it, as commands take it: `id:5`
        self.job = ""
        self.step = ""
        self.step_number = 0
        self.step_count = 0
        self.doing = ""
        self.waits = False  # `doing` is something it waits for
        self.since = ""


class Status:
    """The agent's side: `set` facts, say what it does (`do`) or waits for (`wait_for`). Safe in several threads."""

    def __init__(self, directory: Path) -> None:
        self.view = View()
        self._path = directory / FILE_NAME
        self._lock = threading.Lock()
        self._masker = Masker()

    def add_secrets(self, secrets: tuple[str, ...]) -> None:
        """Values that are masked in all that consoles show from now on."""
        with self._lock:
            self._masker.add(secrets)

    def redact(self, text: str) -> str:
        """`text` with the secrets masked."""
        return self._masker.text(text)

    def set(self, **facts: str | int | bool | list[str]) -> None:
        """Change fields of the view and write it, when that changes anything."""
        with self._lock:
            shown = {
                name: self.redact(fact) if isinstance(fact, str) else fact for name, fact in facts.items()
            }
            if unknown := shown.keys() - vars(self.view).keys():
                raise TypeError(f"the status has no {', '.join(sorted(unknown))}")
            if any(getattr(self.view, name) != fact for name, fact in shown.items()):
                for name, fact in shown.items():
                    setattr(self.view, name, fact)
                with suppress(OSError):
                    self._write()

    def do(self, what: str) -> None:
        """What the agent does now, as `collecting hardware information`."""
        self._begin(what, waits=False)

    def wait_for(self, what: str) -> None:
        """What the agent waits for, as `an order`."""
        self._begin(what, waits=True)

    def _begin(self, what: str, *, waits: bool) -> None:
        if (what, waits) != (self.view.doing, self.view.waits):
            self.set(doing=what, waits=waits, since=time.strftime("%H:%M:%S", time.gmtime()))

    def _write(self) -> None:
        """Whole or not at all: a reader never sees half of it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._path, json.dumps(vars(self.view)).encode(), durable=False)  # in memory
        wake_console(self._path.parent)


def wake_console(directory: Path) -> None:
    """Tell the console process, through its named pipe, that there is something new; never waits for it."""
    with suppress(OSError):  # there is no pipe, nobody reads it, or it is full
        pipe = os.open(directory / WAKE_NAME, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with suppress(OSError):
            os.write(pipe, b"!")
        os.close(pipe)


def read_view(directory: Path) -> View | None:
    """What the agent wrote last, or None when it wrote nothing yet. Fields of another version are left out."""
    try:
        written = json.loads((directory / FILE_NAME).read_bytes())
    except (OSError, ValueError):
        return None
    view = View()
    for name, default in vars(view).items():
        if isinstance(written, dict) and type(written.get(name)) is type(default):
            setattr(view, name, written[name])
    return view
