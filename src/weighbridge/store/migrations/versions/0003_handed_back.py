"""Diffs that a worker gave back when it ended, and a short way to those that are under way."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Count what was given back; index what is under way."""
    op.execute(
        "ALTER TABLE weighbridge.datadiffs ADD COLUMN handed_back integer DEFAULT 0 NOT NULL"
    )
    op.execute(
        "CREATE INDEX ix_datadiffs_under_way ON weighbridge.datadiffs (id)"
        " WHERE status IN ('waiting', 'processing')"
    )
