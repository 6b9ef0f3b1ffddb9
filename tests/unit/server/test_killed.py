"""The server is killed again and again while machines are at work: what it accepted is there, once."""

import itertools
import threading
from functools import partial
from typing import Any

import pytest
from serverprocess import Process, process
from serving import INVENTORY, Agent, Answer, Running
from urllib3 import PoolManager
from urllib3.exceptions import HTTPError

from bootos.waiting import wait_for

__all__ = ["process"]

KILLS = 10
AGENTS = 8
REPORTS_BETWEEN = 60  # of all agents together, from one kill to the next
DEADLINE_S = 120.0


class Load:
    """What machines do, each in a thread of its own, and what the server has accepted of it."""

    def __init__(self, server: Running) -> None:
        self.server = server
        self.ending = threading.Event()
        self.lines: list[list[str]] = [[] for _ in range(AGENTS)]
        self.registered: list[str] = []
        self.repeated = 0  # requests that the server did not live to answer
        agents = [build_agent(server, f"WORK{number}", number) for number in range(AGENTS)]
        for agent in agents:
            assert agent.register().status == 200
            server.create_job(machine=agent.registration["sn"])
        jobs = [agent.order()["job_id"] for agent in agents]
        # what got no answer is asked again here, so that it is counted
        server._pool = PoolManager(retries=False, timeout=30, maxsize=AGENTS + 1)
        works = [
            threading.Thread(target=self._report, args=[agent, job, lines])
            for agent, job, lines in zip(agents, jobs, self.lines, strict=True)
        ]
        self._threads = [*works, threading.Thread(target=self._register)]
        for thread in self._threads:
            thread.start()

    def count(self) -> int:
        """The reports that were accepted so far."""
        return sum(map(len, self.lines))

    def has(self, wanted: int) -> bool:
        """Whether so many reports were accepted."""
        return self.count() >= wanted

    def end(self) -> None:
        """Every machine gets the answer to what it asks now, and asks nothing more."""
        self.ending.set()
        for thread in self._threads:
            thread.join(DEADLINE_S)
            assert not thread.is_alive()

    def _report(self, agent: Agent, job: str, accepted: list[str]) -> None:
        """A line in each report; a report without an answer is sent again, as it was."""
        while not self.ending.is_set():
            n = len(accepted)
            text = f"line {n} of job {job}"
            line = {"n": n, "at": "2026-01-01T00:00:00Z", "text": text}
            answer = self._ask(agent, job, number=n + 1, state="running", log=[line])
            assert (answer.status, answer.data["log_next"]) == (200, n + 1), answer
            accepted.append(text)

    def _register(self) -> None:
        """Machines that come for the first time."""
        for number in itertools.count(AGENTS):
            if self.ending.is_set():
                return
            agent = build_agent(self.server, f"NEW{number}", number)
            while True:
                try:
                    assert agent.register().status == 200
                    break
                except HTTPError:
                    self._note_repeated()
            self.registered.append(f"NEW{number}")

    def _ask(self, agent: Agent, job: str, **more: Any) -> Answer:
        while True:
            try:
                return agent.report(job, **more)
            except HTTPError:
                self._note_repeated()

    def _note_repeated(self) -> None:
        self.repeated += 1
        self.ending.wait(0.02)


def build_agent(server: Running, sn: str, number: int) -> Agent:
    nic = {"name": "eth0", "mac": f"52:54:00:01:{number >> 8:02x}:{number & 255:02x}", "is_pxe": True}
    system = {"vendor": "QEMU", "product": "Standard PC (Q35)", "serial": sn}
    return Agent(server, sn, f"boot-{sn}", inventory={**INVENTORY, "system": system, "nics": [nic]})


@pytest.mark.full
@pytest.mark.timeout(600)
def test_nothing_that_was_accepted_is_lost_or_doubled_by_kills_under_load(process: Process) -> None:
    server = process.start("--limit", "registrations_per_address=100000")
    server.put_template()
    load = Load(server)
    try:
        for kill in range(1, KILLS + 1):
            wanted = load.count() + REPORTS_BETWEEN
            wait_for(partial(load.has, wanted), DEADLINE_S, what=f"load before kill {kill}")
            process.kill()
            server = process.start("--limit", "registrations_per_address=100000")
    finally:
        load.end()
    lost = doubled = 0
    for job, lines in enumerate(load.lines, 1):
        kept = [line["text"] for line in server.operate("GET", f"/jobs/{job}/log?limit=5000")]
        kept = [text for text in kept if text.startswith("line ")]
        lost += len(set(lines) - set(kept))
        doubled += len(kept) - len(set(kept))
    known = {row["sn"] for row in server.operate("GET", "/machines?limit=1000")}
    lost += len(set(load.registered) - known)
    print(
        f"{KILLS} kills: {load.count()} reports and {len(load.registered)} registrations accepted, "
        f"{load.repeated} asked again; lost {lost}, doubled {doubled}"
    )
    assert (lost, doubled) == (0, 0)
    assert load.repeated >= KILLS, "the server was killed while nobody asked"
