"""What a machine is known by, and what else it is or was called."""

import json

import sqlalchemy as sa
from alembic import op

from bootos.wire.identity import find_kind

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema from revision 0005 to 0006. What a machine is known by is said anew when it registers."""
    op.add_column("machine", sa.Column("known_by", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "alias",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machine.id"], name="fk_alias_machine_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_alias"),
        sa.UniqueConstraint("machine_id", "key", name="uq_alias_machine_id_key"),
    )
    op.create_index("ix_alias_key", "alias", ["key"])
    connection = op.get_bind()
    rows = connection.execute(
        sa.text("SELECT id, sn_key, inventory FROM machine WHERE inventory IS NOT NULL")
    )
    for row in rows.all():
        known_by = find_known_by(row.sn_key, json.loads(row.inventory))
        connection.execute(
            sa.text("UPDATE machine SET known_by = :known_by WHERE id = :id"),
            {"known_by": known_by, "id": row.id},
        )


def find_known_by(name: str, inventory: object) -> str:
    """What a name is, by how it is written, if it is no placeholder; a serial number only if the inventory tells it."""
    kind = find_kind(name)
    if kind != "serial":
        return kind
    system = inventory.get("system") if isinstance(inventory, dict) else None
    serial = system.get("serial") if isinstance(system, dict) else None
    return kind if isinstance(serial, str) and serial.strip().casefold() == name else ""
