"""Datafold's data sources: the stored connections, their test, and questions to them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Request

from weighbridge.api.auth import Caller, ReadsConnections, RunsSql, WritesConnections, Written
from weighbridge.api.datafold import source_wire as wire
from weighbridge.api.datafold.answers import problems
from weighbridge.api.waiting import Seats
from weighbridge.catalog import errands
from weighbridge.catalog.asking import ask
from weighbridge.catalog.data_sources import (
    add_data_source,
    get_data_source,
    list_data_sources,
    open_side,
)
from weighbridge.catalog.key_guess import guess_keys
from weighbridge.catalog.standing import accepts
from weighbridge.catalog.vendor_forms import FORMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from weighbridge.connectors.sides import SideSpec

router = APIRouter(prefix="/api/v1/data_sources", tags=["data sources"])

Number = Annotated[int, Path(ge=1, lt=2**63, description="The data source's id.")]
Task = Annotated[int, Path(ge=1, lt=2**63, description="What the POST gave.")]
# Each holds a thread, a login on someone's server, and up to 10 MB of rows. One key cannot take all.
_SEATS = Seats(4, each=3)


@router.get(
    "",
    summary="List data sources",
    response_model=list[wire.DataSourceAnswer],
    responses=problems(),
)
def get_data_sources(caller: ReadsConnections) -> Any:
    """List the connections that this key may use."""
    with caller.sees() as connection:
        return [wire.data_source(source) for source in list_data_sources(connection)]


@router.post(
    "",
    summary="Store a data source",
    response_model=wire.DataSourceAnswer,
    responses=problems(),
)
def create_data_source(caller: WritesConnections, body: wire.NewDataSource) -> Any:
    """Store a connection. Its secret is sealed, and no answer shows it."""

    def work(connection: Connection) -> Written:
        answer = wire.data_source(
            add_data_source(
                connection,
                caller.house.ring,
                environment=caller.key.environment,
                name=body.name,
                vendor=body.type,
                options=body.options,
                settings=body.settings(),
                created_by=caller.key.id,
            )
        )
        return Written(answer, f"connections/{answer['id']}", after=answer)

    return caller.writes("data_sources.create", work)


@router.get(
    "/types",
    summary="List the kinds of data sources",
    response_model=list[wire.DataSourceType],
    responses=problems(),
)
def data_source_types(_caller: ReadsConnections) -> Any:
    """List the kinds of connections with the form of each."""
    return [wire.data_source_type(kind, name) for kind, (name, _, _) in FORMS.items()]


@router.post(
    "/{number}/test",
    summary="Test a data source",
    response_model=wire.TestAsked,
    responses=problems(404, 429),
)
def test_data_source(caller: WritesConnections, number: Number) -> Any:
    """Ask for a test; a worker does it, and is done in little more than a minute at most.

    Its steps are name, tcp, tls, auth, read and write; each is really done. `write` makes a table
    in `temp_schema` and drops it, and is skipped where none is set.
    """
    return {"job_id": _errand(caller, number, errands.TEST, {})}


@router.get(
    "/test/{job}",
    summary="Read a test's findings",
    response_model=wire.TestResults,
    responses=problems(404),
)
def test_findings(caller: ReadsConnections, job: Task) -> Any:
    """Give what each step showed so far."""
    with caller.sees() as connection:
        return wire.test_results(errands.get(connection, job, errands.TEST))


@router.post(
    "/{number}/query",
    summary="Run a query",
    response_model=wire.QueryAnswer,
    responses=problems(404, 429, 503),
)
async def run_query(caller: RunsSql, request: Request, number: Number, body: wire.Query) -> Any:
    """Run one query that only reads, for 15 s at most; it ends when the client goes away.

    A login that may do more than read is refused, unless the data source has `allow_powerful_login`.
    It changes nothing, so an Idempotency-Key changes nothing either.
    """

    def work(gone: threading.Event) -> dict[str, Any]:
        with caller.sees() as connection:
            accepted = accepts(get_data_source(connection, number).settings)
        spec, policy = _side(caller, number), caller.house.policy
        return wire.query_answer(ask(spec, policy, body.query, accepted=accepted, gone=gone))

    return await _SEATS.wait_for(request, caller.key.id, work)


@router.post(
    "/{number}/dataset_schema",
    summary="Ask for a table's columns",
    response_model=wire.TaskAsked,
    responses=problems(404, 429),
)
def ask_for_columns(caller: ReadsConnections, number: Number, body: wire.TableWish) -> Any:
    """Ask for the columns of a table or view; a worker reads them from the server's catalog."""
    return {"task_id": _errand(caller, number, errands.COLUMNS, {"table": body.table})}


@router.get(
    "/{number}/dataset_schema/{task}",
    summary="Read a table's columns",
    response_model=wire.TableTask,
    responses=problems(404),
)
def columns(caller: ReadsConnections, number: Number, task: Task) -> Any:
    """Give the columns once they are there."""
    with caller.sees() as connection:
        return wire.table_task(errands.get(connection, task, errands.COLUMNS, of=number))


@router.post(
    "/{number}/guess_pk",
    summary="Guess a table's key",
    response_model=wire.Candidates,
    responses=problems(404, 429, 503),
)
async def guess_key(
    caller: ReadsConnections, request: Request, number: Number, body: wire.KeyWish
) -> Any:
    """Give the columns that name a row: what a diff would take for its key, and what else could.

    Declared keys come first. A column that is only likely is read, for 30 s at most.
    """

    def work(gone: threading.Event) -> dict[str, Any]:
        spec = _side(caller, number, tuple(body.table))
        return wire.guessed(guess_keys(spec, caller.house.policy, body.wanted(), gone=gone))

    return await _SEATS.wait_for(request, caller.key.id, work)


def _side(caller: Caller, number: int, table: tuple[str, ...] = ()) -> SideSpec:
    with caller.sees() as connection:
        return open_side(connection, caller.house.ring, number, table=table)


def _errand(caller: Caller, number: int, kind: str, wanted: Mapping[str, Any]) -> int:
    def work(connection: Connection) -> Written:
        errand = errands.request(
            connection, kind, number,
            environment=caller.key.environment, created_by=caller.key.id, wanted=wanted,
        )  # fmt: skip
        told = {"kind": kind, "connection": number, **wanted}
        return Written(errand.id, f"errands/{errand.id}", after=told)

    return int(caller.writes(f"data_sources.{kind}", work))
