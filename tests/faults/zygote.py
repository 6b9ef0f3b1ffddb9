"""Starts agents and servers by fork, after everything was imported once: a process that can be killed costs
milliseconds instead of seconds of importing.

`python zygote.py SOCKET` answers one JSON document per line: `{"do": "agent"|"server"|"poll", ...}`.
"""

import gc
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "contract"), str(HERE.parent / "double")]

import faultmachine  # noqa: E402

import bootos.agent.job.job  # noqa: E402
import bootos.agent.session.reporter  # noqa: E402
import bootos.hardware.inventory  # noqa: E402, F401
from bootos.drivers.registry import load_drivers  # noqa: E402
from bootos.server.limit import Limits  # noqa: E402
from bootos.server.serve import run_server  # noqa: E402
from bootos.server.settings import Settings  # noqa: E402

# All machines of a run have one address.
ROOMY = Limits(registrations_per_address=10**6, registrations_per_minute=10**6)
POLL_S, GRACE_S = 1, 1.2  # short, as a machine whose power was cut is back after seconds here


def start_agent(said: dict[str, Any]) -> None:
    faultmachine.run_agent(Path(said["directory"]), said["boot_id"], said["stop"], said["door"])


def start_server(said: dict[str, Any]) -> None:
    """Without a TLS end: the faults hit whole calls, and connections over TLS have no clock that runs faster."""
    settings = Settings(
        data=Path(said["data"]),
        port=said["port"],
        tls=None,
        tftp=False,
        enrol="open",
        poll_s=POLL_S,
        session_grace_s=GRACE_S,
        limits=ROOMY,
    )
    run_server(settings)


DEEDS = {"agent": start_agent, "server": start_server}


def fork(deed: Callable[[dict[str, Any]], None], said: dict[str, Any], listener: socket.socket) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        listener.close()
        log = os.open(said["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        deed(said)
        code = 0
    except BaseException:  # noqa: BLE001 - the end of a process: all of it into its log
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def serve(path: str) -> None:
    load_drivers()
    faultmachine.rehearse(Path(path).parent / "rehearsal")
    gc.collect()
    gc.freeze()
    ended: dict[int, int] = {}
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{path}.new")
        listener.listen(1)
        Path(f"{path}.new").rename(path)
        connection, _ = listener.accept()
        with connection, connection.makefile("rw") as lines:
            for line in lines:
                said = json.loads(line)
                if said["do"] == "poll":
                    pid = said["pid"]
                    if pid not in ended:
                        found, status = os.waitpid(pid, os.WNOHANG)
                        if found:
                            ended[pid] = os.waitstatus_to_exitcode(status)
                    answer = ended.get(pid)
                else:
                    answer = fork(DEEDS[said["do"]], said, listener)
                print(json.dumps(answer), file=lines, flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
