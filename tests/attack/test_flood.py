"""A network that floods the server with registrations, logs and large values costs it no more than its limits say, and
no machine that an operator knows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import DEFAULTS, INVENTORY, Agent, Running, build_settings, run_in_thread
from sqlalchemy import select

from bootos.server.limit import Limits
from bootos.server.store.table import Job, LogLine, Machine

LIMITS = Limits(
    registrations_per_address=40,
    registrations_per_minute=200,
    new_per_address=5,
    new_per_network=7,
    new_machines=9,
    job_log_bytes=20_000,
    boot_log_bytes=30_000,
    new_log_bytes=3_000,
)


@pytest.fixture(scope="module")
def small_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Everything in it is small; its clients speak through addresses that the tests choose."""
    root: Path = tmp_path_factory.mktemp("small")
    running, stop = run_in_thread(build_settings(root, **{**DEFAULTS, "limits": LIMITS}))
    yield running
    stop()


@pytest.fixture
def small(small_server: Running) -> Iterator[Running]:
    yield small_server
    small_server.empty()


def register(server: Running, number: int, **more: Any) -> Agent:
    agent = Agent(
        server, sn=f"FLOOD{number}", boot_id=f"boot-{number}", inventory={"collected_at": ""}, **more
    )
    agent.register()
    return agent


def list_names(server: Running) -> set[str]:
    with server.context.store.read() as session:
        return set(session.scalars(select(Machine.sn)))


def grow_silent(server: Running) -> None:
    """Whoever registered until now was not heard of for long."""
    with server.context.store.write() as session:
        for machine in session.scalars(select(Machine)):
            machine.last_heard_at = None
            server.context.presence.forget(machine.id)


def test_who_registers_too_often_is_told_how_long_to_wait(small: Running) -> None:
    answers = [Agent(small, sn="SN001").register() for _ in range(LIMITS.registrations_per_address + 2)]
    assert [answer.status for answer in answers[-2:]] == [429, 429]
    assert {answer.status for answer in answers[:-2]} == {200}
    assert 0 < answers[-1].data["retry_after_s"] <= 61
    headers = {name.lower(): value for name, value in answers[-1].headers.items()}
    assert headers["retry-after"] == str(answers[-1].data["retry_after_s"])
    health = small.operate("GET", "/health")
    assert health["counts"]["registrations_per_address"] == 2
    assert health["sentences"][0]["detail"] == "127.0.0.1 registers too often"


def test_of_the_new_machines_of_an_address_the_one_that_is_silent_for_longest_goes(small: Running) -> None:
    for number in range(LIMITS.new_per_address):
        register(small, number)
    grow_silent(small)
    assert register(small, 90).session
    assert list_names(small) == {
        "FLOOD90",
        *(f"FLOOD{number}" for number in range(1, LIMITS.new_per_address)),
    }
    assert small.operate("GET", "/health")["counts"] == {"new_per_address": 1}


def test_a_new_machine_is_refused_while_all_of_its_address_are_alive(small: Running) -> None:
    alive = [register(small, number) for number in range(LIMITS.new_per_address)]
    refused = register(small, 90)
    assert refused.session == ""
    answer = refused.register()
    assert answer.status == 429
    assert "bootos machine list" in answer.data["hint"]
    assert list_names(small) == {agent.registration["sn"] for agent in alive}
    assert alive[0].register().status == 200


def test_machines_that_an_operator_knows_do_not_count_and_never_go(small: Running) -> None:
    small.put_template()
    for number in range(20):
        small.operate("PATCH", f"/machines/NAMED{number}/settings", {"hostname": f"h{number}"})
    for number in range(LIMITS.new_per_address):
        register(small, number)
    small.create_job(machine="FLOOD0")  # an operator has a job for it
    grow_silent(small)
    named = Agent(small, sn="NAMED1", boot_id="named", inventory={"collected_at": ""})
    assert named.register().status == 200
    for number in range(50, 60):
        assert register(small, number).session
        grow_silent(small)
    names = list_names(small)
    assert {"FLOOD0", *(f"NAMED{number}" for number in range(20))} <= names
    assert len(names) == 21 + LIMITS.new_per_address


def test_a_machine_that_was_confirmed_makes_room(small: Running) -> None:
    for number in range(LIMITS.new_per_address):
        register(small, number)
    with small.context.store.write() as session:
        for machine in session.scalars(select(Machine)):
            machine.confirmed_by, machine.confirmed_at = "person", machine.created_at
    assert register(small, 90).session
    assert len(list_names(small)) == LIMITS.new_per_address + 1


def read_lines(server: Running) -> list[LogLine]:
    with server.context.store.read() as session:
        return list(session.scalars(select(LogLine).order_by(LogLine.seq)))


def test_the_log_of_a_new_machine_is_cut_and_one_line_says_so(small: Running) -> None:
    agent = register(small, 1)
    for start in range(0, 200, 50):
        log = [{"n": start + n, "at": "x", "text": "x" * 100} for n in range(50)]
        answer = agent.report(log=log)
        assert answer.status == 200
        assert answer.data["log_next"] == start + 50
    lines = read_lines(small)
    assert len(lines) == 16
    assert [line.text for line in lines if line.source == "server"] == [
        "the log of this boot has 3,000 bytes: what follows is left out"
    ]
    assert small.operate("GET", "/health")["counts"] == {"new_log_bytes": 1}


def test_the_log_of_a_job_is_cut_and_the_job_goes_on(small: Running) -> None:
    small.put_template()
    agent = register(small, 1)
    with small.context.store.write() as session:
        for machine in session.scalars(select(Machine)):
            machine.confirmed_by, machine.confirmed_at = "person", machine.created_at
    job = small.create_job(machine="FLOOD1")
    assert agent.order()["job_id"] == str(job["id"])
    for start in range(0, 500, 50):
        log = [{"n": start + n, "at": "x", "text": "x" * 100} for n in range(50)]
        assert agent.report(job["id"], log=log).status == 200
    assert agent.report(job["id"], state="succeeded").status == 200
    assert small.job(job["id"])["state"] == "done"
    lines = read_lines(small)
    assert sum(len(line.text) for line in lines) < LIMITS.job_log_bytes + 2000
    assert [line.text for line in lines if "left out" in line.text] == [
        f"the log of job {job['id']} has 20,000 bytes: what follows is left out"
    ]
    assert f"job {job['id']}: running -> done" in lines[-1].text
    with small.context.store.read() as session:
        assert session.scalars(select(Job.log_bytes)).one() == LIMITS.job_log_bytes + 1


def test_an_inventory_of_endless_lists_and_texts_is_cut_and_its_notes_say_so(server: Running) -> None:
    gpus = [{"pci_address": "0000:00:00.0"}] * 5000
    inventory = {**INVENTORY, "gpus": gpus, "hostname": "h" * 10_000}
    assert Agent(server, inventory=inventory).register().status == 200
    kept = server.operate("GET", "/machines/SN001")["inventory"]
    assert (len(kept["gpus"]), len(kept["hostname"])) == (4096, 4096)
    assert kept["notes"][-2:] == [
        "hostname: 10000 characters are too many; the rest was left out",
        "gpus: 5000 items are too many; the rest was left out",
    ]
