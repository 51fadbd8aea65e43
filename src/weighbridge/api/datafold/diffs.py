"""Datafold's diffs. Each route finds its words, calls one verb, and writes the answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query, Request
from fastapi.responses import StreamingResponse

from weighbridge import datadiffs
from weighbridge.api import paging
from weighbridge.api.auth import RUN_SQL, Caller, ReadsDiffs, WritesDiffs, Written
from weighbridge.api.datafold import answers, examples, wire
from weighbridge.api.datafold.answers import problems
from weighbridge.catalog.data_sources import get_data_source
from weighbridge.datadiffs import export, listing, rows
from weighbridge.errors import BadArgument, NoSuchConnection
from weighbridge.store.tables import STATES

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

router = APIRouter(prefix="/api/v1", tags=["datadiffs"])

Number = Annotated[int, Path(ge=1, lt=2**63, description="The diff's id.")]
Numbers = Annotated[
    str | None, Query(description="Whole numbers, joined by commas.", examples=["1,2,3"])
]
Moments = Annotated[
    str | None,
    Query(
        description="`D`, `<D`, `>D` or `D1<<D2` (from D1 on, before D2), joined by commas; UTC.",
        examples=["2025-03-01", "2025-03-01T12:00:00Z<<2025-03-02", ">2025-03-01,<2024-01-01"],
    ),
]
OrderBy = Literal[
    "id", "status", "archived", "data_source1_id", "data_source2_id", "user_id",
    "created_at", "updated_at", "finished_at",
]  # fmt: skip
# The statuses that Datafold knows beside ours; no diff of ours has one, but a client may ask.
_OTHER_STATES = ("needs_confirmation", "needs_authentication", "queued")
_MEDIA = {
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}


@router.get(
    "/organization/meta",
    summary="Who is asking",
    response_model=answers.Organization,
    responses=problems(),
)
def organization_meta(caller: ReadsDiffs) -> Any:
    """Say who is asking: clients call this first."""
    return {"org_id": 1, "org_name": "weighbridge", "user_id": caller.key.id}


@router.post(
    "/datadiffs",
    summary="Ask for a diff",
    response_model=answers.Datadiff,
    response_model_exclude_unset=True,
    responses=problems(429),
)
def create_datadiff(caller: WritesDiffs, body: wire.NewDatadiff) -> Any:
    """Ask for a diff; a worker runs it. Fields that are not known are echoed and change nothing.

    `query1` and `query2` need a key that has the scope `run_sql`, too. A key may have 1,000 diffs
    waiting or running.
    """
    if (body.query1 or body.query2) and RUN_SQL not in caller.key.scopes:
        raise HTTPException(403, f"query1 and query2 need a key with the scope {RUN_SQL}, too.")

    def work(connection: Connection) -> Written:
        try:
            diff = datadiffs.request(
                connection,
                body.as_request(),
                echo=body.echo(),
                environment=caller.key.environment,
                created_by=caller.key.id,
            )
        except NoSuchConnection as error:
            # Named in the body, not in the path: the request is wrong, nothing is missing here.
            raise BadArgument(error.message, next_step=error.next_step) from None
        return Written(wire.datadiff(diff), f"datadiffs/{diff.id}", after=diff.echo)

    return caller.writes("datadiffs.create", work)


@router.get(
    "/datadiffs",
    summary="List diffs",
    response_model=answers.Datadiffs,
    response_model_exclude_unset=True,
    responses=problems(),
)
def list_datadiffs(  # noqa: PLR0917 the parameters of a URL
    caller: ReadsDiffs,
    request: Request,
    page: paging.PageNumber = 1,
    page_size: paging.PageSize = 100,
    sort_order: Literal["asc", "desc"] = "asc",
    order_by: OrderBy = "id",
    id: Numbers = None,  # noqa: A002 the field's name on the wire
    status: Annotated[
        str | None,
        Query(description=f"Some of {', '.join(STATES)}, joined by commas.", examples=["waiting"]),
    ] = None,
    archived: Annotated[
        str | None, Query(description="true, false, or both.", examples=["false"])
    ] = None,
    data_source1_id: Numbers = None,
    data_source2_id: Numbers = None,
    user_id: Numbers = None,
    created_at: Moments = None,
    updated_at: Moments = None,
    finished_at: Moments = None,
) -> Any:
    """List the diffs that this key may see, filtered and by page."""
    paging.only_known(request, {*listing.FIELDS, "page", "page_size", "sort_order", "order_by"})
    conditions = [
        *_among({
            "id": id, "data_source1_id": data_source1_id, "data_source2_id": data_source2_id,
            "user_id": user_id,
        }),
        *_within({
            "created_at": created_at, "updated_at": updated_at, "finished_at": finished_at,
        }),
    ]  # fmt: skip
    if status is not None:
        known = paging.words("status", status, (*STATES, *_OTHER_STATES))
        conditions.append(listing.among("status", known))
    if archived is not None:
        conditions.append(listing.among("archived", paging.flags("archived", archived)))
    with caller.sees() as connection:
        count, found = datadiffs.list_diffs(
            connection,
            *conditions,
            order=listing.ordered(order_by, descending=sort_order == "desc"),
            offset=(page - 1) * page_size,
            limit=page_size,
        )
    return paging.paged(
        [wire.datadiff(diff) for diff in found], count=count, page=page, page_size=page_size
    )


def _among(asked: dict[str, str | None]) -> Iterator[ColumnElement[bool]]:
    for name, text in asked.items():
        if text is not None:
            yield listing.among(name, paging.numbers(name, text))


def _within(asked: dict[str, str | None]) -> Iterator[ColumnElement[bool]]:
    for name, text in asked.items():
        if text is not None:
            yield listing.within(name, paging.spans(name, text))


@router.get(
    "/datadiffs/{number}",
    summary="Look at a diff",
    response_model=answers.Datadiff,
    response_model_exclude_unset=True,
    responses=problems(404),
)
def get_datadiff(caller: ReadsDiffs, number: Number) -> Any:
    """Give a diff and where it stands."""
    with caller.sees() as connection:
        return wire.datadiff(datadiffs.get(connection, number))


@router.patch(
    "/datadiffs/{number}",
    summary="Archive or purge a diff",
    response_model=answers.Datadiff,
    response_model_exclude_unset=True,
    responses=problems(404, 409),
)
def change_datadiff(caller: WritesDiffs, number: Number, body: wire.DatadiffChange) -> Any:
    """Put a diff away, or delete the rows that it keeps.

    `archived` is a mark and can be taken back. `purged: true` deletes the differing rows of a diff
    that has ended, also those that its report showed or explained: irreversible. Its figures stay.
    """

    def work(connection: Connection) -> Written:
        before = diff = datadiffs.get(connection, number)
        if body.archived is not None:
            diff = datadiffs.archive(connection, number, archived=body.archived)
        if body.purged is not None:
            diff = datadiffs.purge(connection, number, purged=body.purged)
        return Written(
            wire.datadiff(diff), f"datadiffs/{diff.id}",
            before={"archived": before.archived, "purged": before.purged},
            after={"archived": diff.archived, "purged": diff.purged},
        )  # fmt: skip

    return caller.writes("datadiffs.change", work)


@router.get(
    "/datadiffs/{number}/summary",
    summary="Read it in words",
    response_model=answers.DatadiffSummary,
    response_model_exclude_unset=True,
    responses=problems(404),
)
def datadiff_summary(caller: ReadsDiffs, number: Number) -> Any:
    """Give a diff in short, with a paragraph that a person can read."""
    with caller.sees() as connection:
        diff = datadiffs.get(connection, number)
        left, right = (_name(connection, source) for source in diff.request.data_sources)
        kept = rows.count(connection, diff, rows.Wanted())
    return wire.datadiff_summary(diff, names=(left, right), kept=kept)


def _name(connection: Connection, number: int) -> str | None:
    try:
        return get_data_source(connection, number).name
    except NoSuchConnection:
        return None  # deleted since


@router.get(
    "/datadiffs/{number}/results",
    summary="Read the rows that differ",
    response_model=answers.Results,
    responses={
        200: {
            "content": {
                "application/x-ndjson": {
                    "schema": {"type": "string"},
                    "example": examples.NDJSON,
                },
                "text/csv": {"schema": {"type": "string"}, "example": examples.CSV},
                "application/vnd.apache.parquet": {
                    "schema": {"type": "string", "format": "binary"}
                },
            }
        },
        **problems(404, 409),
    },
)
def results(  # noqa: PLR0917 the parameters of a URL
    caller: ReadsDiffs,
    request: Request,
    number: Number,
    page: Annotated[paging.PageNumber | None, Query()] = None,
    page_size: Annotated[paging.PageSize | None, Query()] = None,
    after: Annotated[
        int | None,
        Query(ge=0, lt=2**63, description="`next_after` of the page before; instead of `page`."),
    ] = None,
    kind: Annotated[rows.Kind | None, Query(description="Rows of this kind only.")] = None,
    column: Annotated[
        str | None,
        Query(description="Rows only in which this column changed.", examples=["status"]),
    ] = None,
    format: Literal["json", "ndjson", "csv", "parquet"] = "json",  # noqa: A002 the name on the wire
) -> Any:
    """Give the rows that differ, in the order in which they were kept.

    `json` gives a page (100 rows unless `page_size` says otherwise). `ndjson`, `csv` and `parquet`
    stream every row that fits `kind` and `column`. CSV is for machines: text cells that begin with
    = + - @, a tab or a carriage return are not altered, and a spreadsheet may take them for
    formulas; NULL is an empty cell without quotes, '' one with quotes.
    """
    paging.only_known(request, {"page", "page_size", "after", "kind", "column", "format"})
    wanted = rows.Wanted(kind, column)
    paged = {"page": page, "page_size": page_size, "after": after}
    with caller.sees() as connection:
        diff = datadiffs.get(connection, number)
        rows.check_readable(diff, wanted)
        if format == "json":
            return _page(connection, diff, wanted, paged)
    given = [name for name, value in paged.items() if value is not None]
    if given:
        raise BadArgument(
            f"{given[0]} cannot be used with format={format}, which gives every row.",
            next_step=f"Leave {given[0]} out, or use format=json.",
        )
    return StreamingResponse(
        _stream(caller, diff, wanted, format),
        media_type=_MEDIA[format],
        headers={"Content-Disposition": f'attachment; filename="datadiff-{number}.{format}"'},
    )


def _page(
    connection: Connection, diff: datadiffs.Diff, wanted: rows.Wanted, paged: dict[str, int | None]
) -> dict[str, Any]:
    page, after, size = paged["page"], paged["after"], paged["page_size"] or 100
    if page is not None and after is not None:
        raise BadArgument(
            "page and after are two ways to say where to begin.", next_step="Give one of them."
        )
    number = None if after is not None else page or 1
    offset = (number - 1) * size if number else 0
    count = rows.count(connection, diff, wanted)
    # One more than is shown tells whether more follow.
    found = rows.page(connection, diff, wanted, after=after or 0, offset=offset, limit=size + 1)
    shown = found[:size]
    told = [export.row_dict(row) for row in shown]
    return {
        **paging.paged(told, count=count, page=number, page_size=size),
        "next_after": shown[-1].n if len(found) > size else None,
    }


def _stream(
    caller: Caller, diff: datadiffs.Diff, wanted: rows.Wanted, form: str
) -> Iterator[bytes]:
    found = rows.batches(caller.sees, diff, wanted)
    columns = export.Columns(rows.key_names(diff), rows.value_names(diff))
    if form == "ndjson":
        return export.ndjson(found)
    return export.csv(columns, found) if form == "csv" else export.parquet(columns, found)


@router.post(
    "/datadiffs/{number}/cancel",
    summary="Cancel a diff",
    response_model=answers.Cancelled,
    responses=problems(404),
)
def cancel_datadiff(caller: WritesDiffs, number: Number) -> Any:
    """Ask for the end of a diff; one that has ended stays as it is."""

    def work(connection: Connection) -> Written:
        before = datadiffs.get(connection, number).status
        diff = datadiffs.cancel(connection, number)
        return Written(
            {"id": diff.id, "status": diff.status}, f"datadiffs/{diff.id}",
            before={"status": before}, after={"status": diff.status, "cancel": "wished"},
        )  # fmt: skip

    return caller.writes("datadiffs.cancel", work)
