"""What a job found of each model, and the rows, as they lie in our database."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Connection, select, tuple_

from weighbridge.fault_points import point
from weighbridge.integrity.classes import BAD, CLASSES
from weighbridge.store.tables import integrity_jobs, integrity_results, integrity_rows

if TYPE_CHECKING:
    from sqlalchemy.engine import Row

    from weighbridge.integrity.store import Job

# The escape of a NUL in JSON; behind an odd backslash the same letters are text.
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


@dataclass(frozen=True)
class Partition:
    """A half-open range of the moment of change, in seconds since 1970, with both sides' rows."""

    since: int
    until: int
    rows: tuple[int, int]


@dataclass(frozen=True)
class Result:
    """What was found of one model. `counts` by class; `watermark` as it was held to."""

    model_id: UUID
    model_name: str
    log: str
    attempt: int = 0
    sampling_rate: float = 1.0
    compared: int = 0
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    partitions: tuple[Partition, ...] = ()
    error: Mapping[str, Any] | None = None
    watermark: datetime | None = None
    ended_at: datetime | None = None

    @property
    def healthy(self) -> bool:
        """Tell whether nothing is missing, nothing incorrect, and nothing failed."""
        return self.error is None and not any(self.counts.get(name) for name in BAD)


def results_of(
    connection: Connection, job_ids: Sequence[UUID]
) -> Mapping[UUID, tuple[Result, ...]]:
    """Give what some jobs found so far, in the order in which they found it."""
    table = integrity_results
    rows = connection.execute(
        select(table).where(table.c.job_id.in_(job_ids)).order_by(table.c.ended_at)
    )
    found: dict[UUID, list[Result]] = defaultdict(list)
    for row in rows:
        found[row.job_id].append(_result(row))
    return {number: tuple(found[number]) for number in job_ids}


def history(
    connection: Connection,
    destination_id: UUID,
    *,
    model_name: str | None,
    before: tuple[Any, ...] | None,
    limit: int,
) -> list[tuple[UUID, Result]]:
    """Give what was found at a destination, newest first: (job, result)."""
    table = integrity_results
    order = (table.c.ended_at, table.c.job_id, table.c.model_id)
    query = (
        select(table)
        .join(integrity_jobs, integrity_jobs.c.id == table.c.job_id)
        .where(integrity_jobs.c.destination_id == destination_id)
    )
    if model_name is not None:
        query = query.where(table.c.model_name == model_name)
    if before is not None:
        query = query.where(tuple_(*order) < before)
    ordered = query.order_by(*(column.desc() for column in order)).limit(limit)
    return [(row.job_id, _result(row)) for row in connection.execute(ordered)]


def rows_page(
    connection: Connection,
    job_id: UUID,
    *,
    classes: Sequence[str] = (),
    model_name: str | None = None,
    after: tuple[UUID, int] | None = None,
    limit: int,
) -> list[Row[Any]]:
    """Give rows that a job found, those after one, with the name of their model."""
    rows, results = integrity_rows, integrity_results
    query = (
        select(rows, results.c.model_name)
        .join(
            results,
            (results.c.job_id == rows.c.job_id)
            & (results.c.model_id == rows.c.model_id)
            & (results.c.attempt == rows.c.attempt),
        )
        .where(rows.c.job_id == job_id)
    )
    if classes:
        query = query.where(rows.c["class"].in_(classes))
    if model_name is not None:
        query = query.where(results.c.model_name == model_name)
    if after is not None:
        query = query.where(tuple_(rows.c.model_id, rows.c.n) > after)
    return list(connection.execute(query.order_by(rows.c.model_id, rows.c.n).limit(limit)))


def write_rows(
    connection: Connection, job: Job, model_id: UUID, rows: Iterable[Mapping[str, Any]]
) -> int:
    """Copy a model's rows in; nobody sees them before its result is there. Gives their number."""
    driver: Any = connection.connection.dbapi_connection
    # COPY does not go past row-level security; an INSERT does, and is checked by it.
    connection.exec_driver_sql(
        "CREATE TEMP TABLE arriving (LIKE weighbridge.integrity_rows) ON COMMIT DROP"
    )
    point("integrity.rows_begun")
    columns = "job_id, model_id, attempt, n, environment, class, key, source, destination, changed"
    count = 0
    with driver.cursor().copy(f"COPY arriving ({columns}) FROM STDIN") as copy:
        for count, row in enumerate(rows, 1):
            copy.write_row(
                (
                    job.id, model_id, job.attempt, count, job.environment, row["class"],
                    _json(row["key"]), _json(row["source"]), _json(row["destination"]),
                    list(row["changed"]),
                )
            )  # fmt: skip
            if count == 2:
                point("integrity.rows_half")
    connection.exec_driver_sql(
        f"INSERT INTO weighbridge.integrity_rows ({columns}) SELECT {columns} FROM arriving"  # noqa: S608 our own words
    )
    return count


def write_result(connection: Connection, job: Job, found: Result) -> None:
    """Write down what was found of a model."""
    connection.execute(
        integrity_results.insert().values(
            job_id=job.id,
            model_id=found.model_id,
            environment=job.environment,
            attempt=job.attempt,
            model_name=found.model_name,
            sampling_rate=found.sampling_rate,
            compared=found.compared,
            **{name: found.counts.get(name, 0) for name in CLASSES},
            partitions=[[p.since, p.until, *p.rows] for p in found.partitions],
            error=None if found.error is None else dict(found.error),
            log=found.log,
            watermark=found.watermark,
        )
    )


def every_row(connection: Connection, job_id: UUID, classes: Sequence[str]) -> Iterator[Row[Any]]:
    """Give all rows of some classes, some at a time."""
    after: tuple[UUID, int] | None = None
    while rows := rows_page(connection, job_id, classes=classes, after=after, limit=1_000):
        yield from rows
        after = (rows[-1].model_id, rows[-1].n)


def _json(value: Any) -> str | None:
    # NUL is a character of JSON and none of PostgreSQL's.
    return None if value is None else _NUL.sub(r"\1\\ufffd", json.dumps(value))


def _result(row: Row[Any]) -> Result:
    return Result(
        model_id=row.model_id, model_name=row.model_name, log=row.log, attempt=row.attempt,
        sampling_rate=row.sampling_rate, compared=row.compared,
        counts={name: getattr(row, name) for name in CLASSES},
        partitions=tuple(Partition(p[0], p[1], (p[2], p[3])) for p in row.partitions),
        error=row.error, watermark=row.watermark, ended_at=row.ended_at,
    )  # fmt: skip
