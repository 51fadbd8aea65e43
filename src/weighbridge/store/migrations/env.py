"""What Alembic runs: the steps that are missing, all in one transaction."""

from __future__ import annotations

from alembic import context

from weighbridge.store.tables import SCHEMA, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table_schema=SCHEMA,
    include_schemas=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
