"""Diffs that a worker gave back when it ended; short ways to diffs under way and rows of a kind."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Count what was given back; index what is under way, and rows by their kind."""
    op.execute(
        "ALTER TABLE weighbridge.datadiffs ADD COLUMN handed_back integer DEFAULT 0 NOT NULL"
    )
    op.execute(
        "CREATE INDEX ix_datadiffs_under_way ON weighbridge.datadiffs (id)"
        " WHERE status IN ('waiting', 'processing')"
    )
    op.execute(
        "CREATE INDEX ix_datadiff_rows_kind"
        " ON weighbridge.datadiff_rows (datadiff_id, attempt, kind, n)"
    )
