"""The shell for a driver's own instructions: the built image's root stands for the clean root, which takes minutes to
make (tests/vm/test_driver.py has the real one)."""

import json
import os
import sys
from pathlib import Path

import pytest

from bootos.image.layers.core import read_image
from bootos.image.layers.overlay import open_root
from bootos.process import Completed, run

IMAGE = Path(__file__).parents[3] / "build/image"
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root"),
    pytest.mark.skipif(not (IMAGE / "manifest.json").exists(), reason="no image is built (make image)"),
    pytest.mark.timeout(300),
]

WORK = """\
import sys
from pathlib import Path
import msgspec
from bootos.image.driver.shell import work_in_shell
worked = work_in_shell(Path(sys.argv[1]), "6.0.0-test", Path(sys.argv[2]), to_stderr=True)
sys.stdout.write(msgspec.json.encode(worked, enc_hook=str).decode())
"""
BUILT = "mkdir -p rpmbuild/RPMS/x86_64; echo built > rpmbuild/RPMS/x86_64/igb-5.3.2-1.x86_64.rpm\n"


def work(tmp_path: Path, commands: str) -> Completed:
    """Run commands as `bootos driver shell < FILE` does."""
    with open_root(read_image(IMAGE), tmp_path / "clean/work") as root:
        done = run([sys.executable, "-c", WORK, root, tmp_path / "out"], input=commands, timeout_s=120)
        assert not (root / "root/rpmbuild").exists(), "the clean root itself was written"
    return done


def test_commands_run_in_roots_home_and_what_they_built_is_kept(tmp_path: Path) -> None:
    done = work(tmp_path, f"{BUILT}pwd; echo $KVER\n")
    worked = json.loads(done.stdout)
    rpm = tmp_path / "out/igb-5.3.2-1.x86_64.rpm"
    assert worked == {"rpms": [str(rpm)], "kernel_release": "6.0.0-test", "exit_code": 0}
    assert rpm.read_text() == "built\n"
    assert "/root\n6.0.0-test\n" in done.stderr


def test_the_first_command_that_fails_is_the_last_and_the_rpms_are_kept(tmp_path: Path) -> None:
    done = work(tmp_path, f"{BUILT}sh -c 'exit 7'\necho not reached\n")
    worked = json.loads(done.stdout)
    assert worked["exit_code"] == 7
    assert len(worked["rpms"]) == 1
    assert "not reached" not in done.stderr


def test_names_are_resolved_as_on_the_host_and_devices_are_there(tmp_path: Path) -> None:
    done = work(tmp_path, "cat /etc/hosts; head -c 4 /dev/zero | wc -c; ls /dev/fd/0\n")
    assert json.loads(done.stdout)["exit_code"] == 0
    assert Path("/etc/hosts").read_text().splitlines()[0] in done.stderr
    assert "\n4\n/dev/fd/0\n" in done.stderr
