"""Keeps a PostgreSQL database for one process: an advisory lock of a connection that stays open as long as the server
runs. `engine` takes it at the start, `serve` has it looked after; a write is refused while it is not there.
"""

import logging
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from bootos.errors import BootosError
from bootos.server.fault import RequestError
from bootos.waiting import Clock, find_within

log = logging.getLogger(__name__)

WAIT_S, PAUSE_S = 5.0, 0.2
KEY = 0x626F6F746F73  # of the advisory lock: `bootos` in ASCII
# A connection whose other end is gone without a word is given up after some 20 s (libpq's words for TCP's options).
ALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2, "tcp_user_timeout": 20_000}
# PostgreSQL looks at its own end as often, so that a host without power does not keep the lock for hours.
ALIVE_THERE = text(
    "SELECT set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '5', false), "
    "set_config('tcp_keepalives_count', '2', false)"
)
WHO = text("SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()")
END = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = :pid AND backend_start = :backend_start"
)


class HoldLostError(RequestError):
    """The database is not this process's alone at present."""

    status = 503


class Hold:
    """The lock of one process. `take` it before anything is read; `keep` it every few seconds."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._connection: Connection | None = None
        self._backend: dict[str, Any] | None = (
            None  # PostgreSQL's end of the connection that has, or had, the lock
        )

    def take(self) -> None:
        """Have the lock, by PostgreSQL's pg_try_advisory_lock. A connection of this process that had it before is ended
        there: PostgreSQL may not know that it is lost. Raises BootosError while another process has the lock, and
        SQLAlchemyError when there is no database."""
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()  # it is none of the pool, which would give it to others
        lock = text("SELECT pg_try_advisory_lock(:key)")

        def is_taken() -> bool:
            return bool(connection.scalar(lock, {"key": KEY}))

        try:
            connection.execute(ALIVE_THERE)
            backend = dict(connection.execute(WHO).mappings().one())
            if self._backend is not None:
                connection.execute(END, self._backend)
            # PostgreSQL takes a moment to see that a process was killed which had it.
            taken = find_within(is_taken, WAIT_S, pause_s=PAUSE_S, clock=self._clock)
        except SQLAlchemyError:
            connection.close()
            raise
        if not taken:
            connection.close()
            raise BootosError(
                "another process uses the database: two would hand out one order twice, and wake nobody of each "
                "other's",
                hint="stop it first, or give each server a database of its own",
            )
        self._connection, self._backend = connection, backend

    def keep(self) -> None:
        """Look whether the connection still stands, and with it the lock; take it again when it does not. While there
        is no database, this is left to the next look. Raises BootosError when another process has it meanwhile."""
        if self._connection is not None:
            try:
                self._connection.scalar(text("SELECT 1"))
                return
            except SQLAlchemyError as cause:
                log.error("the lock of the database is lost; nothing is written until it is back: %s", cause)
            self.release()
        try:
            self.take()
        except SQLAlchemyError as cause:
            log.debug("the lock of the database cannot be taken yet: %s", cause)
            return
        log.warning("the lock of the database is back")

    def check(self) -> None:
        """Raises HoldLostError while the lock is lost: another server may be at work on the database."""
        if self._connection is None:
            raise HoldLostError(
                "the connection that keeps the database for this server was lost; nothing is written until it is back",
                hint="try again in a moment; the server's log says more",
                retry_after_s=5,
            )

    def release(self) -> None:
        """Let another process have it. A connection that is gone has let it go already."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.scalar(text("SELECT pg_advisory_unlock(:key)"), {"key": KEY})
            with suppress(SQLAlchemyError):
                connection.close()
