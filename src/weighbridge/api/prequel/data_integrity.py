"""Prequel's data-integrity jobs, and what lies beyond them: the rows, a history, repairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request

from weighbridge import integrity
from weighbridge.api.auth import Written
from weighbridge.api.paging import only_known
from weighbridge.api.prequel import integrity_wire as wire
from weighbridge.api.prequel import paging
from weighbridge.api.prequel.auth import (
    Caller,
    ReadsDestinations,
    ReadsRecipients,
    WritesDestinations,
    WritesRecipients,
)
from weighbridge.api.prequel.envelope import Answer, PageAnswer, identity, problems, success
from weighbridge.errors import NoSuchObject
from weighbridge.integrity import repairs, results

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

router = APIRouter(tags=["Data Integrity"])

Number = Annotated[str, Path(max_length=100, description="Destination ID.")]
JobNumber = Annotated[str, Path(max_length=100, description="Integrity Job ID.")]
RepairNumber = Annotated[str, Path(max_length=100, description="Repair ID.")]
ModelName = Annotated[
    str | None, Query(max_length=200, description="Of this model only.", pattern=r"^[^\x00]*$")
]
_AT = "/destinations/{destination_id}/data-integrity"


def _ids(destination_id: str, job_id: str) -> tuple[UUID, UUID]:
    where = identity(destination_id, "destination")
    try:
        return where, identity(job_id, "job")
    except NoSuchObject:
        raise NoSuchObject(
            f"There is no data-integrity job {job_id[:60]!r}.",
            next_step=f"GET /destinations/{where}/data-integrity lists those that there are.",
        ) from None


def _repair_id(text: str) -> UUID:
    try:
        return identity(text, "repair")
    except NoSuchObject as error:
        raise NoSuchObject(error.message, next_step=repairs.MAKE_ONE) from None


def _inside(caller: Caller) -> bool:
    return caller.token is None


@router.post(
    _AT,
    summary="Create data integrity job for a destination",
    response_model=Answer[wire.GetDataIntegrityJobResponse],
    responses=problems(404),
)
def create_data_integrity_job(
    caller: WritesDestinations,
    destination_id: Number,
    body: wire.NewJob | None = None,
    compare: Annotated[
        Literal["content", "keys"],
        Query(description="content: every column. keys: the key and last modified alone."),
    ] = "content",
) -> Any:
    """Ask whether what lies at a destination is what its source holds; a worker looks."""

    def work(connection: Connection) -> Written:
        made = integrity.request(
            connection,
            identity(destination_id, "destination"),
            wire.wish(body, compare),
            sight=caller.sight,
            environment=caller.key.environment,
            created_by=caller.key.id,
        )
        shown = wire.job(made, inside=_inside(caller))
        return Written(
            success({"job": shown}, "The job was created."),
            f"integrity_jobs/{made.id}",
            # Without the keys that were asked for: these are values of rows.
            after={"models": [m.name for m in made.request.models], "compare": compare},
        )

    return caller.writes("integrity.create", work)


@router.get(
    _AT,
    summary="List data integrity jobs for a destination",
    response_model=PageAnswer[wire.ListDataIntegrityJobsResponse],
    response_model_exclude_unset=True,
    responses=problems(404),
)
def list_data_integrity_jobs(
    caller: ReadsDestinations, request: Request, destination_id: Number, page: paging.Page
) -> Any:
    """List a destination's jobs, by page."""
    only_known(request, paging.PARAMETERS)
    with caller.sees() as connection:
        found, more = integrity.list_jobs(
            connection, identity(destination_id, "destination"), page, caller.sight
        )
    shown = {"jobs": [wire.job(one, inside=_inside(caller)) for one in found]}
    return {**success(shown), **paging.next_page(request, found, more=more)}


@router.get(
    f"{_AT}/history",
    summary="List what data integrity jobs found, by model",
    response_model=PageAnswer[wire.HistoryData],
    response_model_exclude_unset=True,
    responses=problems(404),
)
def list_data_integrity_history(  # noqa: PLR0917 FastAPI gives them by name
    caller: ReadsDestinations,
    request: Request,
    destination_id: Number,
    page: paging.NewestFirst,
    model_name: ModelName = None,
) -> Any:
    """List what was found of each model, newest first: for a line through time."""
    only_known(request, ("page_size", "cursor", "model_name"))
    with caller.sees() as connection:
        where = identity(destination_id, "destination")
        found, more = integrity.list_history(
            connection, where, page, caller.sight, model_name=model_name
        )
    inside = _inside(caller)
    shown = {"history": [wire.history_entry(n, one, inside=inside) for n, one in found]}
    last = (found[-1][1].ended_at, found[-1][0], found[-1][1].model_id) if found else ()
    return {**success(shown), **paging.next_after(request, last, more=more)}


@router.get(
    f"{_AT}/{{job_id}}",
    summary="Get data integrity job for a destination",
    response_model=Answer[wire.GetDataIntegrityJobResponse],
    responses=problems(404),
)
def get_data_integrity_job(
    caller: ReadsDestinations, destination_id: Number, job_id: JobNumber
) -> Any:
    """Give a job with what it found so far."""
    with caller.sees() as connection:
        found = integrity.get(connection, *_ids(destination_id, job_id), caller.sight)
    return success({"job": wire.job(found, inside=_inside(caller))})


@router.post(
    f"{_AT}/{{job_id}}/cancel",
    summary="Cancel specific data integrity job for a destination",
    response_model=Answer[wire.GetDataIntegrityJobResponse],
    responses=problems(404),
)
def cancel_data_integrity_job(
    caller: WritesDestinations, destination_id: Number, job_id: JobNumber
) -> Any:
    """Request cancellation of a job: it ends within seconds. One that has ended stays as it is."""

    def work(connection: Connection) -> Written:
        found = integrity.cancel(connection, *_ids(destination_id, job_id), caller.sight)
        return Written(
            success({"job": wire.job(found, inside=_inside(caller))}, "The job is cancelled."),
            f"integrity_jobs/{found.id}",
        )

    return caller.writes("integrity.cancel", work)


@router.get(
    f"{_AT}/{{job_id}}/rows",
    summary="List the rows that a data integrity job found",
    response_model=PageAnswer[wire.IntegrityRowsData],
    response_model_exclude_unset=True,
    responses=problems(404),
)
def list_data_integrity_rows(  # noqa: PLR0917 FastAPI gives them by name
    caller: ReadsDestinations,
    request: Request,
    destination_id: Number,
    job_id: JobNumber,
    page: paging.RowsPage,
    class_: Annotated[
        list[wire.Class] | None, Query(alias="class", description="Of these classes only.")
    ] = None,
    model_name: ModelName = None,
) -> Any:
    """List rows that are not right, with both versions and the columns that differ.

    Of rows that the next transfer brings (pending, stale), a thousand of each are kept.
    """
    only_known(request, ("page_size", "cursor", "class", "model_name"))
    with caller.sees() as connection:
        found = integrity.get(connection, *_ids(destination_id, job_id), caller.sight)
        rows = results.rows_page(
            connection, found.id, classes=class_ or (), model_name=model_name,
            after=page.after, limit=page.size + 1,
        )  # fmt: skip
    shown = rows[: page.size]
    last = (shown[-1].n, shown[-1].model_id) if shown else ()
    answer = success({"rows": [wire.row(one) for one in shown]})
    return {**answer, **paging.next_after(request, last, more=len(rows) > page.size)}


@router.post(
    f"{_AT}/{{job_id}}/repair",
    summary="Repair rows that a data integrity job found",
    response_model=Answer[wire.RepairData],
    responses=problems(404),
)
def create_data_integrity_repair(
    caller: WritesRecipients, destination_id: Number, job_id: JobNumber,
    body: wire.NewRepair | None = None,
) -> Any:  # fmt: skip
    """Say what would put the rows right, as SQL of both ways; or, if it is no dry run, do it.

    A row that changed at the destination since it was looked at is left alone.
    """
    said = body or wire.NewRepair.model_validate({})

    def work(connection: Connection) -> Written:
        job = integrity.get(connection, *_ids(destination_id, job_id), caller.sight)
        made = repairs.request(
            connection,
            caller.house.ring,
            job,
            models=said.models,
            classes=said.classes,
            dry_run=said.dry_run,
            created_by=caller.key.id,
        )
        # The plan holds rows: the audit does not.
        kept = {"job": str(job.id), **made.request}
        words = "This is what would be done." if made.dry_run else "The repair was created."
        return Written(
            success({"repair": wire.repair(made)}, words), f"repairs/{made.id}", after=kept
        )

    return caller.writes("integrity.repair", work)


@router.get(
    f"{_AT}/{{job_id}}/repair/{{repair_id}}",
    summary="Get a repair of rows that a data integrity job found",
    response_model=Answer[wire.RepairData],
    responses=problems(404),
)
def get_data_integrity_repair(
    caller: ReadsRecipients, destination_id: Number, job_id: JobNumber, repair_id: RepairNumber
) -> Any:
    """Give a repair: how far it is, what was put right, what was left alone."""
    with caller.sees() as connection:
        job = integrity.get(connection, *_ids(destination_id, job_id), caller.sight)
        found = repairs.get(connection, job, _repair_id(repair_id))
    return success({"repair": wire.repair(found)})
