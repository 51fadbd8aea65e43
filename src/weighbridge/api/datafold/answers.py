"""The shapes of answers about diffs, as the API's description publishes them.

What `wire` writes is held against these before it leaves, so they cannot say what is not so.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from weighbridge.api.datafold import examples
from weighbridge.api.datafold.wire import NewDatadiff

Status = Literal["waiting", "processing", "done", "failed", "cancelled"]
Verdict = Literal["error", "bad-pks", "different", "missing-pks", "identical", "empty"]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Pair = Annotated[list[int], Field(min_length=2, max_length=2, description="Left, right.")]
Pairs = Annotated[list[list[str]], Field(min_length=2, max_length=2, description="Left, right.")]


class Progress(BaseModel):
    """How far it is: rows that were read, of rows that there may be."""

    completed_steps: int
    total_steps: int
    version: str


class DiffStats(BaseModel):
    """The figures in short; null until the diff is done."""

    diff_pks: int | None
    diff_rows: int | None
    diff_values: int | None
    version: str | None = None
    diff_schema: int | None = None
    diff_null_pks: int | None = None
    diff_duplicate_pks: int | None = None
    rows_removed: int | None = None
    rows_added: int | None = None
    table_a_row_count: int | None = None
    table_b_row_count: int | None = None
    sampled: bool | None = None


class Datadiff(NewDatadiff):
    """A diff: the request as it was made, and where it stands."""

    model_config = ConfigDict(
        # A request is stored and given back with its defaults.
        json_schema_serialization_defaults_required=True,
        json_schema_extra={"examples": [examples.DIFF]},
    )

    id: int = Field(examples=[17])
    user_id: int = Field(description="The API key that asked.")
    kind: Literal["in_db", "cross_db"]
    status: Status
    done: bool
    result: Verdict | None
    result_statuses: dict[str, str]
    source: Literal["api"]
    tags: Any
    archived: bool
    purged: bool
    created_at: Moment
    updated_at: Moment
    finished_at: Moment | None
    runtime: float | None = Field(description="Seconds.")
    diff_stats: DiffStats
    diff_progress: Progress


class Datadiffs(BaseModel):
    """One page of diffs."""

    model_config = examples.shows(examples.DIFFS)

    count: int = Field(description="Of all pages.")
    page: int
    page_size: int
    total_pages: int
    results: list[Datadiff]


class Cancelled(BaseModel):
    """A diff's status after the wish to end it."""

    model_config = examples.shows(examples.CANCELLED)

    id: int
    status: Status


class DatadiffSummary(BaseModel):
    """A diff in short, with a paragraph for a person."""

    model_config = examples.shows(examples.SUMMARY)

    id: int
    status: Status
    data_source1_id: int
    data_source2_id: int
    data_source1_name: str | None
    data_source2_name: str | None
    table1: list[str] | None
    table2: list[str] | None
    pk_columns: list[str]
    include_columns: list[str]
    algorithm: Literal["checksum", "stream", "join"] | None
    sampling_ratio: float | None
    result: Verdict | None
    result_status: Literal["waiting", "running", "success", "failed"]
    results_count: int = Field(description="Differing rows that are kept.")
    feedback: str = Field(
        examples=["The left side has 100 rows, the right 99. 10 rows changed, 2 only on the left."]
    )
    error: str | None
    diff_stats: DiffStats
    created_at: Moment
    finished_at: Moment | None


class ResultRow(BaseModel):
    """One row that differs; the side that has no such row is null."""

    kind: Literal["changed", "only_left", "only_right"]
    key: dict[str, Any] = Field(examples=[{"id": 10}])
    left: dict[str, Any] | None = Field(examples=[{"status": "paid"}])
    right: dict[str, Any] | None = Field(examples=[{"status": "open"}])
    changed: list[str] = Field(examples=[["status"]])


class Results(BaseModel):
    """One page of differing rows. `page` is null where `after` was given."""

    model_config = examples.shows(examples.ROWS)

    count: int = Field(description="Of all pages.")
    page: int | None
    page_size: int
    total_pages: int
    next_after: int | None = Field(description="Give it as `after` for the rows that follow.")
    results: list[ResultRow]


class KeyFigures(BaseModel):
    """Counts of rows and keys. `dupes` counts every row whose key is there more than once."""

    total_rows: Pair
    nulls: Pair
    dupes: Pair
    exclusives: Pair
    distincts: Pair


class ColumnFigures(BaseModel):
    """How much of a column is equal, in percent."""

    column_name: str
    match: float = Field(ge=0, le=100)


class ValueFigures(BaseModel):
    """Counts of compared rows, columns and cells, and of those that differ."""

    total_rows: int
    rows_with_differences: int
    total_values: int
    values_with_differences: int
    compared_columns: int
    columns_with_differences: int
    columns_diff_stats: list[ColumnFigures]


class SchemaFigures(BaseModel):
    """How the columns of both sides differ."""

    columns_mismatched: Pair
    column_type_mismatches: int
    column_reorders: int
    column_counts: Pair
    column_type_differs: list[str]
    exclusive_columns: Pairs


class Unfinished(BaseModel):
    """A diff that waits or is under way."""

    model_config = examples.shows(examples.RUNNING)

    status: Literal["waiting", "running"]


class Fault(BaseModel):
    """Why something failed."""

    error_type: str
    error_value: str


class WrittenTable(BaseModel):
    """Where a table lies: schema and table, or database and table."""

    data_source_id: int
    path: list[str] = Field(examples=[["scratch", "weighbridge_datadiff_17_diff"]])
    is_sampled: bool = Field(description="Its rows are those of a sample.")


class MaterializedResults(BaseModel):
    """The tables of differing, duplicated and one-sided rows."""

    diff: list[WrittenTable]
    duplicates1: list[WrittenTable]
    duplicates2: list[WrittenTable]
    exclusives: list[WrittenTable]


class TimeBucket(BaseModel):
    """The rows of one span of time, and what differs among them."""

    bucket_start: Moment | None = Field(description="UTC; null: rows without a moment.")
    rows: Pair
    changed: int = Field(description="Pairs that differ, by their left row.")
    only: Pair


class Success(BaseModel):
    """The figures of a finished diff."""

    model_config = examples.shows(examples.SUCCESS)

    status: Literal["success"]
    pks: KeyFigures
    values: ValueFigures
    dependencies: dict[str, dict[str, Any]]
    schema_: SchemaFigures = Field(alias="schema")
    materialized_results: MaterializedResults | None = Field(
        description="The tables that were written; null if none were asked for, or they failed."
    )
    materialization_error: Fault | None = Field(description="Why no tables were written.")
    time_aggregates: list[TimeBucket] | None = Field(
        description="By time_aggregate; null if it was not given, or could not be done (see the"
        " diff's feedback)."
    )


class Dependency(BaseModel):
    """What is built from a table that was compared, such as a view or a dashboard."""

    uid: str
    item_type: str
    name: str
    path: list[str]
    data_source_id: int
    data_source_type: str


class LatestSuccess(Success):
    """The figures of a finished diff, its dependencies as one list."""

    model_config = examples.shows({**examples.SUCCESS, "dependencies": []})

    # Another shape of the same field.
    dependencies: list[Dependency]  # pyright: ignore[reportIncompatibleVariableOverride]


class Failed(BaseModel):
    """A diff that failed or was cancelled."""

    model_config = examples.shows(examples.FAILED)

    status: Literal["failed"]
    error: Fault


SummaryResults = Annotated[Unfinished | Success | Failed, Field(discriminator="status")]
LatestSummaryResults = Annotated[Unfinished | LatestSuccess | Failed, Field(discriminator="status")]


class Organization(BaseModel):
    """Who asks."""

    model_config = examples.shows(examples.WHO)

    org_id: int
    org_name: str
    user_id: int


_PROBLEMS = {
    401: "No valid API key.",
    403: "The key lacks the scope.",
    404: "There is none of that id, or this key may not see it.",
    409: "It does not fit the present state of the diff.",
    422: "The request cannot be carried out; detail says what to change.",
    429: "The key has as much under way as it may have; Retry-After says when to come again.",
    503: "Too many are asking just now; Retry-After says when to come again.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the answers of a route that are problems; `api.openapi` adds their shape."""
    return {
        status: {"description": _PROBLEMS[status]} for status in sorted({401, 403, 422, *statuses})
    }
