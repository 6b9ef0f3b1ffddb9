"""Where a vendor's program is on this machine. Used by the inventory and by drivers that work with such programs."""

from collections.abc import Sequence
from pathlib import Path

from bootos.process import Runner, ToolError

TIMEOUT_S = 120.0  # vendors' tools search for controllers at each start, which may take a minute


def find_tool(run: Runner, root: Path, programs: Sequence[str], ask: Sequence[str]) -> str | None:
    """The first of `programs` that can be run: names in PATH, and usual places below `root`. `ask` are the words of a
    call that changes nothing. Raises ToolError for one that is there and does not answer."""
    for program in programs:
        if program.startswith("/") and not (root / program.lstrip("/")).exists():
            continue
        try:
            run([program, *ask], timeout_s=TIMEOUT_S, check=False)
        except ToolError as cause:
            if cause.reason == "missing":
                continue
            raise
        return program
    return None
