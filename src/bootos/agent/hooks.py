"""PRE and POST: fetch a script or a binary and run it, with its output in the log as it comes.

What it is, is told by its content: an ELF file or a script with `#!` is executed, anything else that is text is
given to bash, as the first BootOS did. An optional `#sha256=HEX` on the URL is enforced.
"""

import hashlib
import logging
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urldefrag

import urllib3

from bootos.errors import BootosError
from bootos.process import Runner, run
from bootos.wire.v2 import HookResult

log = logging.getLogger(__name__)

DOWNLOAD_TIMEOUT_S = 60.0
RUN_TIMEOUT_S = 3600.0
TRIES = 5
# e_machine of the ELF header (System V ABI), by platform.machine()
ELF_MACHINES = {"x86_64": 0x3E, "aarch64": 0xB7}


class HookError(BootosError):
    """A hook that cannot be fetched or is nothing that can be run."""


def run_hook(
    name: Literal["PRE", "POST"],
    url: str,
    directory: Path,
    env: Mapping[str, str],
    *,
    runner: Runner = run,
    http: urllib3.PoolManager | None = None,
) -> HookResult:
    """Fetch and run the hook at `url`; never raises for what the hook does: the result says it."""
    log.info("%s hook: fetching %s", name, url)
    try:
        content = fetch_hook(url, http or urllib3.PoolManager())
        argv = write_hook(content, directory / name.lower())
        began = time.monotonic()
        done = runner(
            argv,
            timeout_s=RUN_TIMEOUT_S,
            check=False,
            env=env,
            on_line=lambda line: log.info("%s | %s", name, line),
        )
    except BootosError as error:
        log.error("%s hook failed: %s", name, error)
        return HookResult(name=name, url=url, message=str(error))
    level = logging.INFO if done.returncode == 0 else logging.ERROR
    log.log(
        level, "%s hook ended with exit code %d after %.1f s", name, done.returncode, time.monotonic() - began
    )
    return HookResult(
        name=name,
        url=url,
        exit_code=done.returncode,
        sha256=hashlib.sha256(content).hexdigest(),
        message="" if done.returncode == 0 else f"exit code {done.returncode}",
    )


def fetch_hook(url: str, http: urllib3.PoolManager) -> bytes:
    """The bytes at `url`. Raises HookError: not reachable, HTTP status not 200, empty, wrong sha256."""
    address, fragment = urldefrag(url)
    wanted = parse_qs(fragment).get("sha256", [""])[0].lower()
    retry = urllib3.Retry(
        total=TRIES, backoff_factor=1, status_forcelist=(500, 502, 503, 504), raise_on_status=False
    )
    try:
        answer = http.request("GET", address, timeout=DOWNLOAD_TIMEOUT_S, retries=retry)
    except urllib3.exceptions.HTTPError as cause:
        raise HookError(
            f"{address} cannot be fetched: {cause}", hint="is the server running and reachable?"
        ) from cause
    if answer.status != 200:
        raise HookError(
            f"{address} answered HTTP status {answer.status}", hint="check the URL on the kernel command line"
        )
    if not answer.data:
        raise HookError(f"{address} is empty")
    found = hashlib.sha256(answer.data).hexdigest()
    if wanted and found != wanted:
        raise HookError(f"{address} has sha256 {found}, but {wanted} is asked for; it was not run")
    return bytes(answer.data)


def write_hook(content: bytes, path: Path) -> list[str]:
    """Write the hook to `path` (mode 0700) and return the command that runs it. Raises HookError."""
    if content.startswith(b"\x7fELF"):
        machine = int.from_bytes(content[18:20], "little")
        here = platform.machine()
        if here in ELF_MACHINES and machine != ELF_MACHINES[here]:
            raise HookError(f"the binary is for ELF machine {machine:#x}, this machine is {here}")
        argv = [str(path)]
    elif content.startswith(b"#!"):
        argv = [str(path)]
    elif b"\x00" in content[:4096]:
        raise HookError(
            "it is neither a script nor an ELF binary", hint="a script starts with #!, a binary is ELF"
        )
    else:
        argv = ["/bin/bash", str(path)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o700)
    return argv
