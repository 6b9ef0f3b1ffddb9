"""PRE and POST: fetch a script or a binary and run it, with its output in the log as it comes.

What it is, is told by its content (`write_hook`). What a failure means is the policy of `PRE_ON_ERROR` and
`POST_ON_ERROR`, which `run_given_hook` says and its callers (`sequence`, `job`, `cloudboot.flow`) follow.
"""

import hashlib
import io
import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import urllib3

from bootos.agent.hook.file import HookError, write_hook
from bootos.agent.host.cmdline import find_hook_fault, split_sha256
from bootos.agent.host.host import Host, build_hook_environment
from bootos.errors import BootosError
from bootos.fetch import PAUSES_S, FetchError, fetch_into, find_passwords, mask_url
from bootos.masking import Masker
from bootos.process import Runner, run
from bootos.waiting import CLOCK, Clock
from bootos.wire.v2 import HookResult

log = logging.getLogger(__name__)

DOWNLOAD_TIMEOUT_S = 120.0  # for one try, with the whole body
MOST_BYTES = 512 * 2**20
SAY_EVERY_S = 60.0


def run_given_hook(name: Literal["PRE", "POST"], host: Host, job_id: str | None) -> HookResult | None:
    """Run the hook of the kernel command line, if there is one, and remember its result in `Host.hooks`."""
    url = host.cmdline.pre if name == "PRE" else host.cmdline.post
    if url is None:
        return None
    result = run_hook(
        name,
        url,
        host.directory / "hooks",
        build_hook_environment(host, job_id),
        timeout_s=host.cmdline.hook_timeout_s,
        http=host.http,
        clock=host.clock,
    )
    host.hooks[name] = result
    if result.exit_code != 0:
        key = f"{name}_ON_ERROR"
        if is_stopping(host, result):
            log.error("the %s hook failed, and %s=stop: nothing is configured", name, key)
        else:
            log.error("the %s hook failed; going on regardless (%s=stop would stop here)", name, key)
    return result


def is_stopping(host: Host, result: HookResult | None) -> bool:
    """Whether this result is a failure that ends a job."""
    if result is None or result.exit_code == 0:
        return False
    return (host.cmdline.pre_on_error if result.name == "PRE" else host.cmdline.post_on_error) == "stop"


def describe_failure(result: HookResult) -> str:
    """One sentence for people: which hook failed, its URL, and why."""
    return f"the {result.name} hook {result.url} failed: {result.message}"


def run_hook(
    name: Literal["PRE", "POST"],
    url: str,
    directory: Path,
    env: Mapping[str, str],
    *,
    timeout_s: float = 3600.0,
    runner: Runner = run,
    http: urllib3.PoolManager | None = None,
    clock: Clock = CLOCK,
) -> HookResult:
    """Fetch and run the hook at `url`; never raises for what the hook does: the result says it."""
    shown, secrets = mask_url(url), find_passwords(url)
    log.info("%s hook: fetching %s", name, shown)
    sha256 = None
    try:
        content = fetch_hook(url, http or urllib3.PoolManager(retries=False), clock=clock)
        sha256 = hashlib.sha256(content).hexdigest()
        argv = write_hook(content, directory / name.lower())
        began = time.monotonic()
        with saying_that_it_runs(name, timeout_s):
            done = runner(
                argv,
                timeout_s=timeout_s,
                check=False,
                env=env,
                secrets=secrets,
                on_line=lambda line: log.info("%s | %s", name, line),
            )
    except (BootosError, OSError) as error:
        hint = getattr(error, "hint", "")
        message = Masker(secrets).text(f"{error} ({hint})" if hint else str(error))
        log.error("%s hook failed: %s", name, message)
        return HookResult(name=name, url=shown, sha256=sha256, message=message)
    level = logging.INFO if done.returncode == 0 else logging.ERROR
    took_s = time.monotonic() - began
    log.log(level, "%s hook ended with exit code %d after %.1f s", name, done.returncode, took_s)
    message = "" if done.returncode == 0 else f"exit code {done.returncode}"
    return HookResult(name=name, url=shown, exit_code=done.returncode, sha256=sha256, message=message)


@contextmanager
def saying_that_it_runs(name: str, timeout_s: float) -> Iterator[None]:
    """Log once a minute that the hook still runs, so that a hook that hangs is noticed."""
    ended = threading.Event()
    began = time.monotonic()

    def say() -> None:
        while not ended.wait(SAY_EVERY_S):
            ran_s = time.monotonic() - began
            log.warning(
                "the %s hook still runs after %.0f s; it is ended after %.0f s", name, ran_s, timeout_s
            )

    thread = threading.Thread(target=say, name="hook", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()


def fetch_hook(
    url: str, http: urllib3.PoolManager, pauses_s: Sequence[float] = PAUSES_S, clock: Clock = CLOCK
) -> bytes:
    """The bytes at `url`. Raises HookError: not reachable, HTTP status not 200, empty, too large, wrong sha256."""
    fault = find_hook_fault(url)
    if fault is not None:
        raise HookError(f"{fault}; nothing was run")
    address, wanted = split_sha256(url)
    content = io.BytesIO()
    try:
        found, _ = fetch_into(
            address,
            content,
            most_bytes=MOST_BYTES,
            timeout_s=DOWNLOAD_TIMEOUT_S,
            http=http,
            pauses_s=pauses_s,
            clock=clock,
        )
    except FetchError as error:
        raise HookError(str(error), hint=error.hint) from error
    if wanted and found != wanted:
        shown = mask_url(address)
        raise HookError(f"{shown} has sha256 {found}, but {wanted} is asked for; it was not run")
    return content.getvalue()
