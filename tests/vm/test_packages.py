"""yum, rpm and an added layer in the booted OS: a vendor's chain of RPMs, named on the kernel command line."""

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from rpmchain import CHAIN, PROGRAM, build_repository, find_package

from bootos.image.layers.add import add_packages
from bootos.lab.machine import Machine
from bootos.lab.scenario import Scenario
from bootos.lab.shell import run_in_shell
from bootos.lab.spec import MachineSpec, NicSpec, boot_image
from bootos.repository import build_repo_file

pytestmark = [pytest.mark.vm, pytest.mark.full, pytest.mark.timeout(2400)]

MAC = "52:54:00:aa:00:61"
LATER = "lenovo-hw-tools"
NOWHERE = "http://10.0.2.2:1"  # no server answers there: repositories at the server's own address wait for it


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A vendor's repository, and its address as the machine sees it."""
    directory = build_repository(tmp_path / "repository")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as peer:
        threading.Thread(target=peer.serve_forever, daemon=True).start()
        yield directory, f"http://10.0.2.2:{peer.server_port}"
        peer.shutdown()


@pytest.fixture
def added(image: Path, tmp_path: Path, repository: tuple[Path, str]) -> Path:
    """The image with one package of the chain as a layer; the rest is left to yum."""
    directory = tmp_path / "image"
    directory.mkdir()
    for path in image.iterdir():
        (directory / path.name).symlink_to(path.resolve())
    add_packages(directory, [str(find_package(repository[0], "dell-hw-common"))])
    return directory


def ask(machine: Machine, command: str) -> str:
    """Run a command that must succeed and have nothing to say on stderr; returns what it printed."""
    told = "{ cat /tmp/stderr; false; }"
    code, text = run_in_shell(machine, f"{command} 2> /tmp/stderr && [ ! -s /tmp/stderr ] || {told}", 900)
    assert code == 0, text
    return text


def test_a_vendors_chain_of_rpms_is_installed_by_yum_and_runs(
    added: Path, repository: tuple[Path, str], output: Path
) -> None:
    directory, url = repository
    (directory / "site.repo").write_text(build_repo_file("site", f"{url}/"))
    with Scenario(output / "run") as scenario:
        spec = MachineSpec(
            name="packages",
            nics=(NicSpec(mac=MAC, boot=True),),
            boot=boot_image(
                added,
                append=f"console=ttyS0,115200 SERVER_ADDR={NOWHERE} BOOTIF=01-{MAC.replace(':', '-')} "
                f"REPO={url},{url}/site.repo",
            ),
        )
        machine = scenario.add_machine(spec)
        machine.power_on()
        machine.wait_for_serial("yum repository cmdline-2", 600)
        assert "dell-hw-common-2.1-1.noarch" in ask(machine, "rpm -q dell-hw-common"), "the layer's package"
        assert {"cmdline-1", "site"} <= set(ask(machine, "yum -q repolist").split())
        assert "Complete!" in ask(machine, "yum -y install dell-hw-tools")
        said = ask(machine, PROGRAM)
        assert "model R740" in said and "ipmitool version" in said and "XZ Utils" in said
        ask(machine, f"curl -s -o /tmp/later.rpm {url}/{find_package(directory, LATER).name}")
        assert LATER in ask(machine, "rpm -ivh /tmp/later.rpm")
        asked = ask(machine, f"rpm -q {' '.join(CHAIN)} {LATER}")
        assert all(f"{name}-2.1-1." in asked for name in (*CHAIN, LATER))
        ask(machine, "rpm -Va")
        sources = ask(machine, "cat /etc/apt/sources.list")
        assert "deb [signed-by=" in sources
        ask(machine, "dpkg -s ipmitool")
