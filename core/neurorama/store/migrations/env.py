"""What Alembic runs: the migrations, in the transaction that `database.py` has begun."""

from alembic import context

from neurorama.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"], target_metadata=METADATA, version_table="neurorama_schema"
)
with context.begin_transaction():
    context.run_migrations()
