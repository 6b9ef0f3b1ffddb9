"""The copy of the database that a migration makes first, so that the release before it can be gone back to."""

import logging
import os
import sqlite3
from pathlib import Path

from sqlalchemy import Engine

from bootos.errors import BootosError

log = logging.getLogger(__name__)


def back_up(engine: Engine, revision: str) -> Path | None:
    """Copy a SQLite database to `NAME.before-REVISION` beside it, in its state of this moment; one of that name is
    replaced. Returns the copy; None where there is none to make (another database, or one in memory). Raises
    BootosError, and then there is no half copy."""
    name = engine.url.database
    if engine.dialect.name != "sqlite":
        log.info(
            "before the schema %s there is no copy: this database's own tool makes one (pg_dump)", revision
        )
        return None
    if not name or name == ":memory:":
        return None
    source, copy = Path(name), Path(f"{name}.before-{revision}")
    part = Path(f"{copy}.part")
    try:
        part.unlink(missing_ok=True)
        _copy(source, part)
        part.chmod(source.stat().st_mode & 0o777)
        part.replace(copy)
        _flush_directory(copy.parent)
    except (OSError, sqlite3.Error) as cause:
        for left in (part, Path(f"{part}-journal")):
            left.unlink(missing_ok=True)
        size_mb = -(-source.stat().st_size // 1_000_000)
        raise BootosError(
            f"the database could not be copied to {copy} before its migration, which was not begun: {cause}",
            hint=f"make room for {size_mb} MB beside it, and let the server's user write there; then start again",
        ) from cause
    log.info("the database as it was is in %s", copy)
    return copy


def _copy(source: Path, target: Path) -> None:
    """All pages, by SQLite's own backup: what stands in the write-ahead log is in it."""
    reading, writing = sqlite3.connect(source), sqlite3.connect(target)
    try:
        reading.backup(writing)
    finally:
        writing.close()
        reading.close()
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _flush_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
