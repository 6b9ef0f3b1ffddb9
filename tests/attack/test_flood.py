"""A network that floods the server with registrations, logs and large values costs it no more than its limits say, and
no machine that an operator knows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import DEFAULTS, INVENTORY, Agent, Running, build_settings, run_in_thread
from sqlalchemy import select

from bootos.server.limit import FIXED, Limits
from bootos.server.store.table import Boot, Job, LogLine, Machine
from bootos.wire import cloudboot_v1 as v1

LIMITS = Limits(
    registrations_per_address=40,
    registrations_per_minute=200,
    new_per_address=5,
    new_per_network=7,
    new_machines=9,
    registration_bytes=60_000,
    saved_bytes=10_000,
    json_depth=30,
    list_items=20,
    text_letters=300,
    log_line_letters=2_000,
    job_log_bytes=20_000,
    boot_log_bytes=30_000,
    new_log_bytes=3_000,
)

UUID, OTHER_UUID = "4c4c4544-0039-3010-8048-b7c04f384432", "4c4c4544-0039-3010-8048-b7c04f384499"


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


def confirm_all(server: Running) -> None:
    with server.context.store.write() as session:
        for machine in session.scalars(select(Machine)):
            machine.confirmed_by, machine.confirmed_at = "person", machine.created_at


def list_names(server: Running) -> set[str]:
    with server.context.store.read() as session:
        return set(session.scalars(select(Machine.sn)))


def grow_silent(server: Running) -> None:
    """Whoever registered until now was not heard of for long."""
    with server.context.store.write() as session:
        for machine in session.scalars(select(Machine)):
            machine.last_heard_at = None
            server.context.presence.forget(machine.id)


def free_identities(server: Running) -> None:
    """No boot holds the identity of its machine any more."""
    with server.context.store.read() as session:
        for number in session.scalars(select(Machine.id)):
            server.context.presence.let_go(number)


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
    confirm_all(small)
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
    confirm_all(small)
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
    counts = server.operate("GET", "/health")["counts"]
    assert (counts["list_items"], counts["text_letters"]) == (1, 1)


def test_the_limits_of_the_site_count_for_inventories_of_any_protocol_and_of_who_is_not_believed(
    small: Running,
) -> None:
    long = {"collected_at": "", "hostname": "h" * 1000, "gpus": [{"pci_address": "0000:00:00.0"}] * 50}
    agent = Agent(small, inventory={**long, "system": {"uuid": UUID}})
    assert agent.register().status == 200
    kept = small.operate("GET", "/machines/SN001")["inventory"]
    assert (len(kept["gpus"]), len(kept["hostname"])) == (LIMITS.list_items, LIMITS.text_letters)

    small.operate("POST", "/confirm", [{"machine": "SN001"}])
    free_identities(small)
    clone = Agent(small, boot_id="evil", inventory={**long, "system": {"uuid": OTHER_UUID}})
    assert clone.register().status == 200
    assert small.operate("GET", "/machines/SN001")["doubt"]
    (told,) = list_told(small)
    assert (len(told["gpus"]), len(told["hostname"])) == (LIMITS.list_items, LIMITS.text_letters)

    said = {"Sn": "SN002", "Company": "Acme", "Memory": [{"Name": "x", "Size": "y" * 1000}] * 50}
    assert small.call("POST", f"{v1.PREFIX}/report/deviceProductInfo", said).data["Status"] == "success"
    notes = small.operate("GET", "/machines/SN002")["inventory"]["notes"]
    assert len(notes) <= LIMITS.list_items + 20
    assert max(map(len, notes)) == LIMITS.text_letters


def test_what_an_agent_calls_its_drivers_is_kept_as_far_as_drivers_go(small: Running) -> None:
    assert register(small, 1, drivers=["d" * 150] * 300).session
    kept = small.operate("GET", "/machines/FLOOD1")["drivers"]
    assert (len(kept), {len(name) for name in kept}) == (FIXED.drivers, {FIXED.name_letters})


def test_an_inventory_or_a_state_of_a_report_that_is_too_large_is_left_out(small: Running) -> None:
    agent = register(small, 1)
    large = {"collected_at": "later", "notes": ["n" * 30_000] * 3}
    log = [{"n": 0, "at": "x", "text": "kept"}]
    assert agent.report(inventory=large, log=log).status == 200
    saved = {"saved_at": "", "inventory": {"collected_at": ""}, "states": {"x": "x" * 20_000}}
    assert agent.report(saved=saved).status == 200
    machine = small.operate("GET", "/machines/FLOOD1")
    assert (machine["inventory"]["collected_at"], machine["saved_at"]) == ("", None)
    assert [line.text for line in read_lines(small)] == ["kept"]
    assert small.operate("GET", "/health")["counts"] == {"registration_bytes": 1, "saved_bytes": 1}


def list_told(server: Running) -> list[dict[str, Any]]:
    """The inventories that boots tell which are not believed."""
    with server.context.store.read() as session:
        return [told for told in session.scalars(select(Boot.inventory)) if told is not None]


def test_a_new_machine_that_boots_without_end_keeps_one_boot_and_its_log(small: Running) -> None:
    for number in range(10):
        agent = Agent(small, sn="FLOOD1", boot_id=f"again-{number}", inventory={"collected_at": ""})
        assert agent.register().status == 200
        log = [{"n": n, "at": "x", "text": "x" * 100} for n in range(50)]
        assert agent.report(log=log).status == 200
        free_identities(small)
    assert len(read_lines(small)) == 16
    with small.context.store.read() as session:
        assert [boot.boot_id for boot in session.scalars(select(Boot))] == ["again-9"]


def test_a_confirmed_machine_keeps_the_log_of_its_earlier_boots(small: Running) -> None:
    for number in range(2):
        agent = Agent(small, sn="FLOOD1", boot_id=f"again-{number}", inventory={"collected_at": ""})
        assert agent.register().status == 200
        assert agent.report(log=[{"n": 0, "at": "x", "text": "x"}]).status == 200
        confirm_all(small)
        free_identities(small)
    assert len(read_lines(small)) == 2


def test_clones_that_boot_without_end_leave_one_inventory_and_one_log(small: Running) -> None:
    own = Agent(small, inventory={"collected_at": "", "system": {"uuid": UUID}})
    assert own.register().status == 200
    small.operate("POST", "/confirm", [{"machine": "SN001"}])
    for number in range(5):
        free_identities(small)
        told = {"collected_at": "", "system": {"uuid": OTHER_UUID}}
        clone = Agent(small, boot_id=f"evil-{number}", inventory=told)
        assert clone.register().status == 200
        log = [{"n": n, "at": "x", "text": "x" * 1000} for n in range(10)]
        assert clone.report(log=log).status == 200
    assert len(list_told(small)) == 1
    assert small.operate("GET", "/health")["counts"]["new_log_bytes"] == 5
    assert len(read_lines(small)) == 3, "the log of one clone, and the line that says what was cut"
    with small.context.store.read() as session:
        assert sorted(boot.boot_id for boot in session.scalars(select(Boot))) == ["boot-1", "evil-4"]


def test_who_boots_without_end_under_the_name_of_an_expected_machine_leaves_one_log(small: Running) -> None:
    small.operate("PATCH", "/machines/SN001/settings", {"hostname": "h1"})
    for number in range(5):
        free_identities(small)
        evil = Agent(small, boot_id=f"evil-{number}", inventory={"collected_at": ""})
        assert evil.register().status == 200
        assert evil.report(log=[{"n": 0, "at": "x", "text": "x"}]).status == 200
    assert len(read_lines(small)) == 1


def test_a_line_that_is_too_long_is_cut_and_so_is_the_last_word_of_a_job(small: Running) -> None:
    small.put_template()
    agent = register(small, 1)
    confirm_all(small)
    job = small.create_job(machine="FLOOD1")["id"]
    assert agent.order()["job_id"] == str(job)
    log = [{"n": 0, "at": "x", "text": "l" * 5000}]
    assert agent.report(job, state="failed", message="m" * 5000, log=log).status == 200
    assert small.job(job)["message"] == "m" * LIMITS.log_line_letters
    assert "l" * LIMITS.log_line_letters in [line.text for line in read_lines(small)]
    assert small.operate("GET", "/health")["counts"] == {"log_line_letters": 1}


def test_who_registers_by_cloudboot_v1_too_often_is_refused(small: Running) -> None:
    said = {"Sn": "SN001", "Company": "Acme"}
    answers = [
        small.call("POST", f"{v1.PREFIX}/report/deviceProductInfo", said).data
        for _ in range(LIMITS.registrations_per_address + 1)
    ]
    assert [answer["Status"] for answer in answers] == [*["success"] * 40, "error"]
    assert "too many registrations" in answers[-1]["Message"]


def test_the_limit_of_the_site_for_depth_counts_for_both_protocols(small: Running) -> None:
    deep = b'{"Sn": ' + b"[" * 40 + b"]" * 40 + b"}"
    said = small.call("POST", f"{v1.PREFIX}/report/deviceProductInfo", deep).data
    assert said["Status"] == "error"
    assert "nested too deep" in said["Message"]
    assert small.call("POST", "/api/v2/agent/register", deep).status == 400
    assert small.operate("GET", "/health")["counts"] == {"json_depth": 1}
