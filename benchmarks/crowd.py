"""Many simulated v2 agents and an operator in one asyncio process. Used by `dispatch.py` and `flood.py`.

They speak real HTTP/1.1 over keep-alive connections with no HTTP library in between, so that the load generator
stays cheap next to the server; how busy and how late it is itself is measured too (`Lateness`).
"""

import asyncio
import copy
import json
import random
import ssl
from collections.abc import Iterable
from typing import Any

from bootos.errors import BootosError

AGENT_API = "/api/v2/agent"
OPERATOR_API = "/api/operator"
CALL_TIMEOUT_S = 300.0
STEP = {"id": "plan", "title": "Plan", "state": "running"}


class Connection:
    """One keep-alive connection; one call at a time. Reconnects when the server closed it in between. `source`: the
    address it comes from; empty: the host's own choice."""

    def __init__(
        self, host: str, port: int, token: str = "", source: str = "", tls: ssl.SSLContext | None = None
    ) -> None:
        self.host = host
        self.port = port
        self.token = token
        self.tls = tls
        self._local = (source, 0) if source else None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """(status, decoded body)."""
        raw = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}:{self.port}", f"Content-Length: {len(raw)}"]
        if raw:
            lines.append("Content-Type: application/json")
        if self.token:
            lines.append(f"Authorization: Bearer {self.token}")
        message = "\r\n".join([*lines, "", ""]).encode() + raw
        fresh = self._streams is None
        async with asyncio.timeout(CALL_TIMEOUT_S):
            try:
                return await self._exchange(message)
            except (ConnectionError, asyncio.IncompleteReadError):
                self.close()
                if fresh:
                    raise
                return await self._exchange(message)

    async def _exchange(self, message: bytes) -> tuple[int, Any]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                self.host, self.port, ssl=self.tls, local_addr=self._local
            )
        reader, writer = self._streams
        writer.write(message)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])
        }
        content = await reader.readexactly(int(fields.get("content-length", 0)))
        if fields.get("connection", "").lower() == "close":
            self.close()
        return int(head[0].split()[1]), json.loads(content) if content else None

    async def must(self, method: str, path: str, body: Any = None) -> Any:
        """As `call`, for what has to succeed. Raises BootosError."""
        status, answer = await self.call(method, path, body)
        if not 200 <= status < 300:
            raise BootosError(f"{method} {path} was answered with status {status}: {answer}")
        return answer

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


class Dispatch:
    """One job on its way: moments on the event loop's clock. `step` is set when the first report was accepted."""

    def __init__(self, sent_at: float) -> None:
        self.sent_at = sent_at
        self.order_at = 0.0
        self.step_at = 0.0
        self.step = asyncio.Event()


class Agent:
    """One simulated machine: registers, waits for an order, reports its first step, then the end; again and again.

    While `busy` it does not end its job but reports every `report_every_s`, with two log lines each time.
    """

    def __init__(
        self,
        host: str,
        port: int,
        number: int,
        inventory: dict[str, Any],
        *,
        source: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.sn = f"CROWD{number:05d}"
        self.dispatch: Dispatch | None = None
        self.busy = False
        self.report_every_s = 1.0
        self.accepted: list[float] = []  # how many seconds each report of a busy agent took
        self.waiting = asyncio.Event()
        self._connection = Connection(host, port, source=source, tls=tls)
        self._number = 0
        self._line = 0
        self._inventory = copy.deepcopy(inventory)
        self._inventory["system"]["serial"] = self.sn
        self.macs = [
            f"52:54:{number >> 8:02x}:{number & 255:02x}:00:{position:02x}"
            for position, _ in enumerate(self._inventory["nics"])
        ]
        for mac, nic in zip(self.macs, self._inventory["nics"], strict=True):
            nic["mac"] = nic["permanent_mac"] = mac

    async def register(self) -> float:
        """Seconds it took."""
        body = {
            "sn": self.sn,
            "boot_id": f"boot-{self.sn}",
            "agent_version": "crowd",
            "developer": True,
            "inventory": self._inventory,
        }
        began = asyncio.get_running_loop().time()
        registered = await self._connection.must("POST", f"{AGENT_API}/register", body)
        self._connection.token = registered["session"]
        self._poll_s = registered["poll_s"]
        return asyncio.get_running_loop().time() - began

    async def work(self) -> None:
        """For ever."""
        clock = asyncio.get_running_loop().time
        while True:
            self.waiting.set()
            order = await self._connection.must("GET", f"{AGENT_API}/order?wait_s={self._poll_s}")
            if order is None:
                continue
            self.waiting.clear()
            if self.dispatch is not None:
                self.dispatch.order_at = clock()
            await self._report(order["job_id"], "running")
            if self.dispatch is not None:
                self.dispatch.step_at = clock()
                self.dispatch.step.set()
            while self.busy:
                await asyncio.sleep(self.report_every_s * random.uniform(0.8, 1.2))
                began = clock()
                await self._report(order["job_id"], "running")
                self.accepted.append(clock() - began)
            await self._report(order["job_id"], "succeeded")

    async def _report(self, job_id: str, state: str) -> None:
        self._number += 1
        lines = [
            {"n": self._line + n, "at": "2026-01-01T00:00:00.000Z", "text": f"a line of the log, number {n}"}
            for n in range(2)
        ]
        self._line += len(lines)
        body = {
            "number": self._number,
            "boot_id": f"boot-{self.sn}",
            "job_id": job_id,
            "state": state,
            "steps": [STEP if state == "running" else {**STEP, "state": "done"}],
            "log": lines,
        }
        await self._connection.must("POST", f"{AGENT_API}/report", body)

    def close(self) -> None:
        self._connection.close()


class Operator:
    """Creates jobs over a few connections, as a script with so many workers would."""

    def __init__(
        self, host: str, port: int, token: str, connections: int, tls: ssl.SSLContext | None = None
    ) -> None:
        self._connections = [Connection(host, port, token, tls=tls) for _ in range(connections)]

    async def put_template(self) -> None:
        body = {"text": "name: crowd\n", "format": "yaml"}
        await self._connections[0].must("PUT", f"{OPERATOR_API}/templates/crowd", body)

    async def import_machines(self, agents: Iterable[Agent]) -> None:
        """Say which machines these are, so that they may have jobs."""
        rows = [{"sn": agent.sn, "mac": agent.macs[0], "values": {}} for agent in agents]
        status, _ = await self._connections[0].call("POST", f"{OPERATOR_API}/import", rows)
        if status == 400:  # a server that takes no MACs, and needs none
            bare = [{"sn": row["sn"], "values": {}} for row in rows]
            await self._connections[0].must("POST", f"{OPERATOR_API}/import", bare)

    async def start_job(self, agent: Agent, connection: Connection | None = None) -> Dispatch:
        connection = connection or self._connections[0]
        dispatch = agent.dispatch = Dispatch(asyncio.get_running_loop().time())
        body = {"machine": agent.sn, "template": "crowd", "reboot": False}
        await connection.must("POST", f"{OPERATOR_API}/jobs", body)
        return dispatch

    async def start_jobs(self, agents: Iterable[Agent]) -> list[Dispatch]:
        """All at once, as fast as the connections take them."""
        left, started = list(agents), []

        async def drain(connection: Connection) -> None:
            while left:
                started.append(await self.start_job(left.pop(), connection))

        await asyncio.gather(*(drain(connection) for connection in self._connections))
        return started

    def close(self) -> None:
        for connection in self._connections:
            connection.close()


class Lateness:
    """How late this process's event loop wakes up: what the load generator itself adds to a measured time."""

    STEP_S = 0.01

    def __init__(self) -> None:
        self.late_s: list[float] = []

    async def watch(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + self.STEP_S
            await asyncio.sleep(self.STEP_S)
            self.late_s.append(clock() - due)
