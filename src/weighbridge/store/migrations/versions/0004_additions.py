"""What comes of a diff beside its report: tables that were written, counts by time."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column."""
    op.execute("ALTER TABLE weighbridge.datadiffs ADD COLUMN additions jsonb")
