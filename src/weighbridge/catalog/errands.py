"""Short work on a stored connection, done by a worker, whose answer a client fetches later.

    request: the row and its job in one transaction ‖ run: claim → the work → the answer, fenced

An errand may be run twice, and a worker may die over it: `attempt` is the fence, as with diffs. A
later claim makes every earlier one worthless.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, delete, func, select, text, update

from weighbridge.catalog.data_sources import get_data_source, open_side
from weighbridge.catalog.probing import Finding, probe
from weighbridge.catalog.table_columns import describe_table
from weighbridge.errors import NoSuchErrand, RunFailed, StoreFailed, WeighbridgeError
from weighbridge.jobs.queue import ATTEMPTS, URGENT, request_job
from weighbridge.store.database import EVERYTHING, Database, seen_by
from weighbridge.store.quota import check_quota
from weighbridge.store.tables import errands

if TYPE_CHECKING:
    from sqlalchemy.engine import Row

    from weighbridge.net.hosts import HostPolicy
    from weighbridge.store.sealed import KeyRing

JOB = "errands.run"
TEST, COLUMNS = "test", "columns"
# Of one key; they go before diffs that wait.
MOST_UNDER_WAY = 100
# Answers that nobody needs any more go when the next errand is asked for.
_KEPT = "interval '7 days'"


@dataclass(frozen=True)
class Errand:
    """Work that was asked for. `answer` grows until `status` is done; failed: {"error": …}."""

    id: int
    environment: str
    kind: str
    connection_id: int
    request: Mapping[str, Any]
    status: str
    attempt: int
    answer: Any
    created_by: int
    created_at: datetime
    finished_at: datetime | None


def request(
    connection: Connection,
    kind: str,
    number: int,
    *,
    environment: str,
    created_by: int,
    wanted: Mapping[str, Any],
) -> Errand:
    """Ask for an errand on the connection `number`. Raises NoSuchConnection, TooMany."""
    get_data_source(connection, number)
    under_way = errands.c.status.in_(("waiting", "processing"))
    check_quota(connection, errands, under_way, of=created_by, most=MOST_UNDER_WAY)
    connection.execute(
        delete(errands).where(errands.c.created_at < func.clock_timestamp() - text(_KEPT))
    )
    row = connection.execute(
        errands.insert()
        .values(
            environment=environment, kind=kind, connection_id=number, request=dict(wanted),
            created_by=created_by,
        )
        .returning(errands)
    ).one()  # fmt: skip
    # Someone waits for it, and a diff may wait: it goes before those that have not begun.
    request_job(connection, JOB, priority=URGENT, errand_id=row.id)
    return _errand(row)


def get(connection: Connection, number: int, kind: str, *, of: int | None = None) -> Errand:
    """Give an errand of a kind, `of` a connection. Raises NoSuchErrand."""
    mine = [errands.c.id == number, errands.c.kind == kind]
    if of is not None:
        mine.append(errands.c.connection_id == of)
    row = connection.execute(select(errands).where(*mine)).one_or_none()
    if row is None:
        raise NoSuchErrand(
            f"There is no job {number} of that kind.",
            next_step="Ask for it with a POST; answers are kept for seven days.",
        )
    return _errand(row)


# What the worker does ------------------------------------------------------------------------


def run(database: Database, ring: KeyRing, errand_id: int, *, policy: HostPolicy) -> None:
    """Run an errand to its end. Raises what may pass, so that the queue tries again."""
    with seen_by(database, EVERYTHING) as connection:
        errand = claim(connection, errand_id)
    if errand is None:
        return
    if errand.attempt > ATTEMPTS:
        _fail(database, errand, _given_up(errand))
        return

    try:
        answer = _answer(database, ring, errand, policy=policy)
        with seen_by(database, errand.environment) as connection:
            finish(connection, errand, answer)
    except WeighbridgeError as error:
        if isinstance(error, StoreFailed) and errand.attempt < ATTEMPTS:
            raise
        _fail(database, errand, error)
    except Exception:
        if errand.attempt >= ATTEMPTS:
            _fail(database, errand, _given_up(errand))
        raise


def _answer(database: Database, ring: KeyRing, errand: Errand, *, policy: HostPolicy) -> Any:
    table = tuple(errand.request.get("table", ()))
    with seen_by(database, errand.environment) as connection:
        source = get_data_source(connection, errand.connection_id)
        spec = open_side(connection, ring, errand.connection_id, table=table)
    if errand.kind == COLUMNS:
        return {"table": list(table), **describe_table(spec, policy)}

    def tell(findings: Sequence[Finding]) -> None:
        with seen_by(database, errand.environment) as connection:
            _write(connection, errand, answer=[finding.as_dict() for finding in findings])

    temp_schema = source.settings.get("temp_schema")
    findings = probe(spec, policy, temp_schema=temp_schema, tell=tell)
    return [finding.as_dict() for finding in findings]


def claim(connection: Connection, number: int) -> Errand | None:
    """Take an errand to run it; None if there is nothing left to do."""
    row = connection.execute(
        update(errands)
        .where(errands.c.id == number, errands.c.status.in_(("waiting", "processing")))
        .values(status="processing", attempt=errands.c.attempt + 1, answer=None)
        .returning(errands)
    ).one_or_none()
    return None if row is None else _errand(row)


def finish(connection: Connection, errand: Errand, answer: Any, *, status: str = "done") -> bool:
    """Write the answer down; False if someone else holds the errand by now."""
    return _write(
        connection, errand, answer=answer, status=status, finished_at=func.clock_timestamp()
    )


def _write(connection: Connection, errand: Errand, **values: Any) -> bool:
    row = connection.execute(
        update(errands).where(*_held(errand)).values(**values).returning(errands.c.id)
    ).one_or_none()
    return row is not None


def _held(errand: Errand) -> tuple[ColumnElement[bool], ...]:
    return (
        errands.c.id == errand.id,
        errands.c.attempt == errand.attempt,
        errands.c.status == "processing",
    )


def _fail(database: Database, errand: Errand, error: WeighbridgeError) -> None:
    with seen_by(database, errand.environment) as connection:
        finish(connection, errand, {"error": str(error), "code": error.code}, status="failed")


def _given_up(errand: Errand) -> RunFailed:
    return RunFailed(
        f"It was begun {errand.attempt} times and never came to an end.",
        next_step="The worker's log says why; this is a fault of weighbridge.",
    )


def _errand(row: Row[Any]) -> Errand:
    return Errand(**row._mapping)  # noqa: SLF001 SQLAlchemy's public name for a row as a mapping  # pyright: ignore[reportPrivateUsage]
