"""Procrastinate on our own PostgreSQL: asking for a job, and working them off.

Source: https://procrastinate.readthedocs.io/.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import procrastinate
import structlog
from procrastinate import exceptions, jobs

from weighbridge.jobs.manager import Manager
from weighbridge.store.database import SESSION

if TYPE_CHECKING:
    from sqlalchemy import Connection

# A dead worker's jobs are with another one after SILENT + SWEEP seconds at most.
HEARTBEAT, SILENT, SWEEP = 5.0, 20.0, 5.0
ATTEMPTS = 5
# Of short work that somebody waits for.
URGENT = 10

Work = Callable[..., None]

log = structlog.get_logger()


class Again(Exception):
    """A story says: run me again, `after` seconds from now, by whoever is free then."""

    def __init__(self, why: str, *, after: float = 0.0) -> None:
        super().__init__(why)
        self.after = after


def request_job(connection: Connection, name: str, *, priority: int = 0, **ids: int | str) -> None:
    """Ask for a job in the transaction that writes its row: both are there, or neither.

    Of the jobs that wait, those of a higher `priority` are begun first. The job carries the trace
    of the request that asks, so that the worker's log can be read beside the API's.
    """
    driver = connection.connection.dbapi_connection
    trace = structlog.contextvars.get_contextvars().get("trace")
    told: dict[str, Any] = {**ids, **({"trace": trace} if trace else {})}
    app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())
    app.configure_task(
        name, allow_unknown=True, connection=cast("Any", driver), priority=priority
    ).defer(**told)


def make_app(url: str, works: dict[str, Work], *, slots: int) -> procrastinate.App:
    """Name what a worker can do.

    A story that raises `Again` is run again as often as it says so; any other failure is tried
    again up to ATTEMPTS times.
    """
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
            # Who ends the worker says so itself.
            "install_signal_handlers": False,
        },
    )
    app.job_manager = Manager(app.connector)
    for name, work in works.items():
        app.task(name=name, retry=_AsTheStorySays(), pass_context=True)(_logged(name, work))
    return app


def _logged(name: str, work: Work) -> Callable[..., None]:
    """Give every line that a job writes to the log its id and its trace, and the end a line."""

    def run(context: procrastinate.JobContext, trace: str | None = None, **ids: Any) -> None:
        began, outcome = time.perf_counter(), "failed"
        with structlog.contextvars.bound_contextvars(task=name, job=context.job.id, trace=trace):
            try:
                work(**ids)
                outcome = "done"
            except Again:
                outcome = "again"
                raise
            finally:
                seconds = round(time.perf_counter() - began, 3)
                log.info(
                    "job", outcome=outcome, attempt=context.job.attempts, seconds=seconds, **ids
                )

    return run


def sweeper(app: procrastinate.App) -> Callable[[], Awaitable[None]]:
    """Make the errand that hands on the jobs that nobody works on."""
    jobs_of = cast("Manager", app.job_manager)

    async def sweep() -> None:
        # A worker that finishes its last jobs beats no more by itself.
        await jobs_of.beat()
        silent = await jobs_of.get_stalled_jobs(seconds_since_heartbeat=SILENT)
        for job in [*silent, *await jobs_of.strays()]:
            # It may have ended meanwhile.
            with contextlib.suppress(exceptions.ConnectorException):
                await jobs_of.retry_job(job)
        await jobs_of.prune_stalled_workers(SILENT * 3)

    return sweep


class _AsTheStorySays(procrastinate.BaseRetryStrategy):
    _otherwise = procrastinate.RetryStrategy(max_attempts=ATTEMPTS, exponential_wait=2)

    def get_retry_decision(
        self, *, exception: BaseException, job: jobs.Job
    ) -> procrastinate.RetryDecision | None:
        if isinstance(exception, Again):
            return procrastinate.RetryDecision(
                retry_in={"milliseconds": int(exception.after * 1000)}
            )
        return self._otherwise.get_retry_decision(exception=exception, job=job)
