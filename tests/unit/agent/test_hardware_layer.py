"""Drivers that a server has for some machines: chosen by device, checked, laid in, loaded; never a reason to stop.

The tools are executables on PATH that do what the real ones do to a small tree: `mount` shows the layer's content,
`modprobe` binds the device.
"""

import hashlib
import http.server
import json
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bootos.agent.hardware_layer import choose_layers, load_hardware_layers
from bootos.agent.host.host import Host
from bootos.agent.network.uplink import Uplink
from bootos.agent.session.client import Client
from bootos.drivers.contract import Machine
from bootos.hardware.pci import parse_uevent
from bootos.process import Completed, run
from bootos.wire import v2
from bootos.wire.inventory import PciDevice

RELEASE = os.uname().release
CONTENT = b"squashfs of the layer"
ALIAS = "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00"
UEVENT = "PCI_CLASS=20000\nPCI_ID=8086:10D3\nPCI_SUBSYS_ID=8086:A01F\n"

TOOLS = {
    "mount": 'for place in "$@"; do :; done; cp -a {layer}/. "$place/"',
    "umount": 'rm -r "$1"/* ',
    "depmod": "cd {root}/usr/lib/modules/$1; echo new | tee modules.dep > modules.builtin.bin",
    "modprobe": (
        'case "$*" in *--remove*) sed -i /DRIVER/d {uevent};; '
        "*pci:v00008086*) [ -e {root}/usr/lib/modules/*/updates/e1000e.ko ] && sed -i 1iDRIVER=e1000e {uevent};; esac"
    ),
    "udevadm": ":",
}


def build_offer(**more: Any) -> v2.LayerOffer:
    fields: dict[str, Any] = {
        "name": "e1000e",
        "path": "layers/e1000e.squashfs",
        "size_bytes": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "pci_ids": ["8086:10d3"],
        "kernel_release": RELEASE,
        "modules": {"e1000e": "9.9"},
    }
    return v2.LayerOffer(**{**fields, **more})


class Server:
    """Offers layers, and hands out the one file."""

    def __init__(self) -> None:
        self.offers: Any = []
        self.status = 200
        self.content = CONTENT
        self.asked: list[str] = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            disable_nagle_algorithm = True  # head and body are two writes: the second would wait for an ACK

            def do_GET(self) -> None:
                server.asked.append(self.path)
                body = server.content
                if self.path == "/api/v2/agent/layers":
                    body = json.dumps(server.offers).encode()
                self.send_response(server.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def offer(self, *offers: v2.LayerOffer) -> None:
        import msgspec

        self.offers = [msgspec.to_builtins(item) for item in offers]

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


class Tree:
    """A machine with one network card that nothing drives."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "root"
        self.log = directory / "calls"
        self.log.touch()
        device = self.root / "sys/bus/pci/devices/0000:00:03.0"
        device.mkdir(parents=True)
        self.uevent = device / "uevent"
        self.uevent.write_text(UEVENT)
        (device / "modalias").write_text(f"{ALIAS}\n")
        self.modules = self.root / "usr/lib/modules" / RELEASE
        self.modules.mkdir(parents=True)
        (self.modules / "modules.builtin.bin").write_text("old\n")
        module = directory / "layer/usr/lib/modules" / RELEASE / "updates/e1000e.ko"
        module.parent.mkdir(parents=True)
        module.write_text("module")
        self.programs = directory / "bin"
        self.programs.mkdir()
        for name, body in TOOLS.items():
            text = body.format(layer=directory / "layer", uevent=self.uevent, root=self.root)
            (self.programs / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {self.log}\n{text}\n')
            (self.programs / name).chmod(0o755)
        self.host = Host(Machine(run=self.run, root=self.root), "boot")

    def run(self, argv: Sequence[str | os.PathLike[str]], **options: Any) -> Completed:
        return run(argv, **{**options, "env": {"PATH": f"{self.programs}:{os.environ['PATH']}"}})

    @property
    def calls(self) -> list[str]:
        return [line.split()[0] for line in self.log.read_text().splitlines()]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def parse(ids: str) -> PciDevice:
    device = parse_uevent("0000:00:03.0", f"PCI_CLASS=20000\nPCI_ID={ids}\n")
    assert device is not None
    return device


@pytest.mark.parametrize(
    ("more", "chosen"),
    [
        ({}, True),
        ({"kernel_release": ""}, True),
        ({"kernel_release": "5.14.0"}, False),
        ({"pci_ids": ["8086:1521", "8086:10d3"]}, True),
        ({"pci_ids": ["8086:1521"]}, False),
        ({"pci_ids": []}, False),
    ],
)
def test_a_layer_is_for_its_devices_and_its_kernel(more: dict[str, Any], chosen: bool) -> None:
    assert bool(choose_layers([build_offer(**more)], [parse("8086:10D3")], RELEASE)) is chosen


def test_a_layer_is_laid_in_and_its_device_driven(
    server: Server, tree: Tree, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server.offer(build_offer())
    assert load_hardware_layers(tree.host, Client(server.url))
    assert (tree.modules / "updates/e1000e.ko").read_text() == "module"
    assert (tree.modules / "modules.dep").read_text() == "new\n"
    assert (tree.modules / "modules.builtin.bin").read_text() == "old\n"
    assert "layer e1000e (e1000e 9.9): PCI 0000:00:03.0 device (8086:10d3) is driven by e1000e" in caplog.text
    assert list(tree.host.directory.glob("**/*.squashfs*")) == []
    assert tree.calls[-1] == "udevadm"


def test_a_layer_is_laid_in_once(server: Server, tree: Tree) -> None:
    server.offer(build_offer())
    assert load_hardware_layers(tree.host, Client(server.url))
    assert not load_hardware_layers(tree.host, Client(server.url))
    assert tree.calls.count("mount") == 1


def test_a_file_that_is_not_the_one_announced_is_not_used(
    server: Server, tree: Tree, caplog: pytest.LogCaptureFixture
) -> None:
    server.offer(build_offer())
    server.content = b"squashfs of the laver"
    assert not load_hardware_layers(tree.host, Client(server.url))
    assert "layer e1000e is not used" in caplog.text
    assert "sha256" in caplog.text
    assert tree.calls == []


def test_the_module_of_the_card_in_use_is_left_alone(
    server: Server, tree: Tree, caplog: pytest.LogCaptureFixture
) -> None:
    tree.uevent.write_text(f"DRIVER=e1000e\n{UEVENT}")
    card = tree.root / "sys/class/net/eth0"
    card.mkdir(parents=True)
    (card / "device").symlink_to(tree.uevent.parent)
    tree.host.uplink = Uplink(name="eth0", mac="52:54:00:00:00:01", address="10.0.0.2")
    server.offer(build_offer())
    assert load_hardware_layers(tree.host, Client(server.url))
    assert "--remove" not in tree.log.read_text()
    assert "its layer belongs into the initrd" in caplog.text


@pytest.mark.parametrize("status", [404, 500])
def test_a_server_that_has_none_keeps_nobody(server: Server, tree: Tree, status: int) -> None:
    server.status = status
    assert not load_hardware_layers(tree.host, Client(server.url))
    assert not load_hardware_layers(tree.host, Client("http://127.0.0.1:1"))
    assert tree.calls == []


def test_without_the_device_nothing_is_fetched(server: Server, tree: Tree) -> None:
    server.offer(build_offer(pci_ids=["8086:1521"]))
    assert not load_hardware_layers(tree.host, Client(server.url))
    assert server.asked == ["/api/v2/agent/layers"]
