"""Who confirmed a machine, what it was known by then, and over what its boots registered; rules and MACs by which
machines are confirmed.

Machines of earlier releases that had a session of protocol v2 are confirmed by their last inventory.
"""

import importlib
import json
import re
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# What counts as a value is as frozen as this migration is: the one before has it.
_values: Any = importlib.import_module("bootos.server.store.migrations.versions.0006_aliases")

_UNPRINTABLE = re.compile(r"[^ -~]")

MOST_MACS = 64
MOST_LETTERS = 128


def upgrade() -> None:
    """Bring the schema from revision 0007 to 0008."""
    op.add_column("machine", sa.Column("confirmed_at", sa.DateTime(), nullable=True))
    op.add_column("machine", sa.Column("confirmed_by", sa.Text(), nullable=False, server_default=""))
    op.add_column("machine", sa.Column("doubt", sa.Text(), nullable=False, server_default=""))
    op.add_column("machine", sa.Column("changes", sa.Text(), nullable=False, server_default=""))
    op.add_column("boot", sa.Column("secure", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("boot", sa.Column("words", sa.Text(), nullable=False, server_default=""))
    op.add_column("boot", sa.Column("inventory", sa.Text(), nullable=True))
    op.create_table(
        "mark",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machine.id"], name="fk_mark_machine_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_mark"),
        sa.UniqueConstraint("machine_id", "kind", "value", name="uq_mark_machine_id_kind_value"),
    )
    op.create_index("ix_mark_value", "mark", ["value"])
    op.create_table(
        "expected_mac",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("mac", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machine.id"], name="fk_expected_mac_machine_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_expected_mac"),
        sa.UniqueConstraint("machine_id", "mac", name="uq_expected_mac_machine_id_mac"),
    )
    op.create_index("ix_expected_mac_mac", "expected_mac", ["mac"])
    op.create_table(
        "enrol_rule",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("vendor", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("ends_at", sa.DateTime(), nullable=False),
        sa.Column("confirmed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_enrol_rule"),
    )
    _confirm_machines(op.get_bind())
    _escape_names(op.get_bind())


def _confirm_machines(connection: sa.Connection) -> None:
    known = sa.text("SELECT id, inventory FROM machine WHERE id IN (SELECT machine_id FROM boot) ORDER BY id")
    rows = connection.execute(known).all()
    confirm = sa.text(
        "UPDATE machine SET confirmed_at = COALESCE(registered_at, created_at), confirmed_by = 'earlier release'"
        " WHERE id = :id"
    )
    pin = sa.text("INSERT INTO mark (machine_id, kind, value) VALUES (:machine_id, :kind, :value)")
    for row in rows:
        connection.execute(confirm, {"id": row.id})
        marks = read_marks(json.loads(row.inventory)) if row.inventory else set()
        for kind, value in sorted(marks):
            connection.execute(pin, {"machine_id": row.id, "kind": kind, "value": value})


def _escape_names(connection: sa.Connection) -> None:
    """Names are printable ASCII from now on."""
    for table, name, key in (("machine", "sn", "sn_key"), ("alias", "name", "key")):
        rows = connection.execute(sa.text(f"SELECT id, {name} AS name FROM {table}")).all()
        for row in rows:
            escaped = _UNPRINTABLE.sub(
                lambda found: found[0].encode("unicode_escape", "backslashreplace").decode(), row.name
            )
            if escaped != row.name:
                change = f"UPDATE {table} SET {name} = :name, {key} = :key WHERE id = :id"
                values = {"name": escaped, "key": escaped.casefold(), "id": row.id}
                connection.execute(sa.text(change), values)


def read_marks(inventory: Any) -> set[tuple[str, str]]:
    """The kinds and values by which a machine with this stored inventory is known from now on."""
    marks = set[tuple[str, str]]()
    uuid = _values._drop_unset_uuid(_read_text(inventory, "system", "uuid"))
    board = _values._drop_placeholder(_read_text(inventory, "board", "serial"))
    if uuid:
        marks.add(("uuid", uuid.casefold()))
    if board:
        marks.add(("board", board.casefold()))
    nics = inventory.get("nics") if isinstance(inventory, dict) else None
    macs = set[str]()
    for nic in nics if isinstance(nics, list) else ():
        for text in (nic.get("mac"), nic.get("permanent_mac")) if isinstance(nic, dict) else ():
            if isinstance(text, str) and _values._MAC.fullmatch(text) and not int(text[:2], 16) & 1:
                macs.add(text.lower())
    macs.discard("00:00:00:00:00:00")
    return marks | {("mac", mac) for mac in sorted(macs)[:MOST_MACS]}


def _read_text(inventory: Any, section: str, name: str) -> str | None:
    part = inventory.get(section) if isinstance(inventory, dict) else None
    text = part.get(name) if isinstance(part, dict) else None
    return text.strip() if isinstance(text, str) and 0 < len(text.strip()) <= MOST_LETTERS else None
