"""Progress reports of the Cloudboot v1 protocol, in order: what did not get through is sent again, before later ones.

Used by `flow`. A report that the server rejects is given up: it says no to the same report again.
"""

import logging
from collections import deque

from bootos.agent.cloudboot.client import Rejected, V1Client, V1Error
from bootos.waiting import CLOCK, Clock, find_within
from bootos.wire import cloudboot_v1 as v1

log = logging.getLogger(__name__)

MOST_TITLE_CHARACTERS = 255


class Backlog:
    """What is still to be told. `rejected` counts the reports that the server refused."""

    def __init__(self, client: V1Client, sn: str) -> None:
        self._client = client
        self._sn = sn
        self._waiting: deque[v1.InstallInfo] = deque()
        self.rejected = 0

    def put(self, progress: float, title: str, text: str) -> bool:
        """Report now, or as soon as the server takes it; returns whether everything is told."""
        log.info("%s", f"{title} ({progress:.0%})" if progress >= 0 else title)
        report = v1.InstallInfo(
            sn=self._sn,
            title=clean(title)[:MOST_TITLE_CHARACTERS],
            install_progress=progress,
            install_log=v1.encode_text(clean(text)),
        )
        self._waiting.append(report)
        return self.flush()

    def flush(self) -> bool:
        """Send what waits, oldest first; returns whether nothing is left. One failed call ends the attempt."""
        while self._waiting:
            report = self._waiting[0]
            try:
                self._client.report_progress(report)
            except Rejected as error:
                self.rejected += 1
                # This is usual for a machine that is in no list. Inside a job, `flow` handles it.
                log.info("the server does not take the report %s: %s", report.title, error)
            except V1Error as error:
                count = len(self._waiting)
                log.warning("%d report(s) wait until the server takes them: %s", count, error)
                return False
            self._waiting.popleft()
        return True

    def flush_within(self, timeout_s: float, pause_s: float, clock: Clock = CLOCK) -> bool:
        """Try for some time; returns whether nothing is left."""
        return bool(find_within(self.flush, timeout_s, pause_s=pause_s, clock=clock))


def clean(text: str) -> str:
    """Existing databases refuse characters of four bytes, after they changed the device's state."""
    return "".join(letter if letter <= "\uffff" else "?" for letter in text)
