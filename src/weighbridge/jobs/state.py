"""How the queue goes: who works, what waits, what nobody works on any more. Nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

from weighbridge.jobs.queue import SILENT

_STATE = text("""
WITH living AS (
    SELECT id FROM weighbridge.procrastinate_workers
    WHERE last_heartbeat > now() - make_interval(secs => :silent)
), due AS (
    SELECT j.id, (SELECT max(e.at) FROM weighbridge.procrastinate_events e WHERE e.job_id = j.id) AS at
    FROM weighbridge.procrastinate_jobs j
    WHERE j.status = 'todo' AND coalesce(j.scheduled_at <= now(), true)
)
SELECT
    (SELECT count(*) FROM living) AS workers,
    (SELECT count(*) FROM due) AS waiting,
    (SELECT coalesce(extract(epoch FROM now() - min(at)), 0) FROM due)::float AS oldest,
    (SELECT count(*) FROM weighbridge.procrastinate_jobs
     WHERE status = 'doing' AND (worker_id IS NULL OR worker_id NOT IN (SELECT id FROM living))
    ) AS stuck,
    (SELECT count(*) FROM weighbridge.procrastinate_jobs WHERE status = 'failed') AS failed
""")


@dataclass(frozen=True)
class QueueState:
    """Living workers; jobs that are due, the longest wait in seconds; jobs of dead workers; failed."""

    workers: int
    waiting: int
    oldest: float
    stuck: int
    failed: int


def queue_state(connection: Connection) -> QueueState:
    """Look at the queue."""
    row = connection.execute(_STATE, {"silent": SILENT}).one()
    return QueueState(row.workers, row.waiting, row.oldest, row.stuck, row.failed)
