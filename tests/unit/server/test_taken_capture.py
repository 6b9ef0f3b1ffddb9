"""An agent that a real server asks for a capture: signs of life meanwhile, jobs, tools that hang, large archives."""

import base64
import queue
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Unpack

import pytest
from captured import build_machine
from handclock import QuickClock
from serving import Running

from bootos.agent.session.capturing import Capturer
from bootos.agent.session.client import Client
from bootos.agent.session.order import wait_for_order
from bootos.agent.session.reporter import Reporter
from bootos.drivers.contract import Machine
from bootos.engine.capture.replayed import read_file
from bootos.hardware.capture import Capture, Replay
from bootos.process import Completed, Options
from bootos.server.limit import LIMITS
from bootos.waiting import CLOCK, Clock, wait_for
from bootos.wire import v2
from bootos.wire.ability import OURS
from bootos.wire.inventory import Inventory

NAME = "server-six-disks"
SLOW = "smartctl"


class Tools:
    """The tools of a captured machine. While it is `slow`, smartctl answers only when it is let `go`, and cannot be
    ended. `more` is what a program prints in place of what it printed there."""

    def __init__(self, answer: Replay) -> None:
        self._answer = answer
        self.slow = False
        self.more: dict[str, str] = {}
        self.reached, self.go = threading.Event(), threading.Event()
        self.ran: list[tuple[str, float]] = []  # with how long it may take, in seconds

    def __call__(self, argv: Sequence[str | PathLike[str]], **options: Unpack[Options]) -> Completed:
        name, timeout_s = str(argv[0]), options.get("timeout_s", 60.0)
        self.ran.append((name, timeout_s))
        if self.slow and name == SLOW:
            self.reached.set()
            assert self.go.wait(120.0)
        if name in self.more:
            return Completed(
                argv=tuple(map(str, argv)), returncode=0, stdout=self.more[name], stderr="", duration_s=0
            )
        return self._answer(argv, **options)


class ReportingClock(QuickClock):
    """A quick clock, by which the reporter sends nothing more when the test is over."""

    is_over = False

    def wait(self, *arguments: Any, **options: Any) -> bool:
        if self.is_over:
            threading.Event().wait()
        return super().wait(*arguments, **options)

    def sleep(self, seconds: float) -> None:
        if self.is_over:
            threading.Event().wait()
        super().sleep(seconds)


class TurnedClock(Clock):
    """Time that passes when the test says so."""

    now_s = 0.0

    def now(self) -> float:
        return self.now_s

    def wait(
        self, condition: threading.Condition, is_true: Callable[[], bool], timeout_s: float | None = None
    ) -> bool:
        until = self.now_s + (timeout_s or 0.0)
        while not is_true() and self.now_s < until:
            condition.wait(0.02)
        return is_true()


class AgentSide:
    """The agent's part between jobs: it waits for an order in a thread, and takes captures meanwhile."""

    def __init__(self, server: Running, root: Path) -> None:
        self.server = server
        self.root, capture = build_machine(NAME, root)
        self.tools = Tools(Replay(capture))
        self.client = Client(server.url)
        self._clock = ReportingClock()
        self._reporter = Reporter(self.client, "boot-1", lambda: None, clock=self._clock)
        self._orders: queue.SimpleQueue[v2.Order] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def begin(self, deadline_s: float = 60.0, clock: Clock = CLOCK) -> None:
        inventory = Inventory(collected_at="2026-01-01T00:00:00Z")
        registration = v2.Registration(
            sn="SN001",
            boot_id="boot-1",
            agent_version="test",
            developer=True,
            abilities=list(OURS),
            inventory=inventory,
        )
        self.client.register(registration)
        self._reporter.start()
        machine = Machine(run=self.tools, root=self.root)
        capturer = Capturer(machine, self._reporter.masker, deadline_s=deadline_s, clock=clock)

        def work() -> None:
            self._orders.put(wait_for_order(self.client, self._reporter, capturer))

        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()

    def ask(self) -> None:
        self.server.operate("POST", "/machines/SN001/capture")

    def view(self) -> Any:
        return self.server.operate("GET", "/machines/SN001/capture")

    def wait_for_answer(self) -> Any:
        def find() -> Any:
            view = self.view()
            return view if view["asked_at"] is None else None

        return wait_for(find, 120, what="the answer", pause_s=0.05)

    def wait_for_signs_of_life(self, count: int = 2) -> None:
        """Until the server has heard of the machine so many times more."""
        presence = self.server.context.presence
        for _ in range(count):
            before = presence.last_heard(1, None)
            wait_for(
                lambda: presence.last_heard(1, None) != before,  # noqa: B023
                30,
                what="a sign of life",
                pause_s=0.02,
            )

    def read(self) -> Capture:
        file = self.root / "taken.json.gz"
        answer = self.server.operate("GET", "/machines/SN001/capture/file")
        file.write_bytes(base64.b64decode(answer["data"]))
        return read_file(file)

    def has_order(self) -> bool:
        return not self._orders.empty()

    def take_order(self) -> v2.Order:
        return self._orders.get(timeout=60)

    def end(self) -> None:
        """A last job ends the wait for one."""
        self.tools.go.set()
        if self._thread is not None and self._thread.is_alive():
            self.server.put_template("last")
            if not self.has_order():
                self.server.create_job(template="last", mode="plan")
            self._thread.join(60)
        self._clock.is_over = True


@pytest.fixture
def side(server: Running, tmp_path: Path) -> Iterator[AgentSide]:
    made = AgentSide(server, tmp_path)
    yield made
    made.end()


def test_the_session_gives_signs_of_life_while_a_capture_is_taken(side: AgentSide) -> None:
    side.tools.slow = True
    side.begin()
    side.ask()
    assert side.tools.reached.wait(60)
    side.wait_for_signs_of_life()
    assert side.view()["taken_at"] is None
    side.tools.go.set()
    assert side.wait_for_answer()["error"] == ""
    assert SLOW in {output.argv[0] for output in side.read().tools}


def test_a_job_that_comes_meanwhile_waits_until_the_capture_is_there(side: AgentSide) -> None:
    side.tools.slow = True
    side.begin()
    side.ask()
    assert side.tools.reached.wait(60)
    side.server.put_template()
    number = side.server.create_job()["id"]
    side.wait_for_signs_of_life()
    assert (side.server.job(number)["state"], side.has_order()) == ("queued", False)
    side.tools.go.set()
    assert side.take_order().job_id == str(number)
    assert (side.view()["asked_at"], side.view()["error"], bool(side.view()["taken_at"])) == (None, "", True)


def test_a_tool_has_no_longer_than_the_capture(side: AgentSide) -> None:
    side.begin(deadline_s=10.0, clock=TurnedClock())
    side.ask()
    assert side.wait_for_answer()["error"] == ""
    assert max(timeout_s for _, timeout_s in side.tools.ran) == 10.0


def test_a_capture_that_hangs_ends_with_its_reason_and_jobs_go_on(side: AgentSide) -> None:
    side.tools.slow = True
    clock = TurnedClock()
    side.begin(deadline_s=500.0, clock=clock)
    side.ask()
    assert side.tools.reached.wait(60)
    clock.now_s += 600.0
    assert "was not done within 500 s" in side.wait_for_answer()["error"]
    side.ask()
    assert "an earlier capture has not ended yet" in side.wait_for_answer()["error"]
    hanging = next(thread for thread in threading.enumerate() if thread.name == "capture")
    ran = len(side.tools.ran)
    side.tools.go.set()
    hanging.join(60)
    assert not hanging.is_alive()
    assert len(side.tools.ran) == ran  # no tool is started after the deadline
    side.ask()
    assert side.wait_for_answer()["error"] == ""
    side.server.put_template()
    number = side.server.create_job()["id"]
    assert side.take_order().job_id == str(number)


@pytest.mark.parametrize(("packed_bytes", "is_whole"), [(1_800_000, True), (2_200_000, False)])
def test_of_an_archive_over_2_mb_the_largest_is_left_out_and_the_rest_is_taken(
    side: AgentSide, packed_bytes: int, is_whole: bool
) -> None:
    side.tools.more["networkctl"] = base64.b64encode(random.Random(1).randbytes(packed_bytes)).decode()
    side.begin()
    side.ask()
    view = side.wait_for_answer()
    assert view["error"] == ""
    assert 0 < view["size_bytes"] <= LIMITS.capture_bytes
    capture = side.read()
    left = [sentence for sentence in capture.left_out if "would be larger" in sentence]
    assert ["networkctl" in sentence for sentence in left] == ([] if is_whole else [True])
    assert ("networkctl" in {output.argv[0] for output in capture.tools}) == is_whole
    assert "smartctl" in {output.argv[0] for output in capture.tools}
