"""Floods, each in a process of its own beside the agents that it disturbs: connections that say nothing or never go on,
bodies that never end, registrations, log lines. Used by `flood.py`.

They come from addresses of their own on the loopback, 127.9.0.0/16, and stop by themselves.
"""

import asyncio
import json
import resource
import ssl
import time
from collections import Counter
from typing import Any, Literal

import msgspec
from crowd import AGENT_API, Connection

from bootos.errors import BootosError

Kind = Literal["idle", "half-sent", "half-handshaken", "bodies", "registrations", "logs"]

AGAIN_S = 1.0  # after the server closed a connection, until the next attempt
CONNECT_S = 10.0
OPENERS = 200  # connections that are being opened at the same time
SENDERS = 40  # of registrations
LINES, LINE_BYTES = 80, 2000  # of one report, which is below any limit on bodies
HALF = b"POST /api/v2/agent/register HTTP/1.1\r\nHost: server\r\nContent-Type: applic"


class Flood(msgspec.Struct, frozen=True, kw_only=True):
    """`count`: connections, bodies or registrations; of logs, megabytes. `seconds`: how long connections are held;
    everything else lasts as long as it takes, and at most ten times that."""

    kind: Kind
    host: str
    port: int
    count: int
    seconds: float
    addresses: int
    body_bytes: int = 2_000_000
    inventory: dict[str, Any] = {}


class Felt(msgspec.Struct, kw_only=True):
    """What came of it. `most`: connections that were open at the same time."""

    opened: int = 0
    refused: int = 0
    closed: int = 0
    most: int = 0
    sent_bytes: int = 0
    statuses: dict[str, int] = {}
    seconds: float = 0.0


def build_source(number: int, flood: Flood) -> str:
    """The address of one attacker."""
    number %= flood.addresses
    return f"127.9.{number >> 8}.{number & 255}"


def build_hello() -> bytes:
    """The first message of a TLS handshake, which its sender never goes on with."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="server")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise BootosError("a TLS handshake ended without a server")


def run_flood(flood: Flood) -> Felt:
    """In a process of its own; returns what came of it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return asyncio.run(_run(flood))


async def _run(flood: Flood) -> Felt:
    felt, statuses, began = Felt(), Counter[str](), time.monotonic()
    if flood.kind in ("registrations", "logs"):
        work = _register_all if flood.kind == "registrations" else _send_logs
        try:
            async with asyncio.timeout(flood.seconds * 10):
                await work(flood, felt, statuses)
        except TimeoutError:
            statuses["not sent in time"] += 1
    else:
        await _hold_all(flood, felt, statuses)
    felt.statuses, felt.seconds = dict(statuses), time.monotonic() - began
    return felt


async def _hold_all(flood: Flood, felt: Felt, statuses: Counter[str]) -> None:
    """Connections that are opened again whenever the server ends them."""
    preface = {"idle": b"", "half-sent": HALF, "half-handshaken": b"", "bodies": b""}[flood.kind]
    if flood.kind == "half-handshaken":
        preface = build_hello()
    if flood.kind == "bodies":
        head = f"POST {AGENT_API}/register HTTP/1.1\r\nHost: server\r\nContent-Length: {flood.body_bytes}\r\n\r\n"
        preface = head.encode() + b" " * (flood.body_bytes - 1)
    deadline = time.monotonic() + flood.seconds
    opening, present = asyncio.Semaphore(OPENERS), 0

    async def hold(number: int) -> None:
        nonlocal present
        while (left := deadline - time.monotonic()) > 0:
            try:
                async with opening, asyncio.timeout(min(CONNECT_S, left)):
                    reader, writer = await asyncio.open_connection(
                        flood.host, flood.port, local_addr=(build_source(number, flood), 0), limit=4096
                    )
            except (OSError, TimeoutError):
                felt.refused += 1
                await asyncio.sleep(AGAIN_S)
                continue
            felt.opened, present = felt.opened + 1, present + 1
            felt.most = max(felt.most, present)
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    writer.write(preface)
                    await writer.drain()
                    felt.sent_bytes += len(preface)
                    heard = await reader.read(64)
                    statuses[heard[9:12].decode("latin-1") if heard[:5] == b"HTTP/" else "none"] += 1
                    felt.closed += 1
            except (OSError, TimeoutError):
                felt.closed += time.monotonic() < deadline
            finally:
                present -= 1
                writer.transport.abort()
            await asyncio.sleep(AGAIN_S)

    await asyncio.gather(*(hold(number) for number in range(flood.count)))


def build_registration(sn: str, number: int, inventory: dict[str, Any]) -> dict[str, Any]:
    """Of a machine that nobody knows."""
    nics = [
        {
            "name": "eth0",
            "mac": f"52:66:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}:01",
        }
    ]
    told = {**inventory, "nics": nics, "system": {**inventory.get("system", {}), "serial": sn, "uuid": None}}
    return {"sn": sn, "boot_id": f"boot-{sn}", "agent_version": "flood", "inventory": told}


async def _call(
    connection: Connection, path: str, body: Any, felt: Felt, statuses: Counter[str]
) -> tuple[int, Any]:
    felt.sent_bytes += len(json.dumps(body))
    try:
        status, answer = await connection.call("POST", AGENT_API + path, body)
    except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError):
        connection.close()
        status, answer = 0, None
    statuses[str(status or "none")] += 1
    return status, answer


async def _register_all(flood: Flood, felt: Felt, statuses: Counter[str]) -> None:
    left = list(range(flood.count))

    async def register(number: int) -> None:
        connection = Connection(flood.host, flood.port, source=build_source(number, flood))
        while left:
            body = build_registration(f"FLOOD{left[-1]:06d}", left.pop(), flood.inventory)
            await _call(connection, "/register", body, felt, statuses)
        connection.close()

    await asyncio.gather(*(register(number) for number in range(SENDERS)))


async def _send_logs(flood: Flood, felt: Felt, statuses: Counter[str]) -> None:
    """Several machines write lines until so many megabytes were sent, whatever they are answered."""

    async def write(number: int) -> None:
        connection = Connection(flood.host, flood.port, source=build_source(number, flood))
        sn = f"LOG{number:06d}"
        body = build_registration(sn, 1_000_000 + number, flood.inventory)
        status, answer = await _call(connection, "/register", body, felt, statuses)
        connection.token = answer["session"] if status == 200 else "none"
        for turn in range(flood.count * 1_000_000 // (LINES * LINE_BYTES) // 4):
            lines = [
                {
                    "n": turn * LINES + n,
                    "at": "2026-01-01T00:00:00Z",
                    "text": f"{turn} {n} ".ljust(LINE_BYTES, "x"),
                }
                for n in range(LINES)
            ]
            report = {"number": turn + 1, "boot_id": f"boot-{sn}", "job_id": None, "log": lines}
            await _call(connection, "/report", report, felt, statuses)
        connection.close()

    await asyncio.gather(*(write(number) for number in range(4)))
