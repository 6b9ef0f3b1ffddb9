"""`<{secret:NAME}>` in a script's text: the value of a secret, put in by the agent right before the script runs. Pure.

The value is quoted for the shell (POSIX, XCU 2.2.2), so the word stands without quotation marks around it:
`oob.sh -u root -p <{secret:oob-root}>`. What the template's text holds is only the name.
"""

import re
import shlex
from collections.abc import Mapping

SECRET = re.compile(r"<\{secret:([^<>{}\s]+)\}>")


def find_secret_words(text: str) -> set[str]:
    """The names of the secrets that a script asks for."""
    return set(SECRET.findall(text))


def fill_secret_words(text: str, values: Mapping[str, str]) -> str:
    """The script with the values in it. Raises KeyError with the name of a secret that has no value."""
    return SECRET.sub(lambda match: shlex.quote(values[match[1]]), text)
