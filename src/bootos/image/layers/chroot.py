"""Run the image's own programs in its open root: dpkg, apt, rpm, dnf. What they need of a running system is mounted,
and nothing of that, nor of what they leave in /tmp and /run, becomes part of a layer.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bootos.image.squash import SOURCE_DATE
from bootos.process import Completed, run

DEVICES = ("null", "zero", "full", "random", "urandom")
PLACE = "run/bootos-add"
"""Where in the root the given packages and repositories are seen."""
POLICY = "usr/sbin/policy-rc.d"
ENVIRONMENT = {
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "TMPDIR": "/tmp",
    "TZ": "UTC",
    "DEBIAN_FRONTEND": "noninteractive",
    "SOURCE_DATE_EPOCH": SOURCE_DATE,  # rpm's databases and packages are then the same in each build
}

APART = ("unshare", "--net", "--pid", "--fork", "--kill-child")
"""Before a command: no network, and what it left behind ends with it."""
PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")


@contextmanager
def prepare_chroot(root: Path) -> Iterator[None]:
    """Mount proc, a few devices and empty /run and /tmp; names are resolved as on the host; no service is started."""
    with ExitStack() as stack:
        for name in ("run", "tmp", "var/tmp", "dev"):
            (root / name).mkdir(parents=True, exist_ok=True)
            _mount(
                stack,
                ["-t", "tmpfs", "-o", "mode=1777" if "tmp" in name else "mode=0755", "tmpfs"],
                root / name,
            )
        (root / "proc").mkdir(exist_ok=True)
        _mount(stack, ["-t", "proc", "proc"], root / "proc")
        for name in DEVICES:
            (root / "dev" / name).touch()
            _mount(stack, ["--bind", f"/dev/{name}"], root / "dev" / name)
        (root / "dev/fd").symlink_to("/proc/self/fd")
        (root / PLACE).mkdir()
        (root / "run/bootos").mkdir()
        if Path("/etc/resolv.conf").exists():
            shutil.copyfile("/etc/resolv.conf", root / "run/bootos/resolv.conf")
        # invoke-rc.d asks this file before it starts a service. Without it, and without a running systemd, SysV
        # scripts start.
        policy = root / POLICY
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        stack.callback(policy.unlink)
        yield


def bind_directory(stack: ExitStack, root: Path, directory: Path, name: str) -> str:
    """Show a directory of the host in the root, read-only; returns its path there."""
    target = root / PLACE / name
    target.mkdir(parents=True)
    _mount(stack, ["--bind", "-o", "ro", directory.resolve()], target)
    return f"/{PLACE}/{name}"


def run_inside(
    root: Path,
    argv: Sequence[str],
    *,
    timeout_s: float = 600.0,
    check: bool = True,
    input: str | None = None,
    on_line: Callable[[str], None] | None = None,
    network: bool = True,
) -> Completed:
    """Run a command in the prepared root, with nothing of the host's environment but its proxies; without `network`,
    not even these."""
    proxies = {key: value for key, value in os.environ.items() if network and key.lower() in PROXIES}
    env = [f"{key}={value}" for key, value in {**ENVIRONMENT, **proxies}.items()]
    argv = [*(() if network else APART), "chroot", os.fspath(root), "/usr/bin/env", "-i", *env, *argv]
    secrets = list(proxies.values())
    return run(argv, timeout_s=timeout_s, check=check, input=input, secrets=secrets, on_line=on_line)


def _mount(stack: ExitStack, what: Sequence[str | Path], target: Path) -> None:
    run(["mount", *what, target])
    # --lazy: a process that a package has started may still have files open.
    stack.callback(run, ["umount", "--lazy", target], timeout_s=30)
