"""The only way the agent reports: whole, numbered reports, sent from a thread of their own.

What changes marks the report dirty; the thread sends the newest whole state and repeats it until it is accepted.
Log lines are kept until the server has them. A terminal state is only over when its report was accepted
(`wait_until_accepted`). Secrets are masked before anything leaves.
"""

import copy
import itertools
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from bootos.agent.session.client import Client, Refused, Unreachable
from bootos.agent.session.outbox import Outbox
from bootos.masking import Masker
from bootos.waiting import CLOCK, Clock
from bootos.wire import v2
from bootos.wire.inventory import Inventory

log = logging.getLogger(__name__)

HEARTBEAT_S = 15.0
SHORTEST_INTERVAL_S = 0.25
LONGEST_RETRY_S = 15.0
MOST_LINES_IN_A_REPORT = 500
MOST_LINES_KEPT = 20_000
MOST_LINE_LETTERS = (
    8000  # a server keeps 8192, with the words at the end; what a hook prints may have no line ends
)
MOST_LOG_LETTERS = 512 * 1024  # of the lines in a report, so that the server takes it
LEAST_LOG_LETTERS = 8000  # of a report that was too large
TOO_LARGE = 413  # HTTP 413, Content Too Large


def now() -> str:
    """UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def boot_milliseconds() -> int:
    """Milliseconds since the kernel started: grows within a boot, whatever happens to the clock or the agent."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)


class Reporter:
    """Holds the state of the present job and gets it to the server."""

    def __init__(
        self,
        client: Client,
        boot_id: str,
        claim_session: Callable[[], None],
        outbox: Outbox | None = None,
        clock: Clock = CLOCK,
    ) -> None:
        self._clock = clock
        self._client = client
        self._claim_session = claim_session
        self._claiming = threading.Lock()
        self._boot_id = boot_id
        self._condition = threading.Condition()
        self._state = v2.Report(number=0, boot_id=boot_id)
        self._lines: deque[v2.LogLine] = deque(maxlen=MOST_LINES_KEPT)
        self._masker = Masker()
        self._outbox = outbox
        self._line_number = 0
        self._most_log_letters = MOST_LOG_LETTERS
        for line in outbox.read() if outbox is not None else ():
            self._lines.append(line)
            self._line_number = line.n + 1
        self._number = 0
        self._version = 0  # is increased with each change of the state
        self._accepted = 0  # the version that the server has
        self._dirty = False
        self._awaited = 0  # how many threads wait until a report is accepted; then reports are sent at once
        self._cancel = threading.Event()
        self._thread = threading.Thread(target=self._work, name="reporter", daemon=True)

    def start(self) -> None:
        """Begin to send, in a thread of its own."""
        self._thread.start()

    def add_secrets(self, secrets: tuple[str, ...]) -> None:
        """Values that are masked in everything reported from now on."""
        with self._condition:
            self._masker.add(secrets)

    @property
    def masker(self) -> Masker:
        """What masks the secrets of every job of this boot."""
        return self._masker

    def begin_job(self, job_id: str) -> None:
        """A new job: its own state, from nothing."""
        with self._condition:
            hooks = [item for item in self._state.hooks if item.name == "PRE"]
            self._state = v2.Report(number=0, boot_id=self._boot_id, job_id=job_id, hooks=hooks)
            self._cancel.clear()
            self._touch()

    def update(self, change: "v2.Report") -> None:
        """Replace the whole state; number and log lines are the reporter's own."""
        with self._condition:
            self._state = copy.copy(change)
            self._touch()

    @property
    def state(self) -> v2.Report:
        """A copy to change and give back to `update`."""
        with self._condition:
            return copy.copy(self._state)

    def add_line(self, text: str, level: str = "info") -> None:
        """Add text to the log that goes to the server, secrets masked; each of its lines gets a number."""
        with self._condition:
            self._line_number = max(self._line_number + 1, boot_milliseconds())
            added = [
                v2.LogLine(n=n, at=now(), text=cut_line(line), level=level)
                for n, line in enumerate(self._masker.text(text).splitlines() or [""], self._line_number)
            ]
            self._line_number += len(added)
            self._lines.extend(added)
            if self._outbox is not None:
                self._outbox.add(added)
            self._dirty = True
            self._condition.notify_all()

    def is_cancelled(self) -> bool:
        """Whether the server asked to stop after the present action."""
        return self._cancel.is_set()

    def attach_inventory(self, inventory: Inventory) -> None:
        """Send the inventory, read again after the changes, with the next report."""
        with self._condition:
            self._state = msgspec.structs.replace(self._state, inventory=inventory)
            self._touch()

    def attach_saved(self, saved: dict[str, Any]) -> None:
        """Send the machine's state with the next report. Its secrets are masked already."""
        with self._condition:
            self._state = msgspec.structs.replace(self._state, saved=saved)
            self._touch()

    def renew_session(self) -> None:
        """Register again (the server lost or ended the session); one thread at a time."""
        with self._claiming:
            self._claim_session()

    def wait_until_accepted(self, timeout_s: float | None = None) -> bool:
        """Wait until the server has the present state and every log line (for ever without a timeout)."""
        with self._condition:
            version = self._version
            self._awaited += 1
            self._condition.notify_all()
            try:
                return self._clock.wait(
                    self._condition, lambda: self._accepted >= version and not self._lines, timeout_s
                )
            finally:
                self._awaited -= 1

    def _touch(self) -> None:
        self._version += 1
        self._dirty = True
        self._condition.notify_all()

    def _work(self) -> None:
        failures = 0
        while True:
            with self._condition:
                self._clock.wait(self._condition, lambda: self._dirty, HEARTBEAT_S)
                version, report = self._version, self._build()
                self._dirty = False
            try:
                receipt = self._client.send_report(report)
            except (Unreachable, Refused) as error:
                failures += 1
                self._note_failure(error, failures, report)
                with self._condition:
                    self._dirty = True
                self._clock.sleep(
                    min(LONGEST_RETRY_S, 0.5 * 2 ** min(failures, 6)) * random.uniform(0.7, 1.3)
                )
                continue
            failures = 0
            self._accept(version, receipt, bool(report.log))
            with self._condition:
                self._clock.wait(
                    self._condition, lambda: bool(self._awaited and self._dirty), SHORTEST_INTERVAL_S
                )

    def _build(self) -> v2.Report:
        self._number = max(self._number + 1, boot_milliseconds())
        lines: list[v2.LogLine] = []
        letters = 0
        for line in itertools.islice(self._lines, MOST_LINES_IN_A_REPORT):
            letters += len(line.text)
            if lines and letters > self._most_log_letters:
                break
            lines.append(line)
        whole = msgspec.structs.replace(self._state, number=self._number, boot_id=self._boot_id, log=lines)
        if not self._masker:
            return whole
        but = v2.COMPARED | {"saved"}  # a saved state is masked by its own rule when it is made
        plain = self._masker.plain(msgspec.to_builtins(whole), keys=v2.FREE_TEXT, but=but)
        return msgspec.convert(plain, v2.Report)

    def _accept(self, version: int, receipt: v2.Receipt, report_had_lines: bool) -> None:
        with self._condition:
            self._accepted = max(self._accepted, version)
            while self._lines and self._lines[0].n < receipt.log_next:
                self._lines.popleft()
            if self._lines:
                self._dirty = True
            elif report_had_lines and self._outbox is not None:
                self._outbox.clear()
            if receipt.cancel:
                self._cancel.set()
            self._condition.notify_all()

    def _leave_out(self, report: v2.Report) -> str:
        """Have less in the next report than in this one: at first fewer log lines, which the ones after it have; then
        not what a job can do without. Returns what is left out, empty when there is nothing left."""
        letters = sum(len(line.text) for line in report.log)
        with self._condition:
            if len(report.log) > 1 and letters > LEAST_LOG_LETTERS:
                self._most_log_letters = max(LEAST_LOG_LETTERS, letters // 4)
                return "most of its log lines, which follow"
            if self._state.saved is not None:
                self._state = msgspec.structs.replace(self._state, saved=None)
                return "its saved state"
            if self._state.inventory is not None:
                self._state = msgspec.structs.replace(self._state, inventory=None)
                return "its inventory"
        return ""

    def _note_failure(self, error: Exception, failures: int, report: v2.Report) -> None:
        if isinstance(error, Refused) and error.status == 401:
            self.renew_session()
            return
        if isinstance(error, Refused) and error.status == TOO_LARGE and (left := self._leave_out(report)):
            log.warning(
                "the server takes no report as large as this one, %s: it goes without %s", error, left
            )
            return
        if failures in (1, 5) or failures % 20 == 0:
            log.warning("a report was not accepted (try %d): %s; it is sent again", failures, error)


def cut_line(text: str) -> str:
    """A line as it goes to the server; of one that is too long its beginning, and how much it had more."""
    more = len(text) - MOST_LINE_LETTERS
    return f"{text[:MOST_LINE_LETTERS]} [{more} more characters]" if more > 0 else text


class ReportHandler(logging.Handler):
    """Sends the agent's log lines to the server with the reports."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__(logging.INFO)
        self._reporter = reporter

    def emit(self, record: logging.LogRecord) -> None:
        """Hand the record to the reporter. Called by `logging`."""
        self._reporter.add_line(record.getMessage(), record.levelname.lower())
