"""Long lists come page by page, over API, command and page, and only what they show is read."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from browsing import log_in, read
from commanding import open_own_desk
from serving import DEFAULTS, ROOMY, Agent, Running, build_settings, run_in_thread
from sqlalchemy import event
from typer.testing import CliRunner

from bootos.cli import build_app
from bootos.server.limit import FIXED, LIMITS
from bootos.server.operation.enrolment import enrol
from bootos.server.store.machine import count_machines, find_machines
from bootos.server.view.job import BATCH
from bootos.server.view.machine import view_machines

NAMES = [f"SN{number:04}" for number in range(1203)]  # more than two pages of a whole list


def fill(server: Running, names: list[str]) -> None:
    with server.context.store.write() as session:
        for name in names:
            enrol(session, name).variables = {"rack": "x" * 1000}


def list_names(rows: Any) -> list[str]:
    return [row["sn"] for row in rows]


def test_a_whole_list_has_every_row_once_though_it_is_read_page_by_page(server: Running) -> None:
    assert server.operate("GET", "/machines") == []
    fill(server, NAMES)
    assert list_names(server.operate("GET", "/machines")) == NAMES


def test_a_page_of_a_list_goes_on_after_a_name(server: Running) -> None:
    fill(server, NAMES[:7])
    first = server.operate("GET", "/machines?limit=3")
    assert list_names(first) == NAMES[:3]
    assert (
        list_names(server.operate("GET", f"/machines?limit=3&after={first[-1]['sn'].lower()}")) == NAMES[3:6]
    )
    assert list_names(server.operate("GET", "/machines?limit=3&after=SN0006")) == []
    assert list_names(server.operate("GET", "/machines?q=sn0005")) == ["SN0005"]
    assert server.refuse("GET", f"/machines?limit={FIXED.page_rows_most + 1}").status == 400


def test_a_page_goes_on_after_the_longest_name_that_a_machine_can_have(server: Running) -> None:
    Agent(server, sn="\U0001f600" * FIXED.name_letters).register()
    fill(server, ["~last"])
    (first,) = server.operate("GET", "/machines?limit=1")
    assert first["sn"].startswith("\\U0001f600")
    assert list_names(server.operate("GET", f"/machines?limit=1&after={quote(first['sn'])}")) == ["~last"]


def test_a_whole_log_is_sent_as_text_batch_by_batch(server: Running) -> None:
    server.put_template()
    agent = Agent(server)
    agent.register()
    job = server.create_job()["id"]
    agent.order()
    numbers = range(2 * BATCH + 1)
    assert agent.report(job, log=[{"n": n, "at": "x", "text": f"line {n}"} for n in numbers]).status == 200
    path = f"/api/operator/jobs/{job}/log.txt"
    answer = server.call("GET", path, None, server.context.operator_token)
    assert answer.headers["content-type"].startswith("text/plain")
    sent = [int(number) for number in re.findall(r"^x info {4}line ([0-9]+)$", answer.data, re.MULTILINE)]
    assert sent == list(numbers)


def test_the_site_says_how_many_jobs_and_lines_a_page_shows(tmp_path: Path) -> None:
    limits = msgspec.structs.replace(LIMITS, page_rows=3)
    server, stop = run_in_thread(build_settings(tmp_path, limits=limits))
    try:
        server.put_template()
        for name in NAMES[:5]:
            server.create_job(machine=name)
        login = log_in(server)
        jobs, lines = read(server, "/jobs", login), read(server, "/audit", login)
        assert [name for name in NAMES[:5] if name in jobs] == NAMES[2:5]
        assert 'rel="next"' in jobs and 'rel="next"' in lines
    finally:
        stop()


def test_a_machine_names_its_newest_jobs_and_the_list_of_jobs_the_others(tmp_path: Path) -> None:
    server, stop = run_in_thread(build_settings(tmp_path, limits=msgspec.structs.replace(ROOMY, page_rows=3)))
    try:
        server.put_template()
        ids = list[int]()
        for number in range(4):
            machine = server.operate("GET", "/machines/SN001") if ids else {"jobs": [], "more_jobs": False}
            assert (machine["jobs"], machine["more_jobs"]) == (ids[::-1][:3], len(ids) > 3)
            ids.append(server.create_job(machine="SN001")["id"])
            server.operate("POST", f"/jobs/{ids[number]}/cancel")
        machine = server.operate("GET", "/machines/SN001")
        assert (machine["jobs"], machine["more_jobs"]) == (ids[:0:-1], True)
        older = server.operate("GET", f"/jobs?machine=SN001&after={machine['jobs'][-1]}")
        assert [job["id"] for job in older] == ids[:1]
        shown = open_own_desk(server, tmp_path).run("machine", "show", "SN001")
        assert f"older jobs: bootos job list --machine id:{machine['id']}" in shown
    finally:
        stop()


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/machines", "page_rows_most"),
        ("/jobs", "page_rows_most"),
        ("/confirm", "page_rows_most"),
        ("/audit", "lines_most"),
        ("/jobs/{job}/log", "lines_most"),
    ],
)
def test_more_rows_than_are_sent_at_once_are_refused_and_noted(
    server: Running, path: str, limit: str
) -> None:
    server.put_template()
    path = path.format(job=server.create_job()["id"])
    most = getattr(FIXED, limit)
    server.operate("GET", f"{path}?limit={most}")
    answer = server.refuse("GET", f"{path}?limit={most + 1}")
    assert (answer.status, answer.data["hint"]) == (400, f"limit: at most {most}")
    assert server.operate("GET", "/health")["counts"] == {limit: 1}


def test_the_new_machines_come_page_by_page_too(tmp_path: Path) -> None:
    limits = msgspec.structs.replace(ROOMY, page_rows=3)
    server, stop = run_in_thread(build_settings(tmp_path, limits=limits, **DEFAULTS))
    try:
        for name in NAMES[:7]:
            assert Agent(server, sn=name, boot_id=name).register().status == 200
        rows = server.operate("GET", "/confirm?limit=2")
        assert list_names(rows) == [NAMES[6], NAMES[5]]
        assert list_names(server.operate("GET", f"/confirm?limit=2&after={rows[-1]['id']}")) == NAMES[4:2:-1]
        assert run_command(server, "machine", "new") == NAMES[6::-1]
        login = log_in(server)
        page = read(server, "/new", login)
        assert "3 of 7 machines" in page
        (following,) = re.findall('<a href="([^"]*)" rel="next"', page)
        assert "3 of 7 machines" in read(server, following, login)
        assert re.findall("Confirm (SN[0-9]+)", read(server, following, login)) == NAMES[3:0:-1]
    finally:
        stop()


def run_command(server: Running, *words: str) -> list[str]:
    options = ["--server", server.operator_url, "--data", str(server.data), "--json"]
    done = CliRunner().invoke(build_app([*words]), [*words, *options])
    assert done.exit_code == 0, done.output
    return list_names(json.loads(done.output))


def test_the_command_lists_all_machines_or_as_many_as_are_asked_for(server: Running) -> None:
    fill(server, NAMES)
    assert run_command(server, "machine", "list") == NAMES
    assert run_command(server, "machine", "list", "--limit", "1100") == NAMES[:1100]
    assert run_command(server, "machine", "list", "--limit", "2", "--after", "SN0009") == NAMES[10:12]


def test_jobs_are_listed_from_the_newest_on(server: Running) -> None:
    server.put_template()
    for name in NAMES[:5]:
        server.create_job(machine=name)
    assert list_names(server.operate("GET", "/jobs?limit=2")) == [NAMES[4], NAMES[3]]
    number = server.operate("GET", "/jobs?limit=2")[-1]["id"]
    assert list_names(server.operate("GET", f"/jobs?limit=2&after={number}")) == [NAMES[2], NAMES[1]]
    assert run_command(server, "job", "list", "--limit", "0") == NAMES[4::-1]
    assert run_command(server, "job", "list", "--limit", "1", "--after", str(number)) == [NAMES[2]]


def test_a_list_asks_as_often_for_many_machines_as_for_one_and_reads_no_large_column(server: Running) -> None:
    agent = Agent(server, sn="SN0000")
    agent.register()
    fill(server, NAMES[1:50])
    server.put_template()
    server.create_job(machine="SN0000")
    asked = list[str]()

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    engine = server.context.store.engine
    event.listen(engine, "before_cursor_execute", note)
    counts = []
    try:
        for limit in (1, 50):
            asked.clear()
            with server.context.store.read() as session:
                rows = find_machines(session, limit=limit)
                assert len(view_machines(server.context, session, rows)) == limit
            counts.append(len(asked))
            text = "\n".join(asked)
            for column in ("inventory,", "machine.saved,", "variables", "drivers", "job.template_text"):
                assert column not in text
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert counts[0] == counts[1] < 10


@pytest.mark.parametrize("text", ["", "sn00"])
def test_machines_are_counted_over_all_pages(server: Running, text: str) -> None:
    fill(server, NAMES[:30])
    with server.context.store.read() as session:
        assert count_machines(session, text) == 30
        assert len(find_machines(session, text, limit=10)) == 10


def test_the_page_shows_some_and_links_the_next(tmp_path: Path) -> None:
    limits = msgspec.structs.replace(LIMITS, page_rows=3)
    server, stop = run_in_thread(build_settings(tmp_path, limits=limits))
    try:
        fill(server, NAMES[:7])
        login = log_in(server)

        def read_page(path: str) -> tuple[str, str]:
            page = read(server, path, login)
            (caption,) = re.findall("<caption>(.*)</caption>", page)
            return caption, "".join(re.findall('<a href="([^"]*)" rel="next"', page))

        assert read_page("/") == ("3 of 7 machines", "/?q=&amp;after=SN0002")
        assert read_page("/?q=&after=SN0005") == ("1 of 7 machines", "")
        assert read_page("/?q=SN0001") == ("1 machine", "")
    finally:
        stop()
