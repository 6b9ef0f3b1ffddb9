"""`bootos serve` as a process of its own, and the fixture that ends it."""

import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from serving import Running

from bootos.process import Child, start
from bootos.server.command.site import find_site
from bootos.server.settings import Settings
from bootos.waiting import wait_for

BOOTOS = [sys.executable, "-m", "bootos.cli"]


class Process:
    """`bootos serve` on one data directory, started as often as a test wants."""

    def __init__(self, root: Path) -> None:
        self.data = root / "data"
        self.log = root / "server.log"
        self.listen = "127.0.0.1:0"
        self.child: Child | None = None

    def start(self, *more: str) -> Running:
        self.log.unlink(missing_ok=True)
        argv: list[str | Path] = [*BOOTOS, "serve", "--data", self.data, "--listen", self.listen]
        argv += ["--operator-listen", "127.0.0.1:0", "--no-tftp"]
        argv += ["--enrol", "open", "--plain-secrets", *more]
        self.child = start(argv, log_path=self.log)
        found = wait_for(self._find_address, 60, what=f"the server's start ({self.log})", pause_s=0.05)
        self.listen = found[1]
        settings = Settings(data=self.data)
        token = settings.token_file.read_text().strip()
        operator_url = find_site("", self.data).url
        running = Running(Remote(settings, token), f"http://{self.listen}", operator_url)  # type: ignore[arg-type]
        running._pool = urllib3.PoolManager(
            retries=urllib3.Retry(5, backoff_factor=0.2), timeout=30, ssl_context=running.site.build_tls()
        )
        assert running.call("GET", "/api/v2/agent/").status == 200
        return running

    def _find_address(self) -> re.Match[str] | None:
        assert self.child is not None
        assert self.child.poll() is None, self.log.read_text()
        return re.search(
            r"listening on http://(\S+) for machines", self.log.read_text() if self.log.exists() else ""
        )

    def kill(self) -> None:
        assert self.child is not None
        self.child.signal(signal.SIGKILL)
        self.child.wait(10)


class Remote:
    """What `Running` needs of a server in another process."""

    def __init__(self, settings: Settings, token: str) -> None:
        self.settings = settings
        self.operator_token = token


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path)
    yield process
    if process.child is not None:
        process.child.stop()
