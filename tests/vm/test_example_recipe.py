"""The worked example of docs/image-recipe.md is built and booted once; each of its settings is looked for in there."""

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bootos.errors import BootosError
from bootos.image.content import list_files
from bootos.image.layers.core import Image, read_image
from bootos.image.segment import read_segments
from bootos.lab.machine import Machine
from bootos.lab.network import LabNetwork
from bootos.lab.scenario import Scenario
from bootos.lab.shell import PROMPT
from bootos.lab.spec import KernelBoot, MachineSpec, NicSpec
from bootos.process import Completed, run
from bootos.waiting import wait_for

pytestmark = [pytest.mark.vm, pytest.mark.full, pytest.mark.timeout(2 * 3600)]

PROJECT = Path(__file__).parents[2]
EXAMPLE = PROJECT / "recipes/example"
MAC = "52:54:00:aa:00:71"
ADDRESS = "10.91.0.50"
PASSWORD = "not-a-secret"
SERIAL = "RACK-0042"
BOOT_S = 900.0


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """The built example, with a key and a password of the test."""

    image: Image
    key: Path
    password_hash: str


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    work = tmp_path_factory.mktemp("site")
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", work / "key"])
    password_hash = run(["openssl", "passwd", "-6", "-stdin"], input=PASSWORD).stdout.strip()
    (work / "recipe.toml").write_text(
        f'include = ["{EXAMPLE}/rack.toml"]\n[system]\nroot_password_hash = "{password_hash}"\n'
        f'ssh_keys = ["{(work / "key.pub").read_text().strip()}"]\n'
    )
    build: list[str | Path] = [
        sys.executable,
        "-m",
        "bootos.cli",
        "image",
        "build",
        "--recipe",
        work / "recipe.toml",
    ]
    run([*build, "--output", work / "image"], cwd=PROJECT, timeout_s=3600)
    return Site(image=read_image(work / "image"), key=work / "key", password_hash=password_hash)


def test_the_recipe_decides_what_is_in_the_image(site: Site) -> None:
    manifest = site.image.manifest
    assert (manifest.name, manifest.firmware_files) == ("rack", 0)
    assert "tcpdump" in manifest.packages and "dropbear-bin" in manifest.packages
    assert "gdisk" not in manifest.packages
    assert "~bpo" in manifest.packages[f"linux-image-{manifest.kernel_release}"], "the kernel of backports"
    paths = list_files(site.image.initrd)
    assert not [path for path in paths if path.endswith("/nd_pmem.ko")], "of drivers/nvdimm"
    assert "/usr/sbin/parted" not in paths and "/usr/sbin/fdisk" in paths


def test_microcode_comes_first_and_uncompressed_as_the_kernel_needs_it(site: Site) -> None:
    """Documentation/arch/x86/microcode.rst; the marks are the first bytes of AMD's and of Intel's own files."""
    first = read_segments(site.image.initrd)[0]
    assert (first.name, first.offset) == ("microcode", 0)
    content = site.image.initrd.read_bytes()[: first.size_bytes]
    assert content.startswith(b"070701")
    for name, mark in (("AuthenticAMD", b"DMA\0"), ("GenuineIntel", b"\1\0\0\0")):
        path = f"kernel/x86/microcode/{name}.bin\0".encode()
        start = content.index(path)
        data = start - 110 + (110 + len(path) + 3) // 4 * 4
        assert content[data : data + 4] == mark, name


@pytest.fixture(scope="module")
def booted(site: Site, output: Path) -> Iterator[tuple[Machine, LabNetwork]]:
    with Scenario(output / "run") as scenario:
        network = scenario.add_network()
        spec = MachineSpec(
            name="rack",
            nics=(NicSpec(mac=MAC, boot=True),),
            identity=msgspec.structs.replace(MachineSpec().identity, serial=SERIAL),
            boot=KernelBoot(
                kernel=str(site.image.directory / "vmlinuz"),
                initrd=str(site.image.initrd),
                append=f"console=ttyS0,115200 SERVER_ADDR=http://{network.address}:9 BOOTIF=01-{MAC} "
                f"ip={ADDRESS}::{network.address}:255.255.255.0",
            ),
        )
        machine = scenario.add_machine(spec, network=network)
        machine.power_on()
        machine.wait_for_serial(rf"{network.address}:9 does not answer", BOOT_S)
        yield machine, network


def try_ssh(network: LabNetwork, command: str, *options: str) -> Completed:
    argv = [*network.prefix, "ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"]
    argv += [
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "LogLevel=ERROR",
        "-o",
        "ConnectTimeout=60",
        *options,
    ]
    return run([*argv, f"root@{ADDRESS}", command], timeout_s=180, check=False)


def test_each_setting_is_found_in_the_machine_that_a_key_lets_in(
    site: Site, booted: tuple[Machine, LabNetwork]
) -> None:
    _, network = booted
    key = ("-i", str(site.key), "-o", "IdentitiesOnly=yes")

    def ask(command: str) -> str:
        done = try_ssh(network, command, *key)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    wait_for(lambda: try_ssh(network, "true", *key).returncode == 0, 300, what="a login by the key")
    assert ask("uname -r") == site.image.manifest.kernel_release
    assert ask("cat /etc/motd") == (EXAMPLE / "files/etc/motd").read_text().strip()
    assert ask("cat /run/site-serial") == SERIAL, "the site's unit ran"
    tools = ask("cat /etc/site-tools").split()
    assert "fdisk" in tools and "parted" not in tools, "the site's script ran when the image was built"
    assert ask("ls /tmp") == ask("ls /usr/sbin/parted 2> /dev/null || true") == ""
    trusted = "import ssl; print([c['subject'] for c in ssl.create_default_context().get_ca_certs()])"
    assert "Example Site CA" in ask(f'python3 -c "{trusted}"')
    shadow = dict(line.split(":")[:2] for line in ask("cat /etc/shadow").splitlines())
    assert shadow.pop("root") == site.password_hash
    assert set(shadow.values()) == {"*"}


def test_a_password_does_not_let_in_over_the_network(booted: tuple[Machine, LabNetwork]) -> None:
    refused = try_ssh(booted[1], "true", "-o", "PubkeyAuthentication=no", "-o", "IdentitiesOnly=yes")
    assert refused.returncode == 255 and "Permission denied (publickey)" in refused.stderr, refused.stderr


def test_the_console_asks_for_the_password_before_it_gives_a_shell(
    booted: tuple[Machine, LabNetwork],
) -> None:
    machine, _ = booted
    assert answer(machine, "wrong", "Login incorrect")
    assert answer(machine, PASSWORD, PROMPT)


def answer(machine: Machine, password: str, wanted: str) -> bool:
    """Press Enter until a password is asked for, and type it until the console says what is wanted: what is typed
    before it has turned its echo off may be lost."""
    seen = len(machine.serial.lines)

    def is_said(pattern: str) -> bool:
        try:
            machine.wait_for_serial(pattern, 20, after=seen)
        except BootosError:
            return False
        return True

    def is_asked() -> bool:
        machine.type_text("\r")
        return is_said("Control-D to continue")

    def is_answered() -> bool:
        machine.type_text(f"{password}\r")
        return is_said(wanted)

    wait_for(is_asked, 120, what="the console asks for a password")
    return wait_for(is_answered, 120, what=f"the console says {wanted!r}")
