"""What the policy of Cloudboot v1 needs of the schema."""

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema from revision 0009 to 0010."""
