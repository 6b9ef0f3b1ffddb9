"""What the cells of the fast fault suite share: processes that can be killed, a server, doors to stop at."""

import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import urllib3

from bootos.files import read_json
from bootos.lab.loopback import find_free_port
from bootos.process import start
from bootos.waiting import wait_for

ZYGOTE = Path(__file__).with_name("zygote.py")


FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


class Clock:
    """A wall clock that jumps, for the processes started with `env` (libfaketime). Clocks that count on go on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._away = False
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("+0")
        self.env = {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # libfaketime's repair for an old glibc (pthread_cond_timedwait) is off: with it Python's threads wait in a
            # busy loop.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }

    def jump(self) -> None:
        self._away = not self._away
        self._path.write_text("+20y" if self._away else "-10y")


class Nursery:
    """Forks agents and servers from one process. `env` reaches them all."""

    def __init__(self, env: dict[str, str] | None = None) -> None:
        self._sockets = Path(tempfile.mkdtemp(prefix="bootos-faults-"))
        path = self._sockets / "zygote"
        self.log_path = self._sockets / "log"
        self._child = start([sys.executable, ZYGOTE, path], log_path=self.log_path, env=env)
        self._lock = threading.Lock()
        self._pids: set[int] = set()
        connection = socket.socket(socket.AF_UNIX)
        wait_for(path.exists, 60, what=f"the nursery's start: {self.log_path}", pause_s=0.05)
        connection.connect(str(path))
        self._lines = connection.makefile("rw")
        self._connection = connection

    def ask(self, **said: Any) -> Any:
        with self._lock:
            print(json.dumps(said), file=self._lines, flush=True)
            return json.loads(self._lines.readline())

    def start(self, what: str, **said: Any) -> "Life":
        life = Life(self, self.ask(do=what, **said))
        self._pids.add(life.pid)
        return life

    def make_door(self, name: str) -> "Door":
        return Door(self._sockets / name)

    def close(self) -> None:
        for pid in self._pids:
            if self.ask(do="poll", pid=pid) is None:
                os.kill(pid, signal.SIGKILL)
        self._lines.close()
        self._connection.close()
        self._child.stop()
        shutil.rmtree(self._sockets, ignore_errors=True)


class Life:
    """One process."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery = nursery
        self.pid = pid

    def poll(self) -> int | None:
        code = self._nursery.ask(do="poll", pid=self.pid)
        return None if code is None else int(code)

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            wait_for(lambda: self.poll() is not None, 20, what="the end of a killed process", pause_s=0.05)


class Door:
    """Where a machine stops at its boundary. `wait` returns when it stands there, `open` lets it go on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._caller: socket.socket | None = None

    def wait(self, deadline_s: float) -> None:
        self._listener.settimeout(deadline_s)
        self._caller, _ = self._listener.accept()
        self._caller.recv(100)

    def open(self, word: str = "go") -> None:
        if self._caller is not None:
            self._caller.sendall(word.encode() + b"\n")
            self._caller.close()
            self._caller = None

    def close(self) -> None:
        if self._caller is not None:
            self._caller.close()
        self._listener.close()
        self.path.unlink(missing_ok=True)


class RackServer:
    """`run_server` in a process of its own, on data that outlives it."""

    def __init__(self, nursery: Nursery, directory: Path) -> None:
        self.data = directory / "data"
        self.data.mkdir(parents=True)
        self.port = find_free_port(socket.SOCK_STREAM)
        self._nursery = nursery
        self._log = directory / "server.log"
        self._life: Life | None = None
        self._pool = urllib3.PoolManager()
        self._pool_ca = ""
        self.start()
        (self.data / "files").mkdir(exist_ok=True)

    def start(self) -> None:
        self._life = self._nursery.start("server", data=str(self.data), port=self.port, log=str(self._log))
        wait_for(
            lambda: self.try_ask("GET", "/machines") is not None,
            60,
            what=f"the server's start ({self._log})",
            pause_s=0.05,
        )

    def kill(self) -> None:
        assert self._life is not None
        self._life.kill()

    def try_ask(self, method: str, path: str, body: Any = None) -> Any:
        """The operator API's answer; None while there is no server."""
        token, addresses = self.data / "operator.token", self.data / "server.json"
        if not token.exists() or not addresses.exists():
            return None
        headers = {"Authorization": f"Bearer {token.read_text().strip()}"}
        said = read_json(addresses)
        if said["ca"] != self._pool_ca:
            self._pool_ca = said["ca"]
            self._pool = urllib3.PoolManager(retries=False, timeout=10, maxsize=20, ca_cert_data=said["ca"])
        url = f"{said['operators']}/api/operator{path}"
        try:
            answer = (
                self._pool.request(method, url, json=body, headers=headers)
                if body is not None
                else (self._pool.request(method, url, headers=headers))
            )
        except urllib3.exceptions.HTTPError:
            return None
        if answer.status >= 500:
            return None
        assert answer.status < 300, f"{path}: {answer.status} {answer.data!r}"
        return answer.json()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The same, waited for."""

        def read() -> tuple[Any] | None:
            answer = self.try_ask(method, path, body)
            return None if answer is None else (answer,)

        return wait_for(read, 30, what=path, pause_s=0.05)[0]
