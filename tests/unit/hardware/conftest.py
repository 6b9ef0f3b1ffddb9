from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[2] / "golden/hardware"


@pytest.fixture
def golden() -> Path:
    return GOLDEN
