"""A serial number does nothing where it is shown, and looks like no other."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from serving import Agent, Running

from bootos.server.store.engine import MIGRATIONS, open_store
from bootos.server.store.machine import escape_name, find_by_sn, fold

NAMES = {
    "SN\u202e100": r"SN\u202e100",
    "SN\u200b1": r"SN\u200b1",
    "SN\x9b2J": r"SN\x9b2J",
    "\u041dP": r"\u041dP",
    "\u00dcX-1": r"\xdcX-1",
    "SN 7": "SN 7",
    "SN\U0001f600": r"SN\U0001f600",
}


@pytest.mark.parametrize(("said", "kept"), NAMES.items(), ids=NAMES.values())
def test_a_serial_number_is_kept_in_printable_ascii(server: Running, said: str, kept: str) -> None:
    assert Agent(server, sn=said).register().status == 200
    assert [row["sn"] for row in server.operate("GET", "/machines")] == [kept]
    with server.context.store.read() as session:
        for word in (said, kept, kept.lower()):
            machine = find_by_sn(session, word)
            assert machine is not None and machine.id == 1
    assert Agent(server, sn=kept, boot_id="boot-2").register().status == 409


def test_escaping_is_done_once() -> None:
    for said, kept in NAMES.items():
        assert escape_name(said) == escape_name(kept) == kept
        assert fold(said) == fold(kept)


def test_names_of_earlier_releases_are_escaped(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'bootos.db'}"
    engine, config = sa.create_engine(url), Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0007")
        row = (
            "INSERT INTO machine (sn, sn_key, vendor, product, address, protocol, developer, agent_version, created_at,"
            " drivers, settings, variables) VALUES ('\u00dcX-1', '\u00fcx-1', '', '', '', 2, 0, '', '2026-01-01', '[]',"
            " '{}', '{}')"
        )
        connection.execute(sa.text(row))
        connection.commit()
    engine.dispose()
    store = open_store(url)
    with store.read() as session:
        machine = find_by_sn(session, "\u00dcX-1")
        assert machine is not None and (machine.sn, machine.sn_key) == (r"\xdcX-1", r"\xdcx-1")
    store.close()
