"""What travels: the bodies of requests and answers, named as Datafold names them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from weighbridge.catalog.data_sources import DataSource
from weighbridge.datadiffs import Diff, DiffRequest
from weighbridge.datadiffs.feedback import feedback
from weighbridge.datadiffs.summary import summary_of
from weighbridge.errors import BadArgument

_STATUS = {"waiting": "waiting", "processing": "running", "done": "success"}

_COPY = "Copy a view into its data source's temp_schema once, and compare the copy."

_TRAVEL = (
    "Read the table as it was: negative seconds before the request, or a moment in ISO 8601. Only"
    " system-versioned tables of MariaDB have this."
)


class ColumnTolerance(BaseModel):
    """How far a column's numbers may be apart."""

    column_name: str
    tolerance_value: float = Field(ge=0, allow_inf_nan=False)
    tolerance_mode: Literal["absolute", "relative"] = "absolute"


class NewDatadiff(BaseModel):
    """What is to be compared, and how. Fields that are not known are echoed and change nothing."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "data_source1_id": 1, "data_source2_id": 1,
                    "table1": ["public", "orders"], "table2": ["public", "orders_copy"],
                    "pk_columns": ["id"],
                }
            ]
        },
    )  # fmt: skip

    data_source1_id: int = Field(ge=1, lt=2**63)
    data_source2_id: int = Field(ge=1, lt=2**63)
    table1: list[str] | None = None
    table2: list[str] | None = None
    query1: str | None = None
    query2: str | None = None
    pk_columns: list[str] = Field(min_length=1)
    include_columns: list[str] | None = None
    exclude_columns: list[str] | None = None
    filter1: str | None = Field(None, description="One condition in the side's own SQL.")
    filter2: str | None = Field(None, description="One condition in the side's own SQL.")
    time_column: str | None = Field(
        None, description="Rows with time_interval_start <= it < time_interval_end are compared."
    )
    time_aggregate: Literal["minute", "hour", "day", "week", "month", "year"] | None = Field(
        None, description="Rows are counted by this span of time_column too, in UTC."
    )
    time_interval_start: str | None = None
    time_interval_end: str | None = None
    time_travel_point1: int | str | None = Field(None, description=_TRAVEL)
    time_travel_point2: int | str | None = Field(None, description=_TRAVEL)
    materialize_dataset1: bool | None = Field(False, description=_COPY)
    materialize_dataset2: bool | None = Field(False, description=_COPY)
    materialization_destination_id: int | None = Field(
        None, ge=1, lt=2**63,
        description="Write what is found as tables into the temp_schema of this data source.",
    )  # fmt: skip
    materialize_without_sampling: bool | None = Field(
        False, description="The tables are of every row, also where the figures are of a sample."
    )
    sampling_tolerance: float | None = Field(
        None, ge=0, le=100, description="Percent of key errors up to which a sample is enough."
    )
    sampling_confidence: float | None = Field(None, gt=0, lt=100, description="Percent.")
    sampling_threshold: int | None = Field(
        None, ge=0, description="Fewer rows on the larger side: every row is compared."
    )
    diff_tolerances_per_column: list[ColumnTolerance] | None = None
    column_mapping: list[tuple[str, str]] | None = None

    def as_request(self) -> DiffRequest:
        """Say it in our words."""
        return DiffRequest(
            data_sources=(self.data_source1_id, self.data_source2_id),
            tables=(tuple(self.table1 or ()), tuple(self.table2 or ())),
            queries=(self.query1, self.query2),
            filters=(self.filter1, self.filter2),
            key=tuple(self.pk_columns),
            include=tuple(self.include_columns or ()),
            exclude=tuple(self.exclude_columns or ()),
            rename=tuple(self.column_mapping or ()),
            tolerances=tuple(
                (t.column_name, t.tolerance_value, t.tolerance_mode)
                for t in self.diff_tolerances_per_column or ()
            ),
            time_column=self.time_column,
            time_interval=(self.time_interval_start, self.time_interval_end),
            time_aggregate=self.time_aggregate,
            sampling=(self.sampling_tolerance, self.sampling_confidence, self.sampling_threshold),
            destination=self.materialization_destination_id,
            whole_results=bool(self.materialize_without_sampling),
            copies=(bool(self.materialize_dataset1), bool(self.materialize_dataset2)),
            travel=(self.time_travel_point1, self.time_travel_point2),
        )

    def echo(self) -> dict[str, Any]:
        """Give the request back as every answer repeats it: with defaults, lists never null.

        Raises BadArgument for what a database cannot keep.
        """
        body = self.model_dump(mode="python")
        for name in ("include_columns", "exclude_columns"):
            body[name] = body[name] or []
        for name in (
            "materialize_dataset1",
            "materialize_dataset2",
            "materialize_without_sampling",
        ):
            body[name] = bool(body[name])
        try:
            text = json.dumps(body, ensure_ascii=False, allow_nan=False)
            text.encode()
        except (ValueError, RecursionError):
            text = "\\u0000"
        if "\\u0000" in text:
            raise BadArgument(
                "The request holds a character or a number that JSON cannot keep.",
                next_step="Leave out NUL characters, lone surrogates, NaN and Infinity.",
            )
        return json.loads(text)


class DatadiffChange(BaseModel):
    """What can be changed of a diff."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"archived": True}]})

    archived: bool | None = None
    purged: bool | None = None


def datadiff(diff: Diff) -> dict[str, Any]:
    """Write the full resource of a diff."""
    summary = summary_of(diff.report, diff.request) if diff.report else None
    return {
        **diff.echo,
        "id": diff.id,
        "user_id": diff.created_by,
        "kind": "in_db" if len(set(diff.request.data_sources)) == 1 else "cross_db",
        "status": diff.status,
        "done": diff.status in {"done", "failed", "cancelled"},
        "result": _result(diff, summary),
        "result_statuses": {},
        "source": "api",
        "tags": diff.echo.get("tags"),
        "archived": diff.archived,
        "purged": diff.purged,
        "created_at": _moment(diff.created_at),
        "updated_at": _moment(diff.updated_at),
        "finished_at": _moment(diff.finished_at),
        "runtime": _runtime(diff),
        "diff_stats": _stats(diff, summary),
        "diff_progress": _progress(diff),
    }


def summary_results(diff: Diff, *, dependencies: Any) -> dict[str, Any]:
    """Write what clients poll for: running, waiting, success with the figures, or failed."""
    if diff.report is not None and diff.status == "done":
        figures = summary_of(diff.report, diff.request)
        return {
            "status": "success",
            "pks": figures["pks"],
            "values": figures["values"],
            "dependencies": dependencies,
            "schema": figures["schema"],
            **_additions(diff),
        }
    if diff.status in _STATUS:
        return {"status": _STATUS[diff.status]}
    return {
        "status": "failed",
        "error": {
            "error_type": (diff.error or {}).get("code", diff.status),
            "error_value": _error(diff) or "It was cancelled.",
        },
    }


def _additions(diff: Diff) -> dict[str, Any]:
    """Write what came of it beside the figures; the last two are ours, clients ignore them."""
    said = diff.additions or {}
    results = said.get("materialized") or {}
    tables, error = results.get("tables"), results.get("error")
    return {
        "materialized_results": tables and {name: [path] for name, path in tables.items()},
        "materialization_error": error
        and {
            "error_type": error["code"],
            "error_value": f"{error['message']} {error['next_step']}",
        },
        "time_aggregates": said.get("time_aggregates"),
    }


def datadiff_summary(
    diff: Diff, *, names: tuple[str | None, str | None], kept: int
) -> dict[str, Any]:
    """Write a diff in short; `kept` counts its differing rows that can be read."""
    summary = summary_of(diff.report, diff.request) if diff.report else None
    report = diff.report or {}
    return {
        "id": diff.id,
        "status": diff.status,
        "data_source1_id": diff.request.data_sources[0],
        "data_source2_id": diff.request.data_sources[1],
        "data_source1_name": names[0],
        "data_source2_name": names[1],
        **{n: diff.echo[n] for n in ("table1", "table2", "pk_columns", "include_columns")},
        "algorithm": report["plan"]["strategy"] if report else None,
        "sampling_ratio": (report.get("sampling") or {}).get("rate"),
        "result": _result(diff, summary),
        "result_status": _STATUS.get(diff.status, "failed"),
        "results_count": kept,
        "feedback": feedback(diff),
        "error": _error(diff),
        "diff_stats": _stats(diff, summary),
        "created_at": _moment(diff.created_at),
        "finished_at": _moment(diff.finished_at),
    }


def data_source(source: DataSource) -> dict[str, Any]:
    """Write a connection without its secret."""
    options = {**source.options, "password": "********" if source.has_secret else None}
    return {
        "id": source.id,
        "name": source.name,
        "type": source.vendor,
        "options": options,
        "is_paused": False,
        "hidden": False,
        "temp_schema": source.settings.get("temp_schema"),
        "float_tolerance": source.settings.get("float_tolerance", 0.0),
        "disable_schema_indexing": source.settings.get("disable_schema_indexing", False),
        "disable_profiling": source.settings.get("disable_profiling", False),
        "created_at": _moment(source.created_at),
    }


class NewDataSource(BaseModel):
    """A connection to store; `options` are those of its type's configuration schema."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    type: str
    options: dict[str, Any]
    temp_schema: str | None = Field(
        None, min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$",
        description="A schema (in MariaDB a database) that tables may be written into.",
    )  # fmt: skip
    float_tolerance: float = Field(0.0, ge=0)
    disable_schema_indexing: bool = False
    disable_profiling: bool = False

    def settings(self) -> dict[str, Any]:
        """Give what is no option of the vendor."""
        return self.model_dump(exclude={"name", "type", "options"})


def _result(diff: Diff, summary: dict[str, Any] | None) -> str | None:
    if summary is None:
        return "error" if diff.status == "failed" else None
    keys, values = summary["pks"], summary["values"]
    if any(keys["nulls"]) or any(keys["dupes"]):
        return "bad-pks"
    if any(keys["exclusives"]):
        return "missing-pks"
    if not any(keys["total_rows"]):
        return "empty"
    return "different" if values["rows_with_differences"] else "identical"


def _error(diff: Diff) -> str | None:
    error: Mapping[str, Any] = diff.error or {}
    return f"{error['message']} {error['next_step']}" if error else None


def _stats(diff: Diff, summary: dict[str, Any] | None) -> dict[str, Any]:
    if summary is None:
        return {"diff_pks": None, "diff_rows": None, "diff_values": None}
    keys, values = summary["pks"], summary["values"]
    return {
        "version": "1",
        "diff_pks": sum(keys["exclusives"]),
        "diff_rows": values["rows_with_differences"],
        "diff_values": values["values_with_differences"],
        "diff_schema": sum(summary["schema"]["columns_mismatched"]),
        "diff_null_pks": sum(keys["nulls"]),
        "diff_duplicate_pks": sum(keys["dupes"]),
        "rows_removed": keys["exclusives"][0],
        "rows_added": keys["exclusives"][1],
        "table_a_row_count": keys["total_rows"][0],
        "table_b_row_count": keys["total_rows"][1],
        "sampled": (diff.report or {}).get("sampling") is not None,
    }


def _progress(diff: Diff) -> dict[str, Any]:
    said = diff.progress or {}
    total = said.get("total") or 0
    return {
        "completed_steps": total if diff.status == "done" else min(said.get("rows", 0), total),
        "total_steps": total,
        "version": "1",
    }


def _runtime(diff: Diff) -> float | None:
    if diff.started_at is None or diff.finished_at is None:
        return None
    return round((diff.finished_at - diff.started_at).total_seconds(), 3)


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat(timespec="microseconds")
