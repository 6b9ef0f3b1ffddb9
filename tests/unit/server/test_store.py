"""What happens once a transaction is committed."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from serving import Agent, Running
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from bootos.errors import BootosError
from bootos.server.netboot.pxe_directory import PxeDirectory
from bootos.server.operation.registration import write_heard
from bootos.server.store.engine import Store, open_store

NAME = "01-52-54-00-00-00-02"


def test_who_waits_is_woken_and_all_is_done_though_one_of_the_last_actions_fails(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'bootos.db'}")
    heard, done = list[set[str]](), list[str]()
    store.publish = heard.append

    def fail() -> None:
        raise BootosError("the file stays")

    with pytest.raises(BootosError, match="the file stays"), store.write() as session:
        session.touch("machine:1")
        session.after_commit(lambda: done.append("first"))
        session.after_commit(fail)
        session.after_commit(lambda: done.append("last"))
    assert (heard, done) == ([{"machine:1"}], ["first", "last"])
    with pytest.raises(BootosError), store.write() as session:
        session.touch("machine:1")
        session.after_commit(lambda: done.append("never"))
        raise BootosError("rolled back")
    assert (heard, done) == ([{"machine:1"}], ["first", "last"])
    store.close()


def test_what_was_done_before_the_commit_is_taken_back_when_there_is_none(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'bootos.db'}")
    done = list[str]()
    with store.write() as session:
        session.after_rollback(lambda: done.append("never"))
    with pytest.raises(BootosError, match="no commit"), store.write() as session:
        session.after_rollback(lambda: done.append("first"))
        session.after_rollback(lambda: done.append("last"))
        raise BootosError("no commit")
    assert done == ["last", "first"]
    store.close()


def test_after_a_commit_that_fails_others_write(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'bootos.db'}")
    with store.write() as session:
        session.execute(text("CREATE TABLE one (id INTEGER PRIMARY KEY)"))
        session.execute(
            text("CREATE TABLE two (id INTEGER REFERENCES one (id) DEFERRABLE INITIALLY DEFERRED)")
        )
    with pytest.raises(IntegrityError), store.write() as session:
        session.execute(text("INSERT INTO two VALUES (7)"))
    for number in (1, 2):
        with store.write() as session:
            session.execute(text("INSERT INTO one VALUES (:number)"), {"number": number})
    with store.read() as session:
        assert list(session.scalars(text("SELECT id FROM one"))) == [1, 2]
        assert list(session.scalars(text("SELECT id FROM two"))) == []
    store.close()


def test_a_pxe_file_that_cannot_be_removed_is_named_and_keeps_no_other_one(tmp_path: Path) -> None:
    pxe = PxeDirectory(tmp_path / "pxelinux.cfg")
    for name in (NAME, f"{NAME[:-1]}3"):
        pxe.write(name, "DEFAULT a\nLABEL a\nKERNEL k\n")
    stuck = tmp_path / "grub" / NAME
    stuck.unlink()
    stuck.mkdir()
    with pytest.raises(BootosError, match=r"grub/01-52-54-00-00-00-02 cannot be removed: Is a directory"):
        pxe.remove([NAME, f"{NAME[:-1]}3"])
    assert [path.name for path in tmp_path.rglob("01-*")] == [NAME]


def test_a_pinned_machines_file_that_cannot_be_put_back_keeps_no_other_one(tmp_path: Path) -> None:
    pxe, other = PxeDirectory(tmp_path / "pxelinux.cfg"), f"{NAME[:-1]}3"
    pxe.write_pinned(NAME, "DEFAULT a\nLABEL a\nKERNEL k\n")
    pxe.write(other, "DEFAULT a\nLABEL a\nKERNEL k\n")
    stuck = tmp_path / "grub" / NAME
    stuck.unlink()
    stuck.mkdir()
    with pytest.raises(
        BootosError, match=f"the PXE file .*{NAME} cannot be written: Is a directory"
    ) as raised:
        pxe.remove([NAME, other])
    assert "check the server's data directory" in raised.value.hint
    assert other not in {path.name for path in tmp_path.rglob("01-*")}


def put_unreadable(path: Path) -> None:
    """A file whose reads fail with EIO for root, too."""
    path.unlink()
    path.symlink_to("/proc/self/mem")


def test_a_kept_file_that_cannot_be_read_is_named_and_keeps_no_other_one(tmp_path: Path) -> None:
    pxe, other = PxeDirectory(tmp_path / "pxelinux.cfg"), f"{NAME[:-1]}3"
    pxe.write_pinned(NAME, "DEFAULT a\nLABEL a\nKERNEL k\n")
    pxe.write(other, "DEFAULT a\nLABEL a\nKERNEL k\n")
    kept = tmp_path / "pxelinux.cfg/.pinned" / NAME
    put_unreadable(kept)
    said = f"{kept} cannot be read: Input/output error"
    with pytest.raises(BootosError, match=said):
        pxe.remove([NAME, other])
    assert other not in {path.name for path in tmp_path.rglob("01-*")}
    for change in (lambda: pxe.write_pinned(NAME, "DEFAULT b\n"), lambda: pxe.remove_pinned(NAME)):
        with pytest.raises(BootosError, match=said):
            change()


def test_all_files_that_stay_are_named(tmp_path: Path) -> None:
    pxe, names = PxeDirectory(tmp_path / "pxelinux.cfg"), [NAME, f"{NAME[:-1]}3"]
    for name in names:
        pxe.write(name, "DEFAULT a\nLABEL a\nKERNEL k\n")
        (tmp_path / "grub" / name).unlink()
        (tmp_path / "grub" / name).mkdir()
    with pytest.raises(BootosError, match=f"{names[0]} cannot be removed.*{names[1]} cannot be removed"):
        pxe.remove(names)


def test_a_job_that_is_cancelled_is_cancelled_though_its_pxe_file_stays(
    server: Running, agent: Agent
) -> None:
    server.put_template()
    server.operate("PUT", "/pxe-templates/p", {"content": "LABEL a\nAPPEND sn={sn}"})
    job = server.create_job(pxe="p")["id"]
    order = agent.order()
    assert agent.upload_mac(order["job_id"]).status == 200
    assert agent.report(order["job_id"], state="succeeded").status == 200
    stuck = server.pxe_directory / NAME
    stuck.unlink()
    stuck.mkdir()
    answer = server.refuse("POST", f"/jobs/{job}/cancel")
    assert f"{NAME} cannot be removed" in answer.data["error"]
    assert "by hand" in answer.data["hint"]
    assert server.job(job)["state"] == "cancelled"


def test_files_that_are_no_utf_8_end_no_request_and_no_start(server: Running) -> None:
    """The operator edits them, with an editor of another country."""
    pxe, default = server.context.pxe, server.pxe_directory / "default"
    pxe.write_pinned(NAME, "DEFAULT a\nLABEL a\nKERNEL k\n")
    pinned = server.pxe_directory / ".pinned" / NAME
    pinned.write_bytes(b"# caf\xe9\n" + pinned.read_bytes())
    pxe.remove([NAME])
    assert "KERNEL k" in (server.pxe_directory / NAME).read_text()
    pxe.remove_pinned(NAME)
    assert not pinned.exists()
    edited = default.read_bytes() + b"# caf\xe9\n"
    default.write_bytes(edited)
    (server.data / "pxelinux-default.sha256").write_bytes(b"\xff\xfe")
    try:
        server.context.tree.lay_out()
        assert default.read_bytes() == edited, "a file that was edited stays"
    finally:
        default.unlink()
        server.context.tree.lay_out()  # the other tests of this process have this server


def test_a_new_database_is_its_users_alone_and_one_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    """It holds scripts with passwords in clear text; who lets a group read it, for copies, goes on to."""
    file = tmp_path / "bootos.db"
    before = os.umask(0o022)
    try:
        store = open_store(f"sqlite:///{file}")
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("bootos.db*")}
        store.close()
        file.chmod(0o640)
        open_store(f"sqlite:///{file}").close()
    finally:
        os.umask(before)
    assert modes["bootos.db"] == modes["bootos.db-wal"] == 0o600
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_database_without_a_free_connection_ends_no_work_of_the_server(
    server: Running, caplog: pytest.LogCaptureFixture
) -> None:
    """As when PostgreSQL does not answer: who was heard of is written down at the next look."""
    assert Agent(server).register().status == 200
    engine = create_engine(
        server.context.settings.database_url, pool_size=1, max_overflow=0, pool_timeout=0.01
    )
    context = msgspec.structs.replace(server.context, store=Store(engine))
    with engine.connect():
        write_heard(context)
    engine.dispose()
    assert "who was heard of could not be written down: QueuePool limit" in caplog.text


def test_opening_a_database_again_takes_no_lock_of_it_away(tmp_path: Path) -> None:
    """Who opens and closes a file in a process ends all locks that the process has on it (POSIX); without SQLite's, the
    next program that closes the database removes the log that the server writes to."""
    file = tmp_path / "bootos.db"
    store = open_store(f"sqlite:///{file}")
    with store.write() as session:
        session.execute(text("SELECT 1"))
    open_store(f"sqlite:///{file}").close()
    script = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+b'), fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)"
    taken = subprocess.run(
        [sys.executable, "-c", script, str(file)], capture_output=True, text=True, timeout=60
    )
    assert "BlockingIOError" in taken.stderr, "SQLite's shared lock is gone"
    store.close()
