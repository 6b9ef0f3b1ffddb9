"""A real server on a free port of the loopback, in a thread. Making one costs more than most tests do, so the tests
share it; each finds it empty, as after its first start."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Agent, Running, run_in_thread

from bootos.server.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data", port=0, boot_files=tmp_path / "image", tftp=False)


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    root = tmp_path_factory.mktemp("server")
    running, stop = run_in_thread(Settings(data=root / "data", port=0, boot_files=root / "image", tftp=False))
    yield running
    stop()


@pytest.fixture
def server(shared_server: Running) -> Iterator[Running]:
    yield shared_server
    shared_server.empty()


@pytest.fixture
def agent(server: Running) -> Agent:
    agent = Agent(server)
    assert agent.register().status == 200
    return agent
