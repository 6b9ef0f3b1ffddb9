"""Opens the database and hands out transactions; runs the migrations at start.

Sessions are synchronous and short, and run in threads. `Store.write` tells the `Hub` what changed once the
transaction is committed. On SQLite all writers of this process take turns at one lock, which is fair where
SQLite's own busy wait is not; other databases lock rows (`with_for_update`).
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError
from sqlalchemy.orm import Session

from bootos.errors import BootosError
from bootos.server.store.backup import back_up, find_copy, migrating
from bootos.server.store.hold import ALIVE, Hold
from bootos.waiting import CLOCK, Clock

log = logging.getLogger(__name__)

# More connections than threads that may ask at once (Litestar's 40, asyncio's own, and the operator's pages).
POOL: dict[str, Any] = {"pool_size": 20, "max_overflow": 60, "pool_pre_ping": True}
MIGRATIONS = Path(__file__).parent / "migrations"


class WriteSession(Session):
    """A transaction that may change things. `touch` names what changed, `after_commit` runs what must only
    happen then (removing a file), `after_rollback` takes back what had to happen before."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.touched: set[str] = set()
        self.actions: list[Callable[[], object]] = []
        self.undone = ExitStack()

    def touch(self, *topics: str) -> None:
        """Name what changed; who waits for it is woken after the commit."""
        self.touched.update(topics)

    def after_commit(self, action: Callable[[], object]) -> None:
        """Call this once the transaction is committed; not at all when it is rolled back."""
        self.actions.append(action)

    def after_rollback(self, action: Callable[[], object]) -> None:
        """Call this if the transaction is not committed, before another writer has its turn; the last one first."""
        self.undone.callback(action)


class Store:
    """The database. `publish` gets the touched topics after each commit, in the thread of the writer."""

    def __init__(
        self,
        engine: Engine,
        publish: Callable[[set[str]], None] = lambda topics: None,
        *,
        hold: Hold | None = None,
    ) -> None:
        self.engine = engine
        self.publish = publish
        self._hold = hold
        self._turn = threading.Lock() if engine.dialect.name == "sqlite" else nullcontext()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that is never committed, so it changes nothing; objects stay readable after its end."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[WriteSession]:
        """A transaction; committed at the end of the block, rolled back when it raises. Once it is committed, every
        action is done and who waits is woken, even when one of the actions raises; that is raised at the end. Raises
        HoldLostError while the database is not this process's alone."""
        if self._hold is not None:
            self._hold.check()
        with (
            self._turn,
            WriteSession(self.engine, expire_on_commit=False) as session,
            session.undone,
        ):
            session.connection(execution_options={"bootos_write": True})
            yield session
            try:
                session.commit()
            except BaseException:
                # SQLAlchemy takes the transaction for ended, where SQLite keeps it open, and its lock.
                session.invalidate()
                raise
            session.undone.pop_all()
        with ExitStack() as last:  # the other way round
            if session.touched:
                last.callback(self.publish, session.touched)
            for action in reversed(session.actions):
                last.callback(action)

    def keep(self) -> None:
        """Keep the database for this process; to be called every few seconds. Raises BootosError when another process
        has it: this one has to end."""
        if self._hold is not None:
            self._hold.keep()

    def close(self) -> None:
        """Give the connections back, and the database free for another process."""
        if self._hold is not None:
            self._hold.release()
        self.engine.dispose()


def open_store(url: str, *, clock: Clock = CLOCK) -> Store:
    """The database of this URL, brought up to date. Raises BootosError with what to do."""
    try:
        parsed = make_url(url)
        is_libpq = parsed.get_dialect().driver in ("psycopg", "psycopg2")
        engine = create_engine(parsed, connect_args=ALIVE if is_libpq else {}, **POOL)
    except (ArgumentError, NoSuchModuleError) as cause:
        raise BootosError(
            f"the database URL is not usable: {cause}",  # without the URL, which may have a password in it
            hint="use sqlite:////path/bootos.db or postgresql+psycopg://user@host/name",
        ) from cause
    except ModuleNotFoundError as cause:
        package = "'psycopg[binary]'" if cause.name == "psycopg" else cause.name
        raise BootosError(
            f"the database driver {cause.name} is not installed", hint=f"pip install {package}"
        ) from None
    if engine.dialect.name == "sqlite":
        _configure_sqlite(engine)
        _make_private(parsed.database or "")
    hold = Hold(engine, clock) if engine.dialect.name == "postgresql" else None
    try:
        if hold is not None:
            hold.take()
        with migrating(engine, clock):
            _migrate(engine)
    except DatabaseError as cause:
        reason = str(cause.orig or cause).strip()
        raise BootosError(
            f"the database {parsed.render_as_string(hide_password=True)} cannot be used: {reason}",
            hint="check that it exists, is a database, and may be written by this user",
        ) from cause
    return Store(engine, hold=hold)


def _make_private(name: str) -> None:
    """A database that is made now is its user's alone, as are the journals beside it, which get its mode. It holds
    scripts of Cloudboot v1 with passwords in clear text. One that is there keeps the mode that the site gave it."""
    if name and name != ":memory:" and not name.startswith("file:"):
        with suppress(OSError):  # it is there, or SQLite tells why it cannot be opened
            # O_EXCL: closing one that is open elsewhere in this process would end SQLite's locks of it (POSIX, fcntl).
            os.close(os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _configure_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # the sqlite3 module begins no transactions; that is done below
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout=15000")
        cursor.execute("PRAGMA journal_mode=WAL")
        # FULL: a report is on the disk before it is answered. If it were lost after a power cut, the job would stay
        # open.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Any) -> None:
        write = connection.get_execution_options().get("bootos_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)
    with engine.connect() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
    if present is not None:
        try:
            script.get_revision(present)
        except CommandError:
            copy = find_copy(engine, present)
            other = (
                f"put back the copy that it made first, {copy}: docs/server.md, Copies and upgrades"
                if copy is not None
                else "restore a backup made before the upgrade"
            )
            raise BootosError(
                f"the database is newer than this program (its schema is {present}, "
                f"this program knows up to {script.get_current_head()})",
                hint=f"use the newer bootos that wrote it, or {other}",
            ) from None
    if present == script.get_current_head():
        return
    head = str(script.get_current_head())
    log.info("bringing the database from schema %s to %s", present or "none", head)
    if present is not None:
        back_up(engine, head)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
