"""The server asks for a capture of this machine, between jobs: it is taken and sent, and changes nothing.

It is taken in a thread with a deadline, for a file of a dead device may hang in the kernel for ever. Meanwhile the
reporter gives its signs of life, and no order is fetched: a job waits at the server until the capture has ended. After
the deadline no tool is started any more: what may still go on beside a job is reading of files, which changes nothing.
"""

import logging
import threading
from collections.abc import Sequence
from os import PathLike
from typing import Unpack

from bootos.agent.session.client import Client
from bootos.drivers.contract import Machine
from bootos.errors import BootosError, read_chain
from bootos.masking import Masker
from bootos.process import KILL_S, Command, Completed, Options, Runner
from bootos.waiting import CLOCK, Clock
from bootos.wire import v2

log = logging.getLogger(__name__)


class EndedRunner:
    """Runs tools until the deadline. One that runs then is ended, and a later one ends the thread that asks for it:
    SystemExit passes those who go on without a tool that failed."""

    def __init__(self, run: Runner, deadline_s: float, clock: Clock) -> None:
        self._run = run
        self._clock = clock
        self._until = clock.now() + deadline_s

    def __call__(self, argv: Sequence[str | PathLike[str]], **options: Unpack[Options]) -> Completed:
        left_s = self._until - self._clock.now()
        if left_s <= 0:
            raise SystemExit
        options["timeout_s"] = min(left_s, Command(argv, **options).timeout_s)
        return self._run(argv, **options)


class Capturer:
    """Takes the captures of one machine, one at a time. `masker` knows the secrets of earlier jobs."""

    def __init__(
        self,
        machine: Machine,
        masker: Masker,
        pxe_mac: str | None = None,
        *,
        deadline_s: float = v2.CAPTURE_DEADLINE_S,
        clock: Clock = CLOCK,
    ) -> None:
        self._machine = machine
        self._masker = masker
        self._pxe_mac = pxe_mac
        self._deadline_s = deadline_s
        self._clock = clock
        self._thread: threading.Thread | None = None

    def send(self, client: Client) -> None:
        """Take a capture and send it, or the reason why there is none. Raises Refused, Unreachable."""
        log.info("the server asks for a capture of this machine")
        try:
            upload = v2.CaptureUpload(data=self.take())
        except BootosError as cause:
            log.warning("no capture is taken: %s", cause)
            upload = v2.CaptureUpload(error="; ".join(read_chain(cause)))
        client.upload_capture(upload)
        log.info("the capture is sent (%d bytes)", len(upload.data))

    def take(self) -> bytes:
        """A capture, packed. Raises BootosError when there is none at the deadline, or an earlier one has not ended."""
        if self._thread is not None and self._thread.is_alive():
            raise BootosError(
                "an earlier capture has not ended yet",
                hint="a tool or a device does not answer; after a reboot a capture can be taken again",
            )
        done, answers = threading.Condition(), list[bytes | BaseException]()
        run = EndedRunner(self._machine.run, self._deadline_s, self._clock)
        self._thread = threading.Thread(
            target=self._work, args=(run, done, answers), name="capture", daemon=True
        )
        self._thread.start()
        with done:  # a tool that is ended at the deadline is waited for as long as the kernel may take
            self._clock.wait(done, lambda: bool(answers), self._deadline_s + KILL_S)
            answer = answers[0] if answers else SystemExit()
        if isinstance(answer, bytes):
            return answer
        if isinstance(answer, SystemExit):
            raise BootosError(
                f"the capture was not done within {self._deadline_s:g} s",
                hint="a tool or a device does not answer; the agent's log and the kernel's say which",
            )
        raise BootosError(f"the capture failed: {answer}") from answer

    def _work(self, run: Runner, done: threading.Condition, answers: list[bytes | BaseException]) -> None:
        from bootos.engine.capture.take import take_capture
        from bootos.hardware.capture import pack_capture

        answer: bytes | BaseException
        try:
            capture = take_capture(self._machine.root, run, masker=self._masker, pxe_mac=self._pxe_mac)
            answer = pack_capture(capture)
        except SystemExit as late:
            answer = late
        except Exception as cause:
            log.exception("the capture failed")
            answer = cause
        with done:
            answers.append(answer)
            done.notify_all()
