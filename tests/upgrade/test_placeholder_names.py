"""Yesterday's data directory, of machines whose firmware has placeholders: they were known by those, and by MACs.

The directory is the recorded one; some of its machines are given, before today's server sees it, the names that
yesterday's agent took from such firmware.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from serving import INVENTORY, Agent, Running, run_in_thread
from test_data_directory import INSTALLER_FILE, KNOWN, VIEWS, Yesterday, job_of, open_settings, unpack
from v1_agent import Installer, V1Agent

from bootos.server.store.table import Machine

MACS = {"UPWAIT1": "01", "UPAPPRO": "03", "UPRUN01": "04", "UPBOOT1": "06", "UPINST1": "07", "UPDONE1": "08"}
NAMES = {
    # what was recorded as -> what yesterday's agent called it
    "UPWAIT1": "0123456789AB",
    "UPAPPRO": "52:54:00:00:03:01",
    "UPRUN01": "(null)",
    "UPBOOT1": "Type1Sku0",
    "UPINST1": "TBD by OEM",
    "UPDONE1": "Type2 - Board Serial Number0",
    "SNV1QUE": "To be filled by O.E.M.",
}


def uuid_of(sn: str) -> str:
    return f"4c4c4544-0058-4b10-8032-0000000000{MACS[sn]}"


def forget_serial_numbers(data: Path) -> None:
    """As if the makers of these machines had written no serial number; to one known by its MAC no UUID either."""
    with closing(sqlite3.connect(data / "bootos.db")) as database:
        for sn, name in NAMES.items():
            (text,) = database.execute("SELECT inventory FROM machine WHERE sn = ?", (sn,)).fetchone()
            inventory = json.loads(text)
            by_mac = ":" in name
            if sn in MACS:
                inventory["system"] |= {
                    "serial": None if by_mac else name,
                    "uuid": None if by_mac else uuid_of(sn),
                }
            else:
                inventory["system"]["serial"] = name
            values = (name, name.casefold(), json.dumps(inventory), sn)
            database.execute("UPDATE machine SET sn = ?, sn_key = ?, inventory = ? WHERE sn = ?", values)
        database.commit()
    for file in (data / "tftp/pxelinux.cfg").glob("01-*"):
        file.write_text(file.read_text().replace("sn=UPINST1", "sn=TBD by OEM"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Today's server on it; each test works with a machine of its own."""
    data = unpack(tmp_path_factory.mktemp("placeholders"))
    forget_serial_numbers(data)
    running, stop = run_in_thread(open_settings(data))
    yield running
    stop()


def id_of(sn: str) -> int:
    return int(next(machine["id"] for machine in VIEWS["/machines"] if machine["sn"] == sn))


def power_off(server: Running, sn: str) -> None:
    """Nobody holds the identity of the machine that was recorded as `sn`."""
    with server.context.store.write() as session:
        session.get_one(Machine, id_of(sn)).boot_pk = None


def boot_today(server: Running, sn: str, **more: Any) -> Agent:
    """The next boot of the machine that was recorded as `sn`, with an agent of today."""
    number, by_mac = MACS[sn], ":" in NAMES[sn]
    board = f".{sn}.CNFCP0088J00G8."
    name = board if by_mac else uuid_of(sn)
    inventory = {
        **INVENTORY,
        "system": {"vendor": "Dell Inc.", "product": "PowerEdge R740", "uuid": None if by_mac else name},
        "board": {"serial": board},
        "nics": [
            {"name": "eth0", "mac": f"52:54:00:00:{number}:01"},
            {"name": "eth1", "mac": f"52:54:00:02:{number}:01"},
        ],
        "identity": {"name": name, "by": "uuid", "former": [] if by_mac else [NAMES[sn]]},
    }
    mac = f"52:54:00:00:{number}:01"
    server.context.presence.let_go(id_of(sn))
    agent = Agent(server, name, f"{sn}-again", inventory=inventory, pxe_mac=mac, developer=True, **more)
    answer = agent.register()
    assert (answer.status, answer.data["machine_id"]) == (200, str(id_of(sn)))
    return agent


def test_until_they_boot_again_they_are_called_as_they_were(server: Running) -> None:
    machine = server.operate("GET", "/machines/To be filled by O.E.M.")
    assert (machine["id"], machine["known_by"], machine["former_names"]) == (id_of("SNV1QUE"), "", [])


def test_what_a_machine_is_known_by_is_told_of_yesterdays_rows(server: Running) -> None:
    rows = {row["sn"]: row["known_by"] for row in server.operate("GET", "/machines")}
    assert (rows["UPPLAN1"], rows["UPEXPEC"], rows["SNV1END"]) == ("serial", "", "serial")


def test_pin_and_settings_follow(server: Running) -> None:
    before = server.operate("GET", "/machines/0123456789AB")
    boot_today(server, "UPWAIT1")
    now = server.operate("GET", f"/machines/{uuid_of('UPWAIT1')}")
    assert (now["next_image"], now["next_image_by"]) == (KNOWN["images"][1], "machine")
    assert (now["known_by"], now["former_names"]) == ("uuid", ["0123456789AB"])
    assert {key: now[key] for key in ("id", "settings", "variables", "jobs")} == {
        key: before[key] for key in ("id", "settings", "variables", "jobs")
    }
    assert server.operate("GET", "/machines/0123456789ab")["id"] == before["id"]


def test_a_job_that_reboots_inside_goes_on_under_the_new_name(server: Running) -> None:
    order = boot_today(server, "UPBOOT1").order()
    assert (order["job_id"], order["attempt"]) == (str(job_of("UPBOOT1")), 2)
    assert order["earlier_boot_id"] == KNOWN["sessions"]["UPBOOT1"]["boot_id"]
    assert server.job(job_of("UPBOOT1"))["sn"] == uuid_of("UPBOOT1")


def test_a_session_of_yesterday_goes_on_and_the_next_boot_gets_the_name(server: Running) -> None:
    number, agent = job_of("UPRUN01"), Yesterday(server, "UPRUN01")
    assert agent.order()["job_id"] == str(number)
    assert agent.report(number, state="failed").status == 200
    power_off(server, "UPRUN01")
    boot_today(server, "UPRUN01")
    assert server.job(number)["sn"] == uuid_of("UPRUN01")


def test_an_approved_job_reaches_a_machine_that_was_known_by_its_mac(server: Running) -> None:
    order = boot_today(server, "UPAPPRO").order()
    assert (order["job_id"], bool(order["approved"])) == (str(job_of("UPAPPRO")), True)
    machine = server.operate("GET", "/machines/52:54:00:00:03:01")
    assert (machine["sn"], machine["known_by"]) == (".UPAPPRO.CNFCP0088J00G8.", "board")


def test_an_installer_ends_the_job_by_the_name_that_it_was_told(server: Running) -> None:
    """Its PXE file was written yesterday, with yesterday's name in it; meanwhile the machine booted today's agent."""
    boot_today(server, "UPINST1")
    power_off(server, "UPINST1")
    assert "getSystemBySn?sn=TBD by OEM" in (server.pxe_directory / INSTALLER_FILE).read_text()
    installer = Installer(server.url, sn="TBD by OEM")
    assert installer.read("getSystemBySn").startswith("#platform=x86")
    installer.install()
    assert server.job(job_of("UPINST1"))["state"] == "done"


def test_yesterdays_agent_on_the_same_machine_makes_no_second_one(server: Running) -> None:
    """An image that was rolled back: it says the placeholder again."""
    boot_today(server, "UPDONE1")
    power_off(server, "UPDONE1")
    inventory = {
        **INVENTORY,
        "system": {"serial": NAMES["UPDONE1"], "uuid": uuid_of("UPDONE1")},
        "nics": [{"name": "eth0", "mac": "52:54:00:00:08:01"}],
    }
    agent = Agent(server, NAMES["UPDONE1"], "rolled-back", inventory=inventory, pxe_mac="52:54:00:00:08:01")
    assert agent.register().data["machine_id"] == str(id_of("UPDONE1"))
    assert server.operate("GET", f"/machines/id:{id_of('UPDONE1')}")["sn"] == uuid_of("UPDONE1")


def test_a_waiting_v1_agent_gets_its_job_by_the_placeholder(server: Running) -> None:
    agent = V1Agent(server.url, "To be filled by O.E.M.", "52:54:00:00:22:01", developer=True)
    assert agent.poll()
    assert agent.carry_out()
    assert server.job(job_of("SNV1QUE"))["state"] == "installing"
