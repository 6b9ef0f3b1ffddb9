"""A real server on a free port of the loopback, in a thread, for each test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Agent, Running, run_in_thread

from bootos.server.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data", port=0, boot_files=tmp_path / "image", tftp=False)


@pytest.fixture
def server(settings: Settings) -> Iterator[Running]:
    running, stop = run_in_thread(settings)
    yield running
    stop()


@pytest.fixture
def agent(server: Running) -> Agent:
    agent = Agent(server)
    assert agent.register().status == 200
    return agent
