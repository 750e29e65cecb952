"""The moment from which tokens of an account's users are valid, in the place of a row for each user."""

from __future__ import annotations

from alembic import op

from migrations.spelling import postgresql

revision = "0005"
down_revision = "0004"

STATEMENT = "ALTER TABLE accounts ADD COLUMN tokens_from_ms INTEGER NOT NULL DEFAULT 0"


def upgrade() -> None:
    op.execute(STATEMENT if op.get_context().dialect.name == "sqlite" else postgresql(STATEMENT))
