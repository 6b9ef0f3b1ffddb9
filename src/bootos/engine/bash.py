"""One script of a template: written, run by bash, its output in the log as it comes.

Existing templates carry passwords in plain text, and existing servers show what they are sent to everybody: passwords
are found in the text (`wire.password`) and masked in the log and in all that is uploaded. Called by `script` and
by the agent's `cloudboot.flow`; it decides nothing.
"""

import logging
import os
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bootos.process import Runner, ToolError
from bootos.wire.password import ScriptMasker, find_secrets

log = logging.getLogger(__name__)

MOST_TAIL_LINES = 100
MOST_TAIL_CHARACTERS = 8000


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a script ended: `status` in words, `tail` the masked end of its output."""

    ok: bool
    status: str
    tail: str


def run_script(text: str, file: Path, run: Runner, timeout_s: float, *, known: Sequence[str] = ()) -> Outcome:
    """Write and run one script; its exit code decides. stdout and stderr are one stream, in order. `known` are more
    values to mask."""
    secrets = (*known, *find_secrets(text))
    masker = ScriptMasker(secrets)
    tail: deque[str] = deque(maxlen=MOST_TAIL_LINES)

    def take(line: str) -> None:
        shown = masker.text(line)
        tail.append(shown)
        log.info("%s", shown)

    try:
        write_script(text, file)
        done = run(
            ["/bin/bash", "-c", 'exec /bin/bash "$1" 2>&1', "bash", str(file)],
            timeout_s=timeout_s,
            check=False,
            secrets=secrets,
            on_line=take,
        )
        status, ok = f"exit status {done.returncode}", done.returncode == 0
    except (ToolError, OSError) as error:
        status, ok = masker.text(str(error)), False
    return Outcome(ok=ok, status=status, tail="\n".join(tail)[-MOST_TAIL_CHARACTERS:])


def write_script(text: str, file: Path) -> None:
    """Only root can read it, from its first moment on. bash chokes on CR LF, which existing servers let through."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700), "wb") as stream:
        stream.write(text.replace("\r\n", "\n").encode())
