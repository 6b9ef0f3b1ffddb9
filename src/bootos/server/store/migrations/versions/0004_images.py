"""Published images, the default, pins; which image a machine runs."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def text(name: str, default: str | None = None) -> sa.Column[str]:
    """A text column that is never null."""
    return sa.Column(name, sa.Text(), nullable=False, server_default=default)


def upgrade() -> None:
    """Bring the schema from revision 0003 to 0004."""
    op.add_column("machine", text("image_version", ""))
    op.create_table(
        "image",
        sa.Column("id", sa.Integer(), nullable=False),
        text("version"),
        text("note", ""),
        sa.Column("published_at", sa.DateTime(), nullable=False),
        text("published_by", ""),
        sa.PrimaryKeyConstraint("id", name="pk_image"),
        sa.UniqueConstraint("version", name="uq_image_version"),
    )
    op.create_table(
        "image_default",
        sa.Column("id", sa.Integer(), nullable=False),
        text("version"),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_image_default"),
    )
    op.create_table(
        "image_pin",
        sa.Column("id", sa.Integer(), nullable=False),
        text("version"),
        sa.Column("machine_id", sa.Integer(), nullable=True),
        text("vendor", ""),
        text("product", ""),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machine.id"], name="fk_image_pin_machine_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_image_pin"),
        sa.UniqueConstraint("machine_id", name="uq_image_pin_machine_id"),
    )
