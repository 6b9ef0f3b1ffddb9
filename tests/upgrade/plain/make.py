"""How the files of this folder were made: server and agent of a checkout that knew neither TLS nor the confirmation of
machines, and what they said to each other. Run in that checkout, never by the tests; ../README.md says which it was.

    cd OLD-CHECKOUT && PYTHONPATH=src .venv/bin/python .../tests/upgrade/plain/make.py .../tests/upgrade/plain
"""

import io
import json
import lzma
import os
import stat
import subprocess
import sys
import tarfile
import tempfile
import threading
from pathlib import Path
from typing import Any

OLD = Path.cwd()
sys.path[:0] = [str(OLD / "tests" / name) for name in ("upgrade", "faults", "contract", "double")]

from fault_proxy import Call, FaultProxy  # noqa: E402
from faultmachine import TEMPLATE  # noqa: E402
from life import make_power_edge  # noqa: E402
from publishing import make_image  # noqa: E402
from serving import Running, run_in_thread  # noqa: E402

from bootos.server.settings import Settings  # noqa: E402
from bootos.waiting import wait_for  # noqa: E402

DEADLINE_S = 120.0
PUBLIC_URL = "http://10.0.0.1:8083"  # the address in PXE files; nothing listens there
SN = "7XK2P03"  # of the captured machine
KEPT_HEADERS = ("authorization", "user-agent", "content-type", "accept")
SECRET = "name: secret\noob: {users: [{name: ops, role: administrator, password: {secret: oob-ops}}]}\n"
OWN_LINES = "\nLABEL memtest\n  MENU LABEL Memory test\n  KERNEL memtest86+\n"


class Recorder(FaultProxy):
    """Passes everything on, and keeps it in the order of the answers."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.calls: list[dict[str, Any]] = []
        self._kept = threading.Lock()

    def _forward(self, call: Call) -> Any:
        status, headers, content = super()._forward(call)
        known = {name.lower(): value for name, value in headers}
        kept = {name: value for name, value in call.headers.items() if name.lower() in KEPT_HEADERS}
        with self._kept:
            self.calls.append(
                {
                    "who": "agent",
                    "method": call.method,
                    "path": call.path,
                    "headers": kept,
                    "body": call.body.decode(),
                    "status": status,
                    "content_type": known.get("content-type", ""),
                    "answer": content.decode(),
                }
            )
        return status, headers, content

    def count(self, path: str, status: int) -> int:
        return sum(path in call["path"] and call["status"] == status for call in list(self.calls))


def boot(directory: Path, number: int) -> "subprocess.Popen[bytes]":
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with (directory / f"agent-{number}.log").open("wb") as log:
        words = [str(OLD / "tests/upgrade/life.py"), str(directory), f"boot-{number}", "v2"]
        return subprocess.Popen([sys.executable, *words], stdout=log, stderr=log, env=env)


def publish(server: Running, directory: Path, name: str) -> str:
    version = make_image(directory, name)
    manifest = (directory / "manifest.json").read_text()
    for entry in server.operate("POST", "/images", {"manifest": manifest})["files"]:
        path = f"/images/{version}/files?name={entry['name']}&offset=0"
        server.operate("PUT", path, (directory / entry["name"]).read_bytes())
    server.operate("POST", f"/images/{version}/publish", {"default": True})
    return version


def pack(directory: Path, target: Path) -> None:
    """The same bytes of the same content. `tftp/bootos` has absolute links, and is made at each start."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(directory.rglob("*")):
            name = path.relative_to(directory).as_posix()
            if name.startswith("tftp/bootos") or path.is_symlink() or not (path.is_dir() or path.is_file()):
                continue
            info = tarfile.TarInfo(name)
            info.mode = stat.S_IMODE(path.stat().st_mode)
            content = b"" if path.is_dir() else path.read_bytes()
            info.type = tarfile.DIRTYPE if path.is_dir() else tarfile.REGTYPE
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    target.write_bytes(lzma.compress(raw.getvalue(), preset=9 | lzma.PRESET_EXTREME))


def make(target: Path) -> None:
    root = Path(tempfile.mkdtemp(prefix="bootos-upgrade-"))
    print("working in", root, flush=True)
    (root / "bin").mkdir()
    (root / "bin/racadm").write_text("#!/bin/sh\nexit 1\n")
    (root / "bin/racadm").chmod(0o755)
    os.environ["PATH"] = f"{root / 'bin'}:{os.environ['PATH']}"
    server, stop = run_in_thread(
        Settings(
            data=root / "data", port=0, boot_files=root / "none", tftp=False, poll_s=2, public_url=PUBLIC_URL
        )
    )
    (server.data / "files/post.sh").write_text("#!/bin/sh\necho post\n")
    recorder = Recorder(server.context.settings.port)
    machine = root / "machine"
    machine.mkdir()
    make_power_edge(machine, f"http://127.0.0.1:{recorder.listening_port}")
    images = [publish(server, root / f"image-{name}", name) for name in ("a", "b")]
    server.operate(
        "PUT", "/templates/whole", {"text": json.dumps(TEMPLATE | {"name": "whole"}), "format": "json"}
    )
    server.operate("PUT", "/templates/secret", {"text": SECRET, "format": "yaml"})
    server.operate("PUT", "/secrets/oob-ops", {"value": "correct horse battery"})
    first = boot(machine, 1)
    wait_for(lambda: recorder.count("/order", 204), DEADLINE_S, what="a wait without an order")
    job = server.operate("POST", "/jobs", {"machine": SN, "template": "whole"})["id"]
    assert first.wait(DEADLINE_S) == 0, machine
    assert server.job(job)["state"] == "done"
    calls = list(recorder.calls)
    second = boot(machine, 2)
    wait_for(lambda: recorder.count("/register", 200) == 2, DEADLINE_S, what="the second boot")
    waits = recorder.count("/order", 204)
    wait_for(lambda: recorder.count("/order", 204) > waits, DEADLINE_S, what="its wait")
    second.kill()
    second.wait()
    server.operate("POST", "/pins", {"version": images[0], "machine": SN})
    # a machine that never came, and its job
    server.operate("PATCH", "/machines/EXPECT1/settings", {"hostname": "node-1"})
    expected = server.operate("POST", "/jobs", {"machine": "EXPECT1", "template": "whole"})["id"]
    recorder.close()
    stop()
    with (server.pxe_directory / "default").open("a") as default:
        default.write(OWN_LINES)
    pack(server.data, target / "data.tar.xz")
    lines = "".join(json.dumps(call, ensure_ascii=False) + "\n" for call in calls)
    (target / "apply.jsonl.xz").write_bytes(lzma.compress(lines.encode(), preset=9 | lzma.PRESET_EXTREME))
    registered = [call for call in recorder.calls if call["path"].endswith("/register")]
    known = {
        "sn": SN,
        "images": images,
        "done": job,
        "expected": expected,
        "session": json.loads(registered[1]["answer"])["session"],
        "boot_id": json.loads(registered[1]["body"])["boot_id"],
    }
    (target / "data.json").write_text(json.dumps(known, indent=1) + "\n")
    print(len(calls), "calls; the logs are in", root)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
