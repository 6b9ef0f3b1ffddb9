"""Secrets go over TLS only: what is refused when a job is made, what when it is handed out, and what waits."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from publishing import make_image, publish
from securing import Secure, run_secure
from serving import INVENTORY, Agent, Running
from v1_agent import V1Agent

from bootos.server.operation.secrecy import find_plain_bar
from bootos.server.settings import Settings
from bootos.wire.ability import OURS

TEMPLATE = "name: t\noob:\n  users:\n    - {name: ops, password: {secret: ops}}\n"
UUID = "4c4c4544-0039-3010-8048-b7c04f384432"
ABLE: dict[str, Any] = {"abilities": list(OURS)}


@pytest.fixture
def secure(settings: Settings) -> Iterator[Secure]:
    careful = msgspec.structs.replace(settings, plain_secrets=False)
    with run_secure(careful) as both:
        ask_for_secret(both)
        yield both


def ask_for_secret(server: Running) -> None:
    server.operate("PUT", "/secrets/ops", {"value": "hunter2"})
    server.put_template(text=TEMPLATE)


def say(answer: Any) -> str:
    return f"{answer.data['error']} {answer.data['hint']}"


def refuse_job(server: Running) -> str:
    answer = server.refuse("POST", "/jobs", {"machine": "SN001", "template": "t"})
    assert answer.status == 409
    return say(answer)


def test_an_agent_over_tls_gets_the_secrets(secure: Secure) -> None:
    agent = Agent(secure, **ABLE)
    agent.register()
    secure.create_job()
    assert agent.order()["secrets"] == {"ops": "hunter2"}


@pytest.mark.parametrize("end", ["plain", "tls"])
def test_a_job_without_secrets_goes_to_everybody(secure: Secure, end: str) -> None:
    agent = Agent(secure.plain if end == "plain" else secure)
    agent.register()
    secure.put_template()
    secure.create_job()
    assert agent.order() is not None


def test_a_job_with_secrets_is_refused_when_the_agent_there_cannot_speak_tls(secure: Secure) -> None:
    assert Agent(secure.plain).register().status == 200
    said = refuse_job(secure)
    assert (
        "secrets (ops), which go over TLS only, and the agent that runs on SN001 (test) does not speak it"
        in said
    )
    assert "boot the machine with an image of this server's release" in said
    assert "--plain-secrets" in said
    assert secure.operate("GET", "/jobs") == []


def test_a_job_with_secrets_is_refused_while_the_agent_there_speaks_v1(secure: Secure) -> None:
    V1Agent(secure.plain.url).boot()
    said = refuse_job(secure)
    assert "speaks Cloudboot v1" in said and "boot the machine with an image" in said
    secure.create_job(skip_hardware=True)


def test_a_boot_that_is_not_believed_keeps_no_job_from_being_made(settings: Settings) -> None:
    """A clone that speaks no TLS, while the machine is away."""
    careful = msgspec.structs.replace(settings, plain_secrets=False, enrol="confirm")
    own, other = ({**INVENTORY, "system": {"serial": "SN001", "uuid": uuid}} for uuid in (UUID, UUID[::-1]))
    with run_secure(careful) as secure:
        ask_for_secret(secure)
        Agent(secure, inventory=own, **ABLE).register()
        secure.operate("POST", "/confirm", [{"machine": "SN001"}])
        secure.context.presence.let_go(1)
        Agent(secure.plain, boot_id="clone", inventory=other).register()
        assert secure.operate("GET", "/machines/SN001")["state"] == "doubted"
        secure.create_job()
        assert secure.job(1)["state"] == "queued"


def test_a_job_with_secrets_waits_for_an_agent_that_can_and_came_by_http(secure: Secure) -> None:
    """Its TLS end was not reached. It gets the job as soon as it comes over TLS."""
    agent = Agent(secure.plain, **ABLE)
    agent.register()
    job = secure.create_job()
    assert agent.order() is None
    waiting = secure.job(job["id"])
    assert waiting["state"] == "queued"
    assert f"its console says why it did not reach {secure.url}" in waiting["message"]
    again = Agent(secure, **ABLE)
    assert again.register().status == 200
    assert again.order()["secrets"] == {"ops": "hunter2"}


def test_a_job_that_waited_is_refused_when_an_agent_comes_that_cannot(secure: Secure) -> None:
    """Nobody knew when the job was made."""
    job = secure.create_job()
    agent = Agent(secure.plain)
    agent.register()
    assert agent.order() is None
    ended = secure.job(job["id"])
    assert ended["state"] == "refused"
    assert "the agent of this boot does not speak: boot the machine with an image" in ended["message"]
    assert "hunter2" not in str(ended)


def test_a_rollback_in_mid_job_ends_the_job_with_words(secure: Secure) -> None:
    agent = Agent(secure, **ABLE)
    agent.register()
    job = secure.create_job()
    agent.order()
    agent.report(job["id"], state="running", closing=True)
    older = Agent(secure.plain, boot_id="boot-1")
    older.register()
    assert older.order() is None
    assert secure.job(job["id"])["state"] == "failed"


def test_a_job_with_secrets_is_refused_when_the_next_image_cannot_speak_tls(
    secure: Secure, tmp_path: Path
) -> None:
    version = make_image(tmp_path / "older", "older")
    publish(secure, tmp_path / "older", default=True)
    said = refuse_job(secure)
    assert f"the image that SN001 boots next ({version}) does not speak it" in said
    assert "bootos image default VERSION" in said


def test_an_approved_plan_with_secrets_is_refused_alike(secure: Secure) -> None:
    agent = Agent(secure, **ABLE)
    agent.register()
    job = secure.create_job(mode="plan")
    agent.order()
    agent.report(
        job["id"], state="planned", plan_hash="1", steps=[{"id": "plan", "title": "plan", "state": "done"}]
    )
    assert Agent(secure.plain, boot_id="boot-1").register().status == 200
    answer = secure.refuse("POST", f"/jobs/{job['id']}/approve")
    assert "does not speak it" in say(answer)


def test_a_server_without_a_tls_end_says_so(server: Running) -> None:
    careful = msgspec.structs.replace(server.context.settings, plain_secrets=False, tls=None)
    context = msgspec.structs.replace(server.context, settings=careful)
    assert "this server has no TLS end: start it with --tls-listen" in find_plain_bar(context, None)


def test_a_lab_may_send_secrets_over_http(server: Running) -> None:
    """The server of all other tests runs with --plain-secrets."""
    agent = Agent(server)
    agent.register()
    ask_for_secret(server)
    server.create_job()
    assert agent.order()["secrets"] == {"ops": "hunter2"}
