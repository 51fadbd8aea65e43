"""What travels about data integrity, named as Prequel names it."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from weighbridge.api.prequel.envelope import Body, Moment, Name, moment
from weighbridge.integrity import Wish
from weighbridge.integrity.classes import CLASSES
from weighbridge.integrity.words import failed_for_recipient, log_message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from weighbridge.integrity import Job
    from weighbridge.integrity.repairs import Repair
    from weighbridge.integrity.results import Result

Class = Literal["pending", "stale", "missing", "incorrect", "orphaned"]
Repairable = Literal["missing", "incorrect", "orphaned"]


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("expected a moment of the years 1 to 9999 in UTC") from None


When = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class _Exact(BaseModel):
    model_config = ConfigDict(extra="forbid")


class IntegrityModel(Body):
    """A model to check."""

    model_name: Name
    sample_primary_key_ids: list[Annotated[str, Field(max_length=10_000)]] = Field(
        default_factory=list[str],
        max_length=10_000,
        description="Keys of the rows to check: the value, or, of several columns, a JSON array"
        " of the values as one text. None: every row.",
    )


class NewJob(Body):
    """What to check. Everything may be left out."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{}, {"start_integrity_window_at": "2023-11-07T05:31:56Z"}]},
    )

    models: list[IntegrityModel] | None = Field(
        None, max_length=1_000, description="Specifies models to run; every enabled one otherwise."
    )
    start_integrity_window_at: When | None = Field(
        None, description="Last modified as a lower bound; it belongs to the window."
    )
    end_integrity_window_at: When | None = Field(
        None, description="Last modified as an upper bound; it does not belong to the window."
    )


class MismatchedPartition(_Exact):
    """A range of last modified, half-open, in which rows differ."""

    source_row_count: int
    destination_row_count: int
    last_modified_lower_bound_epoch: int
    last_modified_upper_bound_epoch: int


class DataIntegrityResultResource(_Exact):
    """What was found of a model."""

    model_name: str = Field(description="Name of the model checked for integrity.")
    is_healthy: bool = Field(description="Nothing missing, nothing incorrect, no error.")
    error_message: str = Field(description="Why it could not be checked; empty otherwise.")
    sampling_rate: float = Field(description="The share of rows that was compared: 1 is all.")
    total_rows_compared: int
    total_rows_stale: int = Field(description="Changed in the source since; the next transfer.")
    total_rows_pending: int = Field(description="New in the source since; the next transfer.")
    total_rows_missing: int = Field(description="Should be there and are not.")
    total_rows_incorrect: int = Field(description="Are there and are not what they should be.")
    total_rows_orphaned: int = Field(description="Are there and not in the source any more.")
    mismatched_partitions: list[MismatchedPartition]


class DataIntegrityJobResource(_Exact):
    """A data-integrity job."""

    id: str
    org_schema: str
    submitted_at: Moment = Field(description="When the job was submitted.")
    started_at: Moment = Field(description="When it was begun; year 1 before.")
    ended_at: Moment = Field(description="When it ended; year 1 before.")
    destination_id: str
    status: Literal["PENDING", "RUNNING", "SUCCESS", "PARTIAL_FAILURE", "ERROR", "CANCELLED"]
    model_ids: list[str]
    model_sample_primary_ids: dict[str, list[str]]
    data_integrity_results: list[DataIntegrityResultResource]
    log_message: str


class GetDataIntegrityJobResponse(_Exact):
    """One job."""

    job: DataIntegrityJobResource


class ListDataIntegrityJobsResponse(_Exact):
    """Some jobs."""

    jobs: list[DataIntegrityJobResource]


class IntegrityRow(_Exact):
    """A row that is not right, by the names at the destination."""

    model_name: str
    class_: Class = Field(alias="class")
    key: dict[str, Any]
    source: dict[str, Any] | None = Field(description="As the source has it, without the key.")
    destination: dict[str, Any] | None = Field(description="As the destination has it.")
    changed_columns: list[str]


class IntegrityRowsData(_Exact):
    """Some rows."""

    rows: list[IntegrityRow]


class HistoryEntry(DataIntegrityResultResource):
    """What a job found of a model, and when."""

    job_id: str
    ended_at: Moment


class HistoryData(_Exact):
    """What was found, newest first."""

    history: list[HistoryEntry]


class NewRepair(Body):
    """What to repair of what a job found."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"dry_run": True, "classes": ["missing"]}]}
    )

    models: list[Name] | None = Field(None, max_length=1_000, description="None: all.")
    classes: list[Repairable] = Field(
        default_factory=lambda: ["missing", "incorrect"], min_length=1, max_length=3,
        description="Orphaned rows are deleted only if they are asked for.",
    )  # fmt: skip
    dry_run: bool = Field(True, description="Write the SQL and the plan; change nothing.")


class RepairOfModel(_Exact):
    """What is done, or was, for one model. The SQL is the destination's own."""

    model_name: str
    plan: list[str]
    forward_sql: list[str]
    undo_sql: list[str]
    rows_repaired: int
    rows_right_already: int
    rows_changed_since: int
    rows_not_right: int
    error_message: str


class RepairResource(_Exact):
    """A repair: a plan that was written, or work that is followed by its id."""

    id: str
    job_id: str
    dry_run: bool
    status: Literal["PENDING", "RUNNING", "SUCCESS", "PARTIAL_FAILURE", "ERROR", "CANCELLED"]
    submitted_at: Moment
    started_at: Moment
    ended_at: Moment
    models: list[RepairOfModel]
    log_message: str


class RepairData(_Exact):
    """One repair."""

    repair: RepairResource


def wish(body: NewJob | None, compare: Literal["content", "keys"]) -> Wish:
    """Read what is wanted."""
    if body is None:
        return Wish({}, compare=compare)
    return Wish(
        models={m.model_name: tuple(m.sample_primary_key_ids) for m in body.models or ()},
        since=body.start_integrity_window_at,
        until=body.end_integrity_window_at,
        compare=compare,
    )


def job(found: Job, *, inside: bool) -> dict[str, Any]:
    """Write a job; `inside`: for those who may know where a model comes from."""
    return {
        "id": str(found.id),
        # The schema of the organisation in a vendor's own database: here is none.
        "org_schema": "",
        "submitted_at": moment(found.created_at),
        "started_at": moment(found.started_at),
        "ended_at": moment(found.ended_at),
        "destination_id": str(found.destination_id),
        "status": found.status,
        "model_ids": [str(model.id) for model in found.request.models],
        "model_sample_primary_ids": {
            str(model.id): list(model.keys) for model in found.request.models if model.keys
        },
        "data_integrity_results": [result(one, inside=inside) for one in found.results],
        "log_message": log_message(found, inside=inside),
    }


def result(found: Result, *, inside: bool) -> dict[str, Any]:
    """Write what was found of a model."""
    return {
        "model_name": found.model_name,
        "is_healthy": found.healthy,
        "error_message": _error(found.error, inside=inside),
        "sampling_rate": found.sampling_rate,
        "total_rows_compared": found.compared,
        **{f"total_rows_{name}": found.counts.get(name, 0) for name in CLASSES},
        "mismatched_partitions": [
            {
                "source_row_count": partition.rows[0],
                "destination_row_count": partition.rows[1],
                "last_modified_lower_bound_epoch": partition.since,
                "last_modified_upper_bound_epoch": partition.until,
            }
            for partition in found.partitions
        ],
    }


def _error(error: Mapping[str, Any] | None, *, inside: bool) -> str:
    if error is None:
        return ""
    return f"{error['message']} {error['next_step']}" if inside else failed_for_recipient(error)


def history_entry(job_id: UUID, found: Result, *, inside: bool) -> dict[str, Any]:
    """Write what a job found of a model."""
    return {
        **result(found, inside=inside), "job_id": str(job_id), "ended_at": moment(found.ended_at),
    }  # fmt: skip


def row(found: Any) -> dict[str, Any]:
    """Write a row that is not right."""
    said = found._mapping  # noqa: SLF001 SQLAlchemy's public name for it
    return {
        "model_name": said["model_name"], "class": said["class"], "key": said["key"],
        "source": said["source"], "destination": said["destination"],
        "changed_columns": list(said["changed"]),
    }  # fmt: skip


def repair(found: Repair) -> dict[str, Any]:
    """Write a repair."""
    return {
        "id": str(found.id),
        "job_id": str(found.job_id),
        "dry_run": found.dry_run,
        "status": found.status,
        "submitted_at": moment(found.created_at),
        "started_at": moment(found.started_at),
        "ended_at": moment(found.ended_at),
        "models": [
            {name: one[name] for name in RepairOfModel.model_fields} for one in found.outcome or ()
        ],
        "log_message": found.words,
    }
