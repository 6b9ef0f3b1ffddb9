"""Which rules of enrolment have ended: they stay so, whatever the clock says later."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema from revision 0012 to 0013. Those that are over end when the server looks next."""
    op.add_column("enrol_rule", sa.Column("ended", sa.Boolean(), nullable=False, server_default=sa.false()))
