"""How does Alembic reach the tables? Called by ``triage.db.upgrade`` with an open connection."""

from alembic import context

from triage.db.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
    include_object=lambda _object, name, kind, _reflected, _other: kind != "table" or name in Table.metadata.tables,
)
with context.begin_transaction():
    context.run_migrations()
