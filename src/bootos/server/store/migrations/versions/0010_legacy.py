"""Whose a job is in Cloudboot v1: the addresses of its agent and its installer, its token; and the sums of the scripts
that were approved."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema from revision 0009 to 0010. Jobs that are under way belong to where their machines are."""
    op.add_column("job", sa.Column("agent_address", sa.Text(), nullable=False, server_default=""))
    op.add_column("job", sa.Column("installer_address", sa.Text(), nullable=False, server_default=""))
    op.add_column("job", sa.Column("token", sa.Text(), nullable=False, server_default=""))
    op.add_column("job", sa.Column("script_sums", sa.Text(), nullable=True))
    job = sa.table(
        "job", sa.column("machine_id"), sa.column("state"), sa.column("pxe_file"), sa.column("agent_address")
    )
    machine = sa.table("machine", sa.column("id"), sa.column("address"))
    address = sa.select(machine.c.address).where(machine.c.id == job.c.machine_id).scalar_subquery()
    under_way = sa.or_(job.c.state.in_(["running", "installing"]), job.c.pxe_file != "")
    op.execute(sa.update(job).where(under_way).values(agent_address=address))
