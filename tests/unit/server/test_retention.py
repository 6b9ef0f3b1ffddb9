"""What is old goes, and nothing else."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from serving import INVENTORY, Agent, Running, build_settings, run_in_thread
from sqlalchemy import delete, func, select, update

from bootos.files import clean_temporary
from bootos.server.app import REMOVE_FIRST_S, remove_old
from bootos.server.limit import Limits
from bootos.server.netboot.pxe_file import render
from bootos.server.operation.audit import Actor
from bootos.server.operation.retention import (
    LEAST_DAYS,
    MOST_AWAY_DAYS,
    Removed,
    apply_retention,
    plan_begin,
    read_ages,
    see_clock,
)
from bootos.server.store.table import Audit, Boot, Job, LogLine, Machine, Retention, read_clock
from bootos.waiting import wait_for

ACTOR = Actor(name="tester", address="")
CERTIFICATE = {"sha256": "x", "drive": {"serial": "S1"}}


def run_job(server: Running, agent: Agent, **more: Any) -> int:
    """A job of a machine that ends well; returns its id."""
    job: int = server.create_job(machine=agent.registration["sn"])["id"]
    assert agent.order()["job_id"] == str(job)
    assert (
        agent.report(job, state="succeeded", log=[{"n": job, "at": "x", "text": "x"}], **more).status == 200
    )
    return job


def count(server: Running, kind: Any) -> int:
    with server.context.store.read() as session:
        return session.scalar(select(func.count()).select_from(kind)) or 0


@pytest.fixture
def old(server: Running) -> Running:
    """Two jobs of a machine, one of which erased something, and a line of its boot; the database is old."""
    server.put_template()
    agent = Agent(server)
    agent.register()
    agent.report(log=[{"n": 0, "at": "x", "text": "before jobs"}])
    run_job(server, agent)
    agent.register()
    run_job(server, agent, certificates=[CERTIFICATE])
    with server.context.store.write() as session:
        session.execute(delete(Retention))
        session.add(Retention(since=read_clock() - timedelta(days=LEAST_DAYS + 1)))
    return server


def remove(server: Running, days: float, *, dry_run: bool = False) -> Removed:
    """Remove as in so many days, in which the server was at work."""
    now = read_clock() + timedelta(days=days)
    with server.context.store.write() as session:
        session.execute(update(Retention).values(seen_at=now - timedelta(hours=6)))
    return apply_retention(server.context, ACTOR, dry_run=dry_run, now=now)


def test_nothing_that_is_young_goes(old: Running) -> None:
    lines = count(old, LogLine)
    for days in (0, LEAST_DAYS, 179):
        removed = remove(old, days)
        assert (removed.log_lines, removed.jobs, removed.inventories, removed.boots) == (0, 0, 0, 0)
    assert count(old, LogLine) == lines


def test_a_dry_run_counts_and_removes_nothing(old: Running) -> None:
    lines = count(old, LogLine)
    removed = remove(old, 1000, dry_run=True)
    assert (removed.log_lines, removed.jobs, removed.inventories) == (lines, 1, 2)
    assert (count(old, LogLine), count(old, Job)) == (lines, 2)


def test_logs_and_inventories_go_first_and_then_jobs_without_certificates(old: Running) -> None:
    removed = remove(old, 181)
    assert (removed.jobs, removed.inventories) == (0, 2)
    assert (count(old, LogLine), count(old, Job), count(old, Boot)) == (0, 2, 1)

    assert remove(old, 731).jobs == 1

    with old.context.store.read() as session:
        (kept,) = session.scalars(select(Job))
        (machine,) = session.scalars(select(Machine))
        assert kept.report is not None and kept.report["certificates"] == [CERTIFICATE]
        assert kept.inventory_before is None
        assert (
            machine.inventory is not None
            and machine.inventory["nics"][0]["mac"] == INVENTORY["nics"][0]["mac"]
        )
        assert session.scalars(select(Audit.detail).where(Audit.action == "retention")).all()


def test_a_job_that_has_not_ended_stays_with_its_log(old: Running) -> None:
    open_job = old.create_job()["id"]
    remove(old, 5000)
    assert {job["id"] for job in old.operate("GET", "/jobs")} >= {open_job}
    assert old.operate("GET", f"/jobs/{open_job}/log")


def test_lines_of_the_audit_log_go_after_their_days(old: Running) -> None:
    lines = count(old, Audit)
    assert lines > 0
    assert remove(old, 1094).audit == 0
    assert count(old, Audit) >= lines
    assert remove(old, 1096, dry_run=True).audit >= lines
    assert remove(old, 1096).audit >= lines
    with old.context.store.read() as session:
        assert {"retention"} >= set(session.scalars(select(Audit.action)))


def test_a_server_removes_what_is_old_some_minutes_after_its_start_and_not_hours(old: Running) -> None:
    assert 60 <= REMOVE_FIRST_S <= 900
    with old.context.store.write() as session:
        session.execute(update(Job).values(ended_at=read_clock() - timedelta(days=1000)))
        session.execute(update(Retention).values(seen_at=read_clock()))

    async def work() -> None:
        task = asyncio.create_task(remove_old(old.context, first_s=0))
        await asyncio.to_thread(wait_for, lambda: count(old, Job) == 1, 20, what="the removal", pause_s=0.01)
        task.cancel()

    asyncio.run(work())


def test_a_clock_that_steps_far_ahead_makes_nothing_old(old: Running) -> None:
    see_clock(old.context)
    wrong = read_clock() + timedelta(days=5000)
    rows = count(old, LogLine), count(old, Job)
    for days in (0, LEAST_DAYS - 1):
        now = wrong + timedelta(days=days)
        told = apply_retention(old.context, ACTOR, dry_run=True, now=now)
        assert (told.jobs, told.begins_at) == (1, now + timedelta(days=LEAST_DAYS))
        assert apply_retention(old.context, ACTOR, dry_run=False, now=now).jobs == 0
    assert (count(old, LogLine), count(old, Job)) == rows
    assert "ahead of where this server saw it last" in old.context.health.sentences()[0].detail
    with old.context.store.read() as session:
        assert session.scalars(select(Audit.detail).where(Audit.action == "retention.wait")).first()

    see_clock(old.context)  # it was set right
    for days in range(0, LEAST_DAYS + 1, MOST_AWAY_DAYS):
        see_clock(old.context, now=read_clock() + timedelta(days=days))
    assert remove(old, LEAST_DAYS + 181).inventories == 2


@pytest.mark.parametrize(
    ("since", "seen", "now", "begin"),
    [
        (0, None, 900, 0),
        (0, 100, 100 + MOST_AWAY_DAYS, 0),
        (0, 100, 101 + MOST_AWAY_DAYS, 101 + MOST_AWAY_DAYS),
        (0, 100, 50, 0),  # a clock that was set back, after the beginning
        (60, 100, 50, 50),
    ],
)
def test_the_first_days_begin_anew_after_a_step_of_the_clock(
    since: int, seen: int | None, now: int, begin: int
) -> None:
    day = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=days) for days in range(1000)]
    found, reason = plan_begin(day[since], None if seen is None else day[seen], day[now])
    assert (found, bool(reason)) == (day[begin], begin != since)


def test_more_days_than_there_were_keep_everything() -> None:
    ages = read_ages(Limits(kept_audit_days=10**14), read_clock())
    assert ages.audit == datetime.min.replace(tzinfo=UTC) < ages.jobs


def test_in_the_first_days_of_a_database_nothing_goes(old: Running) -> None:
    with old.context.store.write() as session:
        for row in session.scalars(select(Retention)):
            row.since = read_clock() + timedelta(days=5000)
    assert remove(old, 1000).log_lines == 0
    assert count(old, LogLine) > 0
    assert old.operate("POST", "/retention", {"dry_run": True})["dry_run"] is True


def test_a_lost_key_is_said_at_the_start_and_at_the_job(tmp_path: Path) -> None:
    settings = build_settings(tmp_path)
    server, stop = run_in_thread(settings)
    server.operate("PUT", "/secrets/bmc", {"value": "geheim"})
    server.put_template(
        text="name: t\noob:\n  users: [{name: ops, role: administrator, password: {secret: bmc}}]\n"
    )
    agent = Agent(server)
    agent.register()
    job = server.create_job()["id"]
    stop()
    settings.key_file.unlink()

    server, stop = run_in_thread(settings)
    try:
        agent.server = server
        assert agent.register().status == 200
        assert "bootos secret set NAME): bmc" in server.operate("GET", "/health")["sentences"][0]["detail"]
        assert agent.order() is None
        assert agent.report(job, log=[{"n": 5, "at": "x", "text": "x"}]).status == 200
        assert server.job(job)["message"].endswith("set them again: bootos secret set bmc")
        server.operate("PUT", "/secrets/bmc", {"value": "geheim"})
        assert agent.order()["secrets"] == {"bmc": "geheim"}
    finally:
        stop()


def test_what_a_killed_server_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".default.0a1b2c3d.tmp", "x.tmp", ".x.tmp", ".x.0a1b2c3d.tmpx", "default"):
        (tmp_path / name).write_text("x")
    assert [path.name for path in clean_temporary(tmp_path)] == [".default.0a1b2c3d.tmp"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".x.0a1b2c3d.tmpx",
        ".x.tmp",
        "default",
        "x.tmp",
    ]


def test_a_server_that_was_killed_leaves_nothing_where_it_writes(tmp_path: Path) -> None:
    settings = build_settings(tmp_path)
    _, stop = run_in_thread(settings)
    stop()
    places = (
        settings.data,
        settings.tls_directory,
        settings.images,
        settings.pxe_directory,
        settings.tftp_root / "grub",
    )
    left = [place / ".x.0a1b2c3d.tmp" for place in places]
    for path in left:
        path.write_text("half of something")

    _, stop = run_in_thread(settings)
    stop()
    assert [path for path in left if path.exists()] == []


def test_a_link_out_of_files_is_not_served(server: Running, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("secret")
    files = server.context.settings.files
    (files / "inside").write_text("own")
    (files / "link-in").symlink_to("inside")
    (files / "link-out").symlink_to(tmp_path / "outside")
    (files / "directory-out").symlink_to(tmp_path)
    assert server.request("GET", "/bootos/files/link-in").data == b"own"
    for name in ("link-out", "directory-out/outside"):
        assert server.request("GET", f"/bootos/files/{name}").status == 404
        assert server.request("GET", f"/bootos/netboot/bootos/files/{name}").status == 404
    assert server.request("GET", "/bootos/netboot/bootos/files/inside").data == b"own"
    for name in ("link-out", "directory-out"):
        (files / name).unlink()


def test_a_blank_in_a_value_begins_no_other_word_for_the_kernel() -> None:
    text = render("APPEND sn={sn} x", {"sn": "A init=/bin/sh\tb\u2028c"})
    assert text == "APPEND sn=A%20init=/bin/sh%09b%E2%80%A8c x"
