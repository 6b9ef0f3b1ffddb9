"""A machine that nobody confirmed is shown, and gets nothing."""

import msgspec
import pytest
from serving import Agent, Running

from bootos.server.operation.standing import ENOUGH, find_secret_bar
from bootos.server.settings import Settings
from bootos.server.store.table import Machine


def test_a_new_machine_is_shown_and_gets_no_order(default_server: Running) -> None:
    agent = Agent(default_server)
    said = agent.register().data["message"]
    assert "this machine is new" in said and "bootos machine confirm id:1" in said
    default_server.put_template()
    default_server.create_job()
    assert agent.order() is None
    job = default_server.job(1)
    assert job["state"] == "queued" and "bootos machine confirm id:1" in job["message"]
    agent.order()
    log = [line["text"] for line in default_server.operate("GET", "/jobs/1/log")]
    assert len([text for text in log if "this machine is new" in text]) == 1
    row = default_server.operate("GET", "/machines/SN001")
    assert (row["state"], row["inventory"]["system"]["vendor"]) == ("new", "QEMU")


def test_on_an_open_server_whoever_registers_is_a_machine(server: Running) -> None:
    agent = Agent(server)
    assert agent.register().data["message"] == ""
    server.put_template()
    server.create_job()
    assert agent.order()["job_id"] == "1"
    with server.context.store.read() as session:
        assert session.get_one(Machine, 1).confirmed_by == "open"


@pytest.mark.parametrize("policy", sorted(ENOUGH))
@pytest.mark.parametrize("how", ["words", "person", "import", "earlier release", "rule", "open", ""])
def test_secrets_are_sent_to_who_was_confirmed_well_enough(server: Running, policy: str, how: str) -> None:
    settings = msgspec.structs.replace(server.context.settings, secrets_after=policy, enrol="confirm")
    assert isinstance(settings, Settings)
    context = msgspec.structs.replace(server.context, settings=settings)
    with server.context.store.read() as session:
        bar = find_secret_bar(context, session, Machine(sn="A", sn_key="a", confirmed_by=how), None)
    assert (bar == "") == (how in ENOUGH[policy])
    assert "open" not in ENOUGH[policy] and "words" in ENOUGH[policy]
