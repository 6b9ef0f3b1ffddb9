"""A server that only speaks Cloudboot v1, late and faulty, and our image: the whole flow, twice in a row."""

import base64
import secrets
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest
from v1_server import V1Server

from bootos.lab.loopback import HOST_ADDRESS, find_free_port
from bootos.lab.machine import Machine
from bootos.lab.scenario import Scenario
from bootos.lab.spec import BmcSpec, DiskSpec, Identity, MachineSpec, NicSpec, boot_image
from bootos.waiting import wait_for

pytestmark = [pytest.mark.vm, pytest.mark.timeout(1500)]

SERIAL = "V1-0001"
MAC = "52:54:00:c1:00:01"
PASSWORD = secrets.token_hex(7)
TOOLS = "/opt/yunji/osinstall/dell"
# The groups of a usual template. Only the word that allows mdadm is added.
GROUPS = {
    "RAID": {
        "RAID 1": f"{TOOLS}/raid.sh -c -r 1 -d 0,1 --software",
        "RAID 5": f"{TOOLS}/raid.sh -r 5 -d 2- -i --software",
    },
    "OOB": {
        "Network": f"{TOOLS}/oob.sh -n static -i 10.0.9.31 -m 255.255.255.0 -g 10.0.9.1",
        "User": f"{TOOLS}/oob.sh -u ops -p {PASSWORD}",
    },
    "Site": {"Own script": "echo to stdout\necho to stderr >&2\n[ -n \"$BASH_VERSION\" ]\r\n"},
}  # fmt: skip
# (progress, title) from the boot to the reboot. Each of three groups counts 0.03, as with the first agent.
REPORTS = [
    (0.1, "进入bootos"),
    (0.15, "配置查询"),
    (0.2, "获取硬件配置"),
    (0.3, "开始硬件配置"),
    (0.32999999999999996, "RAID - RAID 1"),
    (0.32999999999999996, "RAID - RAID 5"),
    (0.32999999999999996, "RAID 配置完成"),
    (0.36, "OOB - Network"),
    (0.36, "OOB - User"),
    (0.36, "OOB 配置完成"),
    (0.39, "Site - Own script"),
    (0.39, "Site 配置完成"),
    (0.4, "硬件配置结束"),
    (0.45, "生成PXE文件"),
    (0.5, "系统开始重启"),
]  # fmt: skip
LAST = REPORTS[-1][1]
LIST, PRODUCT, REPORT = "device/isInInstallList", "report/deviceProductInfo", "report/deviceInstallInfo"


def encode_groups() -> list[dict[str, Any]]:
    return [
        {
            "Name": group,
            "Scripts": [
                {"Name": name, "Script": base64.b64encode(text.encode()).decode()}
                for name, text in scripts.items()
            ],
        }
        for group, scripts in GROUPS.items()
    ]


def build_spec(image: Path, server_addr: str) -> MachineSpec:
    hooks = f"PRE={server_addr}/pre.sh POST={server_addr}/post.sh"
    append = f"console=ttyS0,115200 biosdevname=0 SERVER_ADDR={server_addr} BOOTIF=01-{MAC} LOOP_INTERVAL=7 {hooks}"
    return MachineSpec(
        name="v1",
        identity=Identity(vendor="Dell Inc.", product="PowerEdge R640", family="PowerEdge", serial=SERIAL),
        disks=tuple(DiskSpec(name=f"d{n}", size_mib=256, serial=f"V1-DISK-{n}") for n in range(5)),
        nics=(NicSpec(mac=MAC),),
        bmc=BmcSpec(),
        boot=boot_image(image, append=append),
    )


def wait_for_reboot(machine: Machine, server: V1Server, number: int) -> None:
    """Until the last report of run `number` came and the BMC reset the machine."""
    server.wait(lambda: server.titles.count(LAST) == number or server.failures, "the last report", 400)
    assert not server.failures
    wait_for(lambda: [event.name for event in machine.events].count("RESET") >= number, 120, what="the reset")


def test_a_v1_only_server_that_is_late_and_faulty_is_served_twice_in_a_row(image: Path, output: Path) -> None:
    port = find_free_port(socket.SOCK_STREAM)
    with Scenario(output / "run", needs=("machine", "bmc")) as scenario:
        machine = scenario.add_machine(build_spec(image, f"http://{HOST_ADDRESS}:{port}"))
        machine.power_on()
        machine.wait_for_serial("waiting for the server", 400)
        server = V1Server(port)
        scenario.at_end(server.close)
        server.hardware = encode_groups()
        server.files = {
            "/pre.sh": b"#!/bin/bash\necho PRE sees $SN\n",
            "/post.sh": b"#!/usr/bin/env python3\nprint('POST in python')\n",
        }
        server.faults = {PRODUCT: [500, "hang"], REPORT: [500, b"<html>"], LIST: [500]}
        server.wait(lambda: server.calls.count(PRODUCT) == 3, "the product information", 200)
        server.queue()
        server.wait_for_report("RAID - RAID 1", deadline_s=200)
        server.faults = {REPORT: [500, "hang", 500]}
        wait_for_reboot(machine, server, 1)
        server.queue()  # the operator starts another installation before the machine is back
        first = [(progress, title) for progress, title, _ in server.reports]
        calls = len(server.calls)
        wait_for_reboot(machine, server, 2)
        machine.power_off()

        assert first == REPORTS
        assert [(progress, title) for progress, title, _ in server.reports[len(first) :]] == REPORTS
        assert server.macs == [MAC, MAC]
        # The job was queued before the machine was up: the first poll after the question for the protocol gets it.
        again = server.calls[calls:]
        assert again[: again.index("device/getPrepareInstallInfo")] == [LIST, PRODUCT, REPORT, LIST]
        check_product_info(server.bodies[PRODUCT][-1])
        check_work(machine, server)
        check_no_password(machine, server)


def check_product_info(body: dict[str, Any]) -> None:
    """Every field of the documented body, with its type."""
    assert list(body) == [
        "Sn", "Company", "Product", "ModelName", "Ip", "Mac", "Nic", "Cpu", "Memory", "MemorySum",
        "Disk", "DiskSum", "Motherboard", "Raid", "Oob", "IsVm", "NicDevice",
    ]  # fmt: skip
    assert (body["Sn"], body["Company"], body["ModelName"]) == (SERIAL, "Dell Inc.", "PowerEdge R640")
    assert (body["Mac"], body["Ip"], body["IsVm"]) == (MAC, "10.0.2.15", "No")
    assert body["Nic"] == [{"Name": "eth0", "Mac": MAC, "Ip": "10.0.2.15"}]
    assert body["Cpu"]["Core"] == "1"
    assert isinstance(body["MemorySum"], int) and isinstance(body["DiskSum"], int)
    assert len(body["Disk"]) >= 5
    assert body["Oob"] == "10.0.9.31", "the BMC's address of the second boot is what the first run set"


def check_work(machine: Machine, server: V1Server) -> None:
    """What was done in the first run, and that the second found it done."""
    logs: dict[str, list[str]] = {}
    for _, title, text in server.reports:
        logs.setdefault(title, []).append(text)
    mirror, stripes = logs["RAID - RAID 1"], logs["RAID - RAID 5"]
    assert "plan: create array raid1-0" in mirror[0]
    # -c deletes what this call does not ask for, and leaves alone what is as asked for.
    assert "'raid1-0' is as wanted" in mirror[1] and "delete array raid1-0" not in mirror[1], mirror[1]
    assert all("plan: create array raid5-2" in text for text in stripes), stripes
    for title in ("OOB - Network", "OOB - User"):
        assert "nothing to do" not in logs[title][0], (title, logs[title])
        assert "nothing to do" in logs[title][1], (title, logs[title])
    assert logs["Site - Own script"][0].splitlines() == ["to stdout", "to stderr"]
    assert machine.bmc is not None
    assert machine.bmc.check_login("ops", PASSWORD)
    assert machine.bmc.read_lan()["ip_addr"] == "10.0.9.31"
    lines = [line.text for line in machine.serial.lines]
    seen = [line for line in lines if line.endswith(f"PRE | PRE sees {SERIAL}")]
    assert len(seen) == 2, "the server that has the hook is waited for, also when it is late"
    assert any("POST in python" in line for line in lines)
    assert any("to stderr" in line for line in lines), "a script's output is streamed to the console"


def check_no_password(machine: Machine, server: V1Server) -> None:
    sent = "\n".join(msgspec.json.encode(bodies).decode() for bodies in server.bodies.values())
    texts = {
        "requests": sent,
        "logs": "\n".join(text for _, _, text in server.reports),
        "console": "\n".join(line.text for line in machine.serial.lines),
    }
    assert not [name for name, text in texts.items() if PASSWORD in text]
