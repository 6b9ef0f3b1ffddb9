"""By which authority a boot knows the server."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema from revision 0013 to 0014. Of the boots that are there nobody wrote it down."""
    op.add_column("boot", sa.Column("ca_sha256", sa.String(), nullable=False, server_default=""))
