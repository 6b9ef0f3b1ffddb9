"""A database of an older version is brought up to date with what is in it."""

import fcntl
import json
import os
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import IO

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from handclock import StillClock

from bootos.errors import BootosError
from bootos.server.store.engine import MIGRATIONS, open_store
from bootos.server.store.table import Base, Machine, Support


def test_the_first_schema_becomes_the_present_one_with_its_rows(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'bootos.db'}"
    engine, config = sa.create_engine(url), Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    inventory = json.dumps({"bios": {"version": "1.2"}, "bmc": {"firmware": "3.4"}})
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(sa.text("INSERT INTO support (vendor, product) VALUES ('Dell*', 'R7*')"))
        machine = (
            "INSERT INTO machine (sn, sn_key, vendor, product, address, protocol, developer, agent_version,"
            " created_at, drivers, settings, inventory) VALUES"
            " ('A', 'a', '', '', '', 2, 0, '', '2026-01-01 00:00:00', '[]', '{}', :inventory)"
        )
        connection.execute(sa.text(machine), {"inventory": inventory})
        connection.commit()
    engine.dispose()
    store = open_store(url)
    with store.read() as session:
        row, line = session.get_one(Machine, 1), session.get_one(Support, 1)
        assert (row.bios_version, row.bmc_version) == ("1.2", "3.4")
        assert (line.vendor, line.aliases, line.bios, line.allow) == ("Dell*", [], "", [])
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, Base.metadata) == []
    store.close()


HEAD = ScriptDirectory(str(MIGRATIONS)).get_current_head()
COPY = f"bootos.db.before-{HEAD}"
LINES = 2000  # of the support list: half a megabyte


def make_old(directory: Path) -> str:
    """The database of an older release, with rows; returns its URL."""
    url = f"sqlite:///{directory / 'bootos.db'}"
    engine, config = sa.create_engine(url), Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        row = sa.text("INSERT INTO support (vendor, product, note) VALUES ('Dell*', :product, :note)")
        connection.execute(row, [{"product": f"R{number}", "note": "n" * 200} for number in range(LINES)])
        connection.commit()
    engine.dispose()
    return url


def look_into(file: Path) -> tuple[str, int]:
    """(schema, lines of the support list), and that SQLite finds nothing wrong."""
    with closing(sqlite3.connect(f"file:{file}?immutable=1", uri=True)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (schema,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
        (count,) = database.execute("SELECT count(*) FROM support").fetchone()
        return schema, count


def test_a_migration_first_copies_the_database(tmp_path: Path) -> None:
    url, kept = make_old(tmp_path), tmp_path / "bootos.db.before-0003"
    kept.write_text("of an earlier upgrade")
    (tmp_path / "bootos.db").chmod(0o600)
    for _ in range(2):
        open_store(url).close()
        assert look_into(tmp_path / "bootos.db") == (HEAD, LINES)
        assert look_into(tmp_path / COPY) == ("0004", LINES)
    assert (tmp_path / COPY).stat().st_mode & 0o777 == 0o600
    assert kept.read_text() == "of an earlier upgrade"
    assert {path.name for path in tmp_path.glob("bootos.db.*")} == {kept.name, COPY}


def test_the_copy_is_a_database_to_go_back_to(tmp_path: Path) -> None:
    url = make_old(tmp_path)
    open_store(url).close()
    (tmp_path / COPY).replace(tmp_path / "bootos.db")
    store = open_store(url)
    with store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Support)) == LINES
    store.close()
    assert look_into(tmp_path / COPY) == ("0004", LINES)


def test_servers_that_start_at_once_take_turns(tmp_path: Path) -> None:
    """Whoever comes second must not replace the copy by one of the migrated database."""
    url, together = make_old(tmp_path), threading.Barrier(4)

    def start(number: int) -> None:
        together.wait()
        open_store(url).close()

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(start, range(4))) == [None] * 4
    assert look_into(tmp_path / "bootos.db") == (HEAD, LINES)
    assert look_into(tmp_path / COPY) == ("0004", LINES)
    assert {path.name for path in tmp_path.glob("bootos.db.*")} == {COPY}


def hold_turn(directory: Path, said: str) -> IO[str]:
    """Another program that migrates the database and does not come to its end."""
    held = (directory / "bootos.db.migrating").open("w+")
    held.write(said)
    held.flush()
    fcntl.flock(held, fcntl.LOCK_EX)
    return held


@pytest.mark.parametrize(("said", "who"), [("4711\n", "the process 4711"), ("", "another program")])
def test_a_server_that_waits_for_another_ones_migration_says_so_and_does_not_wait_for_ever(
    tmp_path: Path, said: str, who: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    url = make_old(tmp_path)
    with hold_turn(tmp_path, said), pytest.raises(BootosError, match=who) as raised:
        open_store(url, clock=StillClock())
    assert f"waiting for {who}, which opens the database {tmp_path / 'bootos.db'}" in caplog.text
    assert "600 s" in str(raised.value) and "end it" in raised.value.hint
    assert look_into(tmp_path / "bootos.db") == ("0004", LINES)
    open_store(url).close()
    assert look_into(tmp_path / "bootos.db") == (HEAD, LINES)
    assert {path.name for path in tmp_path.glob("bootos.db.*")} == {COPY}


def test_another_lock_of_the_database_s_directory_keeps_no_server_from_starting(tmp_path: Path) -> None:
    url, directory = make_old(tmp_path), os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(directory, fcntl.LOCK_EX)
    try:
        open_store(url, clock=StillClock()).close()
    finally:
        os.close(directory)
    assert look_into(tmp_path / "bootos.db") == (HEAD, LINES)


def test_where_no_lock_can_be_made_the_database_is_opened_without(tmp_path: Path) -> None:
    url = make_old(tmp_path)
    (tmp_path / "bootos.db.migrating").mkdir()
    open_store(url, clock=StillClock()).close()
    assert look_into(tmp_path / "bootos.db") == (HEAD, LINES)


def test_a_database_whose_url_has_a_uri_is_copied_too(tmp_path: Path) -> None:
    make_old(tmp_path)
    open_store(f"sqlite:///file:{tmp_path / 'bootos.db'}?uri=true").close()
    assert look_into(tmp_path / "bootos.db") == (HEAD, LINES)
    assert look_into(tmp_path / COPY) == ("0004", LINES)


def test_what_is_in_the_way_of_the_copy_and_cannot_be_removed_is_said_in_words(tmp_path: Path) -> None:
    url = make_old(tmp_path)
    (tmp_path / f"{COPY}.part").mkdir()
    with pytest.raises(
        BootosError, match=r"bootos\.db\.before-\d+ before its migration, which was not begun"
    ):
        open_store(url)
    assert look_into(tmp_path / "bootos.db") == ("0004", LINES)
    assert not (tmp_path / COPY).exists()


def test_the_copy_holds_what_only_the_write_ahead_log_has(tmp_path: Path) -> None:
    url = make_old(tmp_path)
    with closing(sqlite3.connect(tmp_path / "bootos.db")) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("INSERT INTO support (vendor, product) VALUES ('HPE', '*')")
        other.commit()
        assert (tmp_path / "bootos.db-wal").stat().st_size > 0
        open_store(url).close()
    assert look_into(tmp_path / COPY) == ("0004", LINES + 1)


def test_of_a_newer_database_the_copy_is_named_as_the_file_is_and_only_when_it_is_there(
    tmp_path: Path,
) -> None:
    file = tmp_path / "site of ours.sqlite"
    open_store(f"sqlite:///{file}").close()
    with closing(sqlite3.connect(file)) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    with pytest.raises(BootosError, match="newer than this program") as raised:
        open_store(f"sqlite:///{file}")
    assert "before-9999" not in raised.value.hint
    Path(f"{file}.before-9999").write_bytes(b"")
    with pytest.raises(BootosError, match="newer than this program") as raised:
        open_store(f"sqlite:///{file}")
    assert f"{file}.before-9999" in raised.value.hint


def test_a_new_database_has_nothing_to_copy(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path / 'bootos.db'}").close()
    assert list(tmp_path.glob("*before*")) == []


def test_without_room_for_the_copy_nothing_is_migrated(tmp_path: Path) -> None:
    """Files of this process may not grow beyond a quarter of the database, as on a disk that is full."""
    url, size = make_old(tmp_path), (tmp_path / "bootos.db").stat().st_size
    program = (
        "import resource, sys\n"
        "from bootos.server.store.engine import open_store\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size // 4}, {size // 4}))\n"
        f"open_store({url!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    said = f"could not be copied to {tmp_path / COPY} before its migration, which was not begun"
    assert said in done.stderr
    assert look_into(tmp_path / "bootos.db") == ("0004", LINES)
    assert list(tmp_path.glob("*before*")) == []


def test_a_copy_that_cannot_be_put_in_its_place_is_said(tmp_path: Path) -> None:
    url = make_old(tmp_path)
    (tmp_path / COPY / "full").mkdir(parents=True)
    with pytest.raises(BootosError, match="was not begun") as raised:
        open_store(url)
    assert "make room for 1 MB beside it" in raised.value.hint
    assert look_into(tmp_path / "bootos.db") == ("0004", LINES)
    assert {path.name for path in tmp_path.glob("*before*")} == {COPY}
