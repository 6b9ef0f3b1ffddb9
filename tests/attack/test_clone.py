"""Who registers under another machine's name gets neither its order nor its secrets, keeps it from nothing, is shown.

The machine that is attacked is confirmed, has a UUID, a board and NICs, and is away; or it is expected only.
"""

from datetime import timedelta
from typing import Any

import pytest
from browsing import log_in, read
from serving import INVENTORY, Agent, Running
from typer.testing import CliRunner

from bootos.cli import build_app
from bootos.server.store.table import Boot, Machine, read_clock

UUID, BOARD, MACS = (
    "4c4c4544-0039-3010-8048-b7c04f384432",
    "BRD001",
    ("52:54:00:00:00:02", "52:54:00:00:00:01"),
)
OTHER_UUID, OTHER_MAC = "4c4c4544-0039-3010-8048-b7c04f384499", "52:54:00:00:00:66"
SECRET = "name: t\noob: {users: [{name: ops, password: {secret: pw}}]}\n"


def build_inventory(uuid: str | None = UUID, board: str | None = BOARD, macs: Any = MACS, **more: Any) -> Any:
    return {
        **INVENTORY,
        "system": {"vendor": "QEMU", "product": "Q35", "serial": "SN001", "uuid": uuid},
        "board": {"serial": board},
        "nics": [{"name": f"eth{place}", "mac": mac} for place, mac in enumerate(macs)],
        **more,
    }


@pytest.fixture
def server(confirming_server: Running) -> Running:
    return confirming_server


@pytest.fixture
def victim(server: Running) -> Agent:
    """It is confirmed, has a job with a secret, and was switched off."""
    agent = Agent(server, boot_id="mine", inventory=build_inventory())
    agent.register()
    server.operate("POST", "/confirm", [{"machine": "SN001"}])
    make_job(server)
    server.context.presence.let_go(1)
    return agent


def make_job(server: Running) -> None:
    server.operate("PUT", "/secrets/pw", {"value": "very-secret"})
    server.put_template("t", SECRET)
    server.create_job()


def read_machine(server: Running, word: str = "id:1") -> Any:
    return server.operate("GET", f"/machines/{word}")


def attack(server: Running, **told: Any) -> Agent:
    agent = Agent(server, boot_id="evil", inventory=build_inventory(**told))
    agent.register()
    return agent


def test_who_registers_under_the_name_of_an_expected_machine_gets_nothing(server: Running) -> None:
    make_job(server)
    evil = attack(server)
    assert evil.order() is None
    assert evil.upload_mac(1).status == 409
    assert read_machine(server)["state"] == "new"
    assert server.job(1)["state"] == "queued" and "this machine is new" in server.job(1)["message"]


CLONES = [
    {"uuid": OTHER_UUID, "board": "EVIL", "macs": [OTHER_MAC]},
    {"uuid": OTHER_UUID},
    {"board": "BRD002"},
    {"uuid": None},
    {"board": None},
    {"uuid": None, "board": None},
    {"uuid": "03000200-0400-0500-0006-000700080009", "board": "To be filled by O.E.M."},
    {"uuid": None, "board": None, "macs": []},
]


@pytest.mark.parametrize("told", CLONES, ids=str)
def test_a_clone_of_a_machine_that_is_away_gets_no_order_and_no_secret_and_is_shown(
    server: Running, victim: Agent, told: dict[str, Any]
) -> None:
    before = read_machine(server)
    evil = Agent(server, boot_id="evil", inventory=build_inventory(**told))
    said = evil.register()
    assert said.status == 200
    text = said.data["message"]
    assert "it is not what was confirmed under this name" in text
    for pinned in (UUID, BOARD, *MACS):
        assert pinned not in text, "who is refused must not be told what to say"
    assert evil.order() is None
    assert evil.upload_mac(1).status == 409
    row = read_machine(server)
    assert row["state"] == "doubted" and row["doubt"] and row["refused_claims"][0]["boot_id"] == "evil"
    assert row["known"] == {"uuid": UUID, "board": BOARD.casefold(), "macs": sorted(MACS)}
    for kept in (
        "inventory",
        "address",
        "macs",
        "drivers",
        "agent_version",
        "sn",
        "former_names",
        "said_names",
    ):
        assert row[kept] == before[kept], kept
    assert "machine.doubt" in [line["action"] for line in server.operate("GET", "/audit")]
    assert "very-secret" not in str(server.job(1)) and server.job(1)["state"] == "queued"


def test_a_clone_does_not_keep_the_machine_itself_out(server: Running, victim: Agent) -> None:
    evil = attack(server, uuid=OTHER_UUID)
    assert evil.order() is None
    assert victim.register().status == 200
    assert victim.order()["secrets"] == {"pw": "very-secret"}
    assert evil.call("GET", "/order?wait_s=0").status == 401
    assert evil.register().status == 409
    row = read_machine(server)
    assert (row["state"], row["doubt"], row["claims"]) == ("working", "", 2)


def test_what_a_clone_reports_changes_nothing(server: Running, victim: Agent) -> None:
    before = read_machine(server)["inventory"]
    evil = attack(server, uuid=OTHER_UUID)
    told = build_inventory(uuid=UUID, macs=[OTHER_MAC])
    assert evil.report(inventory=told, saved={"template": {"name": "evil"}}).status == 200
    row = read_machine(server)
    assert (row["inventory"], row["saved_at"]) == (before, None)
    assert evil.call("POST", "/capture", {"error": "evil"}).status == 409


def say(number: int, text: str = "forged") -> list[dict[str, Any]]:
    return [{"n": number, "at": "x", "text": text}]


def read_log(server: Running) -> list[str]:
    return [line["text"] for line in server.operate("GET", "/jobs/1/log")]


def test_a_clone_writes_nothing_into_the_log_of_a_job(server: Running, victim: Agent) -> None:
    evil = attack(server, uuid=OTHER_UUID)
    assert evil.report(1, state="failed", message="forged", log=say(1)).status == 200
    assert evil.report(log=say(2)).status == 200
    assert "forged" not in " ".join(read_log(server))
    assert server.job(1)["state"] == "queued"


def test_who_registers_under_the_name_of_an_expected_machine_writes_into_no_log_of_its_job(
    server: Running,
) -> None:
    make_job(server)
    evil = attack(server)
    assert evil.report(1, log=say(1)).status == 200
    assert "forged" not in " ".join(read_log(server))


def test_a_clone_that_says_the_boot_id_of_the_machine_says_nothing_of_its_job(
    server: Running, victim: Agent
) -> None:
    """The boot that holds the job was silent for a while: boot ids are no secret."""
    victim.register()
    assert victim.order()["job_id"] == "1"
    assert victim.report(1, state="running", log=say(1, "true")).status == 200
    server.context.presence.let_go(1)
    evil = Agent(server, boot_id="mine", inventory=build_inventory(uuid=OTHER_UUID))
    assert evil.register().status == 200
    assert evil.report(1, number=50, state="failed", message="forged", log=say(9)).status == 200
    assert server.job(1)["state"] == "running"
    assert "forged" not in " ".join(read_log(server))
    server.context.presence.let_go(1)
    assert victim.register().status == 200
    assert victim.report(1, number=51, state="succeeded", log=say(10, "more")).status == 200
    assert server.job(1)["state"] == "done"
    assert {"true", "more"} <= set(read_log(server))


def test_a_clone_does_not_end_a_job_that_the_operator_cancelled(server: Running, victim: Agent) -> None:
    """The machine may still be at the action after which it stops."""
    victim.register()
    assert victim.order()["job_id"] == "1"
    server.operate("POST", "/jobs/1/cancel")
    server.context.presence.let_go(1)
    evil = attack(server, uuid=OTHER_UUID)
    assert evil.order() is None
    assert server.job(1)["state"] == "running"
    assert victim.register().status == 200
    assert victim.order() is None
    assert server.job(1)["state"] == "cancelled"


def test_a_machine_does_not_become_another_one_by_a_report(server: Running, victim: Agent) -> None:
    victim.register()
    before = read_machine(server)["inventory"]
    assert victim.report(inventory=build_inventory(uuid=OTHER_UUID)).status == 200
    assert read_machine(server)["inventory"] == before
    assert victim.report(inventory=build_inventory(kernel="6.1")).status == 200
    assert read_machine(server)["inventory"]["kernel"] == "6.1"


def test_a_board_is_replaced_and_a_person_confirms_the_machine_anew(server: Running, victim: Agent) -> None:
    told = build_inventory(uuid=OTHER_UUID, board="BRD002")
    again = Agent(server, boot_id="evil", inventory=told, drivers=["raid.new"], image_version="2")
    again.register()
    row = read_machine(server)
    assert (row["drivers"], row["image_version"]) == ([], "")
    assert row["told"] == {"uuid": OTHER_UUID, "board": "BRD002", "macs": sorted(MACS)}
    page = read(server, "/machines/id:1", log_in(server))
    assert UUID in page and OTHER_UUID in page and "is not believed" in page
    environment = {"BOOTOS_SERVER": server.operator_url, "BOOTOS_DATA": str(server.data), "COLUMNS": "200"}
    shown = CliRunner(env=environment).invoke(build_app(["machine"]), ["machine", "show", "SN001"]).output
    assert OTHER_UUID in shown and "is not believed" in shown
    server.operate("POST", "/confirm", [{"machine": "SN001", "boot": row["boot"]}])
    assert again.call("GET", "/order?wait_s=0").status == 401, "register again"
    assert again.register().data["message"] == ""
    assert again.order()["secrets"] == {"pw": "very-secret"}
    row = read_machine(server)
    assert (row["known"]["uuid"], row["doubt"], row["claims"]) == (OTHER_UUID, "", 0)
    assert (row["drivers"], row["image_version"]) == (["raid.new"], "2")
    assert row["inventory"]["board"]["serial"] == "BRD002"


def test_what_says_something_else_than_the_person_saw_is_doubted_again(
    server: Running, victim: Agent
) -> None:
    """Boot ids are no secret: somebody else says that of the boot that was confirmed."""
    attack(server, uuid=OTHER_UUID, board="BRD002")
    server.operate("POST", "/confirm", [{"machine": "SN001", "boot": read_machine(server)["boot"]}])
    third = attack(server, uuid=OTHER_UUID, board="BRD003")
    assert third.order() is None
    assert read_machine(server)["state"] == "doubted"


def test_a_nic_is_replaced_and_it_is_shown(server: Running, victim: Agent) -> None:
    again = attack(server, macs=[MACS[0], OTHER_MAC])
    assert again.order()["job_id"] == "1"
    row = read_machine(server)
    assert row["known"]["macs"] == [MACS[0], OTHER_MAC]
    assert f"new: {OTHER_MAC}" in row["changes"] and f"gone: {MACS[1]}" in row["changes"]
    assert "was taken for the same" in read(server, "/machines/id:1", log_in(server))
    server.operate("POST", "/machines/SN001/acknowledge")
    assert read_machine(server)["changes"] == ""


def test_what_several_confirmed_machines_have_does_not_count(server: Running, victim: Agent) -> None:
    """A maker's UUID that a whole series has: the board and the NICs tell them apart."""
    twin = Agent(
        server, sn="SN002", boot_id="twin", inventory=build_inventory(board="BRD2", macs=[OTHER_MAC])
    )
    twin.register()
    server.operate("POST", "/confirm", [{"machine": "SN002"}])
    assert attack(server, uuid=OTHER_UUID).order()["job_id"] == "1"


def test_who_nobody_confirmed_cannot_make_a_value_worthless(server: Running, victim: Agent) -> None:
    """As if several machines had the victim's UUID and board, so that they would not count any more."""
    for number in range(3):
        Agent(server, sn=f"EVIL{number}", boot_id=f"evil-{number}", inventory=build_inventory()).register()
    assert attack(server, uuid=OTHER_UUID).order() is None


def test_who_has_something_of_a_confirmed_machine_is_not_confirmed_by_a_rule(
    server: Running, victim: Agent
) -> None:
    server.operate("POST", "/enrol-rules", {"vendor": "QEMU", "lasts": "2h"})
    claims: list[dict[str, Any]] = [{"uuid": UUID}, {"board": BOARD}, {"macs": [MACS[0]]}]
    for number, told in enumerate(claims):
        other = {"uuid": None, "board": None, "macs": [OTHER_MAC], **told}
        Agent(server, sn=f"EVIL{number}", inventory=build_inventory(**other)).register()
        row = read_machine(server, f"EVIL{number}")
        assert (row["confirmed_by"], row["alike"]) == ("", [1])
    assert "It has the UUID" in read(server, f"/machines/id:{row['id']}", log_in(server))
    environment = {"BOOTOS_SERVER": server.operator_url, "BOOTOS_DATA": str(server.data), "COLUMNS": "200"}
    shown = CliRunner(env=environment).invoke(build_app(["machine"]), ["machine", "show", "EVIL0"]).output
    assert "of id:1: no row and no rule confirms it" in shown
    assert read_machine(server)["alike"] == []


def test_who_has_the_permanent_mac_of_a_confirmed_machine_is_shown_to_be_like_it(
    server: Running, victim: Agent
) -> None:
    """It is why no rule confirms it."""
    server.operate("POST", "/enrol-rules", {"network": "127.0.0.0/8", "lasts": "2h"})
    inventory = build_inventory(None, None, [OTHER_MAC])
    inventory["nics"][0]["permanent_mac"] = MACS[0]
    Agent(server, sn="EVIL", inventory=inventory).register()
    row = read_machine(server, "EVIL")
    assert (row["confirmed_by"], row["alike"]) == ("", [1])


def test_what_is_shown_as_alike_is_read_as_it_is_where_rules_are_asked(
    server: Running, victim: Agent
) -> None:
    """A UUID may be written without hyphens, a serial number with blanks around it; either is the victim's."""
    server.operate("POST", "/enrol-rules", {"network": "127.0.0.0/8", "lasts": "2h"})
    written: list[dict[str, Any]] = [
        {"uuid": UUID.replace("-", "").upper()},
        {"board": f"  {BOARD} "},
        {"macs": [MACS[0].upper()]},
    ]
    for number, told in enumerate(written):
        other: dict[str, Any] = {"uuid": None, "board": None, "macs": [OTHER_MAC], **told}
        Agent(server, sn=f"EVIL{number}", inventory=build_inventory(**other)).register()
        row = read_machine(server, f"EVIL{number}")
        assert (row["confirmed_by"], row["alike"]) == ("", [1])


def test_a_placeholder_is_shown_as_nothing_that_a_boot_tells(server: Running, victim: Agent) -> None:
    """As it counts for nothing where the boot is judged."""
    attack(server, uuid="03000200-0400-0500-0006-000700080009", board="Default string")
    row = read_machine(server)
    assert "it tells no UUID" in row["doubt"]
    assert (row["told"]["uuid"], row["told"]["board"]) == ("", "")


def test_a_mac_of_a_confirmed_machine_is_shown_as_a_conflict_on_both_and_taken_from_nobody(
    server: Running, victim: Agent
) -> None:
    Agent(
        server, sn="EVIL", boot_id="evil", inventory=build_inventory(None, None, [MACS[0], OTHER_MAC])
    ).register()
    assert {mac["mac"]: mac["also"] for mac in read_machine(server)["macs"]} == {MACS[0]: [2], MACS[1]: []}
    assert {mac["mac"]: mac["also"] for mac in read_machine(server, "EVIL")["macs"]} == {
        MACS[0]: [1],
        OTHER_MAC: [],
    }
    headers = log_in(server)
    assert "also shown by" in read(server, "/machines/id:1", headers)
    assert "also shown by" in read(server, "/machines/id:2", headers)
    victim.register()
    job = victim.order()["job_id"]
    assert victim.upload_mac(job, MACS[0]).status == 200


def test_a_mac_that_two_confirmed_machines_show_is_bound_to_none(server: Running, victim: Agent) -> None:
    evil = Agent(
        server, sn="EVIL", boot_id="evil", inventory=build_inventory(None, None, [MACS[0], OTHER_MAC])
    )
    evil.register()
    server.operate("POST", "/confirm", [{"machine": "EVIL"}])
    server.create_job(machine="EVIL")
    job = evil.order()["job_id"]
    assert evil.upload_mac(job, MACS[0]).status == 409
    assert evil.upload_mac(job, OTHER_MAC).status == 200
    victim.register()
    assert victim.upload_mac(victim.order()["job_id"], MACS[0]).status == 409


def test_a_machine_has_a_bounded_number_of_macs(server: Running) -> None:
    macs = [f"52:54:00:01:{n >> 8:02x}:{n & 255:02x}" for n in range(500)]
    inventory = build_inventory(macs=macs)
    for nic, mac in zip(inventory["nics"], reversed(macs), strict=True):
        nic["permanent_mac"] = mac
    Agent(server, inventory=inventory).register()
    server.operate("POST", "/confirm", [{"machine": "SN001"}])
    row = read_machine(server)
    assert (len(row["macs"]), len(row["known"]["macs"])) == (64, 64)


def test_a_step_of_the_clock_frees_no_identity(server: Running) -> None:
    agent = Agent(server)
    agent.register()
    for years in (10, -10):
        with server.context.store.write() as session:
            for row in (*session.query(Boot), *session.query(Machine)):
                row.last_heard_at = read_clock() + timedelta(days=365 * years)
        assert Agent(server, boot_id="evil").register().status == 409


def test_v1_does_not_speak_for_a_confirmed_machine_with_other_nics(server: Running, victim: Agent) -> None:
    before = read_machine(server)["inventory"]
    body = {"Sn": "SN001", "Company": "evil", "Nic": [{"Name": "eth0", "Mac": OTHER_MAC, "Ip": "10.0.0.66"}]}
    server.call("POST", "/api/osinstall/v1/report/deviceProductInfo", body)
    row = read_machine(server)
    assert row["inventory"] == before and row["refused_claims"][0]["boot_id"] == "cloudboot v1"
