"""The server is tried through a port in the background: a try that gets no answer holds up nothing."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

CHILD = """
import sys
from pathlib import Path

from bootos.agent.network.addressing import Words
from bootos.agent.network.link import Interface
from bootos.agent.network.networkfile import Names, plan_ports
from bootos.agent.network.trial import Trials
from bootos.waiting import CLOCK

(port,) = plan_ports(["lo"], Words())
card = Interface(name="lo", mac="", carrier=True, address="127.0.0.1/8")
trials = Trials(sys.argv[1], Path("/"), again_s=1.0, connect_s=600.0, clock=CLOCK)
print(trials.find(port, card, Names))
trials.close()
"""
MOST_WAITING = 64


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port of the loopback whose queue of connections is full: whoever connects hears nothing."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(MOST_WAITING):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0.1)
            try:
                waiting.connect(listener.getsockname())
            except TimeoutError:
                break
        else:
            pytest.fail("every connection is taken")
        yield listener.getsockname()[1]


def test_a_try_without_an_answer_does_not_hold_up_the_end_of_the_process(silent_port: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, f"http://127.0.0.1:{silent_port}"],
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "None\n", "")
