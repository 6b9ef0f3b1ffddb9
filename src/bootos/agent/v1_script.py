"""One script of a Cloudboot v1 hardware template: written, run by bash, its output in the log as it comes.

These scripts carry passwords in plain text (`oob.sh -u root -p VALUE`), and existing servers show what they are
sent to everybody: passwords are found in the text and masked in the log and in all that is uploaded. Called by
`cloudboot_v1`; it decides nothing.
"""

import logging
import os
import re
from collections import deque
from pathlib import Path

import msgspec

from bootos.process import MASK, Runner, ToolError, redact

log = logging.getLogger(__name__)

MOST_TAIL_LINES = 100
MOST_TAIL_CHARACTERS = 8000
SHORTEST_SECRET = 3  # shorter ones are masked behind their option only, not wherever the characters occur

VALUE = r"""(?P<value>"(?:[^"\\]|\\.)*"|'[^']*'|[^\s;|&)'"]+)"""
OPTION = re.compile(
    rf"(?P<before>(?:^|(?<=\s))(?:-p|-P|--password|user set password \S+)(?:\s+|=)){VALUE}", re.M
)
ASSIGNED = re.compile(rf"(?P<before>\b(?P<name>\w*PASS\w*)=){VALUE}", re.I)
# `oob.sh -pVALUE`: getopt takes a value right behind its letter
ATTACHED = re.compile(rf"(?P<before>\boob\.sh\b[^\n;|&]*?\s-[a-zA-Z]*?p){VALUE}")
# Commands whose -p or -P is not a password
PLAIN = frozenset({
    "column", "cp", "declare", "export", "install", "kill", "lsof", "mkdir", "netstat", "parted",
    "ps", "read", "rmdir", "rsync", "scp", "ss", "ssh", "tar", "test", "time",
})  # fmt: skip


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a script ended: `status` in words, `tail` the masked end of its output."""

    ok: bool
    status: str
    tail: str


def run_script(text: str, file: Path, run: Runner, timeout_s: float) -> Outcome:
    """Write and run one script; its exit code decides. stdout and stderr are one stream, in order."""
    secrets = find_secrets(text)
    tail: deque[str] = deque(maxlen=MOST_TAIL_LINES)

    def take(line: str) -> None:
        shown = mask_passwords(line, secrets)
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
        status, ok = mask_passwords(str(error), secrets), False
    return Outcome(ok=ok, status=status, tail="\n".join(tail)[-MOST_TAIL_CHARACTERS:])


def write_script(text: str, file: Path) -> None:
    """Only root can read it, from its first moment on. bash chokes on CR LF, which existing servers let through."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700), "wb") as stream:
        stream.write(text.replace("\r\n", "\n").encode())


def find_secrets(text: str) -> tuple[str, ...]:
    """The passwords that a script has in its text: behind options, and in variables that are called so."""
    joined = re.sub(r"\\\r?\n", " ", text)
    found = [match["value"] for match in ASSIGNED.finditer(joined)]
    found += [match["value"] for match in OPTION.finditer(joined) if not is_plain(match)]
    found += [match["value"] for match in ATTACHED.finditer(joined)]
    values = [value for item in found for value in resolve(item, joined)]
    return tuple(dict.fromkeys(value for value in values if len(value) >= SHORTEST_SECRET))


def resolve(word: str, text: str) -> list[str]:
    """The value of a word of a script: without its quotes; a variable's is looked up where it is assigned."""
    bare = word[1:-1] if word[:1] in "\"'" and word[-1:] == word[:1] else word
    variable = re.fullmatch(r"\$\{?(\w+)\}?", bare)
    if variable is None or word.startswith("'"):
        return [] if bare.startswith("$") else [bare]
    assigned = re.finditer(rf"\b{variable[1]}={VALUE}", text)
    return [value.strip("\"'") for match in assigned if not (value := match["value"]).startswith("$")]


def mask_passwords(text: str, secrets: tuple[str, ...]) -> str:
    """Mask the secrets wherever they are, and whatever follows a password's option."""
    masked = OPTION.sub(lambda match: match[0] if is_plain(match) else match["before"] + MASK, text)
    masked = ATTACHED.sub(lambda match: match["before"] + MASK, masked)
    return redact(masked, secrets)


def is_plain(match: re.Match[str]) -> bool:
    """Whether the option belongs to a command that has no password behind it."""
    line = match.string[: match.start()].rpartition("\n")[2]
    words = re.split(r"[;|&(]", line)[-1].split()
    command = next(
        (word for word in words if "=" not in word and not re.fullmatch(r"\++|sudo|then|do", word)), ""
    )
    return command.rpartition("/")[2] in PLAIN
