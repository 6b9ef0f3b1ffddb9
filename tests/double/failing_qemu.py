"""A QEMU whose kvm fails, as that of real hosts did.

`python failing_qemu.py DIRECTORY --how internal-error --when iPXE` writes a `qemu-system-x86_64` into DIRECTORY, which
is then put first in PATH. What it is started for with kvm it really runs, with tcg, until the serial line has said what
`when` matches; all else it leaves to the real QEMU. The same call with another `--how` changes what the program does
from its next start on, and not the program.

The words and the events are those of QEMU 7.2.22 on a host with nested virtualization that knows only a part of the
processor (Debian 12, AMD EPYC).
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

PROGRAM = "qemu-system-x86_64"
HOWS = {
    "none": "works as if kvm were as good as tcg",
    "internal-error": "kvm cannot emulate an instruction: QEMU stops the guest, tells so, and goes on",
    "hang": "the guest makes no more progress, and QEMU says that it runs",
    "end": "QEMU ends by SIGABRT",
    "panic": "the guest tells QEMU that its kernel panicked",
    "start": "QEMU ends by SIGABRT at once, before it answers",
    "mute": "QEMU never answers",
}
TCG = "tcg,thread=multi,tb-size=64"

EMULATION_FAILURE = """\
KVM internal error. Suberror: 1
extra data[0]: 0x0000000000000001
extra data[1]: 0x8d49c0f76942c40f
extra data[2]: 0x04e8c1f9894cfc55
extra data[3]: 0x0000000000001000
emulation failure
RAX=0000000001ad2b90 RBX=0000000004794b64 RCX=0000000001ad2b90 RDX=0000000000000005
RIP=0000000004752b9d RFL=00000006 [-----P-] CPL=0 II=0 A20=1 SMM=0 HLT=0
CS =0010 0000000000000000 ffffffff 00a09b00 DPL=0 CS64 [-RA]
"""
MSR_FAILURE = """\
qemu-system-x86_64: error: failed to set MSR 0x10a to 0x69
qemu-system-x86_64: ../../target/i386/kvm/kvm.c:3183: kvm_buf_set_msrs: \
Assertion `ret == cpu->kvm_msr_buf->nmsrs' failed.
"""


def install(directory: Path, *, how: str, when: str = "iPXE") -> Path:
    """Write the program and what it shall do; returns the directory, for PATH."""
    real = shutil.which(PROGRAM)
    if real is None:
        raise SystemExit(f"{PROGRAM} is not installed")
    directory.mkdir(parents=True, exist_ok=True)
    program = directory / PROGRAM
    here = Path(__file__).resolve()
    program.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" "{here}" --run "{real}" "{directory.resolve()}" "$@"\n'
    )
    program.chmod(0o755)
    choose(directory, how=how, when=when)
    return directory


def build_environment(directory: Path, **words: str) -> dict[str, str]:
    """The environment of a host with that program, and with no choice of an accelerator but in `words`."""
    path = f"{directory}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "BOOTOS_LAB_ACCELERATOR": "", **words}


def choose(directory: Path, *, how: str, when: str = "iPXE") -> None:
    """Let the program in `directory` fail in another way from its next start on; the program stays as it is."""
    (directory / "failure.json").write_text(json.dumps({"how": how, "when": when}) + "\n")


class FailingQemu:
    """The real QEMU behind two sockets, in which this one looks at the serial line and changes what QMP says."""

    def __init__(self, real: str, how: str, when: str, argv: list[str]) -> None:
        self.how = how
        self.when = re.compile(when.encode())
        self.lock = threading.Lock()
        self.seen = b""
        self.failed = threading.Event()
        self.pairs: dict[str, tuple[socket.socket, socket.socket]] = {}
        listeners: dict[str, socket.socket] = {}
        targets: dict[str, str] = {}
        for index, word in enumerate(argv):
            if match := re.fullmatch(r"socket,id=(serial0|qmp0),path=(.*)", word):
                name, target = match[1], match[2].replace(",,", ",")
                targets[name] = target
                listeners[name] = socket.socket(socket.AF_UNIX)
                listeners[name].bind(f"{target}-real")
                listeners[name].listen(1)
                argv[index] = f"socket,id={name},path={match[2]}-real"
        self.process = subprocess.Popen([real, *argv])
        for name, listener in listeners.items():
            listener.settimeout(30)
            inner, _ = listener.accept()
            outer = socket.socket(socket.AF_UNIX)
            outer.connect(targets[name])
            self.pairs[name] = (inner, outer)

    def run(self) -> int:
        """Work until the real one ends, or this one fails by ending."""
        serial, qmp = self.pairs["serial0"], self.pairs["qmp0"]
        for work in (
            lambda: self.pass_on(serial[0], serial[1], look=True),
            lambda: self.pass_on(serial[1], serial[0]),
            lambda: self.pass_on(qmp[1], qmp[0]),
            lambda: self.answer(*qmp),
            self.fail,
        ):
            threading.Thread(target=work, daemon=True).start()
        code = self.process.wait()
        if self.how == "end" and self.failed.is_set():
            abort()
        return code

    def pass_on(self, source: socket.socket, target: socket.socket, *, look: bool = False) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                fails = False
                if look:
                    chunk, fails = self.cut(chunk)
                with self.lock:
                    target.sendall(chunk)
                if fails:
                    self.failed.set()  # after its last words are written
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def cut(self, chunk: bytes) -> tuple[bytes, bool]:
        """What the serial line says until it fails, nothing after that; and whether it fails with this chunk."""
        if self.failed.is_set():
            return b"", False
        before = len(self.seen)
        self.seen += chunk
        if self.how == "none" or not (match := self.when.search(self.seen)):
            return chunk, False
        return self.seen[before : match.end()], True

    def answer(self, inner: socket.socket, outer: socket.socket) -> None:
        """What QEMU says on QMP, but for what a failed kvm would not."""
        with contextlib.suppress(OSError), inner.makefile("rb") as lines:
            for line in lines:
                message: dict[str, Any] = json.loads(line)
                if message.get("id") == "failing-qemu" or (
                    self.how == "hang" and message.get("event") == "STOP"
                ):
                    continue
                value = message.get("return")
                if self.failed.is_set() and isinstance(value, dict) and "status" in value:
                    value.update(self.tell_status())
                self.tell(outer, message)
        with contextlib.suppress(OSError):
            outer.shutdown(socket.SHUT_WR)

    def tell_status(self) -> dict[str, Any]:
        status = {"internal-error": "internal-error", "panic": "guest-panicked"}.get(self.how, "running")
        return {"status": status, "running": status == "running"}

    def tell(self, outer: socket.socket, message: dict[str, Any]) -> None:
        with self.lock:
            outer.sendall(json.dumps(message).encode() + b"\r\n")

    def fail(self) -> None:
        self.failed.wait()
        if self.how == "end":
            self.process.kill()
            return
        if self.how == "internal-error":
            sys.stderr.write(EMULATION_FAILURE)
            sys.stderr.flush()
        inner, outer = self.pairs["qmp0"]
        if self.how == "panic":
            self.tell(outer, {"event": "GUEST_PANICKED", "data": {"action": "pause"}, "timestamp": {}})
        with self.lock:
            inner.sendall(b'{"execute": "stop", "id": "failing-qemu"}\n')


def abort() -> NoReturn:
    """End as an assertion of QEMU does."""
    sys.stderr.write(MSR_FAILURE)
    sys.stderr.flush()
    os.abort()


def run(real: str, directory: Path, argv: list[str]) -> int:
    """What the written program does."""
    wish = json.loads((directory / "failure.json").read_text())
    if "kvm" not in argv:
        os.execv(real, [real, *argv])
    if wish["how"] == "start":
        abort()
    if wish["how"] == "mute":
        signal.pause()
    argv[argv.index("kvm")] = TCG
    return FailingQemu(real, wish["how"], wish["when"], argv).run()


def main() -> int:
    if sys.argv[1:2] == ["--run"]:
        return run(sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path)
    parser.add_argument("--how", choices=HOWS, default="internal-error", help=str(HOWS))
    parser.add_argument("--when", default="iPXE", help="a regular expression for the serial line")
    arguments = parser.parse_args()
    if (arguments.directory / PROGRAM).exists():
        choose(arguments.directory, how=arguments.how, when=arguments.when)
    else:
        install(arguments.directory, how=arguments.how, when=arguments.when)
    print(f'PATH="{arguments.directory.resolve()}:$PATH"')
    return 0


if __name__ == "__main__":
    sys.exit(main())
