"""The rows of stored diffs in our database; every change of a diff's state is here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, delete, func, select, text, update

from weighbridge.catalog.data_sources import get_data_source, temp_schema
from weighbridge.catalog.vendor_forms import keeps_history
from weighbridge.datadiffs.filters import check_sql
from weighbridge.datadiffs.request import DiffRequest, check, from_dict
from weighbridge.errors import BadArgument, NoSuchDiff, NotNow
from weighbridge.fault_points import point
from weighbridge.jobs.queue import request_job
from weighbridge.store.quota import check_quota
from weighbridge.store.tables import datadiff_rows, datadiffs

if TYPE_CHECKING:
    from sqlalchemy.engine import Row

JOB = "datadiffs.run"
# The escape of a NUL in JSON; behind an odd backslash the same letters are text.
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
# Of one key; the queue is everybody's.
MOST_UNDER_WAY = 1_000
# Nothing changes a diff that has come to one of these.
ENDED = ("done", "failed", "cancelled")


@dataclass(frozen=True)
class Diff:
    """A stored diff. `report` is the verdict's JSON once it is done, `error` once it failed.

    `additions` may hold `materialized` ({"tables": {name: path}} or {"error": {…}}) and
    `time_aggregates` (a list of buckets).
    """

    id: int
    environment: str
    request: DiffRequest
    echo: Mapping[str, Any]
    status: str
    attempt: int
    handed_back: int
    report: Mapping[str, Any] | None
    additions: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    progress: Mapping[str, Any] | None
    archived: bool
    purged: bool
    created_by: int
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_wished_at: datetime | None

    @property
    def tries(self) -> int:
        """Count how often it was begun, without the times when a worker that ended gave it back."""
        return self.attempt - self.handed_back


def request(
    connection: Connection,
    wanted: DiffRequest,
    *,
    echo: Mapping[str, Any],
    environment: str,
    created_by: int,
) -> Diff:
    """Write a diff down and ask for its job, both in this transaction.

    `echo` is the request in the caller's own words, given back by every answer. Raises
    BadArgument, BadQuery, NoSuchConnection and TooMany.
    """
    under_way = datadiffs.c.status.in_(("waiting", "processing"))
    check_quota(connection, datadiffs, under_way, of=created_by, most=MOST_UNDER_WAY)
    check(wanted)
    left, right = (get_data_source(connection, number) for number in wanted.data_sources)
    check_sql((left.vendor, right.vendor), wanted)
    for side, vendor in enumerate((left.vendor, right.vendor)):
        if wanted.travel[side] is not None and not keeps_history(vendor):
            raise BadArgument(
                f"time_travel_point{side + 1} cannot be used: servers of the type {vendor} keep no"
                " earlier states of a table.",
                next_step=f"Leave time_travel_point{side + 1} out.",
            )
    for field, number in wanted.written_into():
        temp_schema(get_data_source(connection, number), field)
    row = connection.execute(
        datadiffs.insert()
        .values(
            environment=environment,
            request={"wanted": wanted.as_dict(), "echo": dict(echo)},
            created_by=created_by,
        )
        .returning(datadiffs)
    ).one()
    request_job(connection, JOB, datadiff_id=row.id)
    return _diff(row)


def get(connection: Connection, number: int) -> Diff:
    """Give one diff. Raises NoSuchDiff, also for one that may not be seen."""
    row = connection.execute(select(datadiffs).where(datadiffs.c.id == number)).one_or_none()
    if row is None:
        raise NoSuchDiff(
            f"There is no diff {number}.",
            next_step="GET /api/v1/datadiffs lists those that this key may see.",
        )
    return _diff(row)


def list_diffs(
    connection: Connection,
    *conditions: ColumnElement[bool],
    order: ColumnElement[Any],
    offset: int,
    limit: int,
) -> tuple[int, list[Diff]]:
    """Count what fits the conditions, and give one page of it."""
    count = connection.execute(
        select(func.count()).select_from(datadiffs).where(*conditions)
    ).scalar_one()
    rows = connection.execute(
        select(datadiffs)
        .where(*conditions)
        .order_by(order, datadiffs.c.id)
        .offset(offset)
        .limit(limit)
    )
    return count, [_diff(row) for row in rows]


def cancel(connection: Connection, number: int) -> Diff:
    """Ask for the end of a diff: one that waits ends at once, one that runs within seconds."""
    get(connection, number)
    connection.execute(
        update(datadiffs)
        .where(datadiffs.c.id == number, datadiffs.c.status == "waiting")
        .values(status="cancelled", finished_at=func.clock_timestamp(), **_touched())
    )
    connection.execute(
        update(datadiffs)
        .where(datadiffs.c.id == number, datadiffs.c.status == "processing")
        .values(
            cancel_wished_at=func.coalesce(datadiffs.c.cancel_wished_at, func.clock_timestamp()),
            **_touched(),
        )
    )
    return get(connection, number)


def archive(connection: Connection, number: int, *, archived: bool) -> Diff:
    """Put a diff away, or take it out again. Raises NoSuchDiff."""
    get(connection, number)
    connection.execute(
        update(datadiffs).where(datadiffs.c.id == number).values(archived=archived, **_touched())
    )
    return get(connection, number)


def purge(connection: Connection, number: int, *, purged: bool) -> Diff:
    """Delete for good what a finished diff keeps of the rows; its figures stay.

    Raises NoSuchDiff, NotNow while the diff is under way, BadArgument for a wish to undo it.
    """
    diff = get(connection, number)
    if diff.purged and not purged:
        raise BadArgument(
            f"The rows of the diff {number} were purged, which cannot be undone.",
            next_step="Ask for the diff again.",
        )
    if diff.purged or not purged:
        return diff
    if diff.status not in ENDED:
        raise NotNow(
            f"The diff {number} is {diff.status}: it has no rows to purge yet.",
            next_step="Wait for its end, or cancel it first.",
        )
    connection.execute(delete(datadiff_rows).where(datadiff_rows.c.datadiff_id == number))
    # What was asked of a diff is in `request`: so is this.
    values: dict[str, Any] = {"request": datadiffs.c.request.concat({"purged": True})}
    if diff.report is not None:
        # The sample is rows, and an explanation may quote their values.
        values["report"] = {**diff.report, "sample": [], "explanations": []}
    connection.execute(
        update(datadiffs).where(datadiffs.c.id == number).values(**values, **_touched())
    )
    return get(connection, number)


# What the worker does ------------------------------------------------------------------------


def claim(connection: Connection, number: int) -> Diff | None:
    """Take a diff to run it; None if there is nothing left to do.

    A later claim makes every earlier one worthless: `attempt` is the fence.
    """
    row = connection.execute(
        update(datadiffs)
        .where(datadiffs.c.id == number, datadiffs.c.status.not_in(ENDED))
        .values(
            status="processing",
            attempt=datadiffs.c.attempt + 1,
            started_at=func.coalesce(datadiffs.c.started_at, func.clock_timestamp()),
            **_touched(),
        )
        .returning(datadiffs)
    ).one_or_none()
    return None if row is None else _diff(row)


def note_progress(connection: Connection, diff: Diff, progress: Mapping[str, Any]) -> bool:
    """Write down how far it is; True if it is to go on, False if cancelled or taken over."""
    row = connection.execute(
        update(datadiffs)
        .where(*_held(diff))
        .values(progress=dict(progress), **_touched())
        .returning(datadiffs.c.cancel_wished_at)
    ).one_or_none()
    return row is not None and row.cancel_wished_at is None


def write_rows(connection: Connection, diff: Diff, rows: Iterator[Mapping[str, Any]]) -> int:
    """Copy the differing rows in; nobody sees them before `finish`. Gives their number."""
    driver: Any = connection.connection.dbapi_connection
    # COPY does not go past row-level security; an INSERT does, and is checked by it.
    connection.exec_driver_sql(
        "CREATE TEMP TABLE arriving (LIKE weighbridge.datadiff_rows) ON COMMIT DROP"
    )
    point("diff.rows_begun")
    columns = 'datadiff_id, attempt, n, environment, kind, key, "left", "right", changed'
    count = 0
    with driver.cursor().copy(f"COPY arriving ({columns}) FROM STDIN") as copy:
        for count, row in enumerate(rows, 1):
            copy.write_row(
                (
                    diff.id, diff.attempt, count, diff.environment, row["kind"],
                    _json(row["key"]), _json(row["left"]), _json(row["right"]),
                    list(row["changed"]),
                )
            )  # fmt: skip
            if count == 2:
                point("diff.rows_half")
    connection.exec_driver_sql(
        f"INSERT INTO weighbridge.datadiff_rows ({columns}) SELECT {columns} FROM arriving"  # noqa: S608 our own words
    )
    point("diff.rows_copied")
    return count


def finish(
    connection: Connection,
    diff: Diff,
    report: Mapping[str, Any],
    additions: Mapping[str, Any] | None = None,
) -> bool:
    """Make the outcome visible; False if someone else holds the diff by now."""
    return _end(
        connection, diff, status="done", report=json.loads(_json(report) or "{}"), additions=dict(additions or {}),
        outcome_attempt=diff.attempt,
    )  # fmt: skip


def fail(connection: Connection, diff: Diff, error: Mapping[str, Any], *, status: str) -> bool:
    """End a diff without an outcome: failed or cancelled."""
    return _end(connection, diff, status=status, error=dict(error))


def hand_back(connection: Connection, diff: Diff) -> bool:
    """Let a diff wait for another worker; False if it is to be cancelled, or held by another."""
    again = datadiffs.c.handed_back + 1
    return _change(connection, diff, *_WISHED, status="waiting", handed_back=again, progress=None)


def try_again(connection: Connection, diff: Diff, error: Mapping[str, Any], of: int) -> bool:
    """Let a diff wait for its next try, and say why; False as `hand_back` does."""
    said = {"phase": "to be tried again", "rows": 0, "total": None}
    again = {"tries": diff.tries, "of": of, "error": dict(error)}
    return _change(connection, diff, *_WISHED, status="waiting", progress={**said, "again": again})


def request_lost(connection: Connection) -> list[int]:
    """Ask again for the job of each diff that has not ended and has none; give their numbers.

    A diff and its job are written together and end in order, so there is none as long as the
    queue keeps its word. If it did not, a diff would wait for ever: this is the net below.
    """
    lost = list(connection.execute(_LOST, {"job": JOB}).scalars())
    for number in lost:
        request_job(connection, JOB, datadiff_id=number)
    return lost


# Touched, so that another worker that asks at the same moment finds it asked for.
_LOST = text("""
UPDATE weighbridge.datadiffs AS d SET updated_at = clock_timestamp()
WHERE d.status IN ('waiting', 'processing') AND d.updated_at < now() - interval '5 seconds'
    AND NOT EXISTS (
        SELECT FROM weighbridge.procrastinate_jobs AS j
        WHERE j.task_name = :job AND j.status IN ('todo', 'doing')
            AND j.args @> jsonb_build_object('datadiff_id', d.id))
RETURNING d.id
""")
_WISHED = (datadiffs.c.cancel_wished_at.is_(None),)


def _end(connection: Connection, diff: Diff, **values: Any) -> bool:
    return _change(connection, diff, finished_at=func.clock_timestamp(), progress=None, **values)


def _change(
    connection: Connection, diff: Diff, *conditions: ColumnElement[bool], **values: Any
) -> bool:
    row = connection.execute(
        update(datadiffs)
        .where(*_held(diff), *conditions)
        .values(**_touched(), **values)
        .returning(datadiffs.c.id)
    ).one_or_none()
    return row is not None


def _held(diff: Diff) -> tuple[ColumnElement[bool], ...]:
    return (
        datadiffs.c.id == diff.id,
        datadiffs.c.attempt == diff.attempt,
        datadiffs.c.status == "processing",
    )


def _touched() -> dict[str, Any]:
    return {"updated_at": func.clock_timestamp()}


def _json(value: Any) -> str | None:
    # NUL is a character of JSON and none of PostgreSQL's.
    return None if value is None else _NUL.sub(r"\1\\ufffd", json.dumps(value))


def _diff(row: Row[Any]) -> Diff:
    said = dict(row._mapping)  # noqa: SLF001 SQLAlchemy's public name for a row as a mapping  # pyright: ignore[reportPrivateUsage]
    asked = said.pop("request")
    said.pop("outcome_attempt")
    return Diff(
        request=from_dict(asked["wanted"]), echo=asked["echo"],
        purged=asked.get("purged", False), **said,
    )  # fmt: skip
