"""Words that a person compared are those of one boot. Whoever says in the next one what the machine says, with a key of
his own and the server's CA, is not taken for the machine where secrets are sent after words."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from browsing import form_token, log_in, read, send
from securing import Secure, run_secure
from serving import INVENTORY, Agent
from typer.testing import CliRunner

from bootos.cli import build_app
from bootos.server.settings import Settings
from bootos.wire.ability import OURS

TEMPLATE = "name: t\noob: {users: [{name: ops, password: {secret: pw}}]}\n"
KEY, OTHER_KEY = "11" * 32, "22" * 32
SECRETS = {"pw": "very-secret"}


@pytest.fixture
def secure(settings: Settings) -> Iterator[Secure]:
    """A server that sends secrets after words only."""
    careful = msgspec.structs.replace(settings, enrol="confirm", secrets_after="words", plain_secrets=False)
    with run_secure(careful) as both:
        both.operate("PUT", "/secrets/pw", {"value": SECRETS["pw"]})
        both.put_template("t", TEMPLATE)
        yield both


def boot(secure: Secure, boot_id: str, key: str) -> Agent:
    """A boot that says that it is SN001, when the boot before has been silent."""
    secure.context.presence.let_go(1)
    agent = Agent(
        secure, boot_id=boot_id, key=key, ca_sha256=secure.context.authority.fingerprint, abilities=list(OURS)
    )
    assert agent.register().status == 200
    return agent


def read_machine(secure: Secure) -> Any:
    return secure.operate("GET", "/machines/SN001")


def compare(secure: Secure) -> None:
    """A person sees on the console what the server shows."""
    row = read_machine(secure)
    assert len(row["words"].split()) == 4
    wanted = {"machine": "SN001", "boot": row["boot"], "words": row["words"]}
    secure.operate("POST", "/confirm", [wanted])


@pytest.fixture
def first(secure: Secure) -> Agent:
    """A boot of the machine whose words were compared."""
    agent = boot(secure, "first", KEY)
    compare(secure)
    return agent


def test_the_boot_whose_words_were_compared_gets_secrets(secure: Secure, first: Agent) -> None:
    secure.create_job()
    assert first.order()["secrets"] == SECRETS
    assert first.register().status == 200, "its agent was started again"
    assert first.order()["secrets"] == SECRETS


def test_another_boot_that_says_the_same_gets_no_secret_until_its_own_words_were_compared(
    secure: Secure, first: Agent
) -> None:
    secure.create_job()
    other = boot(secure, "other", OTHER_KEY)
    assert (read_machine(secure)["confirmed_by"], read_machine(secure)["compared"]) == ("words", False)
    assert other.order() is None
    job = secure.job(1)
    assert (job["state"], job["attempt"]) == ("queued", 0)
    assert "nobody has compared those of this one" in job["message"]
    compare(secure)
    assert other.order()["secrets"] == SECRETS
    assert secure.job(1)["message"] == ""


def test_a_job_without_secrets_goes_on_in_another_boot(secure: Secure, first: Agent) -> None:
    secure.put_template("plain", "name: plain\n")
    secure.create_job(template="plain")
    assert boot(secure, "other", OTHER_KEY).order()["job_id"] == "1"


@pytest.mark.parametrize("key", [OTHER_KEY, ""])
def test_who_says_the_boot_id_of_a_silent_boot_but_not_its_key_has_not_its_words(
    secure: Secure, first: Agent, key: str
) -> None:
    secure.create_job()
    assert boot(secure, "first", key).order() is None
    assert read_machine(secure)["compared"] is False
    assert boot(secure, "first", KEY).order() is None, "nobody knows any more which of the two it was"


def test_the_words_that_a_person_compared_confirm_nobody_who_shows_none(secure: Secure) -> None:
    """The boot was silent between the look and the word."""
    boot(secure, "first", KEY)
    seen = read_machine(secure)
    boot(secure, "first", "")
    wanted = {"machine": "SN001", "boot": seen["boot"], "words": seen["words"]}
    refused = secure.refuse("POST", "/confirm", [wanted])
    assert refused.status == 409 and "shows no words any more" in refused.data["error"]
    assert read_machine(secure)["state"] == "new"


def test_a_boot_from_which_the_identity_was_taken_is_compared_anew(secure: Secure, first: Agent) -> None:
    secure.create_job()
    secure.operate("POST", "/machines/SN001/release", {})
    assert boot(secure, "first", KEY).order() is None


def test_the_words_of_a_machine_that_a_list_confirmed_are_compared_by_page_and_command(
    secure: Secure,
) -> None:
    row = {"sn": "SN001", "mac": INVENTORY["nics"][0]["mac"], "values": {}}
    secure.operate("POST", "/import", [row])
    agent = boot(secure, "first", KEY)
    assert read_machine(secure)["confirmed_by"] == "import"
    secure.create_job()
    assert agent.order() is None
    words = read_machine(secure)["words"]
    environment = {"BOOTOS_SERVER": secure.operator_url, "BOOTOS_DATA": str(secure.data), "COLUMNS": "200"}
    runner = CliRunner(env=environment)
    shown = runner.invoke(build_app(["machine"]), ["machine", "show", "SN001"]).output
    assert words in shown and "Nobody has compared these words" in shown
    done = runner.invoke(build_app(["machine"]), ["machine", "confirm", "SN001"], input="y\n")
    assert words in done.output and "confirmed: SN001" in done.output
    assert agent.order()["secrets"] == SECRETS

    boot(secure, "second", OTHER_KEY)
    headers = log_in(secure)
    page = read(secure, "/machines/id:1", headers)
    row = read_machine(secure)
    assert row["words"] in page and "The console shows these words" in page
    form = {"form_token": form_token(page), "boot": str(row["boot"]), "words": row["words"]}
    assert send(secure, "/machines/id:1/confirm", headers, **form) == (303, "/machines/id:1")
    assert "A person has compared them" in read(secure, "/machines/id:1", headers)
