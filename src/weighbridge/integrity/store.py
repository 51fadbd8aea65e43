"""Integrity jobs in our database; every change of a job's state is here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, func, select, text, tuple_, update

from weighbridge.catalog.destinations import Sight, get_destination
from weighbridge.errors import NoSuchObject, NotNow
from weighbridge.integrity.request import Request, Wish, checked, from_dict
from weighbridge.integrity.results import Result, history, results_of
from weighbridge.jobs.queue import request_job
from weighbridge.store.tables import integrity_jobs

if TYPE_CHECKING:
    from sqlalchemy.engine import Row

    from weighbridge.catalog.records import Wanted

JOB = "integrity.run"
# Of one destination; a recipient may ask for them, too.
MOST_UNDER_WAY = 10
# Nothing changes a job that has come to one of these.
ENDED = ("SUCCESS", "PARTIAL_FAILURE", "ERROR", "CANCELLED")


class Paged(Protocol):
    """How many of a list, and after which place."""

    @property
    def size(self) -> int: ...
    @property
    def after(self) -> tuple[Any, ...] | None: ...


@dataclass(frozen=True)
class Job:
    """A stored job; `results` are those of the models that are finished, in their order."""

    id: UUID
    environment: str
    destination_id: UUID
    request: Request
    status: str
    attempt: int
    handed_back: int
    error: Mapping[str, Any] | None
    progress: Mapping[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    cancel_wished_at: datetime | None
    results: tuple[Result, ...] = ()

    @property
    def tries(self) -> int:
        """Count how often it was begun, without the times when a worker that ended gave it back."""
        return self.attempt - self.handed_back


def request(
    connection: Connection,
    destination_id: UUID,
    wish: Wish,
    *,
    sight: Sight,
    environment: str,
    created_by: int | None,
) -> Job:
    """Write a job down and ask for its work, both in this transaction.

    `created_by` None: a transfer that ended. Raises BadArgument, NoSuchObject.
    """
    destination = get_destination(connection, destination_id, sight)
    asked = checked(connection, destination, wish)
    _check_room(connection, destination.id)
    row = connection.execute(
        integrity_jobs.insert()
        .values(
            environment=environment, destination_id=destination.id, request=asked.as_dict(),
            created_by=created_by,
        )
        .returning(integrity_jobs)
    ).one()  # fmt: skip
    request_job(connection, JOB, job_id=str(row.id))
    return _job(row, ())


def _check_room(connection: Connection, destination_id: UUID) -> None:
    under_way = connection.execute(
        select(func.count())
        .select_from(integrity_jobs)
        .where(
            integrity_jobs.c.destination_id == destination_id,
            integrity_jobs.c.status.not_in(ENDED),
        )
    ).scalar_one()
    if under_way >= MOST_UNDER_WAY:
        raise NotNow(
            f"{under_way} jobs of this destination wait or run already.",
            next_step="Wait for one of them to end, or cancel it.",
        )


def get(connection: Connection, destination_id: UUID, job_id: UUID, sight: Sight) -> Job:
    """Give a job of a destination. Raises NoSuchObject, also for another destination's."""
    get_destination(connection, destination_id, sight)
    row = connection.execute(
        select(integrity_jobs).where(
            integrity_jobs.c.id == job_id, integrity_jobs.c.destination_id == destination_id
        )
    ).one_or_none()
    if row is None:
        raise _missing(job_id, destination_id)
    return _job(row, results_of(connection, [job_id])[job_id])


def _missing(job_id: UUID, destination_id: UUID) -> NoSuchObject:
    return NoSuchObject(
        f"There is no data-integrity job {str(job_id)!r}.",
        next_step=f"GET /destinations/{destination_id}/data-integrity lists those that there are.",
    )


def list_jobs(
    connection: Connection, destination_id: UUID, wanted: Wanted, sight: Sight
) -> tuple[list[Job], bool]:
    """Give a page of a destination's jobs, and whether more follow. Raises NoSuchObject."""
    get_destination(connection, destination_id, sight)
    order = (integrity_jobs.c.created_at, integrity_jobs.c.id)
    place = tuple_(*order)
    query = select(integrity_jobs).where(integrity_jobs.c.destination_id == destination_id)
    if wanted.after is not None:
        query = query.where(place < wanted.after if wanted.descending else place > wanted.after)
    ordered = [column.desc() if wanted.descending else column for column in order]
    # One more than is shown tells whether more follow.
    found = connection.execute(query.order_by(*ordered).limit(wanted.size + 1)).all()
    shown = found[: wanted.size]
    results = results_of(connection, [row.id for row in shown])
    return [_job(row, results[row.id]) for row in shown], len(found) > wanted.size


def list_history(
    connection: Connection,
    destination_id: UUID,
    page: Paged,
    sight: Sight,
    *,
    model_name: str | None = None,
) -> tuple[list[tuple[UUID, Result]], bool]:
    """Give what was found at a destination, newest first: (job, result); and whether more follow."""
    get_destination(connection, destination_id, sight)
    found = history(
        connection, destination_id, model_name=model_name, before=page.after, limit=page.size + 1
    )
    return found[: page.size], len(found) > page.size


def cancel(connection: Connection, destination_id: UUID, job_id: UUID, sight: Sight) -> Job:
    """Ask for the end of a job: one that waits ends at once, one that runs within seconds."""
    get(connection, destination_id, job_id, sight)
    now = func.clock_timestamp()
    mine = integrity_jobs.c.id == job_id
    connection.execute(
        update(integrity_jobs)
        .where(mine, integrity_jobs.c.status == "PENDING")
        .values(status="CANCELLED", ended_at=now, updated_at=now)
    )
    connection.execute(
        update(integrity_jobs)
        .where(mine, integrity_jobs.c.status == "RUNNING")
        .values(
            cancel_wished_at=func.coalesce(integrity_jobs.c.cancel_wished_at, now), updated_at=now
        )
    )
    return get(connection, destination_id, job_id, sight)


# What the worker does ------------------------------------------------------------------------


def claim(connection: Connection, job_id: UUID) -> Job | None:
    """Take a job to run it; None if there is nothing left to do.

    A later claim makes every earlier one worthless: `attempt` is the fence.
    """
    row = connection.execute(
        update(integrity_jobs)
        .where(integrity_jobs.c.id == job_id, integrity_jobs.c.status.not_in(ENDED))
        .values(
            status="RUNNING",
            attempt=integrity_jobs.c.attempt + 1,
            started_at=func.coalesce(integrity_jobs.c.started_at, func.clock_timestamp()),
            **_touched(),
        )
        .returning(integrity_jobs)
    ).one_or_none()
    return None if row is None else _job(row, results_of(connection, [job_id])[job_id])


def of_number(connection: Connection, job_id: UUID) -> Job:
    """Give a job to whoever works for all."""
    row = connection.execute(select(integrity_jobs).where(integrity_jobs.c.id == job_id)).one()
    return _job(row, results_of(connection, [job_id])[job_id])


def now_of(connection: Connection, job: Job) -> tuple[int, str]:
    """Say which attempt has the job by now, and how it stands."""
    row = connection.execute(
        select(integrity_jobs.c.attempt, integrity_jobs.c.status).where(
            integrity_jobs.c.id == job.id
        )
    ).one()
    return row.attempt, row.status


def note_progress(connection: Connection, job: Job, progress: Mapping[str, Any]) -> bool:
    """Write down how far it is; True if it is to go on, False if cancelled or taken over."""
    row = connection.execute(
        update(integrity_jobs)
        .where(*_held(job))
        .values(progress=dict(progress), **_touched())
        .returning(integrity_jobs.c.cancel_wished_at)
    ).one_or_none()
    return row is not None and row.cancel_wished_at is None


def hold(connection: Connection, job: Job) -> bool:
    """Hold the job to the end of this transaction; False if someone else has it by now."""
    return _change(connection, job)


def end(
    connection: Connection, job: Job, status: str, error: Mapping[str, Any] | None = None
) -> bool:
    """Write down how a job ended; False if someone else holds it by now."""
    return _change(
        connection, job, status=status, error=None if error is None else dict(error),
        ended_at=func.clock_timestamp(), progress=None,
    )  # fmt: skip


def hand_back(connection: Connection, job: Job) -> bool:
    """Let a job wait for another worker; False if it is to be cancelled, or held by another."""
    again = integrity_jobs.c.handed_back + 1
    return _change(connection, job, *_WISHED, status="PENDING", handed_back=again, progress=None)


def try_again(connection: Connection, job: Job, error: Mapping[str, Any], of: int) -> bool:
    """Let a job wait for its next try, and say why; False as `hand_back` does."""
    again = {"tries": job.tries, "of": of, "error": dict(error)}
    said = {"phase": "to be tried again", "model": None, "rows": 0, "again": again}
    return _change(connection, job, *_WISHED, status="PENDING", progress=said)


def request_lost(connection: Connection) -> list[UUID]:
    """Ask again for the work of each job that has not ended and has none (see `datadiffs.store`)."""
    lost = list(connection.execute(_LOST, {"job": JOB}).scalars())
    for number in lost:
        request_job(connection, JOB, job_id=str(number))
    return lost


_LOST = text("""
UPDATE weighbridge.integrity_jobs AS i SET updated_at = clock_timestamp()
WHERE i.status IN ('PENDING', 'RUNNING') AND i.updated_at < now() - interval '5 seconds'
    AND NOT EXISTS (
        SELECT FROM weighbridge.procrastinate_jobs AS j
        WHERE j.task_name = :job AND j.status IN ('todo', 'doing')
            AND j.args @> jsonb_build_object('job_id', i.id::text))
RETURNING i.id
""")
_WISHED = (integrity_jobs.c.cancel_wished_at.is_(None),)


def _change(
    connection: Connection, job: Job, *conditions: ColumnElement[bool], **values: Any
) -> bool:
    row = connection.execute(
        update(integrity_jobs)
        .where(*_held(job), *conditions)
        .values(**_touched(), **values)
        .returning(integrity_jobs.c.id)
    ).one_or_none()
    return row is not None


def _held(job: Job) -> tuple[ColumnElement[bool], ...]:
    return (
        integrity_jobs.c.id == job.id,
        integrity_jobs.c.attempt == job.attempt,
        integrity_jobs.c.status == "RUNNING",
    )


def _touched() -> dict[str, Any]:
    return {"updated_at": func.clock_timestamp()}


def _job(row: Row[Any], results: Iterator[Result] | tuple[Result, ...]) -> Job:
    names = [n for n in Job.__dataclass_fields__ if n not in {"request", "results"}]
    said = {name: getattr(row, name) for name in names}
    return Job(request=from_dict(row.request), results=tuple(results), **said)
