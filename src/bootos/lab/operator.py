"""What an operator types: the `bootos` command against a lab's server, with its answers as values."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import urllib3

from bootos.errors import BootosError
from bootos.files import read_json
from bootos.lab.machine import Machine
from bootos.lab.network import LabNetwork
from bootos.lab.watch import while_on
from bootos.process import run
from bootos.waiting import find_within


class Operator:
    """Runs `bootos NOUN VERB ... --json` as a process of its own, as a person's shell would; in `network`, where the
    server is in one. Only commands get there."""

    def __init__(self, data: Path, network: LabNetwork | None = None) -> None:
        self._data = data
        self._prefix = network.prefix if network is not None else ()
        # the commands find the server by its data, whatever the shell around them names
        self._env = {"BOOTOS_SERVER": "", "BOOTOS_DATA": str(data)}

    def command(self, *words: str | Path, input: str | None = None) -> Any:
        """Run a command and return its answer. Raises ToolError when it fails."""
        argv = [*self._prefix, sys.executable, "-m", "bootos.cli", *map(str, words), "--json"]
        secrets = [input] if input else []
        done = run(argv, timeout_s=120, env=self._env, input=input, secrets=secrets)
        return json.loads(done.stdout or "null")

    def find_job(self, job: int) -> dict[str, Any] | None:
        """The job with its newest report, or None while the server does not answer."""
        return self._ask(f"jobs/{job}")

    def wait_for_job(
        self,
        job: int,
        states: Sequence[str],
        deadline_s: float,
        *,
        pause_s: float = 1.0,
        machine: Machine | None = None,
    ) -> dict[str, Any]:
        """The job with its newest report, once it is in one of `states` or over. Raises BootosError with what it is
        when `deadline_s` seconds passed, MachineEnded as soon as `machine`, which does the job, is off."""
        shown: dict[str, Any] = {}

        def find_wanted() -> dict[str, Any] | None:
            nonlocal shown
            shown = self.find_job(job) or {}
            return shown if shown and (shown["state"] in states or shown["ended_at"]) else None

        find = while_on(machine, find_wanted) if machine is not None else find_wanted
        if found := find_within(find, deadline_s, pause_s=pause_s):
            return found
        state = f"{shown['state']} ({shown['message']})" if shown else "unknown"
        raise BootosError(f"after {deadline_s:g} s the state of job {job} is {state}")

    def find_machine(self, serial: str) -> dict[str, Any] | None:
        """The machine with its inventory, or None when it has not registered or the server does not answer."""
        machine = self._ask(f"machines/{serial}")
        return machine if machine and machine.get("inventory") else None

    def _ask(self, path: str) -> dict[str, Any] | None:
        """Ask the operator API itself: cheaper than a process, for what is asked again and again."""
        token = (self._data / "operator.token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        said = read_json(self._data / "server.json")
        url = f"{said['operators']}/api/operator/{path}"
        try:
            with urllib3.PoolManager(ca_cert_data=said["ca"]) as pool:
                answer = pool.request("GET", url, headers=headers, timeout=10.0, retries=False)
        except urllib3.exceptions.HTTPError:
            return None
        value: dict[str, Any] = json.loads(answer.data) if answer.status == 200 else {}
        return value or None
