"""Variables and saved states of machines, pools, and jobs that carry out an approved plan."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def text(name: str, default: str | None = None) -> sa.Column[str]:
    """A text column that is never null."""
    return sa.Column(name, sa.Text(), nullable=False, server_default=default)


def upgrade() -> None:
    """Bring the schema from revision 0002 to 0003."""
    op.add_column("machine", text("variables", "{}"))
    op.add_column("machine", sa.Column("saved", sa.Text(), nullable=True))
    op.add_column("machine", sa.Column("saved_at", sa.DateTime(), nullable=True))
    op.add_column("job", text("bases", "[]"))
    op.add_column("job", sa.Column("plan_job", sa.Integer(), nullable=True))
    op.add_column("job", sa.Column("approval", sa.Text(), nullable=True))
    op.create_table(
        "pool",
        sa.Column("id", sa.Integer(), nullable=False),
        text("name"),
        text("first"),
        text("last"),
        sa.Column("prefix_length", sa.Integer(), nullable=False),
        text("gateway", ""),
        sa.PrimaryKeyConstraint("id", name="pk_pool"),
        sa.UniqueConstraint("name", name="uq_pool_name"),
    )
    op.create_table(
        "allotment",
        sa.Column("id", sa.Integer(), nullable=False),
        text("series"),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machine.id"], name="fk_allotment_machine_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_allotment"),
        sa.UniqueConstraint("series", "machine_id", name="uq_allotment_series_machine_id"),
        sa.UniqueConstraint("series", "value", name="uq_allotment_series_value"),
    )
    op.create_index("ix_allotment_machine_id", "allotment", ["machine_id"])
