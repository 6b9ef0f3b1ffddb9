"""The fault suite works on the machine of the contract tests."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "contract"))
