"""The copy of the database that a migration makes first, so that the release before it can be gone back to."""

import contextlib
import fcntl
import logging
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine

from bootos.errors import BootosError
from bootos.server.files import flush

log = logging.getLogger(__name__)


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
    """The file of a SQLite database, as SQLite names it: a URL may have it as a URI. None: there is none."""
    if engine.dialect.name != "sqlite":
        return None
    with engine.connect() as connection:
        file = connection.exec_driver_sql("PRAGMA database_list").fetchone()
    return Path(file[2]) if file is not None and file[2] else None


@contextlib.contextmanager
def migrating(engine: Engine) -> Iterator[None]:
    """Let programs that start at once on one SQLite database take turns: the second finds it migrated, and does not
    replace the copy of the database as it was by one of what it has become."""
    file = find_file(engine)
    with contextlib.ExitStack() as held:
        if file is not None:
            with contextlib.suppress(OSError):  # a file system without locks
                descriptor = os.open(file.parent, os.O_RDONLY)
                held.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def _copy(source: Path, target: Path) -> None:
    """All pages, by SQLite's own backup: what stands in the write-ahead log is in it."""
    reading, writing = sqlite3.connect(source), sqlite3.connect(target)
    try:
        reading.backup(writing)
    finally:
        writing.close()
        reading.close()
    flush(target)
