"""What a hook is, told by its content: an ELF binary or a script with `#!` is executed, other text is given to bash
as the first BootOS did. What cannot run here is an error that says why. Called by `hook`.
"""

import json
import platform
import re
import shutil
import struct
from pathlib import Path

from bootos.errors import BootosError

# e_machine of the ELF header (System V ABI), by the words of platform.machine().
ELF_MACHINES = {"x86_64": 0x3E, "aarch64": 0xB7}
PT_INTERP = 3
PAGE = re.compile(rb"<(!doctype\s|html|head|body|\?xml)", re.IGNORECASE)


class HookError(BootosError):
    """A hook cannot be fetched, or cannot be run."""


def write_hook(content: bytes, path: Path) -> list[str]:
    """Write the hook to `path` (mode 0700) and return the command that runs it. Raises HookError."""
    if content.startswith(b"\x7fELF"):
        check_binary(content)
        argv = [str(path)]
    else:
        check_text(content)
        # the kernel would read a CR as a part of the interpreter's name
        content = content.replace(b"\r\n", b"\n")
        if content.startswith(b"#!"):
            check_interpreter(content)
            argv = [str(path)]
        else:
            argv = ["/bin/bash", str(path)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # a new file: a child of an earlier run may still execute the old one
    path.write_bytes(content)
    path.chmod(0o700)
    return argv


def check_binary(content: bytes) -> None:
    """An ELF file for this machine, with its dynamic loader here. Raises HookError."""
    machine = int.from_bytes(content[18:20], "little")
    here = platform.machine()
    if here in ELF_MACHINES and machine != ELF_MACHINES[here]:
        raise HookError(f"the binary is for ELF machine {machine:#x}, this machine is {here}")
    loader = find_loader(content)
    if loader is not None and not Path(loader).exists():
        raise HookError(f"the binary needs {loader}, which is not in the image", hint="link it statically")


def find_loader(content: bytes) -> str | None:
    """The dynamic loader that a 64-bit ELF file names (its PT_INTERP), or None."""
    try:
        (table,) = struct.unpack_from("<Q", content, 32)
        size, count = struct.unpack_from("<HH", content, 54)
        for number in range(count):
            kind, _flags, offset, _, _, length = struct.unpack_from("<IIQQQQ", content, table + number * size)
            if kind == PT_INTERP:
                return content[offset : offset + length].rstrip(b"\0").decode(errors="replace")
    except struct.error:
        raise HookError("the binary is cut off") from None
    return None


def check_text(content: bytes) -> None:
    """Text that may be a script, not an answer of a web server that has no such file. Raises HookError."""
    hint = "a script starts with #!, a binary is ELF"
    if b"\x00" in content[:4096]:
        raise HookError("it is neither a script nor an ELF binary", hint=hint)
    start = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        raise HookError("it is empty but for white space", hint=hint)
    if PAGE.match(start):
        raise HookError("it is a web page, not a script: the server may have no such file", hint=hint)
    if start[:1] in b"{[":
        try:
            json.loads(content)
        except ValueError:
            return
        raise HookError("it is JSON, not a script: the server may have no such file", hint=hint)


def check_interpreter(content: bytes) -> None:
    """The program behind `#!` is in the image. Raises HookError."""
    words = content[2:].partition(b"\n")[0].decode(errors="replace").split()
    if not words:
        raise HookError("its first line is #! without an interpreter")
    program = words[0]
    if not Path(program).exists():
        raise HookError(f"its interpreter {program} is not in the image")
    if Path(program).name == "env":
        wanted = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), None)
        if wanted is not None and shutil.which(wanted) is None:
            raise HookError(f"its interpreter {wanted} is not in the image")
