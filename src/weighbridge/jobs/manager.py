"""Procrastinate's book-keeping, made to bear a database that goes away and a worker that is late.

It asks again where the database was away, and knows which jobs it was given. What it says of a
job counts only as long as the job is in its hands: the database compares the worker and the
number of attempts, and refuses the word of a worker whose job went to another one meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any, LiteralString

import structlog
from procrastinate import exceptions, jobs, manager

from weighbridge.fault_points import point

# How soon it is asked again whether our database is back, and for how long.
_SOON, _PATIENCE = 1.0, 120
_MINE = """
WITH mine AS (
    SELECT id FROM procrastinate_jobs
    WHERE id = %(job_id)s AND status = 'doing' AND attempts = %(attempts)s
        AND worker_id IS NOT DISTINCT FROM %(worker_id)s::bigint
    FOR UPDATE)
"""
_FINISH: LiteralString = (
    _MINE
    + """
SELECT procrastinate_finish_job_v1(id, %(status)s::procrastinate_job_status, %(delete_job)s)
FROM mine
"""
)
# By the database's clock: ours may be wrong.
_RETRY: LiteralString = (
    _MINE
    + """
SELECT procrastinate_retry_job_v2(
    id, clock_timestamp() + make_interval(secs => %(seconds)s), NULL, NULL, NULL)
FROM mine
"""
)
# A worker that was silent for long may have been struck off.
_BEAT = """
INSERT INTO procrastinate_workers (id, last_heartbeat) OVERRIDING SYSTEM VALUE
VALUES (%(worker_id)s, now()) ON CONFLICT (id) DO UPDATE SET last_heartbeat = now()
"""
_NO_SUCH_WORKER = "23503"

log = structlog.get_logger()


class Manager(manager.JobManager):
    """Keeps the book of one worker's jobs."""

    def __init__(self, connector: Any) -> None:
        super().__init__(connector)
        self._held: set[tuple[int | None, int]] = set()
        self._worker: int | None = None
        self._fetching = asyncio.Lock()

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> jobs.Job | None:
        self._worker = worker_id
        async with self._fetching:
            try:
                job = await super().fetch_job(queues, worker_id)
            except exceptions.ConnectorException as error:
                if _state(error) == _NO_SUCH_WORKER:
                    await self.update_heartbeat(worker_id)
                elif not _away(error):
                    raise
                return None  # the worker asks again by itself
            if job is not None:
                self._held.add(_handle(job))
                point("job.fetched")
            return job

    async def finish_job(self, job: jobs.Job, status: jobs.Status, delete_job: bool) -> None:
        point("job.acknowledging")
        await self._say(job, _FINISH, status=status.value, delete_job=delete_job)
        point("job.acknowledged")

    async def retry_job(
        self, job: jobs.Job, retry_at: datetime | None = None, *_: Any, **__: Any
    ) -> None:
        point("job.giving_back")
        seconds = 0.0 if retry_at is None else (retry_at - datetime.now(UTC)).total_seconds()
        await self._say(job, _RETRY, seconds=max(seconds, 0.0))
        point("job.given_back")

    async def _say(self, job: jobs.Job, query: LiteralString, **words: Any) -> None:
        words |= {"job_id": job.id, "worker_id": job.worker_id, "attempts": job.attempts}

        async def ask() -> None:
            if not await self.connector.execute_query_all_async(query, **words):
                log.warning("overtaken", job=job.id, attempts=job.attempts)

        try:
            await _insist(ask)
        finally:
            self._held.discard(_handle(job))

    async def update_heartbeat(self, worker_id: int) -> None:
        await _insist(lambda: self.connector.execute_query_async(_BEAT, worker_id=worker_id))

    async def beat(self) -> None:
        """Say that this worker lives, if it has begun."""
        if self._worker is not None:
            await self.update_heartbeat(self._worker)

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
            return [job for job in ours if _handle(job) not in held]


def _handle(job: jobs.Job) -> tuple[int | None, int]:
    return job.id, job.attempts


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
    state = _state(error)
    return state is None or state.startswith(("08", "53", "57P"))


def _state(error: exceptions.ConnectorException) -> str | None:
    return getattr(error.__cause__, "sqlstate", None)
