"""What an agent said that it can be sent (`wire.ability`). Those of earlier releases say nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema from revision 0004 to 0005."""
    op.add_column("boot", sa.Column("abilities", sa.Text(), nullable=False, server_default="[]"))
