"""Fuzzers of what machines may call without a login: protocol v2, Cloudboot v1, boot files."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st
from sender import Sender
from value import raw_bodies, texts

from bootos.wire import cloudboot_v1 as v1
from bootos.wire import v2

MACHINE = Path(__file__).parents[1] / "golden/hardware/machines/server-controllers.inventory.json"
MAC = "52:54:00:00:00:02"
JSON = {"Content-Type": "application/json"}
NEXT = 10**15
"""The number of a report that stands for the next one: of two with one number the server takes only the first."""
_LARGE = re.compile(rb'("number"\s*:\s*)\d{16,19}(?=\s*[,}])')
Try = tuple[st.SearchStrategy[Any], Callable[[Any], None]]


def build_inventory() -> dict[str, Any]:
    """A real machine's, cut so that a mutation meets more than its PCI devices."""
    inventory: dict[str, Any] = json.loads(MACHINE.read_text())
    for key, value in inventory.items():
        if isinstance(value, list):
            inventory[key] = value[:2]
    return inventory


def build_registration(sn: str) -> dict[str, Any]:
    """One that is taken as it stands."""
    return {
        "sn": sn,
        "boot_id": f"boot-{sn}",
        "agent_version": "fuzz",
        "image_version": "",
        "developer": True,
        "pxe_mac": MAC,
        "address": "10.0.0.9",
        "drivers": ["raid.mdadm"],
        "abilities": ["mode:capture", "mode:plan"],
        "inventory": build_inventory(),
    }


def build_report(sn: str, job_id: str | None) -> dict[str, Any]:
    """One that has something of everything."""
    action = {
        "id": "a",
        "driver": "raid.mdadm",
        "summary": "s",
        "changes": [{"what": "w", "before": "b", "after": "a"}],
        "destroys": ["d"],
        "estimate_s": 1.5,
        "state": "done",
    }
    step = {"id": "plan", "title": "Plan", "state": "running", "message": "m", "actions": [action]}
    return {
        "number": NEXT,
        "boot_id": f"boot-{sn}",
        "job_id": job_id,
        "state": "running",
        "message": "m",
        "steps": [{**step, "started_at": "2026-01-01T00:00:00Z"}],
        "problems": [{"path": "p", "message": "m", "hint": "h"}],
        "hooks": [{"name": "PRE", "url": "http://10.0.0.1/x", "exit_code": 0, "sha256": "0" * 64}],
        "plan_hash": "0" * 64,
        "certificates": [{"id": "c", "disk": "/dev/sda"}],
        "inventory": build_inventory(),
        "saved": {
            "saved_at": "2026-01-01T00:00:00Z",
            "states": {},
            "template": {"name": "x"},
            "notes": ["n"],
        },
        "log": [{"n": 1, "at": "2026-01-01T00:00:00Z", "text": "t", "level": "info"}],
    }


def number_anew(body: bytes) -> bytes:
    """The report with a number above those of all before it, in this run and in others; so has one that the fuzzer
    made so large that no later one would be newer."""
    return _LARGE.sub(rb"\g<1>" + str(time.time_ns()).encode(), body, count=1)


def build_tries(sender: Sender) -> dict[str, Try]:
    """By name: a strategy, and what sends one of its values."""
    base = sender.place.machine_url
    session = register(sender)
    bearer = {**JSON, "Authorization": f"Bearer {session}"}
    job = make_job(sender, session)

    def post(path: str, headers: dict[str, str]) -> Callable[[bytes], None]:
        return lambda body: void(sender.send("POST", base + path, body, headers))

    def report(body: bytes) -> None:
        sender.send("POST", f"{base}{v2.PREFIX}/report", number_anew(body), bearer)

    tries: dict[str, Try] = {
        "v2 register": (raw_bodies(build_registration("EVIL")), post(f"{v2.PREFIX}/register", JSON)),
        "v2 register again": (raw_bodies(build_registration("AGAIN")), post(f"{v2.PREFIX}/register", JSON)),
        "v2 report": (raw_bodies(build_report(sender.sn, job)), report),
        "v2 log": (raw_bodies(build_report(sender.sn, None)), report),
        "v2 mac": (raw_bodies({"job_id": job, "mac": MAC}), post(f"{v2.PREFIX}/mac", bearer)),
        "v2 capture": (raw_bodies({"data": "H4sI", "error": "e"}), post(f"{v2.PREFIX}/capture", bearer)),
        "v2 order": (
            st.tuples(
                st.sampled_from(["0", "-1", "nan", "inf", "1e400", "0.01", "x", "²", "9" * 400]) | texts(),
                st.sampled_from([session, "", "x", "\0", session[:-1]]) | texts(),
            ),
            lambda value: void(
                sender.send(
                    "GET",
                    f"{base}{v2.PREFIX}/order?wait_s={quote_any(value[0])}",
                    # a wait as long as the server lets an agent wait is no hang, and no use
                    headers={"Authorization": f"Bearer {'x' if value[0] in LONG else value[1]}"},
                )
            ),
        ),
        "v2 layers": (
            texts(),
            lambda text: void(sender.send("GET", f"{base}{v2.PREFIX}/layers?image={quote_any(text)}")),
        ),
        "boot files": (
            st.tuples(
                st.sampled_from(
                    ["/bootos/", "/bootos/files/", "/bootos/images/", "/bootos/netboot/", "/grub/"]
                ),
                texts() | st.sampled_from(["vmlinuz", "x", "canary", "pxelinux.cfg/default", "grub.cfg"]),
                st.sampled_from(["GET", "HEAD", "POST", "DELETE"]),
                st.sampled_from(["", "bytes=0-", "bytes=-1", f"bytes={'9' * 5000}-", "bytes=²-", "bytes=5-1"])
                | texts(),
            ),
            lambda value: void(
                sender.send(value[2], base + value[0] + quote_any(value[1]), None, {"Range": value[3]})
            ),
        ),
    }
    bodies: dict[str, Any] = {
        "report/deviceProductInfo": {
            "Sn": "FUZZ1",
            "Company": "c",
            "Product": "p",
            "ModelName": "m",
            "Ip": "10.0.0.8",
            "Mac": MAC,
            "Nic": [{"Name": "eth0", "Mac": MAC, "Ip": "10.0.0.8"}],
            "Cpu": {"Model": "x", "Core": "4"},
            "CpuSum": 1,
            "Memory": [{"Name": "a", "Size": "8"}],
            "MemorySum": 8,
            "Disk": [{"Name": "a", "Size": "8"}],
            "DiskSum": 8,
            "Motherboard": {"Name": "a", "Model": "b"},
            "Raid": "r",
            "Oob": "o",
            "IsVm": "No",
            "NicDevice": "n",
        },
        "device/isInInstallList": {"Sn": "FUZZ1"},
        "device/getPrepareInstallInfo": {"Sn": "FUZZ1", "Company": "c", "Product": "p", "ModelName": "m"},
        "device/getHardwareBySn": {"Sn": "FUZZ1"},
        "report/deviceInstallInfo": {
            "Sn": "FUZZ1",
            "Title": "t",
            "InstallProgress": 0.5,
            "InstallLog": "eA==",
        },
        "report/deviceMacInfo": {"Sn": "FUZZ1", "Mac": MAC},
    }
    for call, body in bodies.items():
        tries[f"v1 {call}"] = (raw_bodies(body), post(f"{v1.PREFIX}/{call}", JSON))
    for call in ("getNetworkBySn", "getSystemBySn", "getDeviceBySn"):
        tries[f"v1 {call}"] = (
            st.tuples(texts(), st.sampled_from(["raw", "json"]) | texts()),
            build_query(sender, f"{base}{v1.PREFIX}/device/{call}"),
        )
    return tries


def build_query(sender: Sender, url: str) -> Callable[[tuple[str, str]], None]:
    """What asks a call of v1 that has a query."""
    return lambda value: void(
        sender.send("GET", f"{url}?sn={quote_any(value[0])}&type={quote_any(value[1])}")
    )


LONG = {"inf", "1e400", "9" * 400}


def void(status: int) -> None:
    """A try has no result: how it was answered is in the tally."""


def quote_any(text: str) -> str:
    """As a part of a URL; lone surrogates as the bytes that Python writes for them."""
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def register(sender: Sender) -> str:
    """The session of a machine that is there for the whole run."""
    wanted = build_registration(sender.sn)
    answer = json.loads(sender.call("POST", f"{v2.PREFIX}/register", wanted, operator=False))
    return str(answer.get("session", ""))


def make_job(sender: Sender, session: str) -> str:
    """The number of a job of that machine, which is confirmed and has the order, so that its reports count."""
    sender.call("PUT", "/api/operator/templates/t", {"text": "name: t\n", "format": "yaml"})
    answer = json.loads(sender.call("POST", "/api/operator/jobs", {"machine": sender.sn, "template": "t"}))
    if "id" not in answer:  # an earlier round made it
        answer = json.loads(sender.call("GET", f"/api/operator/jobs?machine={sender.sn}"))[0]
    sender.call("POST", "/api/operator/confirm", [{"machine": sender.sn}])
    sender.call("GET", f"{v2.PREFIX}/order", token=session)
    return str(answer["id"])
