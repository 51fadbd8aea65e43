"""Transfers that are due: each moment of a destination's schedule once, by our database's clock."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text

from weighbridge.connectors.destinations import registry
from weighbridge.deliver.store import JOB
from weighbridge.jobs.queue import request_job

if TYPE_CHECKING:
    from uuid import UUID

# Of a frequency of 0: the installation's default, daily.
DAILY_MINUTES = 1440
# The grid begins at a midnight UTC, so every frequency of ours has its moments on it. Of moments
# that passed (nobody worked, or a transfer was under way) the last one is made up for, once.
_DUE = text("""
WITH clock AS (SELECT clock_timestamp() AS now),
grid AS (
    SELECT d.id, d.environment, d.created_at, date_bin(
        make_interval(mins => CASE d.frequency_minutes WHEN 0 THEN :daily
            ELSE d.frequency_minutes END),
        clock.now, timestamptz '2001-01-01 00:00:00+00') AS due_at
    FROM weighbridge.destinations AS d, clock
    WHERE d.deleted_at IS NULL AND d.is_enabled AND d.vendor = ANY (:vendors))
INSERT INTO weighbridge.transfers (environment, destination_id, models, due_at)
SELECT g.environment, g.id, '{}', g.due_at FROM grid AS g
WHERE g.created_at <= g.due_at
    AND NOT EXISTS (
        SELECT FROM weighbridge.transfers AS t
        WHERE t.destination_id = g.id
            AND (t.status IN ('PENDING', 'RUNNING') OR t.due_at >= g.due_at))
ON CONFLICT (destination_id, due_at) WHERE due_at IS NOT NULL DO NOTHING
RETURNING id, due_at
""")


def request_due(connection: Connection) -> list[tuple[UUID, datetime]]:
    """Ask for the transfers that are due now; give their ids and the moments they are for."""
    vendors = [vendor.key for vendor in registry.VENDORS.values() if vendor.delivers]
    due = connection.execute(_DUE, {"daily": DAILY_MINUTES, "vendors": vendors}).all()
    for row in due:
        request_job(connection, JOB, transfer_id=str(row.id))
    return [(row.id, row.due_at) for row in due]
