"""Repairs in our database: what is to be put right of what a job found, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, func, select, text, update

from weighbridge.catalog.destinations import Address, Sight, open_address
from weighbridge.catalog.models import get_model
from weighbridge.connectors.destinations import registry
from weighbridge.connectors.patcher import pen_for
from weighbridge.errors import BadArgument, NoSuchObject, NotNow
from weighbridge.integrity import store
from weighbridge.integrity.bundle import Broken, bundle_of, scripts, table_of
from weighbridge.integrity.results import every_row
from weighbridge.integrity.store import ENDED, Job
from weighbridge.jobs.queue import request_job
from weighbridge.report.words import plural
from weighbridge.store.tables import repairs

if TYPE_CHECKING:
    from sqlalchemy.engine import Row

    from weighbridge.connectors.destinations.options import Options
    from weighbridge.connectors.patching import Pen
    from weighbridge.store.sealed import KeyRing

JOB = "integrity.repair"
# A repair is for some rows; a table that is broken all over is delivered anew.
MOST_ROWS = 10_000
MAKE_ONE = "POST …/repair makes one and gives its id."


@dataclass(frozen=True)
class Repair:
    """A stored repair. `outcome` has one entry for each model, as the facade shows it."""

    id: UUID
    environment: str
    job_id: UUID
    request: Mapping[str, Any]
    status: str
    attempt: int
    handed_back: int
    outcome: Sequence[Mapping[str, Any]] | None
    error: Mapping[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    cancel_wished_at: datetime | None

    @property
    def dry_run(self) -> bool:
        """Tell whether it only said what would be done."""
        return bool(self.request["dry_run"])

    @property
    def tries(self) -> int:
        """Count how often it was begun, without the times when a worker that ended gave it back."""
        return self.attempt - self.handed_back

    @property
    def words(self) -> str:
        """Say how it stands, in words."""
        if self.error is not None:
            return f"{self.error['message']} {self.error['next_step']}"
        lines = [line for entry in self.outcome or () for line in said(entry, dry=self.dry_run)]
        if self.status in {"PENDING", "RUNNING"}:
            lines.append("The repair is under way.")
        return "\n".join(lines)


def said(entry: Mapping[str, Any], *, dry: bool) -> list[str]:
    """Say what is planned for a model, or what came of it."""
    if dry or not entry.get("done", True):
        return list(entry["plan"])
    if entry["error_message"]:
        return [f"{entry['model_name']}: failed. {entry['error_message']}"]
    counts = (
        ("rows_repaired", "put right and verified"),
        ("rows_right_already", "right already"),
        ("rows_changed_since", "left alone because they changed since"),
        ("rows_not_right", "not right yet"),
    )
    parts = [f"{plural(entry[name], 'row')} {words}" for name, words in counts if entry[name]]
    return [f"{entry['model_name']}: {', '.join(parts) or 'nothing to do'}."]


def request(
    connection: Connection,
    ring: KeyRing,
    job: Job,
    *,
    models: Sequence[str] | None,
    classes: Sequence[str],
    dry_run: bool,
    created_by: int,
) -> Repair:
    """Write a repair down; the work is asked for, or, of a dry run, the plan is written at once.

    Raises NotNow for a job that has not ended or looked at keys alone, BadArgument.
    """
    _check(job, models)
    rows = _rows(connection, job, models, classes)
    address = open_address(connection, ring, job.destination_id, Sight())
    pen_at(address.vendor, address.options)
    outcome = _planned(connection, address, rows) if dry_run else []
    row = connection.execute(
        repairs.insert()
        .values(
            environment=job.environment, job_id=job.id, created_by=created_by, outcome=outcome,
            request={"models": models and list(models), "classes": list(classes), "dry_run": dry_run},
            **({"status": "SUCCESS", "started_at": func.now(), "ended_at": func.now()} if dry_run else {}),
        )
        .returning(repairs)
    ).one()  # fmt: skip
    if not dry_run:
        request_job(connection, JOB, repair_id=str(row.id))
    return _repair(row)


def get(connection: Connection, job: Job, repair_id: UUID) -> Repair:
    """Give a repair of what a job found. Raises NoSuchObject."""
    row = connection.execute(
        select(repairs).where(repairs.c.id == repair_id, repairs.c.job_id == job.id)
    ).one_or_none()
    if row is None:
        raise NoSuchObject(
            f"There is no repair {str(repair_id)!r}.",
            next_step=MAKE_ONE,
        )
    return _repair(row)


def broken(connection: Connection, job: Job, repair: Repair) -> dict[UUID, list[Broken]]:
    """Give the rows that a repair is for, by model."""
    return _rows(connection, job, repair.request["models"], repair.request["classes"])


def _check(job: Job, models: Sequence[str] | None) -> None:
    if job.status not in ENDED:
        raise NotNow("The job has not ended yet.", next_step="Wait for its end, or cancel it.")
    if job.request.compare == "keys":
        raise NotNow(
            "The job compared keys alone: what else the rows hold is not known.",
            next_step="Run one that compares content, then repair what it found.",
        )
    known = {model.name for model in job.request.models}
    unknown = [name for name in models or () if name not in known]
    if unknown:
        raise BadArgument(
            f"models: {unknown[0][:60]!r} is not one of the job's.",
            next_step="Use names of its models, or leave models out.",
        )


def _rows(
    connection: Connection, job: Job, models: Sequence[str] | None, classes: Sequence[str]
) -> dict[UUID, list[Broken]]:
    found: dict[UUID, list[Broken]] = {}
    count = 0
    for row in every_row(connection, job.id, classes):
        said = row._mapping  # noqa: SLF001 SQLAlchemy's public name for it  # pyright: ignore[reportPrivateUsage]
        if models is not None and said["model_name"] not in models:
            continue
        count += 1
        if count > MOST_ROWS:
            raise NotNow(
                f"More than {MOST_ROWS:,} rows would be repaired.",
                next_step="A full refresh of the model delivers all of it anew.",
            )
        row_said = Broken(said["class"], said["key"], said["source"], said["destination"])
        found.setdefault(said["model_id"], []).append(row_said)
    return found


def pen_at(vendor: registry.Vendor, options: Options) -> Pen:
    """Give what writes SQL for a destination. Raises BadArgument where there is nothing yet."""
    spec = None if vendor.side is None else registry.side(vendor, options, vendor.display)
    return pen_for(spec, vendor.display)


def _planned(
    connection: Connection, address: Address, rows: Mapping[UUID, list[Broken]]
) -> list[dict[str, Any]]:
    planned: list[dict[str, Any]] = []
    pen, schema = pen_at(address.vendor, address.options), registry.schema_of(address.options)
    for model_id, some in rows.items():
        model = get_model(connection, model_id)
        made = bundle_of(model.name, table_of(model, schema, pen), some)
        forward, undo = scripts(pen, made.patches)
        planned.append(entry(model.name, plan=made.plan, forward=forward, undo=undo))
    return planned


def entry(
    model_name: str,
    *,
    plan: Sequence[str] = (),
    forward: Sequence[str] = (),
    undo: Sequence[str] = (),
    error: str = "",
    **counts: int,
) -> dict[str, Any]:
    """Write what is told of a model."""
    return {
        "model_name": model_name, "plan": list(plan), "forward_sql": list(forward),
        "undo_sql": list(undo), "error_message": error,
        **{f"rows_{name}": counts.get(name, 0)
           for name in ("repaired", "right_already", "changed_since", "not_right")},
    }  # fmt: skip


# What the worker does ------------------------------------------------------------------------


def claim(connection: Connection, repair_id: UUID) -> tuple[Repair, Job] | None:
    """Take a repair to run it; None if there is nothing left to do."""
    row = connection.execute(
        update(repairs)
        .where(repairs.c.id == repair_id, repairs.c.status.not_in(ENDED))
        .values(
            status="RUNNING",
            attempt=repairs.c.attempt + 1,
            started_at=func.coalesce(repairs.c.started_at, func.clock_timestamp()),
            updated_at=func.clock_timestamp(),
        )
        .returning(repairs)
    ).one_or_none()
    return None if row is None else (_repair(row), store.of_number(connection, row.job_id))


def note_progress(connection: Connection, repair: Repair) -> tuple[bool, bool, bool]:
    """Say that it is under way: (goes on, still ours, still running)."""
    goes_on = _change(connection, repair, repairs.c.cancel_wished_at.is_(None))
    row = connection.execute(
        select(repairs.c.attempt, repairs.c.status).where(repairs.c.id == repair.id)
    ).one()
    return goes_on, row.attempt == repair.attempt, row.status == "RUNNING"


def write_down(
    connection: Connection, repair: Repair, outcome: Sequence[Mapping[str, Any]]
) -> bool:
    """Keep what is planned or done of the models so far; False if someone else has the repair."""
    return _change(connection, repair, outcome=[dict(one) for one in outcome])


def end(
    connection: Connection, repair: Repair, status: str, error: Mapping[str, Any] | None = None
) -> bool:
    """Write down how a repair ended; False if someone else holds it by now."""
    return _change(
        connection, repair, status=status, error=None if error is None else dict(error),
        ended_at=func.clock_timestamp(),
    )  # fmt: skip


def hand_back(connection: Connection, repair: Repair) -> bool:
    """Let a repair wait for another worker; False if it is held by another."""
    again = repairs.c.handed_back + 1
    return _change(connection, repair, status="PENDING", handed_back=again)


def request_lost(connection: Connection) -> list[UUID]:
    """Ask again for the work of each repair that has not ended and has none."""
    lost = list(connection.execute(_LOST, {"job": JOB}).scalars())
    for number in lost:
        request_job(connection, JOB, repair_id=str(number))
    return lost


_LOST = text("""
UPDATE weighbridge.repairs AS r SET updated_at = clock_timestamp()
WHERE r.status IN ('PENDING', 'RUNNING') AND r.updated_at < now() - interval '5 seconds'
    AND NOT EXISTS (
        SELECT FROM weighbridge.procrastinate_jobs AS j
        WHERE j.task_name = :job AND j.status IN ('todo', 'doing')
            AND j.args @> jsonb_build_object('repair_id', r.id::text))
RETURNING r.id
""")


def _change(
    connection: Connection, repair: Repair, *conditions: ColumnElement[bool], **values: Any
) -> bool:
    row = connection.execute(
        update(repairs)
        .where(
            repairs.c.id == repair.id,
            repairs.c.attempt == repair.attempt,
            repairs.c.status == "RUNNING",
            *conditions,
        )
        .values(updated_at=func.clock_timestamp(), **values)
        .returning(repairs.c.id)
    ).one_or_none()
    return row is not None


def _repair(row: Row[Any]) -> Repair:
    return Repair(**{name: getattr(row, name) for name in Repair.__dataclass_fields__})
