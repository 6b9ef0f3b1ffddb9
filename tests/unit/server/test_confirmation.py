"""Who is a machine: said by a person, by a row of a list, by a rule."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from browsing import form_token, log_in, read, send
from handclock import StillClock
from serving import INVENTORY, Agent, Running
from sqlalchemy import Connection, event, text
from typer.testing import CliRunner, Result

from bootos.cli import build_app
from bootos.server.operation.audit import Actor
from bootos.server.operation.enrol_rule import NewRule, add_rule, end_rules
from bootos.server.operation.standing import is_of, is_within
from bootos.server.store.table import Boot, EnrolRule, Mac, read_clock
from bootos.server.term import Terms
from bootos.waiting import wait_for

MAC, OTHER_MAC = "52:54:00:00:00:02", "52:54:00:00:00:77"
WORDS = "acid amber basin cabin"


@pytest.fixture
def server(default_server: Running) -> Running:
    return default_server


def show_words(server: Running, machine: int, words: str = WORDS) -> None:
    """As an agent that can draw them: its console shows these words."""
    with server.context.store.write() as session:
        boot = session.query(Boot).filter_by(machine_id=machine).one()
        boot.words = words


def confirm(server: Running, *items: dict[str, Any]) -> Any:
    return server.operate("POST", "/confirm", list(items))["machines"]


def read_machine(server: Running, word: str = "SN001") -> Any:
    return server.operate("GET", f"/machines/{word}")


def list_actions(server: Running) -> list[str]:
    return [row["action"] for row in server.operate("GET", "/audit")]


def run(server: Running, *words: str, given: str = "") -> Result:
    environment = {"BOOTOS_SERVER": server.operator_url, "BOOTOS_DATA": str(server.data), "COLUMNS": "200"}
    return CliRunner(env=environment).invoke(build_app([words[0]]), list(words), input=given)


def test_a_waiting_agent_gets_its_order_when_a_person_confirms_the_machine(server: Running) -> None:
    agent = Agent(server)
    agent.register()
    server.put_template()
    server.create_job()
    with ThreadPoolExecutor(1) as threads:
        order = threads.submit(agent.order, 20)
        wait_for(server.context.presence.count_polls, 10, what="a poll", pause_s=0.01)
        assert confirm(server, {"machine": "SN001"}) == {"1": "SN001"}
        assert order.result(10)["job_id"] == "1"
    row = read_machine(server)
    assert (row["confirmed_by"], row["state"], row["words"]) == ("person", "working", "")
    assert row["known"] == {"uuid": "", "board": "", "macs": ["52:54:00:00:00:01", MAC]}
    assert "machine.confirm" in list_actions(server)
    job = server.job(1)
    assert job["message"] == "" and job["state"] == "running"
    log = [line["text"] for line in server.operate("GET", "/jobs/1/log")]
    assert "the machine was confirmed by person" in log


def test_what_is_wrong_with_a_rule_is_told_by_the_options_as_they_were_typed(server: Running) -> None:
    said = run(server, "enrol", "rule", "add", "--network", "10.0.0.0/33", "--for", "BAD")
    assert said.exit_code == 1
    told = str(said.exception)
    assert "--for: 'BAD' is not how long" in told and "--network: '10.0.0.0/33'" in told
    assert "lasts" not in told


def test_the_words_of_its_console_have_to_be_compared(server: Running) -> None:
    Agent(server).register()
    show_words(server, 1)
    assert read_machine(server)["words"] == WORDS
    without = server.refuse("POST", "/confirm", [{"machine": "SN001"}])
    assert without.status == 422 and "compare them" in without.data["error"]
    wrong = server.refuse("POST", "/confirm", [{"machine": "SN001", "words": "zone amber basin cabin"}])
    assert wrong.status == 422 and "look at the machine's console" in wrong.data["hint"]
    for refused in (without, wrong):
        assert not any(word in str(refused.data) for word in WORDS.split()), "nobody copies them from there"
    assert read_machine(server)["state"] == "new"
    confirm(server, {"machine": "SN001", "words": "acid  amber basin cabin "})
    assert read_machine(server)["confirmed_by"] == "words"


def test_a_machine_that_a_row_has_confirmed_shows_its_words_and_a_person_can_still_compare_them(
    server: Running,
) -> None:
    """A man in the middle passes serial number and MAC on as they are."""
    server.operate("POST", "/import", [{"sn": "SN001", "mac": MAC}])
    Agent(server).register()
    show_words(server, 1)
    row = read_machine(server)
    assert (row["confirmed_by"], row["words"]) == ("import", WORDS)
    assert WORDS in read(server, "/machines/id:1", log_in(server))
    assert run(server, "machine", "confirm", "SN001", "--yes").exit_code == 0
    assert read_machine(server)["confirmed_by"] == "words"


def test_a_boot_that_came_since_the_person_looked_is_not_confirmed(server: Running) -> None:
    Agent(server).register()
    seen = read_machine(server)["boot"]
    server.context.presence.let_go(1)
    Agent(server, boot_id="boot-2").register()
    answer = server.refuse("POST", "/confirm", [{"machine": "SN001", "boot": seen}])
    assert answer.status == 409 and "another boot" in answer.data["error"]
    confirm(server, {"machine": "SN001", "boot": read_machine(server)["boot"]})


def test_what_has_not_registered_cannot_be_confirmed(server: Running) -> None:
    server.operate("PATCH", "/machines/SN009/settings", {"rack": "r1"})
    answer = server.refuse("POST", "/confirm", [{"machine": "SN009"}])
    assert answer.status == 409 and "column mac" in answer.data["hint"]


def test_many_are_confirmed_at_once_or_none(server: Running) -> None:
    for number in range(3):
        Agent(server, sn=f"SN{number}").register()
    answer = server.refuse("POST", "/confirm", [{"machine": "SN0"}, {"machine": "SN1"}, {"machine": "NO"}])
    assert answer.status == 422 and [problem["path"] for problem in answer.data["problems"]] == ["NO"]
    assert {row["state"] for row in server.operate("GET", "/confirm")} == {"new"}
    assert confirm(server, {"machine": "SN0"}, {"machine": "sn1"}) == {"1": "SN0", "2": "SN1"}
    assert [row["sn"] for row in server.operate("GET", "/confirm")] == ["SN2"]


def test_a_job_says_that_it_waits_for_the_confirmation(server: Running) -> None:
    server.put_template()
    said = run(server, "job", "create", "--machine", "SN001", "--template", "t").output
    assert "it waits: this machine has not registered yet" in said
    agent = Agent(server)
    agent.register()
    assert agent.order() is None
    assert "bootos machine confirm id:1" in server.job(1)["message"]
    confirm(server, {"machine": "SN001"})
    assert agent.order()["job_id"] == "1"


def test_the_commands_show_the_words_and_ask(server: Running) -> None:
    assert "no machine waits" in run(server, "machine", "new").output
    for number in (1, 2):
        Agent(server, sn=f"SN00{number}").register()
    show_words(server, 1)
    assert WORDS in run(server, "machine", "new").output
    shown = run(server, "machine", "show", "SN001").output
    assert WORDS in shown and "bootos machine confirm id:1" in shown
    refused = run(server, "machine", "confirm", "SN001", given="n\n")
    assert refused.exit_code == 1 and WORDS in refused.output
    assert read_machine(server)["state"] == "new"
    done = run(server, "machine", "confirm", "SN001", "id:2", given="y\n")
    assert done.exit_code == 0 and "confirmed: SN001, SN002" in done.output
    assert [read_machine(server, f"SN00{number}")["confirmed_by"] for number in (1, 2)] == ["words", "person"]


def test_the_pages_show_the_words_and_confirm_one_or_many(server: Running) -> None:
    for number in (1, 2, 3):
        Agent(server, sn=f"SN00{number}").register()
    show_words(server, 1)
    headers = log_in(server)
    assert "3 machines wait to be confirmed" in read(server, "/", headers)
    page = read(server, "/machines/id:1", headers)
    assert WORDS in page and "This machine is new" in page
    token, boots = form_token(page), {n: str(read_machine(server, f"id:{n}")["boot"]) for n in (1, 2, 3)}
    wrong = send(
        server, "/machines/id:1/confirm", headers, form_token=token, boot=boots[1], words="other words"
    )
    assert wrong[0] == 422 and "must show" in wrong[1]
    right = send(server, "/machines/id:1/confirm", headers, form_token=token, boot=boots[1], words=WORDS)
    assert right == (303, "/machines/id:1")
    assert "by a person who compared the words" in read(server, "/machines/id:1", headers)
    nothing = send(server, "/new", headers, form_token=token)
    assert nothing[0] == 422 and "no machine is marked" in nothing[1]
    marked = {"pick-2": boots[2], "words-2": "", "pick-3": boots[3], "words-3": "", "words-1": WORDS}
    status, text = send(server, "/new", headers, form_token=token, **marked)
    assert status == 200 and "2 machines are confirmed" in text and "No machine waits" in text
    assert send(server, "/new", headers, **marked)[0] == 403
    assert "wait to be confirmed" not in read(server, "/", headers)


def write_list(directory: Path, *lines: str) -> str:
    file = directory / "racks.csv"
    file.write_text("\n".join(lines) + "\n")
    return str(file)


def test_a_row_with_serial_number_and_mac_confirms_the_machine(server: Running, tmp_path: Path) -> None:
    file = write_list(
        tmp_path, "sn,MAC,rack", f"SN001,{OTHER_MAC} {MAC.upper()},r1", "SN002,52-54-00-00-00-99,r1"
    )
    assert "2 machine(s) were set" in run(server, "machine", "import", file).output
    agent, other = Agent(server), Agent(server, sn="SN002", boot_id="boot-2")
    assert agent.register().data["message"] == ""
    assert "this machine is new" in other.register().data["message"]
    row = read_machine(server)
    assert (row["confirmed_by"], row["expected_macs"]) == ("import", [MAC, OTHER_MAC])
    server.put_template()
    server.create_job()
    assert agent.order()["job_id"] == "1"


def test_a_row_that_comes_later_confirms_a_machine_that_waits(server: Running, tmp_path: Path) -> None:
    Agent(server).register()
    run(server, "machine", "import", write_list(tmp_path, "sn,mac", f"SN001,{MAC}"))
    assert read_machine(server)["confirmed_by"] == "import"


def test_a_machine_that_another_client_claims_is_not_confirmed_by_a_row(
    server: Running, tmp_path: Path
) -> None:
    run(server, "machine", "import", write_list(tmp_path, "sn,mac", f"SN001,{MAC}"))
    evil = {**INVENTORY, "nics": [{"name": "eth0", "mac": "52:54:00:00:00:66"}]}
    Agent(server, boot_id="evil", inventory=evil).register()
    assert Agent(server).register().status == 409
    server.context.presence.let_go(1)
    with server.context.store.write() as session:
        session.query(Boot).one().closing = True
    Agent(server, boot_id="boot-3").register()
    assert read_machine(server)["confirmed_by"] == ""


def test_a_mac_of_a_pxe_file_that_another_boot_had_shown_confirms_nobody(
    server: Running, tmp_path: Path
) -> None:
    """It stays with the machine whether it is shown or not."""
    run(server, "machine", "import", write_list(tmp_path, "sn,mac", f"SN001,{MAC}"))
    Agent(server).register()
    with server.context.store.write() as session:
        session.query(Mac).filter_by(mac=MAC).one().bound = True
    run(server, "machine", "release", "SN001", "--unconfirm")
    evil = {**INVENTORY, "nics": [{"name": "eth0", "mac": "52:54:00:00:00:66"}]}
    server.context.presence.let_go(1)
    assert "this machine is new" in Agent(server, boot_id="evil", inventory=evil).register().data["message"]
    run(server, "machine", "import", write_list(tmp_path, "sn,mac", f"SN001,{MAC}"))
    assert read_machine(server)["confirmed_by"] == ""


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["SN001,nonsense"], "'nonsense' is not the MAC address of a NIC"),
        ([f"SN001,{MAC}", f"SN002,{MAC}"], "stands in line 2 already"),
        (["SN001," + " ".join(f"52:54:00:00:01:{n:02x}" for n in range(65))], "at most 64 MACs"),
    ],
)
def test_a_list_with_a_wrong_mac_is_not_taken_in(
    server: Running, tmp_path: Path, lines: list[str], said: str
) -> None:
    ended = run(server, "machine", "import", write_list(tmp_path, "sn,mac", *lines))
    assert ended.exit_code == 1 and said in str(ended.exception)
    assert server.operate("GET", "/machines") == []


def test_a_mac_is_listed_for_one_machine_only(server: Running, tmp_path: Path) -> None:
    run(server, "machine", "import", write_list(tmp_path, "sn,mac", f"SN001,{MAC}"))
    again = run(server, "machine", "import", write_list(tmp_path, "sn,mac", f"SN002,{MAC}"))
    assert "was listed for the machine id:1" in str(again.exception)


def test_a_rule_confirms_who_comes_and_who_waits(server: Running) -> None:
    Agent(server).register()
    made = run(server, "enrol", "rule", "add", "--network", "127.0.0.0/8", "--vendor", "QEMU", "--for", "2h")
    assert "it has confirmed 1 machine(s) that waited" in made.output
    other = {**INVENTORY, "nics": [{"name": "eth0", "mac": OTHER_MAC}]}
    Agent(server, sn="SN002", inventory=other).register()
    foreign = {**other, "system": {"vendor": "Acme"}, "nics": [{"name": "eth0", "mac": "52:54:00:00:00:78"}]}
    Agent(server, sn="SN003", inventory=foreign).register()
    assert [read_machine(server, f"SN00{n}")["confirmed_by"] for n in (1, 2, 3)] == ["rule", "rule", ""]
    listed = run(server, "enrol", "rule", "list").output
    assert "127.0.0.0/8" in listed and "QEMU" in listed
    assert run(server, "enrol", "rule", "remove", "1").exit_code == 0
    assert server.operate("GET", "/enrol-rules") == []
    assert read_machine(server)["confirmed_by"] == "rule"
    actions = list_actions(server)
    assert actions[0] == "enrol.rule.remove" and "enrol.rule.add" in actions


def move_end(server: Running, seconds: int) -> None:
    """As if the wall clock were so far from the end of the rule; below 0, after it."""
    with server.context.store.write() as session:
        session.get_one(EnrolRule, 1).ends_at = read_clock() + timedelta(seconds=seconds)


def test_a_rule_ends(server: Running) -> None:
    server.operate("POST", "/enrol-rules", {"vendor": "QEMU", "lasts": "90m"})
    move_end(server, -1)
    Agent(server).register()
    assert read_machine(server)["confirmed_by"] == ""
    assert server.operate("GET", "/enrol-rules")[0]["in_force"] is False


def test_a_rule_that_has_ended_is_not_in_force_again_when_the_clock_steps_back(server: Running) -> None:
    server.operate("POST", "/enrol-rules", {"vendor": "QEMU", "lasts": "90m"})
    end_rules(server.context)
    assert server.operate("GET", "/enrol-rules")[0]["in_force"] is True
    move_end(server, -1)
    end_rules(server.context)
    move_end(server, 3600)
    Agent(server).register()
    assert read_machine(server)["confirmed_by"] == ""
    assert server.operate("GET", "/enrol-rules")[0]["in_force"] is False


def test_a_rule_ends_by_the_seconds_of_the_server_whatever_the_wall_clock_says(server: Running) -> None:
    clock = StillClock()
    context = msgspec.structs.replace(server.context, rule_terms=Terms(clock))
    add_rule(context, Actor(), NewRule(vendor="QEMU", lasts="2h"))
    clock.sleep(2 * 3600 + 1)
    end_rules(context)
    Agent(server).register()
    assert read_machine(server)["confirmed_by"] == ""
    assert server.operate("GET", "/enrol-rules")[0]["in_force"] is False


def test_a_rule_does_not_confirm_what_is_listed_with_another_mac(server: Running, tmp_path: Path) -> None:
    run(server, "machine", "import", write_list(tmp_path, "sn,mac", f"SN001,{OTHER_MAC}"))
    server.operate("POST", "/enrol-rules", {"vendor": "QEMU", "lasts": "2h"})
    Agent(server).register()
    assert read_machine(server)["confirmed_by"] == ""


@pytest.mark.parametrize(
    ("rule", "paths"),
    [
        ({"lasts": "2h"}, [""]),
        ({"network": "10.0.0.0/33", "lasts": "2h"}, ["network"]),
        ({"vendor": "Dell", "lasts": "8d"}, ["lasts"]),
        ({"vendor": "Dell", "lasts": "0h"}, ["lasts"]),
        ({"vendor": "Dell", "lasts": "\u00b2h"}, ["lasts"]),
        ({"vendor": "D" * 201, "lasts": "x"}, ["vendor", "lasts"]),
    ],
)
def test_a_rule_without_a_bound_is_none(server: Running, rule: dict[str, str], paths: list[str]) -> None:
    answer = server.refuse("POST", "/enrol-rules", rule)
    assert answer.status == 422 and [problem["path"] for problem in answer.data["problems"]] == paths


@pytest.mark.parametrize(
    ("address", "network", "within"),
    [
        ("10.0.0.5", "10.0.0.0/24", True),
        ("10.0.1.5", "10.0.0.0/24", False),
        ("10.0.0.5", "", True),
        ("fd00::5", "10.0.0.0/24", False),
        ("fd00::5", "fd00::/64", True),
        ("nonsense", "10.0.0.0/24", False),
        ("", "10.0.0.0/24", False),
    ],
)
def test_an_address_is_of_a_network(address: str, network: str, within: bool) -> None:
    assert is_within(address, network) is within


@pytest.mark.parametrize(
    ("vendor", "pattern", "same"),
    [
        ("Dell Inc.", "Dell", True),
        ("Dell Inc.", "dell*", True),
        ("HP", "HPE", True),
        ("Acme", "Dell", False),
        ("Acme", "", True),
        ("", "Dell", False),
    ],
)
def test_a_vendor_is_the_one_of_a_rule(vendor: str, pattern: str, same: bool) -> None:
    assert is_of(vendor, pattern) is same


def test_an_identity_can_be_taken_from_who_holds_it(server: Running) -> None:
    holder, other = Agent(server, boot_id="first"), Agent(server, boot_id="second")
    holder.register()
    confirm(server, {"machine": "SN001"})
    assert other.register().status == 409
    assert "nobody holds its identity" in run(server, "machine", "release", "SN001").output
    assert holder.call("GET", "/order?wait_s=0").status == 401
    again = holder.register()
    assert again.status == 409 and 0 < again.data["retry_after_s"] <= 120
    server.context.presence.let_go(1, "first")
    assert other.register().status == 200
    assert read_machine(server)["confirmed_by"] == "person"
    assert "machine.release" in list_actions(server)


def test_who_is_let_go_is_barred_before_anybody_can_see_that_the_identity_is_free(server: Running) -> None:
    """A client that is refused tries again at once, and may do so in the moment of the commit."""
    Agent(server, boot_id="first").register()
    presence, seen = server.context.presence, list[float]()

    def look(connection: Connection) -> None:
        seen.append(presence.bar_left_s(1, "first"))

    engine = server.context.store.engine
    event.listen(engine, "commit", look)
    try:
        server.operate("POST", "/machines/SN001/release", {})
    finally:
        event.remove(engine, "commit", look)
    assert max(seen, default=0) > 0


def test_a_release_that_is_not_committed_bars_nobody(server: Running) -> None:
    """The database refuses it at its end."""
    holder = Agent(server, boot_id="first")
    holder.register()
    refuse = (
        "CREATE TABLE other (id INTEGER PRIMARY KEY)",
        "CREATE TABLE late (id INTEGER REFERENCES other (id) DEFERRABLE INITIALLY DEFERRED)",
        "CREATE TRIGGER refuse AFTER INSERT ON audit BEGIN INSERT INTO late VALUES (7); END",
    )
    try:
        for sentence in refuse:
            change(server, sentence)
        assert server.refuse("POST", "/machines/SN001/release", {}).status == 409
    finally:
        for sentence in ("DROP TRIGGER refuse", "DROP TABLE late", "DROP TABLE other"):
            change(server, sentence)
    presence = server.context.presence
    assert presence.bar_left_s(1, "first") == 0 and presence.grace_left_s(1) > 0
    assert holder.call("GET", "/order?wait_s=0").status == 204
    assert Agent(server, boot_id="second").register().status == 409


def change(server: Running, sentence: str) -> None:
    with server.context.store.write() as session:
        session.execute(text(sentence))


def test_a_confirmation_can_be_taken_back(server: Running) -> None:
    agent = Agent(server)
    agent.register()
    confirm(server, {"machine": "SN001"})
    assert "it is new again" in run(server, "machine", "release", "SN001", "--unconfirm").output
    row = read_machine(server)
    assert (row["state"], row["confirmed_by"], row["known"]) == ("new", "", None)
    server.put_template()
    server.create_job()
    server.context.presence.let_go(1)
    agent.register()
    assert agent.order() is None
