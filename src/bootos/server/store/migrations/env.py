"""Run by Alembic: applies the migrations on the connection that `store.engine` gives."""

from alembic import context

from bootos.server.store.table import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
