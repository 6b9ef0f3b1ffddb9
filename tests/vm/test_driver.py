"""The documented update of a driver, from source to a booted machine: the card's module is taken out of an image, the
machine names the card; its driver is built from source and added, and the machine registers through it.

A second card shows the other way: its module is a layer that only machines with such a card load from the server. And
the module that stacks the layers themselves is replaced.
"""

import os
import shutil
from pathlib import Path

import pytest
from driver_source import fetch_source, pack_source

from bootos.image.driver.add import add_driver
from bootos.image.driver.index import add_index
from bootos.image.driver.kernel import MODULES
from bootos.image.driver.workshop import read_sources
from bootos.image.layers.core import Image, add_layer, pack_layer, read_image
from bootos.image.layers.overlay import open_root
from bootos.lab.operator import Operator
from bootos.lab.scenario import Scenario
from bootos.lab.shell import run_in_shell
from bootos.lab.spec import MachineSpec, NicSpec, boot_image
from bootos.process import run
from bootos.waiting import wait_for
from bootos.wire.manifest import LayerEntry

pytestmark = [pytest.mark.vm, pytest.mark.full, pytest.mark.timeout(5400)]

ROOT = Path(__file__).parents[2]
CACHE = ROOT / "build/cache"
VERSION = "9.9.9"
BOOT_CARD, OTHER_CARD = "52:54:00:aa:00:31", "52:54:00:aa:00:32"
DOCUMENTED = """\
yum install kernel-devel kernel-headers gcc make rpm-build wget
mkdir -p /root/rpmbuild/SOURCES/
wget -P /root/rpmbuild/SOURCES/ {url}/{name}.tar.gz
tar zxpf /root/rpmbuild/SOURCES/{name}.tar.gz
rpmbuild -bb {name}/{spec}
"""
"""The documentation's commands, word for word but for the source, which is Debian's."""
REALTEK = "kernel/drivers/net/ethernet/realtek"


def take_away(image: Image, paths: list[str], work: Path) -> None:
    """Take module files out of an image, by a layer that hides them."""
    release = image.manifest.kernel_release
    tree = work / "hidden"
    for path in paths:
        hidden = tree / MODULES / release / path
        hidden.parent.mkdir(parents=True, exist_ok=True)
        os.mknod(hidden, 0o20000, os.makedev(0, 0))  # the sign of an overlay that a file is deleted
    pack_layer(tree, work / "hidden.squashfs")
    manifest = add_layer(image, work / "hidden.squashfs", LayerEntry(name="hidden", kind="files"), number=81)
    image = Image(directory=image.directory, manifest=manifest)
    with open_root(image, work / "root") as root:
        add_index(image, root, work)


def copy_out(image: Image, path: str, work: Path) -> Path:
    """One module file of an image."""
    with open_root(image, work) as root:
        return Path(shutil.copy(root / MODULES / image.manifest.kernel_release / path, work.parent))


def take_signature(module: Path) -> Path:
    """The module without what the kernel's build signed it with (include/linux/module_signature.h): the booted kernel
    tells by that which of two equal modules it loaded."""
    content = module.read_bytes()
    length = int.from_bytes(content[-32:-28], "big")
    module.write_bytes(content[: -(28 + 12 + length)])
    return module


def test_a_card_without_a_module_gets_its_driver_from_source(image: Path, output: Path) -> None:
    with Scenario(output / "run") as scenario:
        directory = scenario.directory / "image"
        directory.mkdir()
        for name in ("vmlinuz", "initrd.img", "manifest.json"):
            shutil.copyfile(image / name, directory / name)
        built = read_image(directory)
        release = built.manifest.kernel_release
        work = scenario.directory / "work"
        work.mkdir()
        second = copy_out(built, f"{REALTEK}/8139cp.ko", work / "look")
        intel = "kernel/drivers/net/ethernet/intel/e1000e/e1000e.ko"
        take_away(built, [intel, f"{REALTEK}/8139cp.ko", f"{REALTEK}/8139too.ko"], work)

        server = scenario.start_server(boot_files=directory)
        operator = Operator(server.data)
        spec = MachineSpec(
            name="driver",
            nics=(
                NicSpec(mac=BOOT_CARD, model="e1000e"),
                NicSpec(mac=OTHER_CARD, model="rtl8139", isolated=True),
            ),
            boot=boot_image(
                directory,
                append=f"console=ttyS0,115200 SERVER_ADDR={server.guest_url}",
            ),
        )
        machine = scenario.add_machine(spec)
        machine.power_on()
        machine.wait_for_serial(r"PCI 0000:.* \(8086:10d3\): no kernel module found", 900)
        machine.wait_for_serial(r"PCI 0000:.* \(10ec:8139\): no kernel module found", 60)
        machine.wait_for_serial("waiting for a network interface: none was found", 60)
        machine.power_off()

        driver = fetch_source(release, read_sources(built), ROOT / "build/vm/linux-source")
        tar = pack_source(driver, server.data / "files", VERSION)
        drivers = scenario.directory / "drivers"
        places = ("--image", directory, "--cache", CACHE, "--output")
        walked = DOCUMENTED.format(
            url=f"{server.url}/bootos/files", name=f"e1000e-{VERSION}", spec="e1000e.spec"
        )
        made = operator_words("driver", "shell", *places, drivers, input=walked)
        rpm = drivers / f"e1000e-{VERSION}-1.x86_64.rpm"
        assert rpm.is_file(), made
        made = operator_words("driver", "build", tar, *places, scenario.directory / "again")
        again = scenario.directory / "again" / rpm.name
        assert read_digests(again) == read_digests(rpm), made
        operator_words("driver", "add", directory, rpm, "--cache", CACHE)
        add_driver(directory, second, CACHE, by_hardware=True)
        early = take_signature(copy_out(built, "kernel/fs/overlayfs/overlay.ko", work / "look-again"))
        add_driver(directory, early, CACHE)
        layers = {entry.name: entry for entry in read_image(directory).manifest.layers}
        assert layers["e1000e"].modules == {"e1000e": VERSION}
        assert layers["8139cp"].pci_ids == ("0357:000a", "10ec:8139")

        machine.power_on()
        machine.wait_for_serial(r"layer 8139cp .*\(10ec:8139\) is driven by 8139cp", 900)
        machine.wait_for_serial("waiting for an order", 300)
        found = wait_for(lambda: operator.find_machine(spec.identity.serial), 60, what="the registration")
        cards = {nic["mac"]: nic["driver"] for nic in found["inventory"]["nics"]}
        assert cards == {BOOT_CARD: "e1000e", OTHER_CARD: "8139cp"}
        code, text = run_in_shell(
            machine, "modinfo -F version e1000e; cat /sys/module/e1000e/version; modinfo -n e1000e"
        )
        assert code == 0
        assert text.count(VERSION) >= 2
        assert f"/lib/modules/{release}/updates/drivers/net/ethernet/intel/e1000e/e1000e.ko" in text
        code, text = run_in_shell(machine, "echo taint=$(cat /sys/module/overlay/taint)")
        assert "taint=E" in text, "/init loaded the added overlay, which is not signed"
        code, text = run_in_shell(machine, "ls /lib/modules/$(uname -r)/kernel/drivers/net")
        assert code == 0
        assert "ethernet" in text
        assert "bonding" in text


def operator_words(*words: str | Path, input: str | None = None) -> str:
    """Run `bootos` as an operator does; returns what it printed."""
    program = shutil.which("bootos") or ROOT / ".venv/bin/bootos"
    done = run([program, *words], timeout_s=3600, input=input)
    return done.stdout + done.stderr


def read_digests(rpm: Path) -> str:
    """Paths and SHA-256 of a package's files."""
    return run(
        ["rpm", "--query", "--package", "--queryformat", "[%{FILENAMES} %{FILEDIGESTS}\n]", rpm]
    ).stdout
