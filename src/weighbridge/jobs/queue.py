"""Procrastinate on our own PostgreSQL: asking for a job, and working them off.

Source: https://procrastinate.readthedocs.io/.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import procrastinate
from procrastinate import jobs

from weighbridge.store.database import SESSION

if TYPE_CHECKING:
    from sqlalchemy import Connection

# A dead worker's jobs are with another one after SILENT + SWEEP seconds at most.
HEARTBEAT, SILENT, SWEEP = 5.0, 20.0, 10.0
ATTEMPTS = 5

Work = Callable[..., None]


def request_job(connection: Connection, name: str, **ids: int) -> None:
    """Ask for a job in the transaction that writes its row: both are there, or neither."""
    driver = connection.connection.dbapi_connection
    app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())
    app.configure_task(name, allow_unknown=True, connection=cast("Any", driver)).defer(**ids)


def make_app(url: str, works: dict[str, Work], *, slots: int) -> procrastinate.App:
    """Name what a worker can do. A failure that may pass is tried again, up to ATTEMPTS times."""
    app = procrastinate.App(
        connector=procrastinate.PsycopgConnector(
            conninfo=url, max_size=slots + 3, kwargs={"options": SESSION}
        ),
        worker_defaults={
            "concurrency": slots,
            "fetch_job_polling_interval": 2.0,
            "update_heartbeat_interval": HEARTBEAT,
            "stalled_worker_timeout": SILENT,
            "delete_jobs": jobs.DeleteJobCondition.SUCCESSFUL,
        },
    )
    again = procrastinate.RetryStrategy(max_attempts=ATTEMPTS, exponential_wait=2)
    for name, work in works.items():
        app.task(name=name, retry=again)(work)
    return app


def sweeper(app: procrastinate.App) -> Callable[[], Awaitable[None]]:
    """Make the errand that hands on the jobs of workers that fell silent."""

    async def sweep() -> None:
        for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=SILENT):
            await app.job_manager.retry_job(job)
        await app.job_manager.prune_stalled_workers(SILENT * 3)

    return sweep
