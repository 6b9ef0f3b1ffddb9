"""What limits need of the schema: which machines made themselves known, and from which network; how much was logged."""

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
    op.create_index("ix_machine_new", "machine", ["network"], sqlite_where=new, postgresql_where=new)
