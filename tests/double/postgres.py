"""A PostgreSQL of its own, Debian's, in a private directory: no port is opened, and nothing of it is left."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootos.waiting import wait_for

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
FAST = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "listen_addresses=",
    "max_connections=200",
)


class Postgres:
    """One that runs; each database in it is made when it is asked for."""

    def __init__(self, directory: Path, prefix: list[str]) -> None:
        self._directory = directory
        self._prefix = prefix
        self._count = 0

    def run(self, program: str, *words: str) -> str:
        argv = [*self._prefix, str(PROGRAMS[-1] / program), *words]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=90, cwd="/").stdout

    def make_database(self) -> str:
        """The URL of an empty database."""
        self._count += 1
        name = f"bootos{self._count}"
        self.run("createdb", "-h", str(self._directory), "-U", "tester", name)
        return f"postgresql+psycopg://tester@/{name}?host={self._directory}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """PostgreSQL refuses to run as root, so it runs as its own user then."""
    if not PROGRAMS:
        pytest.skip("Debian's PostgreSQL is not installed: apt-get install postgresql")
    is_root = os.geteuid() == 0
    prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if is_root else []
    directory = Path(tempfile.mkdtemp(prefix="bootos-pg-", dir="/tmp"))
    data = directory / "data"
    try:
        if is_root:
            shutil.chown(directory, "postgres", "postgres")
        database = Postgres(directory, prefix)
        database.run(
            "initdb",
            "-D",
            str(data),
            "-U",
            "tester",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
            "--locale=C.UTF-8",
        )
        options = [word for option in FAST for word in ("-c", option)]
        argv = [*prefix, str(PROGRAMS[-1] / "postgres"), "-D", str(data), "-k", str(directory), *options]
        with (
            (directory / "log").open("wb") as log,
            subprocess.Popen(argv, stdout=log, stderr=log, cwd="/") as server,
        ):
            try:
                socket = directory / ".s.PGSQL.5432"
                wait_for(
                    lambda: socket.exists() or server.poll() is not None, 60, what="the start of PostgreSQL"
                )
                assert server.poll() is None, (directory / "log").read_text()
                yield database
            finally:
                server.send_signal(signal.SIGINT)  # fast shutdown
                server.wait(30)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
