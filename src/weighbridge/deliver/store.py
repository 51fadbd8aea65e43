"""The rows of transfers in our database; every change of a transfer's state is here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from weighbridge.connectors.loading import Loaded
from weighbridge.deliver.window import Asked, Plan, Watermark
from weighbridge.errors import NoSuchObject, Overtaken
from weighbridge.jobs.queue import request_job
from weighbridge.store.tables import destinations, models, transfer_models, transfers, watermarks

if TYPE_CHECKING:
    from sqlalchemy.engine import Row

    from weighbridge.catalog.models import Model

JOB = "deliver.run"
# Nothing changes a transfer that has come to one of these.
ENDED = ("SUCCESS", "PARTIAL_FAILURE", "ERROR", "CANCELLED")
_LOG_MOST = 100_000


@dataclass(frozen=True)
class ModelRun:
    """What a transfer did of one model; `error` as JSON, with the side that it came from."""

    model_id: UUID
    model_name: str
    source_id: UUID
    revision_id: UUID
    status: str
    is_full_refresh: bool
    window_start: datetime | None
    window_end: datetime | None
    rows_transferred: int
    delta_rows_transferred: int
    bytes: int
    latest: datetime | None
    error: Mapping[str, Any] | None
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class Transfer:
    """A transfer, with what it did of each model so far; `models` empty: every enabled one."""

    id: UUID
    environment: str
    destination_id: UUID
    status: str
    is_full_refresh: bool
    is_debug_mode: bool
    models: Sequence[str]
    window_start: datetime | None
    window_end: datetime | None
    tags: Mapping[str, Any]
    due_at: datetime | None
    created_by: int | None
    attempt: int
    handed_back: int
    error: Mapping[str, Any] | None
    log: str
    submitted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    cancel_wished_at: datetime | None
    runs: Sequence[ModelRun] = field(default=())

    @property
    def created_at(self) -> datetime:
        """Give the moment by which lists are ordered."""
        return self.submitted_at

    @property
    def tries(self) -> int:
        """Count how often it was begun, without the times when a worker that ended gave it back."""
        return self.attempt - self.handed_back

    @property
    def asked(self) -> Asked:
        """Give what it was asked to read."""
        return Asked(self.is_full_refresh, self.window_start, self.window_end)


def get(connection: Connection, number: UUID, *conditions: ColumnElement[bool]) -> Transfer:
    """Give one transfer. Raises NoSuchObject, also for one that may not be seen."""
    found = connection.execute(
        select(transfers).where(transfers.c.id == number, *conditions)
    ).one_or_none()
    if found is None:
        raise NoSuchObject(
            f"There is no transfer {str(number)!r}.",
            next_step="GET /transfers lists those that may be seen.",
        )
    return with_runs(connection, [found])[0]


def with_runs(connection: Connection, rows: Sequence[Row[Any]]) -> list[Transfer]:
    """Make transfers of rows, with what they did of each model."""
    runs: dict[UUID, list[ModelRun]] = {row.id: [] for row in rows}
    found = connection.execute(
        select(transfer_models, models.c.source_id)
        .join(models, models.c.id == transfer_models.c.model_id)
        .where(transfer_models.c.transfer_id.in_(runs))
        .order_by(transfer_models.c.started_at, transfer_models.c.model_id)
    )
    names = list(ModelRun.__dataclass_fields__)
    for row in found:
        said = _as_dict(row)
        runs[row.transfer_id].append(ModelRun(**{name: said[name] for name in names}))
    return [Transfer(**_as_dict(row), runs=tuple(runs[row.id])) for row in rows]


def watermark(connection: Connection, destination: UUID, model: UUID) -> Watermark | None:
    """Give how far a model has come at a destination; None before its first load."""
    row = connection.execute(
        select(watermarks.c.latest, watermarks.c.revision_id).where(
            watermarks.c.destination_id == destination, watermarks.c.model_id == model
        )
    ).one_or_none()
    return None if row is None else Watermark(row.latest, row.revision_id)


# What the worker does ------------------------------------------------------------------------


def claim(connection: Connection, number: UUID) -> Transfer | None:
    """Take a transfer to run it; None if there is nothing left to do.

    A later claim makes every earlier one worthless: `attempt` is the fence. Where others of its
    destination go first, it is given as it waits: PENDING.
    """
    row = connection.execute(select(transfers).where(transfers.c.id == number)).one_or_none()
    if row is None or row.status in ENDED:
        return None
    # One claim at a destination at a time, and what it sees of the others stays true.
    place = connection.execute(
        select(destinations.c.max_concurrent_transfers)
        .where(destinations.c.id == row.destination_id)
        .with_for_update()
    ).one()
    row = connection.execute(
        select(transfers).where(transfers.c.id == number).with_for_update()
    ).one()
    if row.status in ENDED:
        return None
    if row.status == "PENDING" and _waits(connection, row, place.max_concurrent_transfers):
        return with_runs(connection, [row])[0]
    taken = connection.execute(
        update(transfers)
        .where(transfers.c.id == number)
        .values(
            status="RUNNING",
            attempt=transfers.c.attempt + 1,
            started_at=func.coalesce(transfers.c.started_at, func.clock_timestamp()),
        )
        .returning(transfers)
    ).one()
    return with_runs(connection, [taken])[0]


def _waits(connection: Connection, row: Row[Any], most: int) -> bool:
    """Tell whether others go first: as many as may run at once, or one with a model of this one."""
    earlier = tuple_(transfers.c.submitted_at, transfers.c.id) < (row.submitted_at, row.id)
    others = connection.execute(
        select(transfers.c.models).where(
            transfers.c.destination_id == row.destination_id,
            transfers.c.id != row.id,
            or_(
                transfers.c.status == "RUNNING",
                and_(transfers.c.status == "PENDING", earlier),
            ),
        )
    ).scalars()
    listed = [set(names) for names in others]
    mine = set(row.models)
    return len(listed) >= most or any(not mine or not names or mine & names for names in listed)


def goes_on(connection: Connection, transfer: Transfer) -> tuple[bool, bool]:
    """Tell whether a transfer is still this attempt's, and whether it is wished to end."""
    row = connection.execute(
        select(transfers.c.cancel_wished_at).where(*_held(transfer))
    ).one_or_none()
    return row is not None, row is not None and row.cancel_wished_at is not None


def begin_model(
    connection: Connection, transfer: Transfer, model: Model, plan: Plan, *, now: datetime
) -> tuple[int, UUID]:
    """Write down that a model is begun: (token, the revision that an earlier attempt began).

    `now` is the source's. Raises Overtaken.
    """
    _hold(connection, transfer)
    before = connection.execute(
        select(transfer_models.c.revision_id).where(*_run(transfer, model))
    ).scalar_one_or_none()
    token = int(connection.execute(text("SELECT nextval('weighbridge.load_token')")).scalar_one())
    values: dict[str, Any] = {
        "model_name": model.name, "revision_id": model.revision_id, "status": "RUNNING",
        "is_full_refresh": plan.full, "token": token, "error": None, "ended_at": None,
        "window_start": plan.since, "window_end": plan.until or now,
    }  # fmt: skip
    connection.execute(
        insert(transfer_models)
        .values(
            transfer_id=transfer.id, model_id=model.id, environment=transfer.environment, **values
        )
        .on_conflict_do_update(index_elements=["transfer_id", "model_id"], set_=values)
    )
    return token, before or model.revision_id


def end_model(
    connection: Connection,
    transfer: Transfer,
    model: Model,
    *,
    loaded: Loaded,
    mark: tuple[datetime | None, UUID] | None,
    line: str,
) -> None:
    """Write down that a model is there, and move its watermark, in one step. Raises Overtaken.

    `mark` is (latest moment of change, revision of the model); None: it stays where it is.
    """
    _hold(connection, transfer)
    connection.execute(
        update(transfer_models)
        .where(*_run(transfer, model))
        .values(
            status="SUCCESS",
            rows_transferred=loaded.rows,
            delta_rows_transferred=loaded.rows if loaded.changed is None else loaded.changed,
            bytes=loaded.bytes,
            latest=loaded.latest,
            error=None,
            ended_at=func.clock_timestamp(),
        )
    )
    if mark is not None:
        moved = {
            "latest": mark[0], "revision_id": mark[1], "transfer_id": transfer.id,
            "moved_at": func.clock_timestamp(),
        }  # fmt: skip
        connection.execute(
            insert(watermarks)
            .values(
                destination_id=transfer.destination_id, model_id=model.id,
                environment=transfer.environment, **moved,
            )
            .on_conflict_do_update(index_elements=["destination_id", "model_id"], set_=moved)
        )  # fmt: skip
    _say(connection, transfer, line)


def fail_model(
    connection: Connection,
    transfer: Transfer,
    model: Model,
    *,
    error: Mapping[str, Any],
    status: str,
    line: str,
) -> None:
    """Write down that a model is not there: ERROR, CANCELLED, or PENDING for another try.

    Raises Overtaken.
    """
    _hold(connection, transfer)
    ended = None if status == "PENDING" else func.clock_timestamp()
    values: dict[str, Any] = {"status": status, "error": dict(error), "ended_at": ended}
    connection.execute(
        insert(transfer_models)
        .values(
            transfer_id=transfer.id, model_id=model.id, environment=transfer.environment,
            model_name=model.name, revision_id=model.revision_id, is_full_refresh=False, token=0,
            **values,
        )
        .on_conflict_do_update(index_elements=["transfer_id", "model_id"], set_=values)
    )  # fmt: skip
    _say(connection, transfer, line)


def finish(
    connection: Connection, transfer: Transfer, status: str, *, line: str,
    error: Mapping[str, Any] | None = None,
) -> bool:  # fmt: skip
    """Write down how a transfer ended; False if someone else holds it by now."""
    return _change(
        connection, transfer, line, status=status, ended_at=func.clock_timestamp(),
        error=None if error is None else dict(error),
    )  # fmt: skip


def hand_back(connection: Connection, transfer: Transfer) -> bool:
    """Let a transfer wait for another worker; False if it is to be cancelled, or held by another."""
    again = transfers.c.handed_back + 1
    line = "The worker ends; another one goes on."
    return _change(connection, transfer, line, *_WISHED, status="PENDING", handed_back=again)


def try_again(connection: Connection, transfer: Transfer, line: str) -> bool:
    """Let a transfer wait for its next try; False as `hand_back` does."""
    return _change(connection, transfer, line, *_WISHED, status="PENDING")


def request_lost(connection: Connection) -> list[UUID]:
    """Ask again for the job of each transfer that has not ended and has none; give their ids."""
    lost = list(connection.execute(_LOST, {"job": JOB}).scalars())
    for number in lost:
        request_job(connection, JOB, transfer_id=str(number))
    return lost


_LOST = text("""
SELECT t.id FROM weighbridge.transfers AS t
WHERE t.status IN ('PENDING', 'RUNNING') AND t.submitted_at < now() - interval '5 seconds'
    AND NOT EXISTS (
        SELECT FROM weighbridge.procrastinate_jobs AS j
        WHERE j.task_name = :job AND j.status IN ('todo', 'doing')
            AND j.args @> jsonb_build_object('transfer_id', t.id::text))
FOR UPDATE SKIP LOCKED
""")
_WISHED = (transfers.c.cancel_wished_at.is_(None),)


def _change(
    connection: Connection, transfer: Transfer, line: str, *conditions: ColumnElement[bool],
    **values: Any,
) -> bool:  # fmt: skip
    row = connection.execute(
        update(transfers)
        .where(*_held(transfer), *conditions)
        .values(log=_with_line(line), **values)
        .returning(transfers.c.id)
    ).one_or_none()
    return row is not None


def _say(connection: Connection, transfer: Transfer, line: str) -> None:
    connection.execute(update(transfers).where(*_held(transfer)).values(log=_with_line(line)))


def _with_line(line: str) -> Any:
    stamp = func.to_char(func.clock_timestamp(), 'YYYY-MM-DD"T"HH24:MI:SS"Z "')
    return func.right(transfers.c.log.concat(stamp).concat(line + "\n"), _LOG_MOST)


def _hold(connection: Connection, transfer: Transfer) -> None:
    """Keep the transfer ours until the end of the database's transaction. Raises Overtaken."""
    row = connection.execute(
        select(transfers.c.id).where(*_held(transfer)).with_for_update()
    ).one_or_none()
    if row is None:
        raise Overtaken(
            f"Another worker has the transfer {transfer.id} by now.",
            next_step="Nothing is to be done: the later one counts.",
        )


def _held(transfer: Transfer) -> tuple[ColumnElement[bool], ...]:
    return (
        transfers.c.id == transfer.id,
        transfers.c.attempt == transfer.attempt,
        transfers.c.status == "RUNNING",
    )


def _run(transfer: Transfer, model: Model) -> tuple[ColumnElement[bool], ...]:
    return (
        transfer_models.c.transfer_id == transfer.id, transfer_models.c.model_id == model.id,
    )  # fmt: skip


def _as_dict(row: Row[Any]) -> dict[str, Any]:
    return dict(row._mapping)  # noqa: SLF001 SQLAlchemy's public name for it  # pyright: ignore[reportPrivateUsage]
