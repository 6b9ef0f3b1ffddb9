"""Run a build in namespaces of its own: what it mounts and what it starts is gone when it ends, however it ends, and a
user who is not root is root inside (with the subordinate ids of /etc/subuid).

Called first by `bootos image build`. The program starts itself again; inside, it goes on where the caller called.
"""

import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from bootos.errors import BootosError

MARK = "BOOTOS_NAMESPACE"
FLAGS = ("--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
ROOTLESS_FLAGS = ("--map-root-user", "--map-auto")
SUBORDINATE = ("/etc/subuid", "/etc/subgid")
NEEDED_IDS = 65536


def enter_namespace() -> None:
    """Return inside the namespaces; outside of them this program is replaced. Raises BootosError: not possible here."""
    if os.environ.pop(MARK, ""):
        # The first process of a PID namespace ignores a signal for which it has no handler.
        signal.signal(signal.SIGTERM, _end)
        return
    uid = os.geteuid()
    if uid != 0:
        check_subordinate_ids(
            os.environ.get("USER", ""), uid, {name: _read(Path(name)) for name in SUBORDINATE}
        )
    if shutil.which("unshare") is None:
        raise BootosError("the build host lacks unshare", hint="apt-get install util-linux")
    if uid != 0 and shutil.which("newuidmap") is None:
        raise BootosError("building without root needs newuidmap", hint="apt-get install uidmap")
    argv = build_command(uid, [sys.executable, *sys.orig_argv[1:]])
    sys.stdout.flush()
    os.execvpe(argv[0], argv, {**os.environ, MARK: str(uid + 1)})


def build_command(uid: int, program: Sequence[str]) -> list[str]:
    """The command that runs `program` in namespaces."""
    return ["unshare", *FLAGS, *(ROOTLESS_FLAGS if uid else ()), *program]


def check_subordinate_ids(user: str, uid: int, tables: Mapping[str, str]) -> None:
    """A user who is not root needs a range of ids for the users of the image; `tables`: file -> its text.
    Raises BootosError: there is none (subuid(5))."""
    for name, text in tables.items():
        rows = [line.split(":") for line in text.splitlines() if line.count(":") == 2]
        counts = [int(row[2]) for row in rows if row[0] in (user, str(uid)) and row[2].isdigit()]
        if max(counts, default=0) < NEEDED_IDS:
            raise BootosError(
                f"{name} gives {user or uid} no {NEEDED_IDS} ids: without root, the image's users need them",
                hint=f"as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user or uid}; "
                "or build as root",
            )


def _read(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
