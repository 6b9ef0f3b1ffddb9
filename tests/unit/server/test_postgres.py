"""The server on PostgreSQL: what happens at the same time, what no column keeps, and a second process."""

import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from handclock import StillClock
from postgres import Postgres
from serving import Agent, Answer, Running, build_settings, run_in_thread
from sqlalchemy import create_engine, make_url, select, text

from bootos.errors import BootosError
from bootos.server.app import open_context, prepare
from bootos.server.serve import Server, listen
from bootos.server.store.engine import Store, open_store
from bootos.server.store.hold import HoldLostError
from bootos.server.store.table import Job, LogLine, Machine

AT_ONCE = 12


@pytest.fixture(scope="module")
def pg_server(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    root: Path = tmp_path_factory.mktemp("pg")
    running, stop = run_in_thread(build_settings(root, database=postgres.make_database()))
    yield running
    stop()


@pytest.fixture
def server(pg_server: Running) -> Iterator[Running]:
    yield pg_server
    pg_server.empty()


def do_at_once(count: int, do: Callable[[int], Any]) -> list[Any]:
    """What each of so many threads got, which all begin at the same moment."""
    barrier, results = threading.Barrier(count), [None] * count

    def run(number: int) -> None:
        barrier.wait(30)
        results[number] = do(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return results


def call(do: Callable[[], Answer], number: int) -> Answer:
    return do()


def register(agents: list[Agent], number: int) -> Answer:
    return agents[number].register()


def test_a_machine_that_registers_many_times_at_once_is_one_machine(server: Running) -> None:
    for round_ in range(3):
        agents = [Agent(server, sn=f"PG{round_}", boot_id=f"boot-{round_}") for _ in range(AT_ONCE)]
        answers = do_at_once(AT_ONCE, partial(register, agents))
        assert {answer.status for answer in answers} == {200}, answers
    with server.context.store.read() as session:
        assert sorted(session.scalars(select(Machine.sn))) == ["PG0", "PG1", "PG2"]


def test_of_many_boots_that_claim_one_new_machine_at_once_one_gets_it(server: Running) -> None:
    agents = [Agent(server, sn="PG", boot_id=f"boot-{number}") for number in range(AT_ONCE)]
    answers = do_at_once(AT_ONCE, partial(register, agents))
    assert sorted(answer.status for answer in answers) == [200, *[409] * (AT_ONCE - 1)], answers


def test_of_many_first_jobs_of_a_machine_at_once_one_is_made(server: Running) -> None:
    server.put_template()
    token = server.context.operator_token
    for sn in ("NEW", "KNOWN"):
        if sn == "KNOWN":
            Agent(server, sn=sn).register()
        wanted = {"machine": sn, "template": "t"}
        create = partial(server.call, "POST", "/api/operator/jobs", wanted, token)
        answers = do_at_once(AT_ONCE, partial(call, create))
        assert sorted(answer.status for answer in answers) == [201, *[409] * (AT_ONCE - 1)], answers
    with server.context.store.read() as session:
        assert len(list(session.scalars(select(Job.id)))) == 2


def test_a_whole_job_runs(server: Running) -> None:
    server.put_template()
    agent = Agent(server)
    assert agent.register().status == 200
    job = server.create_job()
    assert agent.order()["job_id"] == str(job["id"])
    log = [{"n": 1, "at": "x", "text": "a\0b", "level": "in\0fo"}]
    assert agent.report(job["id"], log=log).data["log_next"] == 2
    assert agent.report(job["id"], state="succeeded").status == 200
    assert server.job(job["id"])["state"] == "done"
    assert [machine["sn"] for machine in server.operate("GET", "/machines")] == ["SN001"]
    assert server.operate("GET", "/jobs")[0]["state"] == "done"
    with server.context.store.read() as session:
        assert "a\ufffdb" in set(session.scalars(select(LogLine.text)))


@pytest.mark.parametrize(
    "path",
    [
        "/machines/a%00b",
        "/machines?q=%00",
        "/machines?after=%00",
        "/templates/%00",
        "/pools/%00",
        "/jobs?machine=%00",
        "/jobs?state=%00",
        "/images/%00",
        "/jobs/2147483648",
        "/jobs?after=2147483647",
        "/machines/id:999999999",
    ],
)
def test_what_no_column_keeps_is_refused_or_finds_nothing(server: Running, path: str) -> None:
    answer = server.call("GET", f"/api/operator{path}", None, server.context.operator_token)
    assert answer.status in (200, 400, 404, 422), answer


def test_a_second_process_on_the_same_database_is_refused(postgres: Postgres) -> None:
    url = postgres.make_database()
    first = open_store(url)
    with pytest.raises(BootosError, match="another process uses the database") as caught:
        open_store(url, clock=StillClock())
    assert "stop it first" in caught.value.hint
    first.close()
    open_store(url).close()


def cut_hold(url: str) -> None:
    """End the connection that has the advisory lock, as a restart of a firewall between does."""
    engine = create_engine(url)
    with engine.connect() as connection:
        ended = connection.scalars(
            text(
                "SELECT pg_terminate_backend(pid, 20000) FROM pg_locks JOIN pg_database ON database = pg_database.oid "
                "WHERE locktype = 'advisory' AND granted AND datname = current_database()"
            )
        ).all()
    engine.dispose()
    assert ended == [True]


def write(store: Store) -> None:
    with store.write() as session:
        session.execute(text("SELECT 1"))


class Firewall:
    """Stands between a server and its PostgreSQL, at `url`."""

    def __init__(self, url: str, directory: Path) -> None:
        real = make_url(url)
        self.url = real.set(query={"host": str(directory)}).render_as_string()
        self._place = f"{real.query['host']}/.s.PGSQL.5432"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(directory / ".s.PGSQL.5432"))
        self._listener.listen()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._let_in, daemon=True).start()

    def forget(self) -> None:
        """The server's connections are gone; PostgreSQL is not told."""
        for server, _ in self._pairs:
            server.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for end in (self._listener, *(end for pair in self._pairs for end in pair)):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)  # which ends the thread that waits for it
            end.close()

    def _let_in(self) -> None:
        while True:
            try:
                server, _ = self._listener.accept()
            except OSError:
                return
            database = socket.socket(socket.AF_UNIX)
            database.connect(self._place)
            self._pairs.append((server, database))
            for ends in ((server, database), (database, server)):
                threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    @staticmethod
    def _pass_on(here: socket.socket, there: socket.socket) -> None:
        try:
            while data := here.recv(65536):
                there.sendall(data)
        except OSError:
            return


@pytest.fixture
def firewall(postgres: Postgres) -> Iterator[Firewall]:
    with tempfile.TemporaryDirectory(
        prefix="bootos-fw-", dir="/tmp"
    ) as directory:  # a short path, as sockets need
        between = Firewall(postgres.make_database(), Path(directory))
        yield between
        between.close()


def test_a_lock_whose_connection_is_lost_is_taken_again(postgres: Postgres) -> None:
    url = postgres.make_database()
    store = open_store(url)
    cut_hold(url)
    store.keep()
    with pytest.raises(BootosError, match="another process uses the database"):
        open_store(url, clock=StillClock())
    write(store)
    store.close()
    open_store(url).close()


def test_a_lock_of_which_postgresql_does_not_know_that_its_connection_is_lost_is_taken_again(
    firewall: Firewall,
) -> None:
    store = open_store(firewall.url)
    firewall.forget()
    store.keep()
    with pytest.raises(BootosError, match="another process uses the database"):
        open_store(firewall.url, clock=StillClock())
    write(store)
    store.close()
    open_store(firewall.url).close()


def test_who_lost_the_database_to_another_process_writes_nothing_any_more(postgres: Postgres) -> None:
    url = postgres.make_database()
    store = open_store(url, clock=StillClock())
    write(store)
    cut_hold(url)
    other = open_store(url)
    with pytest.raises(BootosError, match="another process uses the database"):
        store.keep()
    with pytest.raises(HoldLostError, match="the connection that keeps the database"):
        write(store)
    store.close()
    write(other)  # which is not disturbed by the end of the first
    other.keep()
    with pytest.raises(BootosError, match="another process uses the database"):
        open_store(url, clock=StillClock())
    other.close()


def test_a_server_that_lost_the_database_to_another_process_ends_and_says_so(
    postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.make_database()
    settings, listeners = listen(build_settings(tmp_path, database=url))
    context = open_context(settings)
    prepare(context)
    cut_hold(url)
    other = open_store(url)
    server, errors = Server(context, listeners, keep_every_s=0.05), list[BaseException]()

    def run() -> None:
        try:
            server.run()
        except BootosError as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive(), "the server did not end"
    assert [str(error).partition(":")[0] for error in errors] == ["another process uses the database"]
    other.keep()
    other.close()
