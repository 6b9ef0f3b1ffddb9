"""What limits and retention need of the schema."""

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema from revision 0008 to 0009."""
