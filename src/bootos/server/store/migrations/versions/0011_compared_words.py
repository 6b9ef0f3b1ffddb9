"""Of which boots a person has compared the words."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema from revision 0010 to 0011. Of no boot that is there is it known."""
    op.add_column("boot", sa.Column("compared", sa.Boolean(), nullable=False, server_default=sa.false()))
