"""The copy of the database that a migration makes first, so that the release before it can be gone back to."""

import contextlib
import fcntl
import logging
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from sqlalchemy import Engine

from bootos.errors import BootosError
from bootos.files import flush
from bootos.waiting import CLOCK, Clock, find_within

log = logging.getLogger(__name__)

TURN_S = 600.0  # a copy and a migration of a large database take minutes
PAUSE_S = 0.1


def back_up(engine: Engine, revision: str) -> Path | None:
    """Copy a SQLite database to `NAME.before-REVISION` beside it, in its state of this moment; one of that name is
    replaced. Returns the copy; None where there is none to make (another database, or one in memory). Raises
    BootosError, and then there is no half copy."""
    if engine.dialect.name != "sqlite":
        log.info(
            "before the schema %s there is no copy: this database's own tool makes one (pg_dump)", revision
        )
        return None
    source = find_file(engine)
    if source is None:
        return None
    copy = name_copy(source, revision)
    part = Path(f"{copy}.part")
    try:
        part.unlink(missing_ok=True)
        _copy(source, part)
        part.chmod(source.stat().st_mode & 0o777)
        part.replace(copy)
        flush(copy.parent)
    except (OSError, sqlite3.Error) as cause:
        for left in (part, *(Path(f"{part}-{end}") for end in ("journal", "wal", "shm"))):
            with contextlib.suppress(OSError):  # nothing of it is taken for a copy
                left.unlink(missing_ok=True)
        size_mb = -(-source.stat().st_size // 1_000_000)
        raise BootosError(
            f"the database could not be copied to {copy} before its migration, which was not begun: {cause}",
            hint=f"make room for {size_mb} MB beside it, and let the server's user write there; then start again",
        ) from cause
    log.info("the database as it was is in %s", copy)
    return copy


def name_copy(source: Path, revision: str) -> Path:
    """Where the copy lies that is made of a database before its migration to this schema."""
    return Path(f"{source}.before-{revision}")


def find_copy(engine: Engine, revision: str) -> Path | None:
    """The copy that the migration to this schema made; None: it is not there."""
    source = find_file(engine)
    copy = name_copy(source, revision) if source is not None else None
    return copy if copy is not None and copy.is_file() else None


def find_file(engine: Engine) -> Path | None:
    """The file of a SQLite database, as SQLite names it: a URL may have it as a URI. None: there is none.

    It is asked for by a connection of its own, which changes nothing: the engine's turn the journal to WAL, and of two
    that do so at once one is told that the database is locked.
    """
    if engine.dialect.name != "sqlite":
        return None
    words, options = engine.dialect.create_connect_args(engine.url)
    try:
        with contextlib.closing(sqlite3.connect(words[0], uri=bool(options.get("uri")))) as connection:
            file = connection.execute("PRAGMA database_list").fetchone()
    except sqlite3.Error:
        return None  # the engine tells why it cannot be opened
    return Path(file[2]) if file is not None and file[2] else None


@contextlib.contextmanager
def migrating(engine: Engine, clock: Clock = CLOCK) -> Iterator[None]:
    """Let programs that start at once on one SQLite database take turns: the second finds it migrated, and does not
    replace the copy of the database as it was by one of what it has become. Raises BootosError when its turn does not
    come."""
    file = find_file(engine)
    turn = None
    if file is not None:
        with contextlib.suppress(OSError):  # a file system without locks, or one that cannot be written
            turn = _wait_for_turn(file, clock)
    try:
        yield
    finally:
        if turn is not None:
            # removed while it is held: who waits for it sees that it is another file then
            with contextlib.suppress(OSError):
                Path(turn.name).unlink()
            turn.close()


def _wait_for_turn(file: Path, clock: Clock) -> IO[str]:
    """The lock of this database, held until it is closed. Raises BootosError, OSError when there can be none."""
    lock = Path(f"{file}.migrating")
    turn = _take_turn(lock)
    if turn is None:
        log.info("waiting for %s, which opens the database %s", _read_holder(lock), file)
        turn = find_within(lambda: _take_turn(lock), TURN_S, pause_s=PAUSE_S, clock=clock)
    if turn is None:
        raise BootosError(
            f"the database {file} is held by {_read_holder(lock)}, which did not come to the end of its migration "
            f"within {TURN_S:g} s",
            hint="wait for its end, or end it, and start again",
        )
    return turn


def _take_turn(lock: Path) -> IO[str] | None:
    """The lock, with who holds it written into it; None: another one has it. Raises OSError."""
    with contextlib.ExitStack() as undone:
        turn = undone.enter_context(lock.open("a+"))
        try:
            fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        if not _is_there(turn, lock):
            return None  # who held it has removed it
        turn.truncate(0)
        turn.write(f"{os.getpid()}\n")
        turn.flush()
        undone.pop_all()
        return turn


def _is_there(turn: IO[str], lock: Path) -> bool:
    """Whether the open file is the one that has this name."""
    try:
        return os.path.samestat(os.fstat(turn.fileno()), lock.stat())
    except FileNotFoundError:
        return False


def _read_holder(lock: Path) -> str:
    """Who holds the lock, in words."""
    try:
        number = lock.read_text().strip()
    except (OSError, ValueError):
        number = ""
    return f"the process {number}" if number.isdigit() else "another program"


def _copy(source: Path, target: Path) -> None:
    """All pages, by SQLite's own backup: what stands in the write-ahead log is in it."""
    reading, writing = sqlite3.connect(source), sqlite3.connect(target)
    try:
        reading.backup(writing)
    finally:
        writing.close()
        reading.close()
    flush(target)
