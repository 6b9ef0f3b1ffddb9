from collections.abc import Iterator

import pytest
from peer import Peer


@pytest.fixture
def peer() -> Iterator[Peer]:
    running = Peer()
    yield running
    running.close()
