"""A database of an older version is brought up to date with what is in it."""

import json
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from bootos.server.store.engine import MIGRATIONS, open_store
from bootos.server.store.table import Base, Machine, Support


def test_the_first_schema_becomes_the_present_one_with_its_rows(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'bootos.db'}"
    engine, config = sa.create_engine(url), Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    inventory = json.dumps({"bios": {"version": "1.2"}, "bmc": {"firmware": "3.4"}})
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(sa.text("INSERT INTO support (vendor, product) VALUES ('Dell*', 'R7*')"))
        machine = (
            "INSERT INTO machine (sn, sn_key, vendor, product, address, protocol, developer, agent_version,"
            " created_at, drivers, settings, inventory) VALUES"
            " ('A', 'a', '', '', '', 2, 0, '', '2026-01-01 00:00:00', '[]', '{}', :inventory)"
        )
        connection.execute(sa.text(machine), {"inventory": inventory})
        connection.commit()
    engine.dispose()
    store = open_store(url)
    with store.read() as session:
        row, line = session.get_one(Machine, 1), session.get_one(Support, 1)
        assert (row.bios_version, row.bmc_version) == ("1.2", "3.4")
        assert (line.vendor, line.aliases, line.bios, line.allow) == ("Dell*", [], "", [])
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, Base.metadata) == []
    store.close()
