"""Yesterday's data directory and yesterday's peers. The agent works on the machine of the fault suite."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / name) for name in ("contract", "faults")]
