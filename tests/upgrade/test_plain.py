"""The last version that knew neither TLS nor the confirmation of machines: its data directory with the defaults of
today's server, and the agent of its image, which is what a site goes back to."""

import json
import lzma
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from recording import Call
from serving import DEFAULTS, Agent, Running, run_in_thread
from test_data_directory import open_settings
from test_new_agent import Bench
from test_new_defaults import BEFORE, confirm, read_confirmed
from test_old_agent import Replay

from bootos.server.lifecycle import MachineState, State
from bootos.wire import v2

HERE = Path(__file__).parent / "plain"
KNOWN: dict[str, Any] = json.loads((HERE / "data.json").read_text())
SN: str = KNOWN["sn"]
OLD_IMAGE: str = KNOWN["images"][0]


def read_apply() -> list[Call]:
    """What its agent said in one boot: a wait without an order, then a job to its end."""
    lines = lzma.decompress((HERE / "apply.jsonl.xz").read_bytes()).splitlines()
    return [msgspec.json.decode(line, type=Call) for line in lines]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with tarfile.open(HERE / "data.tar.xz") as archive:
        archive.extractall(tmp_path / "data", filter="data")
    running, stop = run_in_thread(msgspec.structs.replace(open_settings(tmp_path / "data"), **DEFAULTS))
    yield running
    stop()


@pytest.fixture
def waiting(server: Running) -> Agent:
    """Its agent, which waited for an order when the server was exchanged."""
    agent = Agent(server, SN, KNOWN["boot_id"])
    agent.session = KNOWN["session"]
    return agent


class Rollback(Replay):
    """The next boot of the machine, with the image of that version; its last one is silent for long."""

    def __init__(self, server: Running) -> None:
        super().__init__(server)
        self._make_silent()
        self.calls = [
            msgspec.structs.replace(call, body=call.body.replace('"boot_id":"boot-1"', '"boot_id":"boot-3"'))
            for call in read_apply()
        ]
        self.first = next(n for n, call in enumerate(self.calls) if call.place == f"{v2.PREFIX}/order")

    def say_all(self, calls: list[Call]) -> None:
        """Each call of the recorded agent is answered as it was then, and it can read the answer."""
        for call in calls:
            path = call.path.replace("?wait_s=2", "?wait_s=0")
            assert self.say(msgspec.structs.replace(call, path=path))[0] == call.status, call.path


def test_the_machine_is_confirmed_by_what_it_was_known_by_and_the_one_that_never_came_is_not(
    server: Running,
) -> None:
    assert read_confirmed(server) == {SN: BEFORE, "EXPECT1": ""}
    assert server.operate("GET", "/machines/EXPECT1")["state"] == MachineState.EXPECTED
    assert server.job(KNOWN["expected"])["state"] == State.QUEUED


def test_an_agent_that_waited_is_handed_its_next_job(server: Running, waiting: Agent) -> None:
    number = server.create_job(SN, "whole")["id"]
    assert waiting.order()["job_id"] == str(number)


def test_a_job_with_secrets_is_refused_when_it_is_made_and_says_what_to_do(
    server: Running, waiting: Agent
) -> None:
    said = server.refuse("POST", "/jobs", {"machine": SN, "template": "secret"})
    assert said.status == 409
    assert "over TLS only" in said.data["error"] and "--plain-secrets" in said.data["hint"]
    assert waiting.order() is None


def test_an_image_of_that_version_boots_registers_and_carries_out_a_job(server: Running) -> None:
    """The pin that a rollback is, was made before the server was exchanged."""
    pinned = {file: file.read_text() for file in server.pxe_directory.glob("01-*")}
    assert pinned and all(f"/bootos/images/{OLD_IMAGE}/vmlinuz" in text for text in pinned.values())
    assert server.request("GET", f"/bootos/images/{OLD_IMAGE}/vmlinuz").status == 200
    boot = Rollback(server)
    boot.say_all(boot.calls[: boot.first])
    assert {file: file.read_text() for file in pinned} == pinned
    number = server.create_job(SN, "whole")["id"]
    said = [
        msgspec.structs.replace(call, body=call.body.replace('"job_id":"1"', f'"job_id":"{number}"'))
        for call in boot.calls[boot.first :]
        if call.status != 204
    ]
    boot.say_all(said)
    assert server.job(number)["state"] == State.DONE


def test_the_default_file_is_the_operators(server: Running) -> None:
    with tarfile.open(HERE / "data.tar.xz") as archive:
        file = archive.extractfile("tftp/pxelinux.cfg/default")
        assert file is not None
        content = file.read()
    assert b"memtest86+" in content
    assert (server.pxe_directory / "default").read_bytes() == content


def test_todays_agent_carries_out_the_job_of_that_server(tmp_path: Path) -> None:
    """It offers no TLS end and asks for no words, so the agent goes on as ever."""
    it = Bench(tmp_path / "machine", read_apply())
    try:
        life, _ = it.boot()
        assert it.end_of(life) == 0
        assert it.server.wrong == []
        assert it.states() == ["running", "succeeded"]
        assert it.steps() == it.recorded_steps()
    finally:
        it.close()


def test_a_machine_that_comes_for_the_first_time_with_that_image_is_told_that_it_waits(
    server: Running,
) -> None:
    first = Agent(server, "EXPECT1", "boot-1", inventory={"collected_at": "2026-01-01T00:00:00Z"})
    assert "bootos machine confirm" in first.register().data["message"]
    assert first.order() is None
    confirm(server, "EXPECT1")
    assert first.order()["job_id"] == str(KNOWN["expected"])
