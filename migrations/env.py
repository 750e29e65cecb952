"""Alembic's entry point: runs on what `migrations.run.upgrade` hands over.

A connection (SQLite), or a buffer that takes the statements as text (PostgreSQL, whose driver Alembic does not know).
"""

from __future__ import annotations

from alembic import context

connection = context.config.attributes.get("connection")
script = context.config.attributes.get("script")
if connection is None and script is None:
    raise RuntimeError("run migrations with `pixgate migrate`, which knows the database")

if connection is not None:
    context.configure(connection=connection, transaction_per_migration=True)
else:
    # The transaction is the caller's.
    context.configure(dialect_name="postgresql", output_buffer=script, transactional_ddl=False)
with context.begin_transaction():
    context.run_migrations()
