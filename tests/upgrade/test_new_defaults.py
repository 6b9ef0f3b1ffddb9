"""Yesterday's data directory with the defaults of today's server: machines that it knew are who they were, what was at
work goes on, and what is held back now says what to do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from recording import Call, read_calls
from serving import DEFAULTS, Agent, Running, run_in_thread
from sqlalchemy import select
from test_data_directory import (
    INSTALLER_FILE,
    KNOWN,
    PXE_FILES,
    VIEWS,
    Yesterday,
    boot_again,
    job_of,
    open_settings,
    read_files,
    unpack,
)
from test_old_agent import Replay, read_as_yesterday
from v1_agent import Installer, V1Agent

from bootos.server.lifecycle import MachineState, State
from bootos.server.settings import Settings
from bootos.server.store.table import Machine, read_clock
from bootos.wire import v2

BEFORE = "earlier release"


def open_defaults(data: Path) -> Settings:
    """As `bootos serve` is without a word of whom to trust."""
    return msgspec.structs.replace(open_settings(data), **DEFAULTS)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Today's server on yesterday's directory; each test works with machines of its own."""
    running, stop = run_in_thread(open_defaults(unpack(tmp_path_factory.mktemp("defaults"))))
    yield running
    stop()


def read_confirmed(server: Running) -> dict[str, str]:
    """How each machine was confirmed, by serial number; empty: it was not."""
    with server.context.store.read() as session:
        rows = list(session.scalars(select(Machine)))
        return {row.sn: row.confirmed_by if row.confirmed_at is not None else "" for row in rows}


def confirm(server: Running, sn: str) -> None:
    """As an operator does who knows the machine."""
    with server.context.store.write() as session:
        machine = session.scalars(select(Machine).where(Machine.sn == sn)).one()
        machine.confirmed_at, machine.confirmed_by, machine.doubt = read_clock(), "person", ""
        session.touch(f"machine:{machine.id}")


def test_machines_that_had_a_session_are_confirmed_and_no_others_are(server: Running) -> None:
    known = read_confirmed(server)
    assert {sn for sn, how in known.items() if how == BEFORE} >= set(KNOWN["sessions"])
    never = {row["sn"] for row in VIEWS["/machines"] if row["state"] == MachineState.EXPECTED}
    spoke_v1 = {sn for sn in known if sn.startswith("SNV1")}
    assert len(never) > 1 and len(spoke_v1) == 3
    assert {sn: known[sn] for sn in never | spoke_v1} == dict.fromkeys(never | spoke_v1, "")


def test_the_session_of_a_running_job_goes_on_to_its_end(server: Running) -> None:
    number, agent = job_of("UPRUN01"), Yesterday(server, "UPRUN01")
    assert agent.order()["job_id"] == str(number)
    assert agent.report(number, state="running").data["cancel"] is False
    assert agent.upload_mac(number, "52:54:00:00:04:01").status == 200
    assert agent.report(number, state="succeeded").status == 200
    assert server.job(number)["state"] == State.INSTALLING


def test_a_job_that_was_approved_reaches_the_machine_at_its_next_boot(server: Running) -> None:
    machine = server.operate("GET", "/machines/UPAPPRO")
    agent = Agent(server, "UPAPPRO", "the next boot", inventory=machine["inventory"])
    server.context.presence.let_go(machine["id"])  # its last boot is silent for long
    assert agent.register().status == 200
    assert agent.order()["job_id"] == str(job_of("UPAPPRO"))


def test_jobs_that_wait_for_a_confirmation_say_so_before_their_machines_come(tmp_path: Path) -> None:
    running, stop = run_in_thread(open_defaults(unpack(tmp_path)))
    told = {sn: running.job(job_of(sn))["message"] for sn in ("UPQUEUE", "SNV1QUE", "UPAPPRO")}
    begun = running.job(job_of("SNV1RUN"))
    running.close()
    stop()
    assert "has not registered yet" in told["UPQUEUE"]
    assert "this machine is new" in told["SNV1QUE"] and "bootos machine confirm id:" in told["SNV1QUE"]
    assert told["UPAPPRO"] == ""  # it had a session
    assert begun["state"] == State.RUNNING and "this machine is new" in begun["message"]


def test_the_job_of_a_machine_that_never_came_waits_for_its_confirmation_and_says_so(server: Running) -> None:
    number, agent = job_of("UPQUEUE"), boot_again(server, "UPQUEUE", mac="52:54:00:00:99:11")
    assert agent.order() is None
    job = server.job(number)
    assert job["state"] == State.QUEUED and "bootos machine confirm" in job["message"]
    confirm(server, "UPQUEUE")
    assert agent.order()["job_id"] == str(number)


def test_a_job_with_secrets_is_refused_to_an_agent_that_speaks_no_tls_and_says_what_to_do(
    server: Running,
) -> None:
    """Its machine is known well enough, and its image is yesterday's."""
    number, agent = job_of("UPNODE1"), boot_again(server, "UPNODE1", mac="52:54:00:00:99:12")
    confirm(server, "UPNODE1")
    assert agent.order() is None
    job = server.job(number)
    assert job["state"] == State.REFUSED
    assert "over TLS only" in job["message"] and "--plain-secrets" in job["message"]
    without = server.create_job("UPNODE1", "whole")["id"]
    assert agent.order()["job_id"] == str(without)


def test_an_installer_of_yesterday_reports_to_its_job(server: Running) -> None:
    """Its PXE file, written before there were tokens, names the job's machine alone."""
    assert "getSystemBySn?sn=UPINST1" in (server.pxe_directory / INSTALLER_FILE).read_text()
    installer = Installer(server.url, sn="UPINST1")
    installer.install()
    assert server.job(job_of("UPINST1"))["state"] in (State.DONE, State.INSTALLING)


def test_the_edited_default_file_stays_whatever_the_server_is_told(tmp_path: Path) -> None:
    data = unpack(tmp_path)
    before = {name: content for name, content in read_files().items() if name.startswith(PXE_FILES)}
    assert b"memtest86+" in before[f"{PXE_FILES}default"]
    for public_url in ("", "https://bootos.example"):
        settings = msgspec.structs.replace(open_defaults(data), public_url=public_url)
        _, stop = run_in_thread(settings)
        stop()
        assert {name: (data / name).read_bytes() for name in before} == before


def test_a_v1_agent_that_nobody_confirmed_is_told_so_and_goes_on_when_it_is(server: Running) -> None:
    agent = V1Agent(server.url, "SNV1QUE", "52:54:00:00:22:01", developer=True)
    assert not agent.poll()
    assert server.job(job_of("SNV1QUE"))["state"] == State.QUEUED
    confirm(server, "SNV1QUE")
    assert agent.poll()
    assert agent.carry_out()


def test_a_job_that_a_v1_agent_had_begun_does_not_say_that_it_waits_once_its_machine_is_confirmed(
    server: Running,
) -> None:
    number = job_of("SNV1RUN")
    assert "bootos machine confirm" in server.job(number)["message"]
    server.operate("POST", "/confirm", [{"machine": "SNV1RUN"}])
    job = server.job(number)
    assert (job["state"], job["message"]) == (State.RUNNING, "")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api/operator/machines"), ("POST", "/api/operator/jobs"), ("GET", "/jobs")]
)
def test_who_goes_where_operators_went_before_is_told_where_they_go_now(
    server: Running, method: str, path: str
) -> None:
    """A shell that names yesterday's address (`BOOTOS_SERVER`), or a page in a browser's history."""
    token = {"Authorization": f"Bearer {server.context.operator_token}"}
    answer = server.request_at(server.url, method, path, headers=token)
    said = answer.json()
    assert answer.status == 404
    assert server.context.operator_url in said["error"]
    assert "BOOTOS_SERVER" in said["hint"]


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Running]:
    """Today's server with nothing in it."""
    (tmp_path / "data").mkdir()
    running, stop = run_in_thread(open_defaults(tmp_path / "data"))
    (running.data / "files/post.sh").write_text("#!/bin/sh\necho post\n")
    yield running
    stop()


def is_from(call: Call, path: str) -> bool:
    return call.who == "agent" and call.place == f"{v2.PREFIX}{path}"


def read(call: Call, said: tuple[int, str]) -> Any:
    return read_as_yesterday(call, *said)


def test_an_image_of_yesterday_boots_registers_and_works_once_its_machine_is_confirmed(
    fresh: Running,
) -> None:
    """Every word of the recorded agent is said again: it reads each answer, gets no order before, and comes to the
    same end afterwards."""
    replay, calls = Replay(fresh), read_calls("v2-apply")
    place = next(
        number for number, call in enumerate(calls) if is_from(call, "/order") and call.status == 200
    )
    for call in calls[:place]:
        said = replay.say(call)
        assert said[0] == call.status, call.path
        if is_from(call, "/register"):
            assert "bootos machine confirm" in read(call, said)["message"]
    assert replay.say(calls[place])[0] == 204
    (sn,) = read_confirmed(fresh)
    confirm(fresh, sn)
    for call in calls[place:]:
        assert replay.say(call)[0] == call.status or call.path.startswith("/api/osinstall"), call.path
    (job,) = fresh.operate("GET", "/jobs")
    assert job["state"] in (State.DONE, State.INSTALLING)
