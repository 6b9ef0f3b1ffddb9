"""What limits need of the schema: which machines made themselves known, and from which network; how much was logged."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema from revision 0008 to 0009."""
    op.add_column("machine", sa.Column("by_itself", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("machine", sa.Column("network", sa.Text(), nullable=False, server_default=""))
    op.add_column("boot", sa.Column("log_bytes", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("job", sa.Column("log_bytes", sa.BigInteger(), nullable=False, server_default="0"))
    new = sa.text("by_itself AND confirmed_at IS NULL")
    retention = op.create_table(
        "retention",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_retention"),
    )
    now = datetime.now(UTC).replace(tzinfo=None)
    op.bulk_insert(retention, [{"since": now}])  # nothing is removed in the first days after this
    op.create_index("ix_machine_new", "machine", ["network"], sqlite_where=new, postgresql_where=new)
