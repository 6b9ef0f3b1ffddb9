"""Today's agent with yesterday's server: it reads what that answers, sends nothing that it cannot read, and comes to
the same end."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from life import make_power_edge
from oldserver import V1, OldServer
from rack import Door
from recording import REQUESTS, Call, read_calls

from bootos.agent.session.client import Client
from bootos.waiting import wait_for
from bootos.wire import v2
from bootos.wire.ability import OURS
from bootos.wire.inventory import Inventory

DEADLINE_S = 60.0
LIFE = Path(__file__).with_name("life.py")


class Bench:
    """One machine and the server that answers as yesterday's did in one flow."""

    def __init__(self, directory: Path, calls: list[Call]) -> None:
        self.calls = calls
        self.server = OldServer(self.calls)
        self.directory = directory
        self._lives: list[subprocess.Popen[bytes]] = []
        # a directory in which there is a racadm; the machine answers for it
        self._programs = directory / "bin"
        self._programs.mkdir(parents=True)
        (self._programs / "racadm").write_text("#!/bin/sh\nexit 1\n")
        (self._programs / "racadm").chmod(0o755)
        make_power_edge(directory, self.server.url)

    def boot(self, protocol: str = "v2", *, stop: str = "") -> tuple["subprocess.Popen[bytes]", Door | None]:
        number = len(self._lives) + 1
        words: list[Any] = [self.directory, f"boot-{number}", protocol]
        door = Door(self.directory / "door") if stop else None
        words += [stop, self.directory / "door"] if stop else []
        env = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "PATH": os.pathsep.join([str(self._programs), os.environ["PATH"]]),
        }
        with (self.directory / f"agent-{number}.log").open("wb") as log:
            life = subprocess.Popen([sys.executable, LIFE, *words], stdout=log, stderr=log, env=env)
        self._lives.append(life)
        return life, door

    def wait_for(self, condition: Callable[[], Any], what: str) -> None:
        wait_for(condition, DEADLINE_S, what=f"{what} ({self.directory})", pause_s=0.05)

    def end_of(self, life: "subprocess.Popen[bytes]") -> int:
        return life.wait(DEADLINE_S)

    def states(self) -> list[str]:
        """What the agent said of its jobs, without repetitions."""
        said = [report.state for report in self.server.reports() if report.job_id]
        return [state for place, state in enumerate(said) if place == 0 or said[place - 1] != state]

    def steps(self) -> dict[str, str]:
        """How the steps of the last report stand."""
        return {step.id: step.state for step in self.server.reports()[-1].steps}

    def recorded_steps(self) -> dict[str, str]:
        """The same of yesterday's agent."""
        said = [call for call in self.calls if call.place == f"{v2.PREFIX}/report"]
        report = msgspec.json.decode(said[-1].body, type=REQUESTS["/report"])
        return {step.id: step.state for step in report.steps}

    def close(self) -> None:
        for life in self._lives:
            if life.poll() is None:
                life.kill()
            life.wait()
        self.server.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[[str], Bench]]:
    made: list[Bench] = []

    def make(flow: str) -> Bench:
        made.append(Bench(tmp_path / flow, read_calls(flow)))
        return made[-1]

    yield make
    for item in made:
        item.close()


def test_a_job_is_carried_out_to_its_end(bench: Callable[[str], Bench]) -> None:
    it = bench("v2-apply")
    life, _ = it.boot()
    assert it.end_of(life) == 0
    assert it.server.wrong == []
    assert it.states() == ["running", "succeeded"]
    assert it.steps() == it.recorded_steps()
    assert it.server.count(f"{v2.PREFIX}/mac") == 1
    assert it.server.reports()[-1].inventory is not None


def test_a_plan_is_made_and_the_approved_one_is_the_same(bench: Callable[[str], Bench]) -> None:
    """The approval holds yesterday's plan: today's agent carries it out only if it plans the very same."""
    it = bench("v2-plan")
    life, _ = it.boot()
    assert it.end_of(life) == 0
    assert it.server.wrong == []
    assert it.states() == ["running", "planned", "running", "succeeded"]
    assert it.steps() == it.recorded_steps()


def test_a_job_goes_on_after_the_reboot_inside_it(bench: Callable[[str], Bench]) -> None:
    it = bench("v2-reboot")
    for _ in range(2):
        life, _ = it.boot()
        assert it.end_of(life) == 0
        assert json.loads((it.directory / "ended.json").read_text()) in ("reboot", "reboot inside")
    assert it.server.wrong == []
    assert it.states() == ["running", "succeeded"]
    assert it.steps() == it.recorded_steps()


def test_a_job_goes_on_after_the_power_went(bench: Callable[[str], Bench]) -> None:
    """What the server knows of the first attempt, it tells by the recorded order; the second is refused once."""
    it = bench("v2-attempts")
    life, door = it.boot(stop="ext4:half")
    assert door is not None
    door.wait(DEADLINE_S)
    life.kill()
    door.close()
    life, _ = it.boot()
    assert it.end_of(life) == 0
    assert it.server.wrong == []
    assert it.server.count(f"{v2.PREFIX}/register") == 3
    assert it.states() == ["running", "succeeded"]
    journal = (it.directory / "journal").read_text().splitlines()
    assert journal.count("done create") == 1
    assert not [line for line in journal if "lost=" in line]


def test_a_cancel_stops_the_job(bench: Callable[[str], Bench]) -> None:
    it = bench("v2-cancel")
    _, door = it.boot(stop="create:before")
    assert door is not None
    door.wait(DEADLINE_S)
    it.server.cancelling = True
    told = len(it.server.reports())
    it.wait_for(lambda: len(it.server.reports()) > told, "a report that is answered by the cancel")
    door.open()
    it.wait_for(lambda: it.states() == ["running", "failed"], "the end of the job")
    door.close()
    assert it.server.wrong == []
    journal = (it.directory / "journal").read_text()
    assert ("done create" in journal, "done table" in journal) == (True, False)


def test_the_hardware_is_skipped_as_the_order_says(bench: Callable[[str], Bench]) -> None:
    it = bench("v2-refusals")
    life, _ = it.boot()
    assert it.end_of(life) == 0
    assert it.server.wrong == []
    assert it.states() == ["running", "succeeded"]
    assert it.steps()["plan"] == "skipped"
    assert not (it.directory / "journal").exists()  # nothing was done to a disk


def test_the_flow_of_v1_is_as_it_was(bench: Callable[[str], Bench]) -> None:
    """The same calls in the same order, and in each body everything that yesterday's agent sent."""
    it = bench("v1-ours")
    life, _ = it.boot("v1")
    assert it.end_of(life) == 0
    was = [
        (call.place, json.loads(call.body)) for call in it.calls if call.place.startswith(V1) and call.body
    ]
    was = [
        (place, body) for place, body in was if body.get("InstallProgress", 0) < 0.6
    ]  # after this the installer reports
    now = [(place, body) for place, body in it.server.said if place.startswith(V1)]
    assert [place for place, _ in now] == [place for place, _ in was]
    for (place, before), (_, body) in zip(was, now, strict=True):
        assert set(body) == set(before), place
    titles = [body["Title"] for place, body in now if place.endswith("deviceInstallInfo")]
    assert titles == [body["Title"] for place, body in was if place.endswith("deviceInstallInfo")]


def test_yesterdays_server_names_no_abilities(bench: Callable[[str], Bench]) -> None:
    it = bench("v2-apply")
    client = Client(it.server.url)
    client.greet()
    assert client.abilities == []
    said = v2.Registration(
        sn="A", boot_id="b", agent_version="0", abilities=list(OURS), inventory=Inventory(collected_at="")
    )
    assert client.register(said).machine_id == "1"
    assert it.server.wrong == []
