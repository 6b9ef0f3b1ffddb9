"""A session that began over TLS and is said over http is known to whoever is on the way: no secret is sent in it any
more, neither in the answer over http nor to who repeats it over TLS."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from securing import Secure, run_secure
from serving import Agent, Answer

from bootos.server.settings import Settings
from bootos.wire.ability import OURS

TEMPLATE = "name: t\noob: {users: [{name: ops, password: {secret: pw}}]}\n"
SECRETS = {"pw": "very-secret"}


@pytest.fixture
def secure(settings: Settings) -> Iterator[Secure]:
    with run_secure(msgspec.structs.replace(settings, plain_secrets=False)) as both:
        both.operate("PUT", "/secrets/pw", {"value": SECRETS["pw"]})
        both.put_template("t", TEMPLATE)
        yield both


@pytest.fixture
def agent(secure: Secure) -> Agent:
    agent = Agent(secure, abilities=list(OURS))
    assert agent.register().status == 200
    return agent


def say_over_http(secure: Secure, agent: Agent) -> Agent:
    """The same session at the other end."""
    plain = Agent(secure.plain)
    plain.session = agent.session
    return plain


def test_a_session_that_began_over_tls_gets_no_secret_over_http(secure: Secure, agent: Agent) -> None:
    secure.create_job()
    assert say_over_http(secure, agent).order() is None
    assert secure.job(1)["state"] == "queued" and "secrets go over TLS only" in secure.job(1)["message"]


CALLS: dict[str, Callable[[Agent], Any]] = {
    "order": Agent.order,
    "report": lambda agent: agent.report(),
    "a report that is refused": lambda agent: agent.call(
        "POST", "/report", {"number": 1, "boot_id": "other"}
    ),
    "mac": lambda agent: agent.upload_mac(7),
    "capture": lambda agent: agent.call("POST", "/capture", {"error": "there is none"}),
}


@pytest.mark.parametrize("call", CALLS)
def test_who_read_the_session_in_a_call_over_http_gets_no_secret_over_tls(
    secure: Secure, agent: Agent, call: str
) -> None:
    said = CALLS[call](say_over_http(secure, agent))
    assert not isinstance(said, Answer) or said.status in (200, 404, 409), said
    secure.create_job()
    assert agent.order() is None
    (sentence,) = secure.context.health.sentences()
    assert sentence.what == "session" and "SN001" in sentence.detail
    assert agent.register().status == 200
    assert agent.order()["secrets"] == SECRETS


def test_a_session_that_was_said_over_http_gets_no_secret_at_a_poll_that_waited_there(
    secure: Secure, agent: Agent
) -> None:
    """The poll before it has told that there is no job, over TLS."""
    assert agent.order() is None
    plain = say_over_http(secure, agent)
    assert plain.order() is None
    secure.create_job()
    assert plain.order() is None and agent.order() is None
