"""The guest's script as a file: a program for its PATH, or a firmware package with its payload.

Called by `layer` for the programs, and by tests and scenarios for the packages that a template names. Pure.
"""

import json
import re
from importlib import resources

_SET = re.compile(r'^(PROGRAM|PAYLOAD) = (".*?")(?:  #.*)?$', re.MULTILINE)
PAYLOAD = "payload"  # the tool finds it under this name among its files


def build_script(program: str = "", payload: str = "") -> bytes:
    """The script. With `program` it stands for that program under whatever name it is run, and gives the tool
    `payload` as the file PAYLOAD: this is how a firmware package is made."""
    values = {"PROGRAM": program, "PAYLOAD": payload}
    text = (resources.files(__package__) / "guest.py").read_text()
    return _SET.sub(lambda found: f"{found[1]} = {json.dumps(values[found[1]])}", text).encode()


def read_script(content: bytes) -> tuple[str, str] | None:
    """The program and the payload of a package that `build_script` made; None for any other file."""
    values = {name: json.loads(value) for name, value in _SET.findall(content.decode(errors="replace"))}
    if not values.get("PROGRAM"):
        return None
    return values["PROGRAM"], values.get("PAYLOAD", "")
