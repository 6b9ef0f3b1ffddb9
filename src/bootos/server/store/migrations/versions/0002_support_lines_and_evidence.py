"""Support lines with versions and sections, evidence of developer runs, claims that can be acknowledged."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def text(name: str, default: str = "") -> sa.Column[str]:
    """A text column that is never null."""
    return sa.Column(name, sa.Text(), nullable=False, server_default=default)


def upgrade() -> None:
    """Bring the schema from revision 0001 to 0002."""
    with op.batch_alter_table("support") as batch:
        for column in (
            text("aliases", "[]"),
            text("bios"),
            text("bmc"),
            text("allow", "[]"),
            text("note"),
        ):
            batch.add_column(column)
        batch.drop_constraint("uq_support_vendor_product", type_="unique")
        batch.create_unique_constraint(
            "uq_support_vendor_product_bios_bmc", ["vendor", "product", "bios", "bmc"]
        )
    op.add_column("machine", text("bios_version"))
    op.add_column("machine", text("bmc_version"))
    op.add_column("job", sa.Column("developer", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("job", sa.Column("inventory_before", sa.Text(), nullable=True))
    op.add_column("claim", sa.Column("acknowledged_at", sa.DateTime(), nullable=True))
    fill_versions()


def fill_versions() -> None:
    """The versions of the machines that are known already, from their inventories."""
    machine = sa.table(
        "machine",
        sa.column("id", sa.Integer()),
        sa.column("inventory", sa.Text()),
        sa.column("bios_version", sa.Text()),
        sa.column("bmc_version", sa.Text()),
    )
    connection = op.get_bind()
    with_inventory = sa.select(machine.c.id).where(machine.c.inventory.is_not(None))
    for (number,) in connection.execute(with_inventory).all():
        kept = connection.scalar(sa.select(machine.c.inventory).where(machine.c.id == number))
        inventory = json.loads(kept or "{}")
        versions = {
            "bios_version": (inventory.get("bios") or {}).get("version") or "",
            "bmc_version": (inventory.get("bmc") or {}).get("firmware") or "",
        }
        connection.execute(machine.update().where(machine.c.id == number).values(**versions))
