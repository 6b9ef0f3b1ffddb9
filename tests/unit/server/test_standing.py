"""A machine that nobody confirmed is shown, and gets nothing."""

import msgspec
import pytest
from serving import Agent, Running

from bootos.server.context import Context
from bootos.server.operation.standing import ENOUGH, find_secret_bar
from bootos.server.settings import Settings
from bootos.server.store.table import Boot, Machine


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


def decide(server: Running, policy: str) -> Context:
    """The server's context, as if it had this policy."""
    settings = msgspec.structs.replace(server.context.settings, secrets_after=policy, enrol="confirm")
    assert isinstance(settings, Settings)
    return msgspec.structs.replace(server.context, settings=settings)


@pytest.mark.parametrize("policy", sorted(ENOUGH))
@pytest.mark.parametrize("how", ["words", "person", "import", "earlier release", "rule", "open", ""])
def test_secrets_are_sent_to_who_was_confirmed_well_enough(server: Running, policy: str, how: str) -> None:
    with server.context.store.read() as session:
        machine = Machine(sn="A", sn_key="a", confirmed_by=how)
        bar = find_secret_bar(decide(server, policy), session, machine, None)
    assert (bar == "") == (how in ENOUGH[policy])
    assert "open" not in ENOUGH[policy] and "words" in ENOUGH[policy]


@pytest.mark.parametrize("how", ["words", "person", "import", "rule"])
def test_after_words_secrets_go_to_the_boot_whose_words_were_compared_and_to_no_other(
    server: Running, how: str
) -> None:
    """However its machine was confirmed, and by words in an earlier boot too: anybody on the wire says what a boot
    says, but for the words."""
    context, machine = decide(server, "words"), Machine(id=7, sn="A", sn_key="a", confirmed_by=how)
    cases: list[tuple[Boot | None, str]] = [
        (Boot(secure=True, words="acid amber basin cabin", compared=True), ""),
        (Boot(secure=True, words="acid amber basin cabin", compared=False), "bootos machine confirm id:7"),
        (Boot(secure=True, words="", compared=False), "this one shows none"),
        (None, "this one shows none"),
    ]
    with server.context.store.read() as session:
        for boot, said in cases:
            bar = find_secret_bar(context, session, machine, boot)
            assert (said in bar) if said else (bar == "")
