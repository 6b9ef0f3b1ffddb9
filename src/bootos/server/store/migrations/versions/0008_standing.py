"""Who confirmed a machine, what it was known by then, and over what its boots registered."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema from revision 0007 to 0008."""
    op.add_column("machine", sa.Column("confirmed_at", sa.DateTime(), nullable=True))
    op.add_column("machine", sa.Column("confirmed_by", sa.Text(), nullable=False, server_default=""))
    op.add_column("machine", sa.Column("fingerprint", sa.Text(), nullable=True))
    op.add_column("machine", sa.Column("doubt", sa.Text(), nullable=False, server_default=""))
    op.add_column("boot", sa.Column("secure", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("boot", sa.Column("words", sa.Text(), nullable=False, server_default=""))
