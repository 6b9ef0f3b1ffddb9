"""What the launcher `/usr/lib/bootos/vendor-command` becomes: the script's path as the only argument, the script's
own arguments on file descriptor 3, where no list of processes shows them."""

import os
import sys

from bootos.agent.vendor_command.main import run_here

ARGUMENTS_FD = 3


def read_words(text: str) -> list[str] | None:
    """The launcher's text: the number of arguments, then one on each line. None: one of them has a line break."""
    count, _, rest = text.partition("\n")
    words = rest.removesuffix("\n").split("\n") if count != "0" else []
    return words if len(words) == int(count) else None


if __name__ == "__main__":
    with os.fdopen(ARGUMENTS_FD, encoding="utf-8", errors="replace") as stream:
        given = read_words(stream.read())
    sys.exit(run_here(sys.argv[1], given))
