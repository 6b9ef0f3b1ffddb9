"""How `data.tar.xz` and `wire/` were made: the programs of an older checkout, driven over their real API, command line
and agent protocol. Run in that checkout, never by the tests; README.md says of which version the files are.

    cd OLD-CHECKOUT && .venv/bin/python .../tests/upgrade/make.py .../tests/upgrade

The agent is the real one over a machine of files (the old checkout's `tests/faults`), each life of it a process.
"""

import base64
import contextlib
import io
import json
import logging
import lzma
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

OLD = Path.cwd()
sys.path[:0] = [str(OLD / "tests" / name) for name in ("faults", "contract", "double", "unit/server")]

import msgspec  # noqa: E402
import urllib3  # noqa: E402
from bootos.agent.client import Client  # noqa: E402
from bootos.agent.cloudboot_v1 import Timing, work_v1  # noqa: E402
from bootos.agent.cmdline import Cmdline  # noqa: E402
from bootos.agent.v1_client import V1Client  # noqa: E402
from bootos.drivers.disk.erase import EraseDriver  # noqa: E402
from bootos.lab.fault_proxy import Call, FaultProxy  # noqa: E402
from carrying import read as read_template  # noqa: E402
from drivetools import GOLDEN, Drive, DriveMachine  # noqa: E402
from fakeimage import LAYERS, build_fake_image  # noqa: E402
from faultmachine import CAPTURE, TEMPLATE, FaultMachine  # noqa: E402
from publishing import make_image  # noqa: E402
from rack import Door, wait_for  # noqa: E402
from siliconmachine import SiliconMachine  # noqa: E402
from v1_agent import Installer, V1Agent  # noqa: E402

from bootos import __version__  # noqa: E402
from bootos.agent import sequence  # noqa: E402
from bootos.agent.host import Host, collect  # noqa: E402
from bootos.agent.job import Next, carry_out  # noqa: E402
from bootos.drivers.contract import Forecast, Machine  # noqa: E402
from bootos.errors import BootosError  # noqa: E402
from bootos.hardware.capture import Capture, Replay, build_tree  # noqa: E402
from bootos.lab.vendor_tools.racadm import Racadm  # noqa: E402
from bootos.process import Completed  # noqa: E402
from bootos.server.serve import run_server  # noqa: E402
from bootos.server.settings import Settings  # noqa: E402
from bootos.wire import v2  # noqa: E402

POLL_S, GRACE_S = 2, 4
PUBLIC_URL = "http://10.0.0.1:8083"  # the address in PXE files; nothing listens there
DEADLINE_S = 90.0
SN, MACS = "7XK2P03", ("52:54:00:aa:00:01", "52:54:00:aa:00:02", "02:11:22:33:44:55")
KEPT_HEADERS = ("authorization", "user-agent", "content-type", "accept")
PXE = (
    "DEFAULT install\nLABEL install\n  KERNEL http://10.0.0.1:8083/bootos/files/vmlinuz\n"
    "  APPEND ks=http://10.0.0.1:8083/api/osinstall/v1/device/getSystemBySn?sn={sn} hostname={hostname}\n"
)
ANSWER = "#platform=x86\nurl --url=http://10.0.0.1/centos\nrootpw --plaintext nothing\n"
SCRIPTS = "name: scripts\nscripts: [{name: RAID, scripts: [{name: one, script: 'echo made'}]}]\n"
WHOLE: dict[str, Any] = {
    **TEMPLATE,
    "name": "whole",
    "scripts": [
        {
            "name": "tuning",
            "scripts": [
                {"name": "once", "script": "echo once", "environment": {}},
                {"name": "often", "script": "echo often", "repeatable": True},
            ],
        }
    ],
}
for script in WHOLE["scripts"][0]["scripts"]:
    script.pop("environment", None)
BIOS = {"name": "bios", "bios": {"virtualization": "enabled"}}
ERASE = {"name": "erase", "erase": [{"select": {"drives": 0}, "confirm": "lose-all-data"}]}


# one life of an agent


def shift(text: str, mac: str) -> str:
    """The MAC addresses of the captured machine, made this machine's own."""
    for place, old in enumerate(MACS):
        text = text.replace(old, f"{mac[:9]}{place:02x}{mac[11:]}" if place else mac)
    return text


def read_own_capture(directory: Path) -> Capture:
    said = json.loads((directory / "machine.json").read_text())
    capture = msgspec.json.decode(shift(CAPTURE.read_text(), said["mac"]).encode(), type=Capture)
    for name, text in capture.files.items():
        if "dmi" in name and text.startswith("base64:"):
            raw = base64.b64decode(text.removeprefix("base64:")).replace(SN.encode(), said["sn"].encode())
            capture.files[name] = "base64:" + base64.b64encode(raw).decode()
    return capture


class YesterdaysMachine(FaultMachine):
    """A PowerEdge of its own serial number and MACs, with racadm."""

    def __init__(self, directory: Path, stop: str = "", door: str = "") -> None:
        super().__init__(directory, stop, door)
        self._replay = Replay(read_own_capture(directory))
        self.silicon = SiliconMachine(directory / "silicon", tools=[Racadm()])

    def run(self, argv: Any, **options: Any) -> Completed:
        if Path(str(argv[0])).name == "racadm":
            return self.silicon.run(argv, **options)
        return super().run(argv, **options)


def live(directory: Path, boot_id: str, stop: str, door: str) -> None:
    """As `sequence.run`, without DHCP, and the end of the process in place of a reboot."""
    machine = YesterdaysMachine(directory, stop, door)
    host = Host(Machine(run=machine.run, root=machine.root), boot_id)
    logging.basicConfig(level=logging.INFO, format="%(relativeCreated)8d %(levelname)s %(name)s: %(message)s")
    sequence.wait_for_server_address(host)
    Client(host.server_addr).fetch_layers(host.image_version)
    collect(host)
    client = sequence.wait_for_server(host)
    assert client is not None
    reporter = sequence.register(host, client, "", [])
    while True:
        order = sequence.wait_for_order(client, reporter)
        after = carry_out(order, host, client, reporter)
        if after is not Next.ORDER:
            machine.silicon.silicon.boot()
            return


# the server, and who talks to it


class Recorder(FaultProxy):
    """Passes everything on, and keeps it in the order of the answers."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.calls: list[dict[str, Any]] = []
        # held during a call of the operator, so that its consequences are recorded after it
        self.turn = threading.Lock()

    def _forward(self, call: Call) -> Any:
        status, headers, content = super()._forward(call)
        with self.turn:
            self.add("agent", call, status, dict(headers), content)
        return status, headers, content

    def add(self, who: str, call: Call, status: int, headers: dict[str, str], content: bytes) -> None:
        self.calls.append(
            {
                "who": who,
                "method": call.method,
                "path": call.path,
                "headers": {
                    name: value for name, value in call.headers.items() if name.lower() in KEPT_HEADERS
                },
                "body": call.body.decode(),
                "status": status,
                "content_type": {name.lower(): value for name, value in headers.items()}.get(
                    "content-type", ""
                ),
                "answer": content.decode(),
            }
        )

    def has(self, path: str, text: str) -> bool:
        return any(path in call["path"] and text in call["answer"] for call in list(self.calls))

    def sessions(self) -> list[dict[str, Any]]:
        """Who registered, with what session."""
        found = []
        for call in self.calls:
            if call["path"].endswith("/register") and call["status"] == 200:
                said, answer = json.loads(call["body"]), json.loads(call["answer"])
                found.append(
                    {"sn": said["sn"], "boot_id": said["boot_id"], "session": answer["session"],
                     "machine_id": answer["machine_id"]}
                )  # fmt: skip
        return found


class Site:
    """A server of the old checkout in a process of its own, a recorder before it, and machines."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data = directory / "data"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._server: subprocess.Popen[bytes] | None = None
        self._lives: list[subprocess.Popen[bytes]] = []
        self._machines = 0
        self._pool = urllib3.PoolManager(retries=False, timeout=30)
        self.start()
        (self.data / "files/post.sh").write_text("#!/bin/sh\necho post\n")
        self.recorder = Recorder(self.port)
        self.url = f"http://127.0.0.1:{self.recorder.listening_port}"

    def start(self) -> None:
        self._server = spawn(self.directory / "server.log", "serve", str(self.data), str(self.port))
        wait_for(self._answers, DEADLINE_S, "the server's start")

    def _answers(self) -> bool:
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            return self._pool.request("GET", f"http://127.0.0.1:{self.port}/api/v2/agent/").status == 200
        return False

    def stop(self) -> None:
        assert self._server is not None
        self._server.send_signal(signal.SIGTERM)
        assert self._server.wait(30) == 0

    def close(self) -> None:
        for life in self._lives:
            if life.poll() is None:
                life.kill()
                life.wait()
        self.recorder.close()
        self.stop()

    def operate(self, method: str, path: str, body: Any = None) -> Any:
        token = (self.data / "operator.token").read_text().strip()
        raw = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        headers = {"Authorization": f"Bearer {token}"}
        path = "/api/operator" + path
        url = f"http://127.0.0.1:{self.port}{path}"
        with self.recorder.turn:
            answer = self._pool.request(method, url, body=raw or None, headers=headers)
            assert answer.status < 300, (path, answer.status, answer.data)
            if method != "GET":
                call = Call(method=method, path=path, headers={}, body=raw)
                self.recorder.add("operator", call, answer.status, dict(answer.headers), answer.data)
        return answer.json() if answer.data else None

    def bootos(self, *words: str) -> str:
        """A command line of the old checkout."""
        env = {**os.environ, "BOOTOS_SERVER": f"http://127.0.0.1:{self.port}", "BOOTOS_DATA": str(self.data)}
        done = subprocess.run(
            [OLD / ".venv/bin/bootos", *words], env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def put_documents(self) -> None:
        """Templates, a PXE template, a secret."""
        for document in (WHOLE, BIOS, {"name": "empty"}):
            self.operate(
                "PUT", f"/templates/{document['name']}", {"text": json.dumps(document), "format": "json"}
            )
        self.operate("PUT", "/templates/scripts", {"text": SCRIPTS, "format": "yaml"})
        self.operate("PUT", "/pxe-templates/install", {"content": PXE, "answer": ANSWER, "reports": True})

    def make_machine(self, sn: str, *, words: str = "DEVELOPER=1", image: str = "") -> Path:
        self._machines += 1
        mac = f"52:54:00:00:{self._machines:02x}:01"
        directory = self.directory / f"machine-{sn}"
        (directory / "root/proc").mkdir(parents=True)
        (directory / "machine.json").write_text(json.dumps({"sn": sn, "mac": mac}))
        tree = directory / "tree"
        build_tree(read_own_capture(directory), tree)
        root = directory / "root"
        for name in ("sys", "dev"):
            (root / name).symlink_to(tree / name)
        for file in (tree / "proc").iterdir():
            if file.is_file():
                shutil.copyfile(file, root / "proc" / file.name)
        (root / "etc").mkdir()
        if image:
            (root / "etc/bootos-release").write_text(f"IMAGE_VERSION={image}\n")
        bootif = mac.replace(":", "-")
        line = f"SERVER_ADDR={self.url} BOOTIF=01-{bootif} {words} POST={self.url}/bootos/files/post.sh"
        (root / "proc/cmdline").write_text(line + " LOOP_INTERVAL=30\n")
        YesterdaysMachine(directory)._save()
        return directory

    def boot(self, machine: Path, number: int = 1, *, stop: str = "") -> "Life":
        if number > 1:
            YesterdaysMachine(machine).cut_power()
        door = Door(machine / "door") if stop else None
        boot_id = f"{machine.name.removeprefix('machine-')}-boot-{number}"
        process = spawn(
            machine / f"agent-{number}.log",
            "agent",
            str(machine),
            boot_id,
            stop,
            str(machine / "door") if stop else "",
        )
        self._lives.append(process)
        return Life(self, process, door)

    def wait_for_job(self, number: int, *states: str) -> Any:
        def read() -> Any:
            job = self.operate("GET", f"/jobs/{number}")
            return job if job["state"] in states else None

        return wait_for(read, DEADLINE_S, f"job {number} {states} in {self.directory}", pause_s=0.1)


class Life:
    """One boot of a machine."""

    def __init__(self, site: Site, process: "subprocess.Popen[bytes]", door: Door | None) -> None:
        self.process, self.door = process, door

    def reach(self) -> None:
        assert self.door is not None
        self.door.wait(DEADLINE_S)

    def wait(self) -> None:
        assert self.process.wait(DEADLINE_S) == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def spawn(log: Path, *words: str) -> "subprocess.Popen[bytes]":
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen([sys.executable, __file__, *words], stdout=output, stderr=output)


# the recorded flows: what yesterday's agents and server said to each other


def record_apply(site: Site) -> None:
    """An image with a layer; a wait without an order, a job to its end, and the installer's reports."""
    image = site.directory / "image"
    version = make_image(image, "a", layers={"igb": b"squashfs"})
    missing = site.operate("POST", "/images", {"manifest": (image / "manifest.json").read_text()})["files"]
    for name in (entry["name"] for entry in missing):
        site.operate("PUT", f"/images/{version}/files?name={name}&offset=0", (image / name).read_bytes())
    site.operate("POST", f"/images/{version}/publish", {"default": True})
    site.put_documents()
    site.operate("POST", "/support", {"vendor": "Dell*", "product": "PowerEdge R7*"})
    machine = site.make_machine("UPAPPLY", words="")
    life = site.boot(machine)
    wait_for(lambda: any(call["status"] == 204 for call in site.recorder.calls), DEADLINE_S, "a 204")
    job = site.operate("POST", "/jobs", {"machine": "UPAPPLY", "template": "whole", "pxe": "install"})
    life.wait()
    site.wait_for_job(job["id"], "installing")
    installer = Installer(site.url, sn="UPAPPLY")
    for call in ("getNetworkBySn", "getSystemBySn", "getDeviceBySn"):
        installer.read(call)
    installer.install()


def record_plan(site: Site) -> None:
    """A plan, its approval, and the same agent carries out what was approved."""
    site.put_documents()
    machine = site.make_machine("UPPLAN1")
    plan = site.operate("POST", "/jobs", {"machine": "UPPLAN1", "template": "whole", "mode": "plan"})
    life = site.boot(machine)
    site.wait_for_job(plan["id"], "planned")
    job = site.operate("POST", f"/jobs/{plan['id']}/approve")
    life.wait()
    site.wait_for_job(job["id"], "done")


def record_reboot(site: Site) -> None:
    """A BIOS setting takes effect with a reboot inside the job; the next boot knows it."""
    site.put_documents()
    machine = site.make_machine("UPBOOT1")
    job = site.operate("POST", "/jobs", {"machine": "UPBOOT1", "template": "bios"})
    site.boot(machine).wait()
    site.wait_for_job(job["id"], "running")
    site.boot(machine, 2).wait()
    assert site.wait_for_job(job["id"], "done")["attempt"] == 2


def record_attempts(site: Site) -> None:
    """The power goes while a file system is made. A boot right after that is refused, as the first is not
    forgotten; the next one is told how everything stood."""
    site.put_documents()
    machine = site.make_machine("UPPOWER")
    job = site.operate("POST", "/jobs", {"machine": "UPPOWER", "template": "whole"})
    life = site.boot(machine, stop="ext4:half")
    life.reach()
    life.kill()
    claim(site, "UPPOWER")
    site.boot(machine, 2).wait()
    assert site.wait_for_job(job["id"], "done")["attempt"] == 2
    assert any(call["status"] == 409 for call in site.recorder.calls)


def record_cancel(site: Site) -> None:
    """The operator cancels while the agent works: it stops after its action."""
    site.put_documents()
    machine = site.make_machine("UPSTOP1")
    job = site.operate("POST", "/jobs", {"machine": "UPSTOP1", "template": "whole"})
    life = site.boot(machine, stop="create:before")
    life.reach()
    site.operate("POST", f"/jobs/{job['id']}/cancel")
    wait_for(lambda: site.recorder.has("/report", '"cancel":true'), DEADLINE_S, "the word to stop")
    assert life.door is not None
    life.door.open()
    site.wait_for_job(job["id"], "cancelled")
    life.kill()


def record_refusals(site: Site) -> None:
    """A model that is not in the list, in user mode; hardware skipped; a template that the machine cannot have; a
    session that the server does not know."""
    site.put_documents()
    site.operate("POST", "/support", {"vendor": "HP*", "product": "*"})
    machine = site.make_machine("UPUSER1", words="")
    job = site.operate("POST", "/jobs", {"machine": "UPUSER1", "template": "whole"})
    life = site.boot(machine)
    site.wait_for_job(job["id"], "refused")
    count = len(site.recorder.calls)
    wait_for(lambda: any(call["status"] == 204 for call in site.recorder.calls[count:]), DEADLINE_S, "a 204")
    skipping = {"machine": "UPUSER1", "template": "whole", "skip_hardware": True}
    job = site.operate("POST", "/jobs", skipping)
    life.wait()
    site.wait_for_job(job["id"], "done")
    machine = site.make_machine("UPNONE1")
    text = json.dumps({"name": "nine", "raid": {"arrays": [{"name": "os", "level": 5, "drives": "7-9"}]}})
    site.operate("PUT", "/templates/nine", {"text": text, "format": "json"})
    job = site.operate("POST", "/jobs", {"machine": "UPNONE1", "template": "nine"})
    life = site.boot(machine)
    site.wait_for_job(job["id"], "refused")
    life.kill()
    client = Client(site.url)
    client._session = "unknown"
    with contextlib.suppress(BootosError):
        client.fetch_order(0)


def record_v1_original(site: Site) -> None:
    """An agent and an installer of existing servers: unlisted, listed, in developer mode."""
    site.put_documents()
    agent = V1Agent(site.url, "SNV1ONE", "52:54:00:00:11:01")
    agent.boot()
    site.operate("POST", "/jobs", {"machine": "SNV1ONE", "template": "scripts", "pxe": "install"})
    assert agent.poll()
    assert not agent.carry_out()
    site.operate("POST", "/support", {"vendor": "Dell*", "product": "PowerEdge R740"})
    site.operate("POST", "/jobs", {"machine": "SNV1ONE", "template": "scripts", "pxe": "install"})
    assert agent.poll()
    assert agent.carry_out()
    installer = Installer(site.url, sn="SNV1ONE", mac="52:54:00:00:11:01")
    for call in ("getNetworkBySn", "getSystemBySn", "getDeviceBySn"):
        installer.read(call)
    installer.install()
    virtual = V1Agent(site.url, "SNV1TWO", "52:54:00:00:12:01", is_vm="Yes")
    virtual.boot()
    site.operate("POST", "/jobs", {"machine": "SNV1TWO", "template": "empty", "pxe": "install"})
    assert virtual.poll()
    assert virtual.carry_out()


class Rebooted(BaseException):
    """Ends the agent, as its reboot does."""


def reboot() -> None:
    raise Rebooted


def record_v1_ours(site: Site) -> None:
    """Our own agent where only v1 is let through."""
    site.put_documents()
    site.operate("POST", "/support", {"vendor": "Dell*", "product": "PowerEdge R740"})
    directory = site.make_machine("UPOURV1")
    machine = YesterdaysMachine(directory)
    host = Host(Machine(run=machine.run, root=machine.root), "boot-1")
    host.cmdline = Cmdline(server_addr=site.url, pxe_mac="52:54:00:00:01:01")
    host.server_addr = site.url
    collect(host)
    host.machine = Machine(root=directory / "root")
    site.operate("POST", "/jobs", {"machine": "UPOURV1", "template": "scripts", "pxe": "install"})
    timing = Timing(interval_s=0.05, first_pause_s=0.01, longest_pause_s=0.05, farewell_s=5.0)
    with contextlib.suppress(Rebooted):
        work_v1(host, V1Client(site.url, timeout_s=20.0), timing, reboot)
    Installer(site.url, sn="UPOURV1").install()


FLOWS: tuple[tuple[str, Callable[[Site], None]], ...] = (
    ("v2-apply", record_apply),
    ("v2-plan", record_plan),
    ("v2-reboot", record_reboot),
    ("v2-attempts", record_attempts),
    ("v2-cancel", record_cancel),
    ("v2-refusals", record_refusals),
    ("v1-original", record_v1_original),
    ("v1-ours", record_v1_ours),
)


# the data directory


def fill(site: Site) -> dict[str, Any]:
    """Machines and jobs in every state; what the test must know of them."""
    images = []
    for place, name in enumerate(("one", "two")):
        directory = site.directory / f"image-{name}"
        directory.mkdir()
        layers = {**LAYERS, "80-bootos": {"etc/hostname": f"{name}\n"}}
        build_fake_image(directory, layers)
        images.append(json.loads((directory / "manifest.json").read_text())["version"])
        words = ["--default"] if place == 0 else []
        site.bootos("image", "publish", str(directory), "--note", f"image {name}", *words)
    site.bootos("image", "publish", str(site.directory / "image-two"), "--default")
    site.bootos("image", "rollback")
    site.put_documents()
    for name, value in (("oob-ops", "correct horse battery"), ("spare", "staple")):
        subprocess.run(
            [OLD / ".venv/bin/bootos", "secret", "set", name],
            input=value, text=True, check=True, capture_output=True,
            env={**os.environ, "BOOTOS_SERVER": f"http://127.0.0.1:{site.port}", "BOOTOS_DATA": str(site.data)},
        )  # fmt: skip
    base = "name: base\nraid: {arrays: [{name: os, level: 5, drives: 0-2}]}\n"
    site.operate("PUT", "/templates/base", {"text": base, "format": "yaml"})
    node = (
        "name: node\nbase: base\nvariables: {rack: a1}\n"
        "oob: {network: {source: static, address: '<{pool:data}>', gateway: '<{pool:data:gateway}>'},\n"
        "  users: [{name: ops, role: administrator, password: {secret: oob-ops}}]}\n"
    )
    site.operate("PUT", "/templates/node", {"text": node, "format": "yaml"})
    site.operate(
        "PUT", "/templates/node", {"text": node + "description: a second version\n", "format": "yaml"}
    )
    site.operate(
        "PUT", "/pxe-templates/rescue", {"content": "LABEL rescue\nAPPEND mac={mac}\n", "reports": False}
    )
    site.bootos("pool", "add", "data", "10.0.8.20-10.0.8.250/24", "--gateway", "10.0.8.1")
    site.operate(
        "POST",
        "/support",
        {"vendor": "Dell*", "product": "PowerEdge R7*", "aliases": ["DELL"], "bios": ">=2.0"},
    )
    site.operate("POST", "/support", {"vendor": "HPE", "product": "ProLiant*", "allow": ["raid", "disks"]})
    known: dict[str, Any] = {"images": images, "jobs": {}}

    def job(sn: str, template: str, **more: Any) -> int:
        number = int(site.operate("POST", "/jobs", {"machine": sn, "template": template, **more})["id"])
        known["jobs"][sn] = number
        return number

    settings = {"hostname": "node-<{number:03}>", "address": "<{pool:data}>", "group": "g", "rack": "b2"}
    site.operate("PATCH", "/machines/UPEXPEC/settings", settings)
    image = images[0]
    # waiting, and with an image of its own
    life = site.boot(site.make_machine("UPWAIT1", image=images[1]))
    wait_for(lambda: site.recorder.has("/register", "session"), DEADLINE_S, "the first registration")
    site.operate("POST", "/pins", {"version": images[1], "machine": "UPWAIT1"})
    site.operate("POST", "/pins", {"version": images[1], "vendor": "HPE", "product": "ProLiant*"})
    life.kill()
    # a job for a machine that never came
    job("UPQUEUE", "whole")
    # one whose template has a secret, a base and values of this machine
    site.operate("PATCH", "/machines/UPNODE1/settings", settings)
    job("UPNODE1", "node", pxe="rescue")
    # a plan; and one that was approved
    for sn in ("UPPLAN1", "UPAPPRO"):
        number = job(sn, "whole", mode="plan")
        life = site.boot(site.make_machine(sn, image=image))
        site.wait_for_job(number, "planned")
        life.kill()
        count = len(site.recorder.calls)
    # the server would hand the order to the poll that the killed agent left open
    wait_for(lambda: any(call["status"] == 204 for call in site.recorder.calls[count:]), DEADLINE_S, "a 204")
    known["jobs"]["UPAPPRO"] = int(site.operate("POST", f"/jobs/{number}/approve")["id"])
    # at work when the server went away
    number = job("UPRUN01", "whole", pxe="install")
    life = site.boot(site.make_machine("UPRUN01", image=image), stop="ext4:before")
    life.reach()
    wait_for(
        lambda: '"running"' in json.dumps(site.operate("GET", f"/jobs/{number}")["report"]),
        DEADLINE_S,
        "a report",
    )
    life.kill()
    # at work when the power went, and the operator cancelled meanwhile
    number = job("UPSTOP1", "whole")
    life = site.boot(site.make_machine("UPSTOP1", image=image), stop="xfs:before")
    life.reach()
    site.operate("POST", f"/jobs/{number}/cancel")
    life.kill()
    # reboots inside its job
    number = job("UPBOOT1", "bios")
    site.boot(site.make_machine("UPBOOT1", image=image)).wait()
    # its installer is at work
    site.operate("PATCH", "/machines/UPINST1/settings", {"hostname": "db-1", "address": "10.0.8.5/24"})
    number = job("UPINST1", "whole", pxe="install")
    site.boot(site.make_machine("UPINST1", words="", image=image)).wait()
    site.wait_for_job(number, "installing")
    Installer(site.url, sn="UPINST1").report(0.6, "start", "start done")
    # done, with a PXE file that stays; its run in developer mode is evidence of a line of the support list
    number = job("UPDONE1", "whole", pxe="rescue")
    site.boot(site.make_machine("UPDONE1", image=image)).wait()
    site.wait_for_job(number, "done")
    site.operate("POST", "/support/from-job", {"job": number})
    # failed, refused, cancelled
    site.operate(
        "PUT",
        "/templates/failing",
        {
            "text": "name: failing\nscripts: [{name: a, scripts: [{name: b, script: 'exit 3'}]}]\n",
            "format": "yaml",
        },
    )
    number = job("UPFAIL1", "failing")
    site.operate("POST", f"/jobs/{job('UPCANC1', 'whole')}/cancel")
    fail_by_hand(site, number)
    number = job("UPREFUS", "whole")
    refuse_by_hand(site, number)
    # erased, with its certificate
    certify(site, job("UPERASE", "erase_me"), known)
    # Cloudboot v1: at work, waiting for its turn, installed
    agent = V1Agent(site.url, "SNV1RUN", "52:54:00:00:21:01")
    agent.boot()
    job("SNV1RUN", "scripts", pxe="install")
    agent.poll()
    body = {"Sn": agent.sn, "Company": agent.company, "Product": agent.product, "ModelName": agent.model}
    agent.post("device/getPrepareInstallInfo", body)
    agent.report(0.15, "配置查询", "")
    agent.post("device/getHardwareBySn", {"Sn": agent.sn})
    agent.report(0.3, "开始硬件配置", "")
    agent = V1Agent(site.url, "SNV1QUE", "52:54:00:00:22:01")
    agent.boot()
    job("SNV1QUE", "scripts", pxe="install")
    agent = V1Agent(site.url, "SNV1END", "52:54:00:00:23:01", developer=True)
    agent.boot()
    job("SNV1END", "scripts", pxe="install")
    assert agent.poll()
    assert agent.carry_out()
    Installer(site.url, sn="SNV1END").install()
    # a second claim of an identity
    life = site.boot(site.make_machine("UPCLAIM", image=image))
    wait_for(
        lambda: any(s["sn"] == "UPCLAIM" for s in site.recorder.sessions()), DEADLINE_S, "a registration"
    )
    claim(site, "UPCLAIM")
    life.kill()
    known["sessions"] = {said["sn"]: said for said in site.recorder.sessions()}
    for said in known["sessions"].values():
        said["number"] = max(
            (json.loads(call["body"])["number"] for call in site.recorder.calls
             if call["path"].endswith("/report") and said["session"] in call["headers"].get("Authorization", "")),
            default=0,
        )  # fmt: skip
    return known


def read_inventory(sn: str) -> Any:
    from bootos.wire.inventory import Inventory, System

    return Inventory(
        collected_at="2026-01-01T00:00:00Z", system=System(vendor="QEMU", product="Standard PC", serial=sn)
    )


def claim(site: Site, sn: str) -> None:
    """Another boot wants the identity of one that is there."""
    said = v2.Registration(sn=sn, boot_id="other", agent_version=__version__, inventory=read_inventory(sn))
    with contextlib.suppress(BootosError):
        Client(site.url).register(said)


def register_by_hand(site: Site, sn: str, *, developer: bool = True) -> Client:
    client = Client(site.url)
    client.register(
        v2.Registration(
            sn=sn,
            boot_id=f"{sn}-boot-1",
            agent_version="by hand",
            developer=developer,
            inventory=read_inventory(sn),
        )
    )
    return client


def fail_by_hand(site: Site, number: int) -> None:
    client = register_by_hand(site, "UPFAIL1")
    assert client.fetch_order(0)
    client.send_report(
        v2.Report(
            number=1,
            boot_id="UPFAIL1-boot-1",
            job_id=str(number),
            state=v2.JobState.FAILED,
            message="the script b ended with 3",
            steps=[v2.StepView(id="script.0.0", title="b", state=v2.StepState.FAILED, message="exit code 3")],
            log=[v2.LogLine(n=5, at="2026-01-01T00:00:00Z", text="exit 3", level="error")],
        )
    )
    site.wait_for_job(number, "failed")


def refuse_by_hand(site: Site, number: int) -> None:
    """The support list does not have its model, and it is in user mode."""
    client = register_by_hand(site, "UPREFUS", developer=False)
    assert client.fetch_order(0) is None
    site.wait_for_job(number, "refused")


def certify(site: Site, number: int, known: dict[str, Any]) -> None:
    """The real driver erases a drive of files; its certificate goes the way of all."""
    directory = site.directory / "erase"
    directory.mkdir()
    hdparm = (GOLDEN / "hdparm-sandisk-extreme.txt").read_text()
    fake, certificates = DriveMachine(directory, {"sda": Drive(hdparm=hdparm)}), list[dict[str, Any]]()
    machine = Machine(run=fake.run, root=fake.root, owner=f"UPERASE {number}", record=certificates.append)
    driver = EraseDriver(pause=lambda seconds: None)
    state = driver.read(machine, fake.build_inventory())
    for action in driver.plan(state, read_template(ERASE), {}, Forecast()).actions:
        driver.apply(machine, action, {})
    assert certificates
    client = register_by_hand(site, "UPERASE")
    assert client.fetch_order(0)
    client.send_report(
        v2.Report(
            number=1,
            boot_id="UPERASE-boot-1",
            job_id=str(number),
            state=v2.JobState.SUCCEEDED,
            message="the machine is as wanted",
            certificates=certificates,
        )
    )
    known["certificate"] = certificates[0]["sha256"]
    site.wait_for_job(number, "done")


def read_views(site: Site) -> dict[str, Any]:
    """What yesterday's API shows of all this, by path."""
    paths = [
        "/machines", "/jobs?limit=1000", "/templates", "/pxe-templates", "/secrets", "/support", "/pools", "/images",
        "/pins", "/audit?limit=5000",
    ]  # fmt: skip
    views = {path: site.operate("GET", path) for path in paths}
    views["/images"] = [
        row for row in views["/images"] if row["version"] != "local"
    ]  # these images are outside the data directory
    for machine in views["/machines"]:
        views[f"/machines/{machine['sn']}"] = site.operate("GET", f"/machines/{machine['sn']}")
    for sn in ("UPDONE1", "UPPLAN1"):
        for call in ("state", "template"):
            views[f"/machines/{sn}/{call}"] = site.operate("GET", f"/machines/{sn}/{call}")
    for job in views["/jobs?limit=1000"]:
        views[f"/jobs/{job['id']}"] = site.operate("GET", f"/jobs/{job['id']}")
        views[f"/jobs/{job['id']}/log?limit=5000"] = site.operate("GET", f"/jobs/{job['id']}/log?limit=5000")
        if job["sn"] == "UPDONE1":
            views[f"/jobs/{job['id']}/evidence"] = site.operate("GET", f"/jobs/{job['id']}/evidence")
    for row in views["/templates"]:
        for call in ("", "/resolved"):
            views[f"/templates/{row['name']}{call}"] = site.operate("GET", f"/templates/{row['name']}{call}")
    for row in views["/pxe-templates"]:
        views[f"/pxe-templates/{row['name']}"] = site.operate("GET", f"/pxe-templates/{row['name']}")
    views["/pools/data"] = site.operate("GET", "/pools/data")
    for row in views["/images"]:
        views[f"/images/{row['version']}"] = site.operate("GET", f"/images/{row['version']}")
    return views


def edit_default(site: Site) -> None:
    """As an operator does, with an editor, between two starts."""
    path = site.data / "tftp/pxelinux.cfg/default"
    path.write_text(path.read_text() + "\nLABEL memtest\n  MENU LABEL Memory test\n  KERNEL memtest86+\n")


# the files


def pack(directory: Path, target: Path) -> None:
    """The same bytes of the same content. `tftp/bootos` has absolute links, and is made at each start."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(directory.rglob("*")):
            name = path.relative_to(directory).as_posix()
            if name.startswith("tftp/bootos") or not (path.is_dir() or path.is_file()) or path.is_symlink():
                continue
            info = tarfile.TarInfo(name)
            info.mode = stat.S_IMODE(path.stat().st_mode)
            if path.is_dir():
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            else:
                content = path.read_bytes()
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    target.write_bytes(lzma.compress(raw.getvalue(), preset=9 | lzma.PRESET_EXTREME))


def write_calls(calls: list[dict[str, Any]], target: Path) -> None:
    lines = "".join(json.dumps(call, ensure_ascii=False) + "\n" for call in calls)
    target.write_bytes(lzma.compress(lines.encode(), preset=9 | lzma.PRESET_EXTREME))


def write_schema(target: Path) -> None:
    """What yesterday's programs decode, as JSON Schema."""
    types = [
        v2.Greeting, v2.LayerOffer, v2.Registration, v2.Registered, v2.Refusal, v2.Order, v2.Report, v2.Receipt,
        v2.MacUpload, v2.MacAccepted,
    ]  # fmt: skip
    _, components = msgspec.json.schema_components(types)
    target.write_text(json.dumps(components, indent=1, sort_keys=True) + "\n")


@contextlib.contextmanager
def open_site(root: Path, name: str) -> Iterator[Site]:
    directory = root / name
    directory.mkdir()
    site = Site(directory)
    try:
        yield site
    finally:
        site.close()


def make(target: Path, names: list[str]) -> None:
    root = Path(tempfile.mkdtemp(prefix="bootos-upgrade-"))
    print("working in", root, flush=True)
    programs = root / "bin"
    programs.mkdir()
    (programs / "racadm").write_text("#!/bin/sh\nexit 1\n")
    (programs / "racadm").chmod(0o755)
    os.environ["PATH"] = f"{programs}:{os.environ['PATH']}"
    (target / "wire").mkdir(exist_ok=True)
    for name, flow in FLOWS:
        if names and name not in names:
            continue
        with open_site(root, name) as site:
            flow(site)
            calls = list(site.recorder.calls)
        write_calls(calls, target / f"wire/{name}.jsonl.xz")
        print(name, len(calls), "calls", flush=True)
    if not names or "schema" in names:
        write_schema(target / "wire/schema.json")
    if not names or "data" in names:
        with open_site(root, "data") as site:
            text = json.dumps({"name": "erase_me", "scripts": []})
            site.operate("PUT", "/templates/erase_me", {"text": text, "format": "json"})
            known = fill(site)
            site.stop()
            edit_default(site)
            site.start()
            raw = json.dumps(read_views(site), ensure_ascii=False, sort_keys=True).encode()
            (target / "data.views.json.xz").write_bytes(lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME))
        pack(root / "data/data", target / "data.tar.xz")
        known["version"] = __version__
        (target / "data.json").write_text(json.dumps(known, indent=1) + "\n")
    print("the end; the servers' and agents' logs are in", root)


def main(words: list[str]) -> None:
    match words:
        case ["agent", directory, boot_id, stop, door]:
            live(Path(directory), boot_id, stop, door)
        case ["serve", data, port]:
            logging.basicConfig(level=logging.INFO)
            run_server(
                Settings(
                    data=Path(data), port=int(port), tftp=False, poll_s=POLL_S, session_grace_s=GRACE_S,
                    public_url=PUBLIC_URL, boot_files=Path(data).parent / "no-image",
                )
            )  # fmt: skip
        case [target, *names]:
            make(Path(target), names)
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
