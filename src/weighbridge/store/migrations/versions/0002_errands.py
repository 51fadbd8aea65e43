"""Errands can be run: who works on one, and what it may be; an operator may store connections."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

_STEPS = (
    "ALTER TABLE weighbridge.errands ADD COLUMN attempt integer DEFAULT 0 NOT NULL",
    (
        "ALTER TABLE weighbridge.errands ADD CONSTRAINT ck_errands_status"
        " CHECK (status IN ('waiting', 'processing', 'done', 'failed'))"
    ),
    "CREATE INDEX ix_errands_created_at ON weighbridge.errands (created_at)",
    # The command `connections add` has no key.
    "ALTER TABLE weighbridge.connections ALTER COLUMN created_by DROP NOT NULL",
)


def upgrade() -> None:
    """Change the tables."""
    for step in _STEPS:
        op.execute(step)
