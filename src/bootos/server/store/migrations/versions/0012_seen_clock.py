"""What the clock said when the server looked last: one that steps ahead makes nothing old."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema from revision 0011 to 0012."""
    op.add_column("retention", sa.Column("seen_at", sa.DateTime(), nullable=True))
