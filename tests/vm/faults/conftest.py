"""The virtual fault suite prints the table of the fast one."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "faults"))
