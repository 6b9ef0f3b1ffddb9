"""Passwords that stand in scripts (`oob.sh -u root -p VALUE`): found in the text, masked in what is logged. Pure.

Both ends mask: the agent what it uploads, the server what other agents upload.
"""

import re

from bootos.masking import MASK, Masker

# How many characters before a password are searched for its command. Bounded, so that masking an uploaded text stays
# quick.
LOOKS_BACK = 300
# A shorter secret is masked only where it follows its option: its characters occur in many other words.
SHORTEST_SECRET = 3

VALUE = r"""(?P<value>"(?:[^"\\]|\\.)*"|'[^']*'|[^\s;|&)'"]+)"""
OPTION = re.compile(
    rf"(?P<before>(?:^|(?<=\s))(?:-p|-P|--password|user set password \S+)(?:\s+|=)){VALUE}", re.M
)
ASSIGNED = re.compile(rf"(?P<before>\b(?P<name>\w*PASS\w*)=){VALUE}", re.I)
# `oob.sh -pVALUE`: getopt also takes a value without a space after the letter
ATTACHED = re.compile(rf"(?P<before>\boob\.sh\b[^\n;|&]{{0,300}}?\s-[a-zA-Z]{{0,9}}?p){VALUE}")
# Commands that use -p or -P for something else than a password.
PLAIN = frozenset({
    "column", "cp", "declare", "export", "install", "kill", "lsof", "mkdir", "netstat", "parted",
    "ps", "read", "rmdir", "rsync", "scp", "ss", "ssh", "tar", "test", "time",
})  # fmt: skip


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


class ScriptMasker(Masker):
    """Masks the secrets wherever they are in a script or its output, and whatever follows a password's option."""

    @classmethod
    def of(cls, *texts: str) -> "ScriptMasker":
        """The masker of the passwords that stand in these scripts."""
        return cls(find_secrets("\n".join(texts)))

    def text(self, text: str) -> str:
        """`text` with its secrets masked."""
        masked = OPTION.sub(lambda match: match[0] if is_plain(match) else match["before"] + MASK, text)
        masked = ATTACHED.sub(lambda match: match["before"] + MASK, masked)
        return super().text(masked)


def is_plain(match: re.Match[str]) -> bool:
    """Whether the option belongs to a command that has no password behind it."""
    line = match.string[max(0, match.start() - LOOKS_BACK) : match.start()].rpartition("\n")[2]
    words = re.split(r"[;|&(]", line)[-1].split()
    command = next(
        (word for word in words if "=" not in word and not re.fullmatch(r"\++|sudo|then|do", word)), ""
    )
    return command.rpartition("/")[2] in PLAIN
