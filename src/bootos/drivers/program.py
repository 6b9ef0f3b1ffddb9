"""Finding a vendor's program in PATH. Drivers take it as a parameter, so that tests can say what is installed."""

import shutil

# the `sum` of coreutils; Supermicro Update Manager has the same name
COREUTILS = ("/usr/bin/sum", "/bin/sum")


def find_program(name: str) -> str | None:
    """The path of a vendor's program, or None: it is not in this image."""
    path = shutil.which(name)
    return None if path in COREUTILS else path
