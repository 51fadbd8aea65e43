"""What travels about data sources: bodies, answers, and the names that Datafold's clients read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from weighbridge.api.datafold import examples
from weighbridge.api.datafold.answers import Moment
from weighbridge.catalog.asking import CAPS, Answer
from weighbridge.catalog.data_sources import DataSource
from weighbridge.catalog.errands import Errand
from weighbridge.catalog.key_guess import Guess, Wanted
from weighbridge.catalog.probing import STEPS
from weighbridge.catalog.standing import accepts
from weighbridge.catalog.vendor_forms import configuration_schema, wire_names

MASK = "********"


Parts = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=255)]],
    Field(min_length=1, max_length=3, description="Its name in parts: schema and table."),
]


class NewDataSource(BaseModel):
    """A connection to store; `options` are those of its type's configuration schema."""

    model_config = examples.asks(examples.SOURCE_ASKED)

    name: str = Field(min_length=1, max_length=200)
    type: str = Field(description="One of those that GET /data_sources/types lists.")
    options: dict[str, Any]
    temp_schema: str | None = Field(
        None,
        min_length=1,
        max_length=130,
        description="Where tables may be made: for its test, for results. Schema, or database.schema.",
    )
    float_tolerance: float = Field(0.0, ge=0, allow_inf_nan=False)
    disable_schema_indexing: bool = False
    disable_profiling: bool = False
    allow_powerful_login: bool = Field(
        False,
        description="Queries of one's own run also if the login may do more than read. Ours.",
    )

    def settings(self) -> dict[str, Any]:
        """Give what is no option of the vendor."""
        return self.model_dump(exclude={"name", "type", "options"})


class DataSourceAnswer(BaseModel):
    """A connection without its secret."""

    model_config = examples.shows(examples.SOURCE)

    id: int = Field(examples=[1])
    name: str = Field(examples=["shop"])
    type: str = Field(examples=["pg"])
    options: dict[str, Any] = Field(
        examples=[{"host": "db.example", "port": 5432, "user": "reader", "password": MASK}],
        description="A secret that is there is shown as ********, one that is not as null.",
    )
    is_paused: bool
    hidden: bool
    temp_schema: str | None
    float_tolerance: float
    disable_schema_indexing: bool
    disable_profiling: bool
    allow_powerful_login: bool
    created_at: Moment


def data_source(source: DataSource) -> dict[str, Any]:
    """Write a connection without its secret."""
    names = wire_names(source.vendor)
    options = {names[name]: value for name, value in source.options.items()}
    options[names["password"]] = MASK if source.has_secret else None
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
        "allow_powerful_login": accepts(source.settings),
        "created_at": source.created_at.isoformat(timespec="microseconds"),
    }


class ConfigurationSchema(BaseModel):
    """The form of a kind of connection."""

    title: str = Field(examples=["PostgreSQL"])
    properties: dict[str, dict[str, Any]] = Field(
        examples=[{"port": {"title": "Port", "type": "integer", "default": 5432}}],
        description="Each has a title, one type, and a default where it may be left out.",
    )
    required: list[str] = Field(examples=[["host", "user", "dbname"]])
    secret: list[str] = Field(examples=[["password"]])


class DataSourceType(BaseModel):
    """A kind of connection."""

    model_config = examples.shows(examples.SOURCE_TYPE)

    name: str = Field(examples=["PostgreSQL"])
    type: str = Field(examples=["pg"])
    configuration_schema: ConfigurationSchema


def data_source_type(kind: str, name: str) -> dict[str, Any]:
    """Write a kind of connection with its form."""
    return {"name": name, "type": kind, "configuration_schema": configuration_schema(kind)}


# The test ------------------------------------------------------------------------------------


class TestAsked(BaseModel):
    """Where the test's findings will be."""

    model_config = examples.shows(examples.TEST_ASKED)

    job_id: int = Field(examples=[7])


class TestResult(BaseModel):
    """What a step showed."""

    code: Literal["ok", "error", "skip", "unknown"]
    message: str = Field(examples=["db.example is 192.0.2.7."])
    outcome: Literal["success", "warning", "failed", "skipped", "unknown"]


class TestStep(BaseModel):
    """A step of the test; `result` is null until it is done."""

    step: str = Field(examples=["name"])
    status: Literal["waiting", "processing", "done"]
    result: TestResult | None


class TestResults(BaseModel):
    """The steps in their order, then the stages for which Datafold's clients wait."""

    model_config = examples.shows(examples.TEST_RESULTS)

    results: list[TestStep]


# What Datafold's clients wait for by name, and which of our steps it is.
_STAGES = {"connection": "auth", "schema_download": "read", "temp_schema": "write"}
_OUTCOMES = {"ok": "success", "error": "failed", "skip": "skipped", "unknown": "unknown"}


def test_results(errand: Errand) -> dict[str, Any]:
    """Write how far a test is. A step that nobody will take any more is unknown."""
    failed = errand.status == "failed"
    found = {} if failed else {f["step"]: f for f in errand.answer or ()}
    why = errand.answer["error"] if failed else ""
    under_way = next((step for step in STEPS if step not in found), None)
    results: list[dict[str, Any]] = []
    for step in STEPS:
        if step in found:
            results.append({"step": step, "status": "done", "result": _result(found[step])})
        elif failed:
            unknown = {"code": "unknown", "message": why, "outcome": "unknown"}
            results.append({"step": step, "status": "done", "result": unknown})
        else:
            begun = step == under_way and errand.status == "processing"
            status = "processing" if begun else "waiting"
            results.append({"step": step, "status": status, "result": None})
    by_step = {result["step"]: result for result in results}
    for stage, step in _STAGES.items():
        results.append({**by_step[_first_failed(by_step, step)], "step": stage})
    return {"results": results}


def _first_failed(results: dict[str, dict[str, Any]], step: str) -> str:
    """Name the step that tells why another one was not tried."""
    codes = {s: (r["result"] or {}).get("code") for s, r in results.items()}
    until = STEPS[: STEPS.index(step) + 1]
    return next((s for s in until if codes[s] == "error"), step)


def _result(finding: dict[str, Any]) -> dict[str, str]:
    warnings: Sequence[str] = finding["warnings"]
    outcome = "warning" if warnings else _OUTCOMES[finding["code"]]
    message = " ".join((finding["message"], *(f"Warning: {w}" for w in warnings)))
    return {"code": finding["code"], "message": message, "outcome": outcome}


# Queries -------------------------------------------------------------------------------------


class Query(BaseModel):
    """One query that only reads."""

    model_config = examples.asks(examples.QUERY_ASKED)

    query: str = Field(min_length=1)


class QueryColumn(BaseModel):
    """A column of an answer; `type` as its server calls it."""

    name: str = Field(examples=["status"])
    type: str = Field(examples=["text"])


class QueryAnswer(BaseModel):
    """Rows by column. Numbers with a decimal point, moments and the like are text."""

    model_config = examples.shows(examples.QUERY_ANSWER)

    rows: list[dict[str, Any]] = Field(examples=[[{"status": "paid", "count": 412}]])
    columns: list[QueryColumn]
    capped: str | None = Field(
        description=f"Says so in words where there is more: {CAPS.rows:,} rows and"
        f" {CAPS.bytes // 10**6} MB are given at most."
    )


def query_answer(answer: Answer) -> dict[str, Any]:
    """Write an answer's rows."""
    names = [name for name, _ in answer.found.columns]
    return {
        "rows": [dict(zip(names, row, strict=True)) for row in answer.found.rows],
        "columns": [{"name": name, "type": kind} for name, kind in answer.found.columns],
        "capped": answer.capped,
    }


# Tables --------------------------------------------------------------------------------------


class TableWish(BaseModel):
    """A table whose columns are asked for."""

    model_config = examples.asks(examples.TABLE_ASKED)

    table: Parts


class TaskAsked(BaseModel):
    """Where the columns will be."""

    model_config = examples.shows(examples.TASK_ASKED)

    task_id: int = Field(examples=[8])


class TableColumn(BaseModel):
    """A column as its server declares it; `key`: it is part of the primary key."""

    name: str = Field(examples=["id"])
    type: str = Field(examples=["bigint"])
    nullable: bool
    key: bool


class Table(BaseModel):
    """A table's columns in order, its primary key, its unique indexes without nulls."""

    table: list[str] = Field(examples=[["public", "orders"]])
    columns: list[TableColumn]
    primary_key: list[str] = Field(examples=[["id"]])
    unique: list[list[str]] = Field(examples=[[["number"]]])


class TaskError(BaseModel):
    """Why there are no columns."""

    error: str


class TableTask(BaseModel):
    """The columns of a table, once the status is done."""

    model_config = examples.shows(examples.TABLE_TASK)

    status: Literal["waiting", "processing", "done", "failed"]
    result: Table | TaskError | None


def table_task(errand: Errand) -> dict[str, Any]:
    """Write how far it is."""
    result = errand.answer
    if errand.status == "failed":
        result = {"error": errand.answer["error"]}
    return {"status": errand.status, "result": result}


class KeyWish(BaseModel):
    """A table whose key is asked for, and what may not be part of it."""

    model_config = examples.asks(examples.KEY_ASKED)

    table: Parts
    candidates: int = Field(1, ge=1, le=20)
    sample_size: int | None = Field(
        None, ge=1, le=10_000_000, description="Rows to look at; all, if it is left out."
    )
    avoid_types: list[str] | None = Field(None, max_length=100)
    avoid_names: list[str] | None = Field(None, max_length=1_000)

    def wanted(self) -> Wanted:
        """Say it in our words."""
        return Wanted(
            self.candidates, self.sample_size,
            tuple(self.avoid_types or ()), tuple(self.avoid_names or ()),
        )  # fmt: skip


class Candidate(BaseModel):
    """Columns that together name a row."""

    pk: list[str] = Field(examples=[["id"]])


class Candidates(BaseModel):
    """Keys, the best first: the primary key, unique indexes, columns that proved to be unique."""

    model_config = examples.shows(examples.CANDIDATES)

    candidates: list[Candidate]
    error: str | None = Field(None, description="Why there are none, or fewer.")


def guessed(guess: Guess) -> dict[str, Any]:
    """Write the keys that were found."""
    return {"candidates": [{"pk": list(key)} for key in guess.keys], "error": guess.error}
