"""Procrastinate on our own PostgreSQL: asking for a job, and working them off.

Source: https://procrastinate.readthedocs.io/.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

import procrastinate
from procrastinate import exceptions, jobs, manager

from weighbridge.store.database import SESSION

if TYPE_CHECKING:
    from sqlalchemy import Connection

# A dead worker's jobs are with another one after SILENT + SWEEP seconds at most.
HEARTBEAT, SILENT, SWEEP = 5.0, 20.0, 10.0
ATTEMPTS = 5
# Of short work that somebody waits for.
URGENT = 10
# How soon it is asked again whether our database is back, and for how long.
_SOON, _PATIENCE = 1.0, 120

Work = Callable[..., None]


def request_job(connection: Connection, name: str, *, priority: int = 0, **ids: int) -> None:
    """Ask for a job in the transaction that writes its row: both are there, or neither.

    Of the jobs that wait, those of a higher `priority` are begun first.
    """
    driver = connection.connection.dbapi_connection
    app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())
    app.configure_task(
        name, allow_unknown=True, connection=cast("Any", driver), priority=priority
    ).defer(**ids)


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
    app.job_manager = _Insistent(app.connector)
    again = procrastinate.RetryStrategy(max_attempts=ATTEMPTS, exponential_wait=2)
    for name, work in works.items():
        app.task(name=name, retry=again)(work)
    return app


def sweeper(app: procrastinate.App) -> Callable[[], Awaitable[None]]:
    """Make the errand that hands on the jobs that nobody works on."""
    jobs_of = cast("_Insistent", app.job_manager)

    async def sweep() -> None:
        silent = await jobs_of.get_stalled_jobs(seconds_since_heartbeat=SILENT)
        for job in [*silent, *await jobs_of.strays()]:
            # It may have ended meanwhile.
            with contextlib.suppress(exceptions.ConnectorException):
                await jobs_of.retry_job(job)
        await jobs_of.prune_stalled_workers(SILENT * 3)

    return sweep


class _Insistent(manager.JobManager):
    """Asks again where the database went away, and knows which jobs it was given.

    Without this, the end of a job that was not written down, or a job whose answer was lost on
    the way, would stay in the hands of a worker that lives and knows nothing of it.
    """

    def __init__(self, connector: Any) -> None:
        super().__init__(connector)
        self._held: set[int | None] = set()
        self._worker: int | None = None
        self._fetching = asyncio.Lock()

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> jobs.Job | None:
        self._worker = worker_id
        async with self._fetching:
            try:
                job = await super().fetch_job(queues, worker_id)
            except exceptions.ConnectorException as error:
                if not _away(error):
                    raise
                return None  # the worker asks again by itself
            if job is not None:
                self._held.add(job.id)
            return job

    async def finish_job(self, job: jobs.Job, status: jobs.Status, delete_job: bool) -> None:
        finish = super().finish_job
        try:
            await _insist(lambda: finish(job, status, delete_job))
        finally:
            self._held.discard(job.id)

    async def retry_job(self, job: jobs.Job, *said: Any, **more: Any) -> None:
        again = super().retry_job
        try:
            await _insist(lambda: again(job, *said, **more))
        finally:
            self._held.discard(job.id)

    async def update_heartbeat(self, worker_id: int) -> None:
        beat = super().update_heartbeat
        await _insist(lambda: beat(worker_id))

    async def listen_for_jobs(self, **said: Any) -> None:
        while True:
            with contextlib.suppress(exceptions.ConnectorException):
                await super().listen_for_jobs(**said)
            await asyncio.sleep(_SOON)

    async def strays(self) -> list[jobs.Job]:
        """List the jobs that the database says are ours, and that nobody here works on."""
        if self._worker is None:
            return []
        async with self._fetching:
            held = set(self._held)
            ours = await self.list_jobs_async(status="doing", worker_id=self._worker)
            return [job for job in ours if job.id not in held]


async def _insist(ask: Callable[[], Awaitable[None]]) -> None:
    for _ in range(_PATIENCE):
        try:
            return await ask()
        except exceptions.ConnectorException as error:
            if not _away(error):
                raise
        await asyncio.sleep(_SOON)
    return await ask()


def _away(error: exceptions.ConnectorException) -> bool:
    """Tell whether the database went away, rather than said no."""
    state = getattr(error.__cause__, "sqlstate", None)
    return state is None or state.startswith(("08", "53", "57P"))
